//! Clients that ask at the same moment, through two processes' worth of API.

use std::collections::HashSet;

use futures_util::future::join_all;
use hookme_tests::House;
use hookme_tests::site::{ApiClient, live, total};
use serde_json::json;

/// Posts a task for each repository at the same moment; the answers' status and id.
async fn answers(
    apis: &[ApiClient],
    repositories: impl Iterator<Item = String>,
) -> Vec<(u16, String)> {
    let posts = repositories.enumerate().map(async |(index, repository)| {
        let body = json!({"username": "octocat", "repository": repository});
        let answer = apis[index % apis.len()]
            .post_task(&body, None)
            .await
            .unwrap();
        let id = answer.body["id"].as_str().unwrap_or_default().to_owned();
        (answer.status.as_u16(), id)
    });
    join_all(posts).await
}

#[tokio::test]
async fn of_200_simultaneous_tasks_exactly_as_many_are_taken_as_may_be_live() {
    let mut house = House::start().await.unwrap();
    let flags = ["--rate-limit-max-simultaneous-jobs=5"];
    let apis = [
        house.api(&flags).await.unwrap(),
        house.api(&flags).await.unwrap(),
    ];
    for round in 1..=5 {
        let answers = answers(&apis, (0..200).map(|n| format!("r{round}-{n}"))).await;
        let with = |status| answers.iter().filter(move |(given, _)| *given == status);
        assert_eq!(
            (with(202).count(), with(429).count()),
            (5, 195),
            "round {round}: {answers:?}"
        );
        let counts = house.queue.counts().await.unwrap();
        assert_eq!((live(&counts), total(&counts, "accepted")), (5, 5 * round));
        for (_, id) in with(202) {
            house.queue.cancel(id.parse().unwrap()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn of_20_simultaneous_tasks_for_one_repository_one_is_taken_and_the_others_are_told_which() {
    let mut house = House::start().await.unwrap();
    let apis = [house.api(&[]).await.unwrap(), house.api(&[]).await.unwrap()];
    for round in 1..=100 {
        let letter = |n: usize| if n.is_multiple_of(3) { 'R' } else { 'r' };
        let answers = answers(&apis, (0..20).map(|n| format!("{}{round}", letter(n)))).await;
        let count = |status| answers.iter().filter(|(given, _)| *given == status).count();
        assert_eq!(
            (count(202), count(200)),
            (1, 19),
            "round {round}: {answers:?}"
        );
        let ids: HashSet<_> = answers.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), 1, "round {round}: {answers:?}");
        let counts = house.queue.counts().await.unwrap();
        assert_eq!((live(&counts), total(&counts, "accepted")), (round, round));
    }
}
