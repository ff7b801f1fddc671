//! Deliveries that receivers verify with the library that the specification offers.

use hookme_tests::Site;
use hookme_tests::receiver::{Answer, Delivery};
use hookme_tests::site::SiteOptions;
use standardwebhooks::Webhook;

use super::{PATIENCE, house, report, submit};

/// Two secrets of 32 bytes.
const NEW: &str = "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0=";
const OLD: &str = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZC0=";
const OTHER: &str = "whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q=";

fn verifies(secret: &str, delivery: &Delivery) -> bool {
    let webhook = Webhook::new(secret).unwrap();
    webhook.verify(&delivery.body, &delivery.headers).is_ok()
}

#[tokio::test]
async fn every_try_is_signed_anew_with_each_secret_under_one_id() {
    let secrets = format!("--webhook-secrets={NEW},{OLD}");
    // Longer than the second that a timestamp counts in.
    let (house, api) = house(&[&secrets, "--reschedule-interval=1100"]).await;
    house.receiver.answer(vec![Answer::status(500)]);
    let id = submit(&api, report("signed")).await;
    house.ended(id, PATIENCE).await.unwrap();
    let deliveries = house.receiver.deliveries();
    assert_eq!(deliveries.len(), 2);
    for delivery in &deliveries {
        assert_eq!(delivery.id(), Some(&*id.to_string()));
        assert!(verifies(NEW, delivery) && verifies(OLD, delivery));
        assert!(!verifies(OTHER, delivery));
        let mut forged = delivery.clone();
        forged.body = [&delivery.body[..], b" "].concat().into();
        assert!(!verifies(NEW, &forged));
    }
    let timestamps = deliveries.iter().map(|one| one.header("webhook-timestamp"));
    let timestamps: Vec<_> = timestamps.map(Option::unwrap).collect();
    assert!(timestamps[0] < timestamps[1], "{timestamps:?}");
}

#[tokio::test]
async fn without_a_secret_there_is_no_signature() {
    let (house, api) = house(&[]).await;
    let id = submit(&api, report("unsigned")).await;
    house.ended(id, PATIENCE).await.unwrap();
    let delivery = house.receiver.deliveries().remove(0);
    assert_eq!(delivery.header("webhook-signature"), None);
    assert!(delivery.header("webhook-timestamp").is_some());
}

#[tokio::test]
async fn a_worker_that_does_not_sign_says_so_when_it_starts() {
    let unsigned = Site::start(SiteOptions::default()).await.unwrap();
    let told = unsigned.workers[0].wait_for_log("deliveries are not signed", PATIENCE);
    told.await.unwrap();
    let options = SiteOptions::default().with("WEBHOOK_SECRETS", NEW);
    let signed = Site::start(options).await.unwrap();
    assert!(!signed.workers[0].log().contains("not signed"));
}
