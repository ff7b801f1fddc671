//! What at most one live task may exist for: no client's task is another's.

use std::time::Duration;

use hookme_shared::destination::Destination;
use hookme_shared::feedback::PullRequest;
use hookme_shared::job::{JobId, State};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::owner::KeyId;
use hookme_shared::queue::{Clock, Submission, Submitted, Terms, Work};
use hookme_tests::House;
use hookme_tests::by_hand::{self, OWNER, REPOSITORY};

fn task(work: Work, owner: Option<&str>, url: Option<&str>) -> Submission {
    Submission {
        id: JobId::random(),
        username: Username::parse(OWNER).unwrap(),
        repository: RepositoryName::parse(REPOSITORY).unwrap(),
        work,
        delay: Duration::ZERO,
        owner: owner.map(|id| id.parse().unwrap()),
        destination: url.map(|url| Destination::new(url.parse().unwrap())),
        idempotency: None,
    }
}

/// The live task that this one is answered with, itself or another.
async fn live(house: &House, task: &Submission) -> JobId {
    match house.queue.submit(task).await.unwrap() {
        Submitted::Accepted(receipt) | Submitted::Duplicate(receipt) => receipt.id,
        other => panic!("{other:?}"),
    }
}

const CLIENTS: [(Option<&str>, Option<&str>); 6] = [
    (None, None),
    (Some("shop"), None),
    (Some("desk"), None),
    (None, Some("https://a.example/hook")),
    (None, Some("https://a.example/hook?tenant=2")),
    (Some("shop"), Some("https://a.example/hook")),
];

#[tokio::test]
async fn each_client_and_each_place_has_a_live_report_of_its_own() {
    let house = House::start().await.unwrap();
    let mut ids = Vec::new();
    for (owner, url) in CLIENTS {
        let first = task(Work::Report, owner, url);
        assert_eq!(live(&house, &first).await, first.id, "{owner:?} {url:?}");
        ids.push(first.id);
    }
    for ((owner, url), id) in CLIENTS.into_iter().zip(&ids) {
        let again = task(Work::Report, owner, url);
        assert_eq!(live(&house, &again).await, *id, "{owner:?} {url:?}");
    }
    // An end gives back this scope, and no other.
    house.queue.cancel(ids[1]).await.unwrap();
    for ((owner, url), id) in CLIENTS.into_iter().zip(&ids) {
        let again = task(Work::Report, owner, url);
        let is_live = live(&house, &again).await == *id;
        assert_eq!(is_live, *id != ids[1], "{owner:?} {url:?}");
    }
}

#[tokio::test]
async fn a_record_says_whose_it_is_and_where_it_goes() {
    let house = House::start().await.unwrap();
    let url = "https://a.example/hook?key=1";
    let submitted = task(Work::Report, Some("shop"), Some(url));
    live(&house, &submitted).await;
    let seen = house.job(submitted.id).await.unwrap().job;
    assert_eq!(seen.owner, Some("shop".parse::<KeyId>().unwrap()));
    assert_eq!(seen.destination, submitted.destination);
    let claimed = by_hand::claim(&house.queue, 1, 0).await.unwrap().jobs;
    assert_eq!(claimed[0].job.destination, submitted.destination);
}

#[tokio::test]
async fn a_newer_commit_takes_no_place_of_another_clients_feedback() {
    let mut house = House::start().await.unwrap();
    house.queue = house
        .queue_under(Terms::default(), Clock::Virtual)
        .await
        .unwrap();
    let work = |commit| by_hand::feedback(7, commit).unwrap();
    let old = task(work(1), Some("shop"), None);
    let newer = task(work(2), Some("desk"), None);
    let newest = task(work(3), Some("shop"), Some("https://a.example/"));
    let state = async |id| house.job(id).await.unwrap().job.state;
    for (ms, task) in [(1, &old), (2, &newer)] {
        house.set_clock(ms).await.unwrap();
        live(&house, task).await;
    }
    assert_eq!(state(old.id).await, State::Scheduled);
    house.set_clock(3).await.unwrap();
    live(&house, &newest).await;
    assert_eq!(state(old.id).await, State::Cancelled);
    assert_eq!(state(newer.id).await, State::Scheduled);

    let (owner, name) = (&newest.username, &newest.repository);
    let found = async |owners: &[&str]| {
        let keys: Vec<Option<KeyId>> = owners.iter().map(|id| id.parse().ok()).collect();
        let pull_request = PullRequest::new(7).unwrap();
        let found = house
            .queue
            .find_feedback(owner, name, pull_request, &keys, 2);
        let jobs = found.await.unwrap();
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(found(&["shop"]).await, [newest.id, old.id]);
    assert_eq!(found(&["desk"]).await, [newer.id]);
    assert_eq!(found(&["", "desk"]).await, [newer.id]);
    assert_eq!(found(&["desk", "shop"]).await, [newest.id, newer.id]);
}
