//! Each transition with its request lost and with its reply lost: the programs
//! repeat it, and nobody can tell afterwards.

use hookme_shared::job::State;
use hookme_tests::Site;
use hookme_tests::github::RepositorySpec;
use hookme_tests::site::{SiteOptions, live, total};
use redis::AsyncCommands;

use super::PATIENCE;
use super::lives::{Life, OWNER, end_of};

/// Each function that changes a job, in a life that calls it.
const CALLS: [(&str, Life); 15] = [
    ("submit", Life::Retried),
    ("claim", Life::Retried),
    ("keep", Life::Retried),
    ("renew", Life::Retried),
    ("retry", Life::Retried),
    ("load", Life::Retried),
    ("finish", Life::Retried),
    ("bury", Life::BuriedAndRevived),
    ("revive", Life::BuriedAndRevived),
    ("cancel", Life::Cancelled),
    ("cancel", Life::CancelledWhileRunning),
    ("renew", Life::CancelledWhileRunning),
    ("release", Life::CancelledWhileRunning),
    ("defer", Life::Deferred),
    ("reap", Life::Crashed),
];

/// So many issues that their report, compressed, does not come with the claim.
const LARGE_REPORT_ISSUES: usize = 2_000;

#[derive(Debug, Clone, Copy)]
enum Lost {
    Request,
    Reply,
}

/// Loses the next call of `function`. Of `reap`, more: the first may be that of
/// a worker which is killed before it would notice.
fn lose(site: &Site, lost: Lost, function: &str) {
    let times = if function == "reap" { 3 } else { 1 };
    let name = format!("_{function}");
    let is_meant =
        move |words: &[Vec<u8>]| words[0] == b"FCALL" && words[1].ends_with(name.as_bytes());
    let proxy = site.proxy.as_ref().unwrap();
    match lost {
        Lost::Request => proxy.drop_request(times, is_meant),
        Lost::Reply => proxy.drop_reply(times, is_meant),
    }
}

