//! The GitHub of our own with its limits: what is refused, how, and what is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use hookme_tests::GithubStandIn;
use hookme_tests::github::{
    Broken, Budget, Clock, Fault, GithubOptions, Hint, Limits, RefusalStyle, RepositorySpec,
};
use reqwest::Response;
use serde_json::Value;

use crate::{PATIENCE, client, json};

/// Some moment of 2027, in milliseconds.
const THEN_MS: u64 = 1_800_000_000_000;

/// A stand-in with one repository, these limits, and a clock that stands at
/// [`THEN_MS`] until it is moved.
async fn github(limits: Limits) -> (GithubStandIn, Arc<AtomicU64>) {
    let now_ms = Arc::new(AtomicU64::new(THEN_MS));
    let options = GithubOptions {
        limits: Some(limits),
        clock: Clock::Virtual(Arc::clone(&now_ms)),
        ..GithubOptions::default()
    };
    let github = GithubStandIn::start(options).await.unwrap();
    github.add_repository("octo", "cat", &RepositorySpec::default());
    (github, now_ms)
}

async fn get(github: &GithubStandIn, path: &str, token: Option<&str>) -> Response {
    let mut request = client().get(format!("{}{path}", github.url()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

/// Limit, remaining, used and what they are of.
fn rates(response: &Response) -> [Option<&str>; 4] {
    ["limit", "remaining", "used", "resource"]
        .map(|name| header(response, &format!("x-ratelimit-{name}")))
}

#[tokio::test]
async fn the_hours_allowance_shrinks_in_the_headers_until_it_is_refused() {
    let limits = Limits {
        hourly_anonymous: 2,
        ..Limits::default()
    };
    let (github, now_ms) = github(limits).await;
    let first = get(&github, "/repos/octo/cat", None).await;
    assert_eq!(
        rates(&first),
        [Some("2"), Some("1"), Some("1"), Some("core")]
    );
    assert_eq!(header(&first, "x-ratelimit-reset"), Some("1800003600"));
    assert_eq!(
        header(&first, "date"),
        Some("Fri, 15 Jan 2027 08:00:00 GMT")
    );
    let absent = get(&github, "/repos/octo/absent", None).await;
    assert_eq!(
        (
            absent.status().as_u16(),
            header(&absent, "x-ratelimit-remaining")
        ),
        (404, Some("0"))
    );
    let refused = get(&github, "/repos/octo/cat", None).await;
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "retry-after")),
        (403, None)
    );
    assert_eq!(
        rates(&refused),
        [Some("2"), Some("0"), Some("2"), Some("core")]
    );
    let message = json::<Value>(refused).await["message"].clone();
    assert!(
        message
            .as_str()
            .unwrap()
            .starts_with("API rate limit exceeded for 127.0.0.1.")
    );
    now_ms.fetch_add(3_600_000, Ordering::SeqCst);
    let again = get(&github, "/repos/octo/cat", None).await;
    assert_eq!(
        (again.status().as_u16(), header(&again, "x-ratelimit-used")),
        (200, Some("1"))
    );
    assert_eq!(
        github.broken(),
        Broken {
            primary: 1,
            ..Broken::default()
        }
    );
    assert_eq!(
        (
            github.served(),
            github.refused(),
            github.spent(Budget::Core)
        ),
        (3, 1, 3)
    );
}

#[tokio::test]
async fn an_answer_that_has_not_changed_is_free_for_the_token_that_has_its_tag() {
    let (github, _) = github(Limits::default()).await;
    let path = "/repos/octo/cat/issues";
    let first = get(&github, path, Some("a")).await;
    let tag = header(&first, "etag").unwrap().to_owned();
    assert!(header(&first, "vary").unwrap().contains("Authorization"));
    let ask = async |token: &str| {
        let request = client()
            .get(format!("{}{path}", github.url()))
            .bearer_auth(token);
        request.header("if-none-match", &tag).send().await.unwrap()
    };
    let unchanged = ask("a").await;
    assert_eq!(unchanged.status(), 304);
    assert_eq!(rates(&unchanged), rates(&first));
    assert_eq!(ask("b").await.status(), 200);
    let anonymous = get(&github, path, None).await;
    assert_ne!(header(&anonymous, "etag"), Some(tag.as_str()));
    assert!(
        !header(&anonymous, "vary")
            .unwrap()
            .contains("Authorization")
    );
    let spent = |token| github.spent_by(token, Budget::Core);
    assert_eq!((spent(Some("a")), spent(Some("b")), spent(None)), (1, 1, 1));
    assert_eq!(github.broken(), Broken::default());
}

#[tokio::test]
async fn a_secondary_refusal_takes_each_of_its_forms() {
    let limits = Limits {
        points_per_minute: 0,
        ..Limits::default()
    };
    let form = |secondary_status, hint| RefusalStyle {
        secondary_status,
        hint,
        ..RefusalStyle::default()
    };
    let until = "Fri, 15 Jan 2027 08:01:00 GMT";
    let table = [
        (RefusalStyle::default(), 403, Some("60"), None, true),
        (form(429, Hint::Date), 429, Some(until), None, true),
        (
            form(403, Hint::LimitedBy),
            403,
            None,
            Some("points-per-minute"),
            true,
        ),
        (form(429, Hint::BodyOnly), 429, None, None, true),
        (
            RefusalStyle {
                with_allowance: false,
                ..RefusalStyle::default()
            },
            403,
            Some("60"),
            None,
            false,
        ),
    ];
    for (style, status, retry_after, limited_by, with_allowance) in table {
        let (github, _) = github(limits.clone()).await;
        github.set_refusal_style(style);
        let refused = get(&github, "/repos/octo/cat", Some("t")).await;
        assert_eq!(refused.status().as_u16(), status, "{style:?}");
        assert_eq!(header(&refused, "retry-after"), retry_after, "{style:?}");
        assert_eq!(header(&refused, "gh-limited-by"), limited_by, "{style:?}");
        let remaining = header(&refused, "x-ratelimit-remaining");
        assert_eq!(remaining, with_allowance.then_some("5000"), "{style:?}");
        let body: Value = json(refused).await;
        let message = body["message"].as_str().unwrap();
        assert!(
            message.starts_with("You have exceeded a secondary rate limit."),
            "{message}"
        );
    }
}

