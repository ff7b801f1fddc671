//! What a body may be, and what its client is told.

use proptest::prelude::*;

use super::*;

const DEFAULT: Duration = Duration::from_millis(10_800);

fn parse(body: &[u8]) -> Result<Wish, Problem> {
    Wish::parse(body, &Guard::default())
}

fn refusal(body: &str) -> String {
    match parse(body.as_bytes()) {
        Err(Problem::Invalid(error)) => error.into_owned(),
        other => panic!("{body} gave {other:?}"),
    }
}

fn submission(body: &str, key: Option<&str>) -> Submission {
    parse(body.as_bytes())
        .unwrap()
        .into_submission(JobId::random(), None, key, DEFAULT)
}

fn body_hash(body: &str) -> String {
    submission(body, Some("key")).idempotency.unwrap().body_hash
}

#[test]
fn a_body_of_two_names_is_a_report_after_the_default_delay() {
    let submission = submission(
        r#"{"username": "OctoCat", "repository": "Hello-World"}"#,
        None,
    );
    assert_eq!(submission.username.as_str(), "OctoCat");
    assert_eq!(submission.repository.as_str(), "Hello-World");
    assert_eq!(submission.delay, DEFAULT);
    assert_eq!(submission.work, Work::Report);
    assert_eq!(submission.idempotency, None);
}

#[test]
fn members_that_nobody_knows_are_ignored_and_null_is_like_absent() {
    let body = r#" {"x": [{}], "username": "a", "repository": "b", "delay_ms": null, "kind": null, "webhook_url": null} "#;
    assert_eq!(submission(body, None).delay, DEFAULT);
}

#[test]
fn a_missing_name_is_told_in_hookme_s_words_and_username_comes_first() {
    for body in [
        "{}",
        r#"{"username": null}"#,
        r#"{"username": 7, "repository": "b"}"#,
        r#"{"username": false, "repository": ".."}"#,
        r#"{"username": ["a"], "repository": null}"#,
    ] {
        assert_eq!(refusal(body), "field username is required", "{body}");
    }
    for body in [
        r#"{"username": "a"}"#,
        r#"{"username": "a", "repository": null}"#,
        r#"{"username": "a", "repository": {}}"#,
    ] {
        assert_eq!(refusal(body), "field repository is required", "{body}");
    }
}

