//! What a report costs of GitHub's hour.

use hookme_shared::job::State;
use hookme_tests::House;
use hookme_tests::github::{Budget, Limits, RepositorySpec};
use hookme_tests::site::ApiClient;
use redis::AsyncCommands;

use super::{PATIENCE, TOKEN, house, limited};

const KEPT: [&str; 2] = ["--api-token=t0ken", "--github-cache-max-bytes=67108864"];

/// Has a report made.
async fn report(house: &House, api: &ApiClient, repository: &str) {
    let id = api.submit("octocat", repository, None).await.unwrap();
    let ended = house.ended(id, PATIENCE).await.unwrap();
    assert_eq!(ended.job.state, State::Succeeded, "{ended:?}");
}

/// What the token has spent: requests to the REST API, points of GraphQL.
fn spent(house: &House) -> (u64, u64) {
    let spent = |budget| house.github.spent_by(Some(TOKEN), budget);
    (spent(Budget::Core), spent(Budget::Graphql))
}

/// Lets the time pass for which GitHub's answers may be used without asking.
async fn outlast_what_is_fresh(house: &House) {
    let mut redis = house.redis().await.unwrap();
    let answers: Vec<String> = redis
        .zrange(house.key("github:answers"), 0, -1)
        .await
        .unwrap();
    assert!(!answers.is_empty());
    for answer in answers {
        let key = house.key(&format!("github:answer:{answer}"));
        let () = redis.hset(key, "fresh_until_ms", 0).await.unwrap();
    }
}

#[tokio::test]
async fn a_large_repository_costs_six_requests_and_then_nothing() {
    let (house, api) = house(limited(Limits::unlimited()), &KEPT).await;
    let spec = RepositorySpec {
        issues: 350,
        pull_requests: 0,
        contributors: 120,
        ..RepositorySpec::default()
    };
    house.github.add_repository("octocat", "large", &spec);
    // The first report finds out whose token it is, and some of the names.
    report(&house, &api, "small").await;
    let before = spent(&house);

    report(&house, &api, "large").await;
    let cold = spent(&house);
    assert!(cold.0 - before.0 <= 6, "{before:?} {cold:?}");
    assert!(cold.1 - before.1 <= 3, "{before:?} {cold:?}");
    let requests = house.github.requests().len();

    report(&house, &api, "large").await;
    assert_eq!(house.github.requests().len(), requests, "GitHub was asked");

    outlast_what_is_fresh(&house).await;
    report(&house, &api, "large").await;
    assert_eq!(
        spent(&house),
        cold,
        "an unchanged repository cost something"
    );
    assert_eq!(house.github.requests().len(), requests + 6);
    let bodies: Vec<_> = house.receiver.deliveries();
    assert_eq!(bodies[1].body, bodies[3].body);

    // What has changed is seen.
    outlast_what_is_fresh(&house).await;
    let spec = RepositorySpec {
        issues: 351,
        ..spec
    };
    house.github.add_repository("octocat", "large", &spec);
    report(&house, &api, "large").await;
    let body = house.receiver.deliveries().pop().unwrap().json().unwrap();
    assert_eq!(body["issues"].as_array().unwrap().len(), 351);
}

#[tokio::test]
async fn a_repository_that_does_not_exist_costs_one_request_however_often_it_is_asked_for() {
    let mut options = limited(Limits::unlimited());
    options.generate = None;
    let (house, api) = house(options, &KEPT).await;
    for _ in 0..5 {
        let id = api.submit("octocat", "nowhere", None).await.unwrap();
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!(ended.job.state, State::Dead);
        let reason = ended.job.reason.unwrap();
        assert!(reason.starts_with("GitHub has no repository"), "{reason}");
    }
    assert_eq!(house.github.count("/repos"), 1);
}

#[tokio::test]
async fn names_come_in_halves_where_github_finds_a_query_too_heavy() {
    let (house, api) = house(limited(Limits::unlimited()), &KEPT).await;
    let spec = RepositorySpec {
        contributors: 90,
        ..RepositorySpec::default()
    };
    house.github.add_repository("octocat", "hello", &spec);
    house.github.graphql_heavy_above(30);
    report(&house, &api, "hello").await;
    let body = house.receiver.deliveries().pop().unwrap().json().unwrap();
    let people = body["contributors"].as_array().unwrap();
    assert_eq!(people.len(), 90);
    for (index, person) in people.iter().enumerate() {
        let login = format!("contributor-{}", index + 1);
        let name = hookme_tests::github::default_name(&login).unwrap_or(login);
        assert_eq!(person["name"], name.as_str());
    }
    // Not one by one.
    assert_eq!(house.github.count("/user"), 1, "only whose token it is");
}