#[tokio::test]
async fn who_asks_in_a_pause_is_refused_and_counted_and_meets_no_fault() {
    let limits = Limits {
        points_per_minute: 1,
        ..Limits::default()
    };
    let (github, now_ms) = github(limits).await;
    let status = async || {
        get(&github, "/repos/octo/cat", Some("t"))
            .await
            .status()
            .as_u16()
    };
    assert_eq!(status().await, 200);
    github.script("/repos/octo/cat", vec![Fault::Html502]);
    assert_eq!((status().await, status().await), (403, 403));
    now_ms.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(status().await, 502);
    let expected = Broken {
        points_per_minute: 1,
        during_pause: 1,
        ..Broken::default()
    };
    assert_eq!(github.broken(), expected);
}

#[tokio::test]
async fn a_hanging_request_is_in_flight_until_its_client_leaves() {
    let limits = Limits {
        concurrent: 1,
        block_ms: 0,
        ..Limits::default()
    };
    let (github, _) = github(limits).await;
    github.script("/", vec![Fault::Hang]);
    let url = format!("{}/repos/octo/cat", github.url());
    let hanging = client().get(&url).bearer_auth("t").send();
    tokio::select! {
        answer = hanging => panic!("{answer:?}"),
        seen = github.wait_for("/", 1, PATIENCE) => seen.unwrap(),
    }
    // The connection was closed by the client; the server notices in its own time.
    let served = hookme_tests::eventually(PATIENCE, "an answer", async || {
        let status = get(&github, "/repos/octo/cat", Some("t"))
            .await
            .status()
            .as_u16();
        if status == 200 {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });
    served.await.unwrap();
    let broken = github.broken();
    assert_eq!(broken.total(), broken.concurrent);
}

#[tokio::test]
async fn tokens_of_one_user_share_their_allowance_and_an_invalid_one_has_none() {
    let limits = Limits {
        hourly_token: 2,
        ..Limits::default()
    };
    let (github, _) = github(limits).await;
    github.add_token("first", 7);
    github.add_token("second", 7);
    github.refuse_token("stolen");
    for (token, remaining) in [("first", "1"), ("second", "0"), ("other", "1")] {
        let viewer = get(&github, "/user", Some(token)).await;
        assert_eq!(header(&viewer, "x-ratelimit-remaining"), Some(remaining));
        let viewer: Value = json(viewer).await;
        assert_eq!(viewer["id"] == 7, token != "other", "{viewer}");
        assert!(viewer["login"].is_string());
    }
    let refused = get(&github, "/user", Some("first")).await;
    assert_eq!(refused.status(), 403);
    let message = json::<Value>(refused).await["message"].clone();
    assert_eq!(message, "API rate limit exceeded for user ID 7.");
    let bad = get(&github, "/repos/octo/cat", Some("stolen")).await;
    assert_eq!(bad.status(), 401);
    assert_eq!(
        rates(&bad),
        [Some("60"), Some("59"), Some("1"), Some("core")]
    );
    assert_eq!(json::<Value>(bad).await["message"], "Bad credentials");
    let nobody = get(&github, "/user", None).await;
    assert_eq!(nobody.status(), 401);
    assert_eq!(
        json::<Value>(nobody).await["message"],
        "Requires authentication"
    );
}

#[tokio::test]
async fn without_limits_everything_is_granted_and_a_bad_token_still_refused() {
    let github = GithubStandIn::start(GithubOptions::default())
        .await
        .unwrap();
    github.refuse_token("stolen");
    let bad = get(&github, "/users/a", Some("stolen")).await;
    assert_eq!(
        (bad.status().as_u16(), header(&bad, "x-ratelimit-limit")),
        (401, Some("60"))
    );
    let good = get(&github, "/users/a", Some("other")).await;
    assert_eq!(
        rates(&good),
        [Some("5000"), Some("4999"), Some("1"), Some("core")]
    );
    assert_eq!((github.served(), github.broken()), (0, Broken::default()));
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the difference to this clock is the test"
)]
async fn a_clock_that_is_two_hours_ahead_shows_in_the_date_and_in_the_reset() {
    let options = GithubOptions {
        limits: Some(Limits::default()),
        clock: Clock::Wall {
            ahead_ms: 7_200_000,
        },
        ..GithubOptions::default()
    };
    let github = GithubStandIn::start(options).await.unwrap();
    let answer = get(&github, "/users/a", None).await;
    let reset: u64 = header(&answer, "x-ratelimit-reset")
        .unwrap()
        .parse()
        .unwrap();
    let reset = SystemTime::UNIX_EPOCH + Duration::from_secs(reset);
    let ahead = reset.duration_since(SystemTime::now()).unwrap();
    let hours = 3 * 3_600;
    assert!(
        (hours - 60..=hours + 1).contains(&ahead.as_secs()),
        "{ahead:?}"
    );
    let plain = GithubStandIn::start(GithubOptions::default())
        .await
        .unwrap();
    let plain = get(&plain, "/users/a", None).await;
    assert_ne!(
        header(&plain, "date").unwrap()[..22],
        header(&answer, "date").unwrap()[..22]
    );
}
