//! The same commit again: it has one live task, whoever asks for it and whoever hears of it.

use hookme_tests::House;
use hookme_tests::by_hand::{OWNER, REPOSITORY};
use hookme_tests::receiver::Receiver;
use reqwest::StatusCode;
use serde_json::json;

use super::client::{PULL_REQUEST, ended, post, task};

const FLAGS: [&str; 4] = [
    "--api-token=token",
    "--github-write-gap=0",
    "--webhook-allow-http=true",
    "--webhook-allowed-cidrs=127.0.0.0/8",
];

#[tokio::test]
async fn a_commit_has_one_live_task_wherever_its_result_goes() {
    let mut house = House::start().await.unwrap();
    let client = house.api(&FLAGS[2..]).await.unwrap();
    let own = Receiver::start().await.unwrap();
    let first = task(REPOSITORY, 1, &[("It builds", 3)]);
    let mut second = first.clone();
    second["webhook_url"] = json!(own.url());

    let id = post(&client, &first).await;
    let again = client.post_task(&second, None).await.unwrap();
    assert_eq!(again.status, StatusCode::OK, "{again:?}");
    assert_eq!(again.body["duplicate"], true, "{again:?}");
    assert_eq!(again.id().unwrap(), id);
    house.worker(&FLAGS).await.unwrap();
    assert_eq!(ended(&client, id).await["state"], "succeeded");
    assert_eq!(
        house.github.comments(OWNER, REPOSITORY, PULL_REQUEST).len(),
        1
    );
    assert_eq!((house.receiver.count(), own.count()), (1, 0));

    // Once it has ended, the other place can hear of a task of its own.
    let id = post(&client, &second).await;
    assert_eq!(ended(&client, id).await["state"], "succeeded");
    assert_eq!((house.receiver.count(), own.count()), (1, 1));
}