async fn live_through(lost: Lost) {
    let options = SiteOptions {
        proxy: true,
        ..SiteOptions::default()
    };
    let mut site = Site::start(options.with("LEASE", "1000")).await.unwrap();
    for (number, (function, life)) in CALLS.into_iter().enumerate() {
        let case = format!("{lost:?} of {function} in {life:?}");
        let repository = format!("r{number}");
        if function == "load" {
            // A small report comes with the claim and is not asked for.
            let large = RepositorySpec {
                issues: LARGE_REPORT_ISSUES,
                ..RepositorySpec::default()
            };
            site.github.add_repository(OWNER, &repository, &large);
        }
        lose(&site, lost, function);
        let id = life.live(&mut site, &repository).await;
        assert_eq!(end_of(&site, id).await, life.expected(), "{case}");
        let proxy = site.proxy.as_ref().unwrap();
        assert!(proxy.dropped() > number, "{case}: nothing was lost");
    }
    site.receiver.one_body_per_id().unwrap();
    let counts = site.all_ended(PATIENCE).await.unwrap();
    let ended = ["succeeded", "dead", "cancelled"].map(|state| total(&counts, state));
    assert_eq!(total(&counts, "accepted"), CALLS.len() as u64, "{counts:?}");
    assert_eq!(
        total(&counts, "accepted") + total(&counts, "revived"),
        live(&counts) + ended.iter().sum::<u64>(),
        "{counts:?}"
    );
    // Only the one whose worker was killed.
    assert_eq!(total(&counts, "crashed"), 1, "{counts:?}");
    assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn each_transition_whose_reply_was_lost_is_repeated_and_happens_once() {
    live_through(Lost::Reply).await;
}

#[tokio::test]
async fn each_transition_whose_request_was_lost_is_repeated_and_happens_once() {
    live_through(Lost::Request).await;
}

#[tokio::test]
async fn a_body_that_could_not_be_kept_has_one_number_although_its_answer_was_lost() {
    for lost in [Lost::Request, Lost::Reply] {
        let options = SiteOptions {
            proxy: true,
            ..SiteOptions::default()
        };
        let site = Site::start(options.with("REPORTS_MAX_BYTES", "0"))
            .await
            .unwrap();
        lose(&site, lost, "advance");
        let id = site.submit(OWNER, "hello").await.unwrap();
        site.all_ended(PATIENCE).await.unwrap();
        assert_eq!(site.proxy.as_ref().unwrap().dropped(), 1, "{lost:?}");
        let end = end_of(&site, id).await;
        assert_eq!((end.state, end.failures), (State::Succeeded, 0), "{lost:?}");
        assert_eq!((end.deliveries, end.bodies), (1, 1), "{lost:?}");
        assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_delivery_whose_permit_was_lost_on_the_way_is_made_once_and_without_a_failure() {
    for function in ["destination_enter", "destination_leave"] {
        for lost in [Lost::Request, Lost::Reply] {
            let options = SiteOptions {
                proxy: true,
                ..SiteOptions::default()
            };
            let site = Site::start(options).await.unwrap();
            lose(&site, lost, function);
            let id = site.submit(OWNER, "hello").await.unwrap();
            site.all_ended(PATIENCE).await.unwrap();
            let case = format!("{lost:?} of {function}");
            assert_eq!(site.proxy.as_ref().unwrap().dropped(), 1, "{case}");
            let end = end_of(&site, id).await;
            assert_eq!((end.state, end.failures), (State::Succeeded, 0), "{case}");
            assert_eq!((end.deliveries, end.bodies), (1, 1), "{case}");
            assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
        }
    }
}

/// Longer than a test lasts: what is held for its whole term is held for ever.
const LONG_TIMEOUT: &str = "600000";

#[tokio::test]
async fn a_permit_or_a_probe_whose_grant_was_lost_on_the_way_is_given_back() {
    for is_probe in [false, true] {
        for function in ["destination_enter", "destination_leave"] {
            let options = SiteOptions {
                proxy: true,
                ..SiteOptions::default()
            };
            let options = options
                .with("WEBHOOK_IN_FLIGHT", "1")
                .with("WEBHOOK_TIMEOUT", LONG_TIMEOUT);
            let site = Site::start(options).await.unwrap();
            let mut ends = Vec::new();
            for repository in ["first", "second", "third"] {
                if repository == "second" {
                    lose(&site, Lost::Reply, function);
                    if is_probe {
                        half_open(&site).await;
                    }
                }
                ends.push(site.submit(OWNER, repository).await.unwrap());
                site.all_ended(PATIENCE).await.unwrap();
            }
            assert_eq!(site.proxy.as_ref().unwrap().dropped(), 1, "{function}");
            for id in ends {
                let end = end_of(&site, id).await;
                assert_eq!((end.state, end.failures), (State::Succeeded, 0));
                assert_eq!((end.deliveries, end.bodies), (1, 1), "{function}");
            }
        }
    }
}

#[tokio::test]
async fn a_turn_to_ask_github_that_was_lost_on_the_way_is_given_back() {
    let options = SiteOptions {
        proxy: true,
        ..SiteOptions::default()
    };
    let options = options
        .with("GITHUB_CACHE_MAX_BYTES", "67108864")
        .with("GITHUB_TIMEOUT", LONG_TIMEOUT);
    let site = Site::start(options).await.unwrap();
    lose(&site, Lost::Reply, "github_look");
    let id = site.submit(OWNER, "hello").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(site.proxy.as_ref().unwrap().dropped(), 1);
    let end = end_of(&site, id).await;
    assert_eq!((end.state, end.failures), (State::Succeeded, 0));
}

/// Makes the receiver's origin one that failed, so that the next delivery is the probe.
async fn half_open(site: &Site) {
    let mut redis = site.connection().await.unwrap();
    let keys: Vec<String> = redis.keys("{hookme}:origin:*").await.unwrap();
    let key = keys.iter().find(|key| !key.contains(":flights:")).unwrap();
    let fields = [("opens", 1), ("open_until_ms", 1)];
    let () = redis.hset_multiple(key, &fields).await.unwrap();
}
