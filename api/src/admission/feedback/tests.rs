//! What feedback must say, in which forms, and what its client is told.

use std::time::Duration;

use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use hookme_shared::guard::Guard;
use hookme_shared::job::JobId;
use hookme_shared::queue::Submission;
use proptest::prelude::*;
use serde_json::json;

use super::super::Wish;
use super::*;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

fn body() -> Value {
    json!({
        "kind": "feedback",
        "username": "octocat",
        "repository": "Hello-World",
        "pull_request": 7,
        "commit": SHA,
        "evaluation": {
            "github_username": "students",
            "github_repository_name": "octocat/hello-world",
            "evaluations": [{"description": "It greets — 👋?>", "grade": 3}],
        },
    })
}

fn with(member: &str, value: impl Into<Value>) -> Value {
    let mut body = body();
    body[member] = value.into();
    body
}

fn without(member: &str) -> Value {
    let mut body = body();
    body.as_object_mut().unwrap().remove(member);
    body
}

fn parse(body: &Value) -> Result<Wish, Problem> {
    Wish::parse(body.to_string().as_bytes(), &Guard::default())
}

fn refusal(body: &Value) -> String {
    match parse(body) {
        Err(Problem::Invalid(error)) => error.into_owned(),
        other => panic!("{body} gave {other:?}"),
    }
}

fn submission(body: &Value) -> Submission {
    let report_delay = Duration::from_millis(10_800);
    parse(body)
        .unwrap()
        .into_submission(JobId::random(), None, Some("key"), report_delay)
}

fn body_hash(body: &Value) -> String {
    submission(body).idempotency.unwrap().body_hash
}

/// The body's evaluation in its forms of base64.
fn packed() -> [String; 5] {
    let json = body()["evaluation"].to_string();
    let padded = STANDARD.encode(&json);
    assert!(padded.ends_with('='), "{padded}");
    let lines: Vec<_> = padded
        .as_bytes()
        .chunks(76)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    [
        STANDARD_NO_PAD.encode(&json),
        lines.join("\n") + "\n",
        lines.join("\r\n"),
        format!(" \t{padded} "),
        padded,
    ]
}

#[test]
fn feedback_is_due_at_once_unless_its_client_says_otherwise() {
    let submission = submission(&body());
    assert_eq!(submission.delay, Duration::ZERO);
    let Work::Feedback {
        pull_request,
        commit,
        evaluation,
    } = submission.work
    else {
        panic!("{:?}", submission.work);
    };
    assert_eq!((pull_request.get(), commit.as_str()), (7, SHA));
    assert_eq!(evaluation.username, "students");
    assert_eq!(evaluation.requirements[0].description, "It greets — 👋?>");
    let later = self::submission(&with("delay_ms", 5));
    assert_eq!(later.delay, Duration::from_millis(5));
}

#[test]
fn an_evaluation_in_base64_is_the_same_as_the_object() {
    for text in packed() {
        let same = parse(&with("evaluation", &*text));
        assert_eq!(same, parse(&body()), "{text}");
    }
    let upper = with("commit", SHA.to_uppercase());
    assert_eq!(parse(&upper), parse(&body()));
}

#[test]
fn a_text_that_is_no_base64_of_json_is_told_what_to_send() {
    let json = body()["evaluation"].to_string();
    let url_safe = URL_SAFE.encode(&json);
    assert!(url_safe.contains(['-', '_']), "{url_safe}");
    for text in [&*json, &url_safe, "A", "=", "é", "QQ=Q", "QR=="] {
        assert_eq!(refusal(&with("evaluation", text)), NOT_BASE64, "{text}");
    }
    let deep = "[".repeat(10_000);
    for bytes in [&b""[..], b"{", b"{} {}", b"\"\xff\"", deep.as_bytes()] {
        let text = STANDARD.encode(bytes);
        assert_eq!(refusal(&with("evaluation", &*text)), NOT_JSON, "{bytes:?}");
    }
    // What is JSON is judged as if it had been sent as it is.
    let text = STANDARD.encode("[]");
    assert_eq!(
        refusal(&with("evaluation", text)),
        refusal(&with("evaluation", json!([])))
    );
}

