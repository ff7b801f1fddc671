//! Every shape of a limit, and the wait that it names.

use super::*;

use Limit::{Content, Secondary, Token};

type Row<'a> = (u16, &'a Pairs<'a>, &'a str, Limit, Option<u64>);

fn check(table: &[Row<'_>]) {
    for (status, pairs, body, limit, seconds) in table {
        let refusal = refused(*status, pairs, body);
        let context = format!("{status} {pairs:?} {body}");
        assert_eq!(&refusal.limit, limit, "{context}");
        assert_eq!(
            refusal.wait.map(|wait| wait.as_secs()),
            *seconds,
            "{context}"
        );
    }
}

const OTHER: &str = r#"{"message":"Forbidden"}"#;
const MARK: (&str, &str) = ("gh-limited-by", "search-elapsed-time-shared-grouped");
const EIGHT: (&str, &str) = ("retry-after", "8");
/// Ten seconds after [`DATE`].
const TEN: (&str, &str) = ("retry-after", "Tue, 19 Jul 2022 04:40:47 GMT");
const SEARCH: (&str, &str) = ("x-ratelimit-resource", "search");

#[test]
fn an_hour_that_is_used_up_names_its_resource_and_waits_for_the_reset() {
    let (core, search) = (primary("core"), primary("search"));
    let told = [DATE, NONE_LEFT, RESET, SEARCH];
    let and_asked = [DATE, NONE_LEFT, RESET, EIGHT];
    let unspent = [DATE, MANY_LEFT, RESET];
    check(&[
        (403, &told, PRIMARY, search.clone(), Some(3_001)),
        (429, &told, PRIMARY, search.clone(), Some(3_001)),
        (403, &told, OTHER, search, Some(3_001)),
        (403, &told[..3], PRIMARY, core.clone(), Some(3_001)),
        (403, &and_asked, PRIMARY, core.clone(), Some(3_001)),
        (403, &[NONE_LEFT, EIGHT], PRIMARY, core.clone(), Some(8)),
        (403, &[NONE_LEFT], "", core.clone(), None),
        (403, &[], PRIMARY, core.clone(), None),
        (429, &unspent, PRIMARY, core, None),
    ]);
}

#[test]
fn a_secondary_limit_is_known_by_its_words_or_its_mark_whatever_comes_along() {
    let old_url = r#"{"documentation_url":"https://developer.github.com/v3/#abuse-rate-limits"}"#;
    let new_url = r#"{"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}"#;
    let between = r#"{"documentation_url":"https://docs.github.com/en/rest/overview/resources-in-the-rest-api#secondary-rate-limits"}"#;
    let abuse = r#"{"message":"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."}"#;
    let blocked = r#"{"message":"You were too fast and have been temporarily blocked."}"#;
    let abuse_content = r#"{"message":"You have triggered an abuse detection mechanism and have been temporarily blocked from content creation."}"#;
    let unspent = [DATE, MANY_LEFT, RESET, SEARCH];
    let marked = [DATE, NONE_LEFT, RESET, MARK];
    let spent = [DATE, NONE_LEFT, RESET];
    let asked = [DATE, NONE_LEFT, RESET, EIGHT];
    check(&[
        (403, &[], SECONDARY, Secondary, None),
        (429, &[], SECONDARY, Secondary, None),
        (403, &unspent, SECONDARY, Secondary, None),
        (403, &[MANY_LEFT, MARK], "{}", Secondary, None),
        (429, &[MARK], "", Secondary, None),
        (403, &marked, PRIMARY, Secondary, Some(3_001)),
        (403, &[MANY_LEFT], old_url, Secondary, None),
        (403, &[NONE_LEFT], new_url, Secondary, None),
        (429, &[], between, Secondary, None),
        (403, &[], abuse, Secondary, None),
        (403, &[], blocked, Secondary, None),
        (403, &[EIGHT], SECONDARY, Secondary, Some(8)),
        (429, &[DATE, TEN], SECONDARY, Secondary, Some(10)),
        (429, &[TEN], SECONDARY, Secondary, None),
        (403, &[("retry-after", "soon")], SECONDARY, Secondary, None),
        (403, &spent, SECONDARY, Secondary, Some(3_001)),
        (403, &asked, SECONDARY, Secondary, Some(3_001)),
        (403, &unspent, CONTENT, Content, None),
        (403, &[EIGHT, MARK], CONTENT, Content, Some(8)),
        (403, &[], abuse_content, Content, None),
    ]);
}

#[test]
fn a_429_or_a_retry_after_without_known_words_is_a_secondary_limit() {
    check(&[
        (429, &[], "", Secondary, None),
        (429, &[MANY_LEFT, EIGHT], "<html>", Secondary, Some(8)),
        (403, &[EIGHT], OTHER, Secondary, Some(8)),
        (403, &[DATE, TEN, MANY_LEFT, RESET], "", Secondary, Some(10)),
    ]);
}

#[test]
fn a_bad_token_never_waits_for_a_reset_since_that_is_not_of_its_own_budget() {
    let spent = [DATE, NONE_LEFT, RESET];
    check(&[
        (401, &[], r#"{"message":"Bad credentials"}"#, Token, None),
        (401, &[EIGHT], "", Token, Some(8)),
        (401, &spent, "", Token, None),
        (403, &[], LOGINS, Token, None),
        (403, &[EIGHT], LOGINS, Token, Some(8)),
        (403, &spent, LOGINS, Token, None),
    ]);
}

#[test]
fn a_reset_counts_by_githubs_own_date_and_never_if_it_has_passed() {
    let reset_in = |seconds: i64| DATE_SECONDS.saturating_add_signed(seconds).to_string();
    let table = [
        // The wait for the hourly limit, and for a secondary one that says nothing itself.
        (3_000, Some(3_001), Some(3_001)),
        (60, Some(61), Some(61)),
        (10, Some(11), Some(60)),
        (0, Some(1), Some(60)),
        (-1, None, None),
        (-500, None, None),
        (400_000_000, Some(86_400), Some(86_400)),
    ];
    for (reset, hourly, secondary) in table {
        let reset = reset_in(reset);
        let pairs = [DATE, NONE_LEFT, ("x-ratelimit-reset", reset.as_str())];
        check(&[
            (403, &pairs, PRIMARY, primary("core"), hourly),
            (429, &pairs, "", primary("core"), hourly),
            (403, &pairs, SECONDARY, Secondary, secondary),
            (403, &pairs, CONTENT, Content, secondary),
        ]);
    }
    let unreadable = [
        &[NONE_LEFT, RESET][..],
        &[("date", "noon"), NONE_LEFT, RESET],
        &[DATE, NONE_LEFT, ("x-ratelimit-reset", "soon")],
        &[DATE, NONE_LEFT, ("x-ratelimit-reset", "-1")],
        &[DATE, NONE_LEFT, ("x-ratelimit-reset", "9999999999999999")],
        &[DATE, NONE_LEFT],
    ];
    for pairs in unreadable {
        check(&[(403, pairs, PRIMARY, primary("core"), None)]);
    }
}

#[test]
fn a_named_wait_is_at_least_a_second_and_at_most_a_day() {
    let past = "Tue, 19 Jul 2022 04:00:00 GMT";
    for (asked, seconds) in [("0", 1), ("1", 1), ("86401", 86_400), (past, 1)] {
        let pairs = [DATE, ("retry-after", asked)];
        check(&[(403, &pairs, SECONDARY, Secondary, Some(seconds))]);
    }
}

#[test]
fn haste_is_a_limit_of_new_content_only_if_something_was_to_be_created() {
    let hasty = [
        r#"{"message":"Validation Failed","errors":[{"resource":"Issue","code":"custom","message":"was submitted too quickly"}]}"#,
        r#"{"message":"Validation Failed","errors":["was submitted too quickly after another"]}"#,
        r#"{"message":"The endpoint has been spammed."}"#,
    ];
    for body in hasty {
        let refusal = judged(Call::Create, 422, &[("retry-after", "8")], body).unwrap_err();
        assert_eq!(refusal.limit, Content, "{body}");
        assert_eq!(refusal.wait, Some(Duration::from_secs(8)), "{body}");
        let read = reading(Call::Read, 422, &[], body);
        assert!(matches!(read, Reading::Final { .. }), "{body} {read:?}");
    }
    let quoted = r#"{"message":"Validation Failed","errors":[{"value":"You answered too quickly","message":"is too long"}]}"#;
    for body in [
        quoted,
        "",
        "<p>too quickly</p>",
        r#"{"errors":{"message":1}}"#,
    ] {
        let told = reading(Call::Create, 422, &[], body);
        assert!(matches!(told, Reading::Final { .. }), "{body} {told:?}");
    }
}

#[test]
fn a_resource_that_could_not_be_part_of_a_key_is_taken_for_core() {
    let most = "a".repeat(32);
    let more = "a".repeat(33);
    let table = [
        ("code_search", "code_search"),
        (most.as_str(), most.as_str()),
        (more.as_str(), "core"),
        ("", "core"),
        ("Core", "core"),
        ("a b", "core"),
        ("a:b", "core"),
        ("graphql2", "core"),
    ];
    for (told, resource) in table {
        let pairs = [NONE_LEFT, ("x-ratelimit-resource", told)];
        check(&[(403, &pairs, PRIMARY, primary(resource), None)]);
    }
}

#[test]
fn a_reason_is_for_people_and_says_what_to_do_about_a_bad_token() {
    let reason = |status, pairs: &Pairs<'_>, body| refused(status, pairs, body).reason;
    let table = [
        (
            403,
            &[][..],
            SECONDARY,
            "GitHub's secondary rate limit was met (403)",
        ),
        (
            403,
            &[],
            CONTENT,
            "GitHub's limit of new content was met (403)",
        ),
        (
            429,
            &[NONE_LEFT],
            "",
            "GitHub's hourly rate limit is used up (429)",
        ),
        (
            429,
            &[],
            r#"{"message":"Slow"}"#,
            "GitHub asks for a pause (429): Slow",
        ),
    ];
    for (status, pairs, body, expected) in table {
        assert_eq!(reason(status, pairs, body), expected);
    }
    let bad = reason(401, &[], r#"{"message":"Bad credentials"}"#);
    assert!(
        bad.contains("API_TOKEN") && bad.ends_with("(401): Bad credentials"),
        "{bad}"
    );
    assert!(reason(403, &[], LOGINS).contains("API_TOKEN"));
}

#[test]
fn the_id_of_the_request_is_kept_if_it_looks_like_one() {
    let id = |value: &str| refused(429, &[("x-github-request-id", value)], "").request_id;
    let real = "187F:32E7C9:14E6BD1:187C555:67656B38";
    assert_eq!(id(real).as_deref(), Some(real));
    for odd in ["", "a b", "a\"b", "{x}", &"a".repeat(65)] {
        assert_eq!(id(odd), None, "{odd:?}");
    }
    assert_eq!(refused(429, &[], "").request_id, None);
}
