//! Answers of every shape that GitHub is known to give, and what each means.

use reqwest::header::{HeaderName, HeaderValue};

use super::*;

mod budget;
mod graphql;
mod limits;
mod properties;

const SECONDARY: &str = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
const CONTENT: &str = r#"{"message":"You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later."}"#;
const PRIMARY: &str = r#"{"message":"API rate limit exceeded for user ID 1.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"}"#;
const LOGINS: &str =
    r#"{"message":"Maximum number of login attempts exceeded. Please try again later."}"#;
const TOO_LARGE: &str = r#"{"message":"The history or contributor list is too large to list contributors for this repository via the API."}"#;
const DATE: (&str, &str) = ("date", "Tue, 19 Jul 2022 04:40:37 GMT");
/// The `Date` above, in seconds since 1970.
const DATE_SECONDS: u64 = 1_658_205_637;
const NONE_LEFT: (&str, &str) = ("x-ratelimit-remaining", "0");
const MANY_LEFT: (&str, &str) = ("x-ratelimit-remaining", "4771");
/// 3,000 seconds after [`DATE`].
const RESET: (&str, &str) = ("x-ratelimit-reset", "1658208637");

type Pairs<'a> = [(&'a str, &'a str)];

fn headers(pairs: &Pairs<'_>) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn judged(call: Call, status: u16, pairs: &Pairs<'_>, body: &str) -> Result<Reading, Refusal> {
    let status = StatusCode::from_u16(status).unwrap();
    let headers = headers(pairs);
    read("repository a/b", call, status, &headers, body.as_bytes())
}

/// What is no refusal.
fn reading(call: Call, status: u16, pairs: &Pairs<'_>, body: &str) -> Reading {
    judged(call, status, pairs, body).unwrap()
}

/// The refusal that both kinds of call are told, but for a 422.
fn refused(status: u16, pairs: &Pairs<'_>, body: &str) -> Refusal {
    let told = judged(Call::Read, status, pairs, body);
    assert_eq!(told, judged(Call::Create, status, pairs, body));
    told.unwrap_err()
}

fn final_reason(status: u16, body: &str) -> String {
    match reading(Call::Read, status, &[MANY_LEFT], body) {
        Reading::Final { reason } => reason,
        other => panic!("{status} {body} is final, not {other:?}"),
    }
}

/// The wait in seconds.
fn later(status: u16, pairs: &Pairs<'_>, body: &str) -> Option<u64> {
    match reading(Call::Read, status, pairs, body) {
        Reading::Later { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
        other => panic!("{status} {pairs:?} {body} is for later, not {other:?}"),
    }
}

fn primary(resource: &str) -> Limit {
    Limit::Primary {
        resource: resource.to_owned(),
    }
}

#[test]
fn an_answer_that_serves_is_taken_even_if_it_is_the_last_of_the_hour() {
    let table = [
        (200, Reading::Body),
        (201, Reading::Created),
        (204, Reading::Empty),
        (304, Reading::Unchanged),
    ];
    for (status, expected) in table {
        for pairs in [&[][..], &[DATE, NONE_LEFT, RESET]] {
            let told = reading(Call::Read, status, pairs, SECONDARY);
            assert_eq!(told, expected, "{status} {pairs:?}");
        }
    }
}

#[test]
fn what_moved_is_told_with_its_address_and_whether_for_good() {
    let there = "https://api.github.com/repositories/1";
    for (status, permanent) in [(301, true), (308, true), (302, false), (307, false)] {
        let expected = Reading::Moved {
            location: there.to_owned(),
            permanent,
        };
        let told = reading(Call::Read, status, &[("location", there)], "");
        assert_eq!(told, expected, "{status}");
        assert_eq!(later(status, &[], ""), None, "{status} without an address");
    }
}

#[test]
fn a_refusal_that_is_no_limit_is_final_and_tells_what_github_said() {
    let table = [
        (
            400,
            r#"{"message":"Unknown API version."}"#,
            "GitHub cannot read the request for repository a/b (400): Unknown API version.",
        ),
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
        // GitHub Enterprise Server with its limits switched off sends no numbers.
        let unnumbered = reading(Call::Read, status, &[], body);
        let reason = reason.to_owned();
        assert_eq!(unnumbered, Reading::Final { reason });
    }
    let sso = [("x-github-sso", "required; url=https://example.com/secret")];
    let Reading::Final { reason } = reading(Call::Read, 403, &sso, "{}") else {
        panic!("a missing single sign-on is final");
    };
    assert!(!reason.contains("secret"), "{reason}");
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
    for pairs in [&[][..], &[DATE, NONE_LEFT, RESET], &[("retry-after", "8")]] {
        let told = reading(Call::Read, 403, pairs, TOO_LARGE);
        assert_eq!(told, Reading::TooLarge, "{pairs:?}");
    }
}

#[test]
fn trouble_at_github_is_for_later() {
    for status in [202, 303, 406, 408, 500, 502, 503, 504] {
        let page = "<html><b>Unicorn!</b>";
        assert_eq!(later(status, &[], page), None, "{status}");
        let used_up = [DATE, NONE_LEFT, RESET];
        assert_eq!(later(status, &used_up, SECONDARY), None, "{status}");
        let soon = [("retry-after", "9")];
        assert_eq!(later(status, &soon, "{}"), Some(9), "{status}");
    }
}

#[test]
fn a_page_in_place_of_a_refusal_comes_from_a_proxy_and_is_for_later() {
    let typed = [("content-type", "text/html; charset=utf-8")];
    for status in [400, 403] {
        assert_eq!(later(status, &typed, "No entry"), Some(60), "{status}");
        assert_eq!(
            later(status, &[], "\n<!DOCTYPE html>"),
            Some(60),
            "{status}"
        );
    }
    refused(429, &typed, "Slow down");
}