#[test]
fn a_name_that_github_would_not_give_out_is_refused() {
    let (username, repository) = ("field username must be", "field repository must be");
    assert!(refusal(r#"{"username": "", "repository": "b"}"#).starts_with(username));
    assert!(refusal(r#"{"username": "a/b", "repository": "c"}"#).starts_with(username));
    assert!(refusal(r#"{"username": "a", "repository": "../x"}"#).starts_with(repository));
    assert!(refusal(r#"{"username": "a", "repository": "b\u0000"}"#).starts_with(repository));
}

#[test]
fn only_one_json_object_is_a_body() {
    let nested = "[".repeat(10_000);
    for body in [
        "",
        "null",
        "\"a\"",
        // As many values as there are members.
        r#"["octocat", "hello-world", null, null, null]"#,
        "{",
        "{} {}",
        r#"{"username": "a", "username": "b", "repository": "c"}"#,
        r#"{"username": "a", "repository": "b"} trailing"#,
        &nested,
        &format!(r#"{{"x": {nested}"#),
    ] {
        assert!(
            refusal(body).starts_with("the body must be one JSON object"),
            "{body}"
        );
    }
    assert!(parse(b"{\"username\": \"\xff\"}").is_err());
}

#[test]
fn a_delay_is_a_whole_number_up_to_30_days() {
    let body =
        |delay: &str| format!(r#"{{"username": "a", "repository": "b", "delay_ms": {delay}}}"#);
    for (delay, expected) in [("0", 0), ("1", 1), ("2592000000", 2_592_000_000)] {
        assert_eq!(
            submission(&body(delay), None).delay,
            Duration::from_millis(expected)
        );
    }
    for delay in [
        "-1",
        "2592000001",
        "1.5",
        "1e3",
        "\"1\"",
        "true",
        "[]",
        "18446744073709551616",
    ] {
        assert_eq!(
            refusal(&body(delay)),
            "field delay_ms must be a whole number of milliseconds from 0 to 2592000000",
            "{delay}"
        );
    }
}

#[test]
fn an_unknown_kind_is_refused_and_not_ignored() {
    for kind in ["\"coffee\"", "\"REPORT\"", "\"\"", "1"] {
        let body = format!(r#"{{"username": "a", "repository": "b", "kind": {kind}}}"#);
        assert_eq!(refusal(&body), "field kind must be report or feedback");
    }
}

#[test]
fn a_place_that_the_guard_lets_through_goes_with_the_task() {
    let body =
        |url: &str| format!(r#"{{"username": "a", "repository": "b", "webhook_url": {url}}}"#);
    let url = "https://hooks.example.com/in?key=1";
    let to = |url: &str| submission(&body(&format!("{url:?}")), None).destination;
    assert_eq!(to(url).unwrap().url().as_str(), url);
    let told = "field webhook_url cannot be used: ";
    for (value, why) in [
        ("7", "it must be a URL"),
        ("\"\"", "it must be a URL"),
        ("\"http://example.com\"", "it must begin with https://"),
        (
            "\"https://127.1/\"",
            "its host must not have a private address",
        ),
    ] {
        let refusal = refusal(&body(value));
        assert!(refusal.starts_with(&format!("{told}{why}")), "{refusal}");
    }
    let hash = |url: &str| body_hash(&body(&format!("{url:?}")));
    assert_eq!(hash("https://EXAMPLE.com/a"), hash("https://example.com/a"));
    assert_ne!(hash("https://example.com/a"), hash("https://example.com/A"));
    assert_ne!(hash(url), body_hash(&body("null")));
}

#[test]
fn hashes_are_sha_256_in_hexadecimal() {
    // FIPS 180-4's example.
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256("abc"), expected);
    let body = r#"{"username": "a", "repository": "b"}"#;
    assert_eq!(
        submission(body, Some("abc")).idempotency.unwrap().key_hash,
        expected
    );
}

#[test]
fn a_report_has_the_hash_that_it_had_before_there_was_feedback() {
    // A key that came before an upgrade is good after it.
    let body = r#"{"username": "OctoCat", "repository": "Hello"}"#;
    assert_eq!(body_hash(body), sha256("octocat/hello\ndefault\nreport"));
}

#[test]
fn bodies_that_ask_for_the_same_have_one_hash() {
    let first = body_hash(r#"{"username": "OctoCat", "repository": "Hello"}"#);
    for same in [
        r#"{"repository":"hello","username":"octocat"}"#,
        r#"{"username": "octocat", "repository": "HELLO", "kind": "report", "x": 1}"#,
    ] {
        assert_eq!(body_hash(same), first, "{same}");
    }
    for other in [
        r#"{"username": "octocat", "repository": "hello2"}"#,
        r#"{"username": "octocat2", "repository": "hello"}"#,
        r#"{"username": "octocat", "repository": "hello", "delay_ms": 10800}"#,
    ] {
        assert_ne!(body_hash(other), first, "{other}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(parse(&body).is_err());
    }

    #[test]
    fn bodies_have_one_hash_only_if_they_ask_for_the_same(
        a in ("[a-c]{1,2}", "[a-c._-]{1,3}", 0..3_u64),
        b in ("[a-c]{1,2}", "[a-c._-]{1,3}", 0..3_u64),
    ) {
        let body = |(username, repository, delay_ms): &(String, String, u64)| {
            serde_json::json!({"username": username, "repository": repository, "delay_ms": delay_ms}).to_string()
        };
        let parsed = [&a, &b].map(|wish| parse(body(wish).as_bytes()));
        if let [Ok(first), Ok(second)] = parsed {
            prop_assert_eq!(a == b, first.canonical() == second.canonical());
        }
    }
}
