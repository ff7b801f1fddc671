//! What the webhook may answer.

use hookme_shared::job::State;
use hookme_tests::Receiver;
use hookme_tests::receiver::Answer;

use super::{PATIENCE, QUICK, house, last_words, submit};

#[tokio::test]
async fn whatever_the_webhook_does_wrong_once_the_same_body_comes_again() {
    for (answer, seen) in [
        (Answer::status(400), 2),
        (Answer::status(404), 2),
        (Answer::status(429), 2),
        (Answer::status(503), 2),
        // The connection is cut before and after the body was read.
        (Answer::Drop, 1),
        (Answer::CloseAfterReading, 2),
    ] {
        let (house, api) = house(&QUICK).await;
        house.receiver.answer(vec![answer.clone()]);
        let id = submit(&api, "hello").await;
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!(
            (ended.job.state, ended.job.failures),
            (State::Succeeded, 1),
            "{answer:?}: {ended:?}"
        );
        assert_eq!(
            house.receiver.ids(),
            vec![id.to_string(); seen],
            "{answer:?}"
        );
        house.receiver.one_body_per_id().unwrap();
        assert_eq!(house.github.requests().len(), 4, "{answer:?}");
    }
}

#[tokio::test]
async fn a_success_is_any_status_from_200_to_299_however_its_body_ends() {
    for answer in [
        Answer::status(201),
        Answer::status(204),
        Answer::status(299),
        Answer::Endless,
    ] {
        let (house, api) = house(&QUICK).await;
        house.receiver.answer(vec![answer.clone()]);
        let ended = house
            .ended(submit(&api, "hello").await, PATIENCE)
            .await
            .unwrap();
        assert_eq!(
            (ended.job.state, ended.job.failures),
            (State::Succeeded, 0),
            "{answer:?}"
        );
        assert_eq!(house.receiver.count(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_nobody_follows_it() {
    let (house, api) = house(&QUICK).await;
    let elsewhere = Receiver::start().await.unwrap();
    let headers = vec![("location".to_owned(), elsewhere.url())];
    house.receiver.answer(vec![
        Answer::Status(302, headers.clone()),
        Answer::Status(307, headers),
    ]);
    let ended = house
        .ended(submit(&api, "hello").await, PATIENCE)
        .await
        .unwrap();
    assert_eq!((ended.job.state, ended.job.failures), (State::Succeeded, 2));
    assert_eq!((elsewhere.count(), elsewhere.strays()), (0, 0));
}

#[tokio::test]
async fn a_webhook_that_wants_no_more_ends_the_task_at_once() {
    let (house, api) = house(&QUICK).await;
    house.receiver.answer(vec![Answer::status(410)]);
    let ended = house
        .ended(submit(&api, "hello").await, PATIENCE)
        .await
        .unwrap();
    assert_eq!((ended.job.state, house.receiver.count()), (State::Dead, 1));
    assert!(
        last_words(&ended).starts_with("the webhook answered 410 (gone"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn the_wait_that_a_webhook_asks_for_is_the_least_that_it_gets() {
    for code in [429, 503] {
        let (house, api) = house(&QUICK).await;
        let headers = vec![("retry-after".to_owned(), "3600".to_owned())];
        house.receiver.answer(vec![Answer::Status(code, headers)]);
        let id = submit(&api, "hello").await;
        let waits = house
            .job_when(id, PATIENCE, |seen| seen.job.failures == 1)
            .await
            .unwrap();
        assert_eq!(waits.job.state, State::Scheduled);
        let wait_ms = waits.job.due_ms - waits.history[0].at_ms;
        assert!(
            (3_600_000..=4_500_000).contains(&wait_ms),
            "{code}: {wait_ms}"
        );
    }
}
