//! Answers of every shape that GitHub is known to give, and what each means.

use proptest::prelude::*;
use reqwest::header::{HeaderName, HeaderValue};

use super::*;

const SECONDARY: &str = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
const PRIMARY: &str = r#"{"message":"API rate limit exceeded for user ID 1.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"}"#;
const DATE: (&str, &str) = ("date", "Tue, 19 Jul 2022 04:40:37 GMT");
/// The `Date` above, in seconds since 1970.
const DATE_SECONDS: u64 = 1_658_205_637;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn reading(status: u16, pairs: &[(&str, &str)], body: &str) -> Reading {
    let status = StatusCode::from_u16(status).unwrap();
    read("repository a/b", status, &headers(pairs), body.as_bytes())
}

fn final_reason(status: u16, body: &str) -> String {
    match reading(status, &[("x-ratelimit-remaining", "4927")], body) {
        Reading::Final { reason } => reason,
        other => panic!("{status} is final, not {other:?}"),
    }
}

/// The wait in seconds.
fn wait(status: u16, pairs: &[(&str, &str)], body: &str) -> Option<u64> {
    match reading(status, pairs, body) {
        Reading::Later { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
        other => panic!("{status} {pairs:?} is for later, not {other:?}"),
    }
}

#[test]
fn an_answer_that_serves_is_taken() {
    assert_eq!(
        reading(200, &[("x-ratelimit-remaining", "0")], "[]"),
        Reading::Body
    );
    assert_eq!(reading(204, &[], ""), Reading::Empty);
    for status in [301, 302, 307, 308] {
        let there = "https://api.github.com/repositories/1";
        assert_eq!(
            reading(status, &[("location", there)], ""),
            Reading::Moved(there.to_owned())
        );
        assert_eq!(wait(status, &[], ""), None);
    }
}

#[test]
fn a_secondary_limit_waits_a_minute_or_what_retry_after_says_and_not_for_the_reset() {
    let reset = (DATE_SECONDS + 3_000).to_string();
    let reset = ("x-ratelimit-reset", reset.as_str());
    let many = ("x-ratelimit-remaining", "4771");
    let old_url = r#"{"documentation_url":"https://developer.github.com/v3/#abuse-rate-limits"}"#;
    let abuse = r#"{"message":"You have triggered an abuse detection mechanism."}"#;
    let table = [
        (403, vec![], SECONDARY, 60),
        (429, vec![], SECONDARY, 60),
        (403, vec![DATE, many, reset], SECONDARY, 60),
        (
            403,
            vec![DATE, many, reset, ("gh-limited-by", "search")],
            "{}",
            60,
        ),
        (403, vec![many], old_url, 60),
        (403, vec![many], abuse, 60),
        (403, vec![("retry-after", "8")], SECONDARY, 8),
        (
            403,
            vec![DATE, ("retry-after", "Tue, 19 Jul 2022 04:40:47 GMT")],
            SECONDARY,
            10,
        ),
        (
            403,
            vec![
                DATE,
                ("retry-after", "8"),
                ("x-ratelimit-remaining", "0"),
                reset,
            ],
            SECONDARY,
            3_001,
        ),
    ];
    for (status, pairs, body, seconds) in table {
        assert_eq!(
            wait(status, &pairs, body),
            Some(seconds),
            "{status} {pairs:?} {body}"
        );
    }
    let Reading::Later { reason, .. } = reading(403, &[("x-ratelimit-remaining", "0")], SECONDARY)
    else {
        panic!("a secondary limit is for later");
    };
    assert_eq!(reason, "GitHub's secondary rate limit was met (403)");
}

#[test]
fn the_hourly_limit_waits_for_its_reset_by_githubs_own_date() {
    let none = ("x-ratelimit-remaining", "0");
    let reset_in = |seconds: i64| DATE_SECONDS.saturating_add_signed(seconds).to_string();
    let table = [
        (3_000, 3_001),
        (60, 61),
        (10, 60),
        (0, 60),
        (-500, 60),
        (400_000_000, 86_400),
    ];
    for (reset, seconds) in table {
        let reset = reset_in(reset);
        for status in [403, 429] {
            let told = [DATE, none, ("x-ratelimit-reset", reset.as_str())];
            assert_eq!(
                wait(status, &told, PRIMARY),
                Some(seconds),
                "{status} {reset}"
            );
        }
    }
    let soon = reset_in(3_000);
    assert_eq!(
        wait(403, &[none, ("x-ratelimit-reset", &soon)], PRIMARY),
        Some(60),
        "no Date"
    );
    assert_eq!(
        wait(403, &[DATE, none, ("x-ratelimit-reset", "soon")], PRIMARY),
        Some(60)
    );
    assert_eq!(wait(403, &[DATE, none], PRIMARY), Some(60));
}

#[test]
fn a_429_or_a_retry_after_without_known_words_is_a_limit_too() {
    assert_eq!(wait(429, &[], ""), Some(60));
    assert_eq!(wait(429, &[("retry-after", "8")], "{}"), Some(8));
    assert_eq!(
        wait(403, &[("retry-after", "8")], r#"{"message":"no"}"#),
        Some(8)
    );
    let logins =
        r#"{"message":"Maximum number of login attempts exceeded. Please try again later."}"#;
    assert_eq!(wait(403, &[], logins), Some(60));
}

#[test]
fn a_refusal_that_is_no_limit_is_final_and_tells_what_github_said() {
    let table = [
        (
            403,
            r#"{"message":"Must have push access."}"#,
            "GitHub refuses access to repository a/b (403): Must have push access.",
        ),
        (403, "", "GitHub refuses access to repository a/b (403)"),
        (
            404,
            r#"{"message":"Not Found"}"#,
            "GitHub has no repository a/b, or the token may not see it (404)",
        ),
        (
            404,
            "<html>",
            "GitHub has no repository a/b, or the token may not see it (404)",
        ),
        (
            410,
            r#"{"message":"Issues has been disabled in this repository."}"#,
            "GitHub has removed or switched off repository a/b (410): Issues has been disabled in this repository.",
        ),
        (
            422,
            r#"{"message":"Validation Failed","status":"422"}"#,
            "GitHub cannot process the request for repository a/b (422): Validation Failed",
        ),
        (
            451,
            r#"{"message":"Repository access blocked","block":{"reason":"dmca"}}"#,
            "GitHub has blocked, for legal reasons, repository a/b (451): Repository access blocked",
        ),
    ];
    for (status, body, reason) in table {
        assert_eq!(final_reason(status, body), reason);
    }
}

#[test]
fn githubs_words_are_cut_and_escaped() {
    let long = format!(r#"{{"message":"\u001b[2J{}"}}"#, "x".repeat(500));
    let reason = final_reason(403, &long);
    assert!(
        reason.contains("(403): \\u{1b}[2Jxxx") && reason.ends_with("x…"),
        "{reason}"
    );
    assert!(reason.chars().count() < 260, "{reason}");
}

#[test]
fn contributors_that_are_too_many_are_no_error_even_with_nothing_remaining() {
    let body = r#"{"message":"The history or contributor list is too large to list contributors for this repository via the API."}"#;
    assert_eq!(reading(403, &[], body), Reading::TooLarge);
    assert_eq!(
        reading(403, &[("x-ratelimit-remaining", "0")], body),
        Reading::TooLarge
    );
}

#[test]
fn a_bad_token_is_for_later_and_names_the_setting() {
    let Reading::Later {
        reason,
        retry_after,
    } = reading(401, &[], r#"{"message":"Bad credentials"}"#)
    else {
        panic!("401 is for later");
    };
    assert!(
        reason.contains("API_TOKEN") && reason.ends_with("(401): Bad credentials"),
        "{reason}"
    );
    assert_eq!(retry_after, Some(PAUSE_MIN));
}

#[test]
fn trouble_at_github_is_for_later() {
    for status in [202, 304, 400, 406, 408, 500, 502, 503, 504] {
        assert_eq!(wait(status, &[], "<html><b>Unicorn!</b>"), None, "{status}");
        assert_eq!(
            wait(status, &[("retry-after", "9")], "{}"),
            Some(9),
            "{status}"
        );
    }
    let page = [("content-type", "text/html; charset=utf-8")];
    assert_eq!(wait(403, &page, "Forbidden by the proxy"), Some(60));
    assert_eq!(wait(403, &[], "\n<!DOCTYPE html>"), Some(60));
}

proptest! {
    #[test]
    fn a_limit_without_retry_after_never_waits_less_than_a_minute_or_more_than_a_day(
        limited in prop_oneof![Just(403_u16), Just(429)], reset: u64, remaining in 0_u32..2, dated: bool,
    ) {
        let (reset, remaining) = (reset.to_string(), remaining.to_string());
        let mut pairs = vec![("x-ratelimit-reset", reset.as_str()), ("x-ratelimit-remaining", &remaining)];
        pairs.extend(dated.then_some(DATE));
        let seconds = wait(limited, &pairs, SECONDARY).unwrap();
        prop_assert!((60..=86_400).contains(&seconds), "{seconds}");
    }

    #[test]
    fn no_answer_panics(status in 100_u16..600, body: Vec<u8>, value in "[ -~]{0,30}") {
        let names = ["retry-after", "x-ratelimit-reset", "x-ratelimit-remaining", "date", "location"];
        let pairs: Vec<_> = names.iter().map(|name| (*name, value.as_str())).collect();
        let status = StatusCode::from_u16(status).unwrap();
        drop(read("user x", status, &headers(&pairs), &body));
    }
}
