//! How often a task is tried: once, and then as often as `RETRY_MAX_ATTEMPTS` says.

use hookme_shared::job::State;
use hookme_tests::github::Fault;
use hookme_tests::receiver::Answer;

use super::{PATIENCE, dead, house, last_words, submit};

const NUMBERS: [(&str, usize); 3] = [
    ("--retry-max-attempts=3", 4),
    ("--retry-max-attempts=1", 2),
    ("--retry-max-attempts=0", 1),
];

#[tokio::test]
async fn a_webhook_that_never_takes_it_is_tried_as_often_as_before() {
    for (flag, tries) in NUMBERS {
        let (house, api) = house(&["--reschedule-interval=5", flag]).await;
        house.receiver.answer_always(Answer::status(500));
        let id = submit(&api, "hello").await;
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!(
            (ended.job.state, ended.job.attempt as usize),
            (State::Dead, tries)
        );
        assert_eq!(
            (house.receiver.count(), house.receiver.distinct_ids()),
            (tries, 1)
        );
        let words = format!("the webhook answered 500 (given up after {tries} tries)");
        assert_eq!(last_words(&ended), words);
        assert_eq!(ended.history.len(), tries);
    }
}

#[tokio::test]
async fn a_github_that_never_answers_well_is_tried_as_often_as_before() {
    for (flag, tries) in NUMBERS {
        let (house, api) = house(&["--reschedule-interval=5", flag]).await;
        house
            .github
            .always("/repos/octocat/hello/issues", Fault::Html502);
        let ended = dead(&house, submit(&api, "hello").await).await;
        assert_eq!(ended.job.attempt as usize, tries);
        assert_eq!(house.github.count("/repos/octocat/hello/issues"), tries);
        assert!(
            last_words(&ended).ends_with(&format!("(given up after {tries} tries)")),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn the_waits_between_tries_double() {
    let (house, api) = house(&["--reschedule-interval=40", "--retry-max-attempts=4"]).await;
    house.receiver.answer_always(Answer::status(500));
    let id = submit(&api, "hello").await;
    let ended = house.ended(id, PATIENCE).await.unwrap();
    // The end of an attempt to the end of the next is the wait and more.
    let ends: Vec<_> = ended.history.iter().map(|entry| entry.at_ms).collect();
    for (wait_ms, pair) in [40, 80, 160, 320].into_iter().zip(ends.windows(2)) {
        assert!(pair[1] - pair[0] >= wait_ms, "{ends:?}");
    }
}

#[tokio::test]
async fn a_retried_task_that_was_dead_has_all_its_tries_again() {
    let (house, api) = house(&["--reschedule-interval=5", "--retry-max-attempts=1"]).await;
    house.receiver.answer_always(Answer::status(500));
    let id = submit(&api, "hello").await;
    house.ended(id, PATIENCE).await.unwrap();
    assert_eq!(api.revive(id).await.unwrap().status, 202);
    let again = |seen: &hookme_shared::queue::Explanation| {
        seen.job.attempt == 4 && !seen.job.state.is_live()
    };
    house.job_when(id, PATIENCE, again).await.unwrap();
    house.receiver.answer_always(Answer::status(200));
    assert_eq!(api.revive(id).await.unwrap().status, 202);
    let ended = house
        .job_when(id, PATIENCE, |seen| seen.job.state == State::Succeeded)
        .await
        .unwrap();
    assert_eq!((ended.job.attempt, house.receiver.count()), (5, 5));
    house.receiver.one_body_per_id().unwrap();
}
