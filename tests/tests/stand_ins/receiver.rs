//! The webhook's other end.

use std::time::Duration;

use hookme_tests::Receiver;
use hookme_tests::receiver::Answer;

use crate::{PATIENCE, client};

fn post(receiver: &Receiver, id: &str, body: &'static str) -> reqwest::RequestBuilder {
    client()
        .post(receiver.url())
        .header("webhook-id", id)
        .body(body)
}

#[tokio::test]
async fn deliveries_are_kept_in_order_with_headers_and_body() {
    let receiver = Receiver::start().await.unwrap();
    for (id, body) in [("one", "1"), ("two", "2"), ("one", "1")] {
        assert_eq!(
            post(&receiver, id, body).send().await.unwrap().status(),
            200
        );
    }
    let deliveries = receiver.wait_for(3, PATIENCE).await.unwrap();
    assert_eq!(deliveries[1].json().unwrap(), 2);
    assert_eq!(receiver.ids(), ["one", "two", "one"]);
    assert_eq!((receiver.count(), receiver.distinct_ids()), (3, 2));
    receiver.one_body_per_id().unwrap();
}

#[tokio::test]
async fn an_id_with_two_bodies_is_noticed_even_when_only_counting() {
    let receiver = Receiver::start_counting().await.unwrap();
    post(&receiver, "one", "1").send().await.unwrap();
    receiver.one_body_per_id().unwrap();
    post(&receiver, "one", "2").send().await.unwrap();
    assert!(
        receiver
            .one_body_per_id()
            .unwrap_err()
            .to_string()
            .contains("one")
    );
    assert!(receiver.deliveries().is_empty());
    assert_eq!(receiver.count(), 2);
}

#[tokio::test]
async fn scripted_answers_come_in_order_and_then_the_usual_one() {
    let receiver = Receiver::start().await.unwrap();
    let retry = vec![("Retry-After".to_owned(), "7".to_owned())];
    let slow = Duration::from_millis(60);
    receiver.answer(vec![
        Answer::Status(503, retry),
        Answer::Slow(slow, 201),
        Answer::Drop,
        Answer::CloseAfterReading,
        Answer::Endless,
    ]);
    receiver.answer_always(Answer::status(410));
    let send = async |id| post(&receiver, id, "{}").send().await;
    assert_eq!(send("a").await.unwrap().headers()["retry-after"], "7");
    let start = std::time::Instant::now();
    assert_eq!(send("b").await.unwrap().status(), 201);
    assert!(start.elapsed() >= slow);
    assert!(send("c").await.is_err());
    assert!(send("d").await.is_err());
    let mut endless = send("e").await.unwrap();
    assert!(endless.chunk().await.unwrap().is_some());
    assert_eq!(send("f").await.unwrap().status(), 410);
    assert_eq!(receiver.ids(), ["a", "b", "d", "e", "f"]);
}

#[tokio::test]
async fn a_delivery_that_hangs_is_recorded_before_any_answer() {
    let receiver = Receiver::start().await.unwrap();
    receiver.answer(vec![Answer::Hang]);
    tokio::select! {
        answer = post(&receiver, "a", "{}").send() => panic!("{answer:?}"),
        seen = receiver.wait_for(1, PATIENCE) => assert_eq!(seen.unwrap()[0].id(), Some("a")),
    }
    let late = receiver
        .wait_for(2, Duration::from_millis(20))
        .await
        .unwrap_err();
    assert!(late.to_string().contains("1 of 2"), "{late}");
}
