//! Every form in which GitHub refuses, and how long it is left alone then.

use std::time::Duration;

use hookme_shared::job::State;
use hookme_shared::queue::Explanation;
use hookme_tests::House;
use hookme_tests::github::{Clock, Fault, GithubOptions, Limits, RepositorySpec};
use hookme_tests::site::ApiClient;
use serde_json::json;

use super::{PATIENCE, house, limited};

const ISSUES: &str = "/repos/octocat/hello/issues";
const SECONDARY: &str =
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
const PRIMARY: &str = "API rate limit exceeded for user ID 12345.";
/// When the answers of this file were given: 1,658,205,637 s since 1970.
const DATE: (&str, &str) = ("date", "Tue, 19 Jul 2022 04:40:37 GMT");
const CORE: &str = "GitHub's rate limit of core";
const ALL: &str = "the end of GitHub's secondary rate limit";

/// A refusal (status, headers beside [`DATE`], message), the seconds to wait by it,
/// and what a job waits for then.
type Case = (
    u16,
    &'static [(&'static str, &'static str)],
    &'static str,
    u64,
    &'static str,
);
const CASES: [Case; 11] = [
    (
        403,
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1658205727"),
            ("x-ratelimit-resource", "core"),
        ],
        PRIMARY,
        91,
        CORE,
    ),
    (
        429,
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1658205727"),
            ("x-ratelimit-resource", "core"),
        ],
        PRIMARY,
        91,
        CORE,
    ),
    // A reset that has passed says nothing.
    (
        403,
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1658205632"),
            ("x-ratelimit-resource", "core"),
        ],
        PRIMARY,
        60,
        CORE,
    ),
    // None of the headers.
    (403, &[], SECONDARY, 60, ALL),
    (429, &[], "Too many requests", 60, ALL),
    (403, &[("retry-after", "75")], SECONDARY, 75, ALL),
    (
        429,
        &[("retry-after", "Tue, 19 Jul 2022 04:42:37 GMT")],
        SECONDARY,
        120,
        ALL,
    ),
    // The words of the one limit with the numbers of the other: the later.
    (
        403,
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1658205937"),
            ("x-ratelimit-resource", "core"),
        ],
        SECONDARY,
        301,
        ALL,
    ),
    (
        403,
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1658205647"),
            ("x-ratelimit-resource", "core"),
        ],
        SECONDARY,
        60,
        ALL,
    ),
    // The reset is not the end of a secondary limit.
    (
        403,
        &[
            ("x-ratelimit-remaining", "4771"),
            ("x-ratelimit-reset", "1658208637"),
            ("x-ratelimit-resource", "core"),
        ],
        SECONDARY,
        60,
        ALL,
    ),
    (403, &[("gh-limited-by", "x")], "Slow down", 60, ALL),
];

/// A GitHub that has every repository, and counts nothing.
fn generous() -> GithubOptions {
    GithubOptions {
        generate: Some(RepositorySpec::default()),
        ..GithubOptions::default()
    }
}

/// A GitHub Enterprise Server with its limits off, and a worker that keeps no pace.
async fn without_limits() -> (House, ApiClient) {
    let silent = GithubOptions {
        tells_plenty: false,
        ..generous()
    };
    let off = ["--github-read-gap=0", "--github-in-flight=0"];
    house(silent, &off).await
}

/// For how long in ms and for what the only job waits.
async fn refused((code, headers, message, ..): Case) -> (u64, String, House) {
    let (house, api) = house(generous(), &[]).await;
    let headers = headers.iter().chain([&DATE]);
    let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let body = json!({"message": message}).to_string();
    let refusal = Fault::Status(code, headers.collect(), body);
    house.github.always(ISSUES, refusal);
    let id = api.submit("octocat", "hello", None).await.unwrap();
    let waits = |seen: &Explanation| seen.job.attempt > 0 && seen.why.starts_with("waits for");
    let seen = house.job_when(id, PATIENCE, waits).await.unwrap();
    assert_eq!(seen.job.failures, 0);
    let wait_ms = seen.until_ms.unwrap() - seen.history[0].at_ms;
    (wait_ms, seen.why, house)
}

#[tokio::test]
async fn each_refusal_is_waited_out_as_github_asks() {
    for case in CASES {
        let (wait_ms, why, house) = refused(case).await;
        let (.., seconds, awaited) = case;
        let least = seconds * 1_000;
        // The job was put back a moment after everybody was told to wait.
        let allowed = least.saturating_sub(5_000)..=least + least / 10 + 1;
        assert!(allowed.contains(&wait_ms), "{case:?}: {wait_ms} ms");
        let words = format!("waits for {awaited} until ");
        assert!(why.starts_with(&words), "{case:?}: {why}");
        assert_eq!(house.github.requests().len(), 1, "{case:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_two_hours_wrong_changes_nothing() {
    let hours = 2 * 60 * 60 * 1_000;
    for ahead_ms in [-hours, hours] {
        let limits = Limits {
            hourly_anonymous: 40,
            hour_ms: 3_000,
            points_per_minute: 30,
            minute_ms: 1_000,
            block_ms: 1_000,
            ..Limits::default()
        };
        let options = GithubOptions {
            clock: Clock::Wall { ahead_ms },
            ..limited(limits)
        };
        let (house, api) = house(options, &["--github-in-flight=1"]).await;
        let mut ids = Vec::new();
        for number in 0..30 {
            let name = format!("repository-{number}");
            ids.push(api.submit("octocat", &name, None).await.unwrap());
        }
        for id in ids {
            let ended = house.ended(id, PATIENCE).await.unwrap();
            assert_eq!(ended.job.failures, 0, "{ended:?}");
        }
        let broken = house.github.broken();
        assert_eq!(
            (broken.primary, broken.during_pause, broken.beside_probe),
            (0, 0, 0),
            "{broken:?}"
        );
        assert!(house.github.refused() > 0, "nothing was put to the test");
    }
}

#[tokio::test]
async fn a_github_without_limits_lets_everything_through_at_once() {
    let (house, api) = without_limits().await;
    let slow = Fault::Delay(Duration::from_millis(300));
    house.github.always("/repos", slow);
    let mut ids = Vec::new();
    for number in 0..8 {
        let name = format!("repository-{number}");
        ids.push(api.submit("octocat", &name, None).await.unwrap());
    }
    for id in ids {
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!((ended.job.attempt, ended.job.failures), (1, 0), "{ended:?}");
    }
    assert!(house.github.max_in_flight() > 1);
}

#[tokio::test]
async fn where_nothing_is_limited_a_refusal_pauses_everybody_all_the_same() {
    let (house, api) = without_limits().await;
    let mut ids = Vec::new();
    for number in 0..400 {
        let name = format!("repository-{number}");
        ids.push(api.submit("octocat", &name, None).await.unwrap());
        if number == 100 {
            let headers = vec![("retry-after".to_owned(), "10".to_owned())];
            let body = json!({"message": SECONDARY}).to_string();
            let refusal = Fault::Status(429, headers, body);
            house.github.script("/", vec![refusal]);
        }
    }
    for id in ids {
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!((ended.job.state, ended.job.failures), (State::Succeeded, 0));
    }
    // What was under way when the refusal came is soon over; all others wait.
    let requests = house.github.requests();
    let gaps = requests.windows(2).map(|two| two[1].at - two[0].at);
    let (last, pause) = gaps.enumerate().max_by_key(|(_, gap)| *gap).unwrap();
    assert!(pause > Duration::from_secs(7), "{pause:?}");
    let after = requests.len() - last - 1;
    assert!(after > 400, "{after} of {} requests", requests.len());
}