#[test]
fn a_missing_member_is_told_by_its_name_in_their_order() {
    let fields = [
        "username",
        "repository",
        "pull_request",
        "commit",
        "evaluation",
    ];
    for field in fields {
        let told = format!("field {field} is required");
        assert_eq!(refusal(&without(field)), told);
        assert_eq!(refusal(&with(field, Value::Null)), told);
    }
    let mut rest = body();
    for field in fields {
        rest[field] = Value::Null;
    }
    for field in fields {
        assert_eq!(refusal(&rest), format!("field {field} is required"));
        rest[field] = body()[field].clone();
    }
    assert!(parse(&rest).is_ok());
}

#[test]
fn a_member_that_is_not_what_it_must_be_is_told_what_it_must_be() {
    let number = "field pull_request must be the number of a pull request, from 1";
    for value in [json!(0), json!(-7), json!(1.5), json!("7"), json!([7])] {
        assert_eq!(refusal(&with("pull_request", value)), number);
    }
    let sha = "field commit must be a commit's whole SHA: 40 or 64 hexadecimal digits";
    for value in [json!("0123456"), json!(7), json!({}), json!("g".repeat(40))] {
        assert_eq!(refusal(&with("commit", value)), sha);
    }
    for value in [json!(7), json!(true), json!([])] {
        let told = refusal(&with("evaluation", value));
        assert!(told.starts_with("field evaluation must be"), "{told}");
    }
    let of_another =
        json!({"github_username": "a", "github_repository_name": "o/r", "evaluations": []});
    let told = refusal(&with("evaluation", of_another));
    assert!(told.contains("github_repository_name"), "{told}");
    let hook = refusal(&with("webhook_url", "ftp://example.com"));
    assert!(hook.starts_with("field webhook_url"), "{hook}");
}

#[test]
fn who_forgets_the_kind_gets_no_report() {
    let told = "field kind must be feedback where pull_request, commit or evaluation is given";
    assert_eq!(refusal(&without("kind")), told);
    assert_eq!(refusal(&with("kind", "report")), told);
    for member in ["pull_request", "commit", "evaluation"] {
        let mut report = json!({"username": "a", "repository": "b"});
        report[member] = Value::Null;
        assert!(parse(&report).is_ok(), "{report}");
        report[member] = json!(false);
        assert_eq!(refusal(&report), told);
    }
}

#[test]
fn one_hash_stands_for_one_evaluation_of_one_commit() {
    let first = body_hash(&body());
    let [bare, ..] = packed();
    let mut more = body();
    more["evaluation"]["evaluations"][0]["grade"] = json!(3.0);
    more["evaluation"]["seconds"] = json!(12);
    for same in [
        with("evaluation", bare),
        with("commit", SHA.to_uppercase()),
        with("repository", "HELLO-world"),
        more,
    ] {
        assert_eq!(body_hash(&same), first, "{same}");
    }
    let mut graded = body();
    graded["evaluation"]["evaluations"][0]["grade"] = json!(1);
    let mut worded = body();
    worded["evaluation"]["evaluations"][0]["description"] = json!("IT GREETS — 👋?>");
    for other in [
        graded,
        worded,
        with("pull_request", 8),
        with("commit", "f".repeat(40)),
        with("delay_ms", 0),
    ] {
        assert_ne!(body_hash(&other), first, "{other}");
    }
}

/// Any JSON that is not too large.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "[A-Za-z0-9+/=\n]{0,16}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let member = prop_oneof![
            Just("github_username".to_owned()),
            Just("github_repository_name".to_owned()),
            Just("evaluations".to_owned()),
            Just("description".to_owned()),
            Just("grade".to_owned()),
            ".{0,4}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((member, inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_in_any_member_makes_it_panic(member in 0..4_usize, value in any_json()) {
        let member = ["pull_request", "commit", "evaluation", "kind"][member];
        if let Err(problem) = parse(&with(member, value)) {
            prop_assert!(matches!(problem, Problem::Invalid(_)), "{problem:?}");
        }
    }

    #[test]
    fn no_text_and_no_bytes_in_base64_make_it_panic(
        text in "\\PC{0,64}",
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        for text in [text, STANDARD.encode(bytes)] {
            prop_assert!(parse(&with("evaluation", text)).is_err());
        }
    }

    #[test]
    fn base64_in_lines_of_any_length_is_the_object(width in 1..200_usize, description in ".{0,99}") {
        let mut whole = body();
        whole["evaluation"]["evaluations"][0]["description"] = json!(description);
        let text = STANDARD.encode(whole["evaluation"].to_string());
        let lines: Vec<_> = text.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap()).collect();
        let wrapped = with("evaluation", lines.join("\n"));
        prop_assert_eq!(parse(&wrapped), parse(&whole));
    }
}
