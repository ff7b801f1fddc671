//! What took longer than five seconds was lost, or sent four times.

use std::time::Duration;

use hookme_tests::github::{Fault, RepositorySpec};
use hookme_tests::receiver::Answer;

use super::{QUICK, delivered, house, submit};

/// More than the five seconds that were once the end.
const SLOW: Duration = Duration::from_millis(5_500);

async fn slow_github() {
    let (house, api) = house(&QUICK).await;
    house
        .github
        .script("/repos/octocat/hello/issues", vec![Fault::Delay(SLOW)]);
    let (ended, _) = delivered(&house, submit(&api, "hello").await).await;
    assert_eq!(ended.job.failures, 0, "{ended:?}");
}

async fn slow_people() {
    let (house, api) = house(&QUICK).await;
    let spec = RepositorySpec {
        contributors: 30,
        ..RepositorySpec::default()
    };
    house.github.add_repository("octocat", "hello", &spec);
    house
        .github
        .always("/user", Fault::Delay(Duration::from_millis(200)));
    let (ended, delivery) = delivered(&house, submit(&api, "hello").await).await;
    assert_eq!(ended.job.failures, 0, "{ended:?}");
    assert_eq!(
        delivery.json().unwrap()["contributors"]
            .as_array()
            .unwrap()
            .len(),
        30
    );
    assert_eq!(house.github.count("/user"), 30);
}

async fn slow_webhook() {
    let (house, api) = house(&QUICK).await;
    house.receiver.answer(vec![Answer::Slow(SLOW, 200)]);
    let (ended, _) = delivered(&house, submit(&api, "hello").await).await;
    assert_eq!(ended.job.failures, 0, "{ended:?}");
}

#[tokio::test]
async fn a_github_a_list_of_people_and_a_webhook_that_take_long_are_waited_for_and_asked_once() {
    tokio::join!(slow_github(), slow_people(), slow_webhook());
}
