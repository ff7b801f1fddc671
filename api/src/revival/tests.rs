use hookme_shared::job::{JobId, Stage, State, Truncated};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::listing::write_cursor;

fn parse(body: &Value) -> Result<Revival, Problem> {
    Revival::parse(body.to_string().as_bytes())
}

fn filter(body: &Value) -> Filter {
    parse(body).unwrap().filter
}

/// A report for octocat/Hello that died at the second 1,000 of the epoch.
fn dead() -> Job {
    Job {
        id: JobId::random(),
        kind: Kind::Report,
        username: "octocat".to_owned(),
        repository: "Hello".to_owned(),
        state: State::Dead,
        stage: Stage::Deliver,
        due_ms: 0,
        created_ms: 0,
        started_ms: None,
        ended_ms: Some(1_000_000),
        attempt: 1,
        failures: 1,
        crashes: 0,
        bodies: 0,
        truncated: Truncated::default(),
        has_report: false,
        worker: None,
        reason: Some("the webhook answered 503".to_owned()),
        cancel_requested: false,
        owner: None,
        destination: None,
        feedback: None,
    }
}

#[test]
fn each_member_of_the_filter_says_yes_and_no() {
    for (member, yes, no) in [
        ("kind", "report", "feedback"),
        ("username", "OctoCat", "octo"),
        ("repository", "hello", "hello-world"),
        ("reason", "answered 503", "Answered"),
        (
            "ended_after",
            "1970-01-01T00:16:40Z",
            "1970-01-01T00:16:40.001Z",
        ),
        (
            "ended_before",
            "1970-01-01T00:16:40.001Z",
            "1970-01-01T00:16:40Z",
        ),
        (
            "ended_after",
            "1970-01-01T02:16:40+02:00",
            "1970-01-01T02:16:40-02:00",
        ),
    ] {
        assert!(
            filter(&json!({member: yes})).means(&dead()),
            "{member}: {yes}"
        );
        assert!(
            !filter(&json!({member: no})).means(&dead()),
            "{member}: {no}"
        );
    }
    assert!(filter(&json!({})).means(&dead()));
}

#[test]
fn a_task_that_fails_one_member_is_not_meant_though_all_others_fit() {
    let all = json!({"kind": "report", "username": "octocat", "repository": "hello", "reason": "webhook"});
    assert!(filter(&all).means(&dead()));
    for (member, other) in [
        ("kind", "feedback"),
        ("username", "x"),
        ("repository", "x"),
        ("reason", "x"),
    ] {
        let mut one_differs = all.clone();
        one_differs[member] = other.into();
        assert!(!filter(&one_differs).means(&dead()), "{member}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_by_its_name() {
    for (member, value) in [
        ("kind", json!("coffee")),
        ("kind", json!(1)),
        ("username", json!("a b")),
        ("username", json!(7)),
        ("repository", json!("..")),
        ("reason", json!(["x"])),
        ("ended_after", json!("yesterday")),
        ("ended_after", json!(1_763_757_420)),
        ("ended_before", json!("2026-01-31")),
        ("limit", json!(0)),
        ("limit", json!(101)),
        ("limit", json!(1.5)),
        ("limit", json!("1")),
        ("cursor", json!("1-x")),
        ("cursor", json!(1)),
    ] {
        let Err(Problem::Invalid(told)) = parse(&json!({member: value})) else {
            panic!("{member}: {value} was taken");
        };
        assert!(
            told.starts_with(&format!("field {member} must be ")),
            "{told}"
        );
    }
}

#[test]
fn a_body_with_anything_unknown_or_twice_is_refused() {
    for body in [
        "",
        "[]",
        "null",
        "{} {}",
        "[null,null,null,null,null,null,null,null]",
        r#"{"user": "octocat"}"#,
        r#"{"limit": 1, "limit": 2}"#,
        "{\"reason\": \"\u{0}\"}",
    ] {
        let refused = Revival::parse(body.as_bytes());
        assert!(
            matches!(refused, Err(Problem::Invalid(_))),
            "{body}: {refused:?}"
        );
    }
}

#[test]
fn a_cursor_comes_back_as_it_was_given() {
    let cursor = cursor_of(&dead()).unwrap();
    let revival = parse(&json!({"cursor": write_cursor(cursor), "limit": 7})).unwrap();
    assert_eq!((revival.after, revival.limit), (Some(cursor), 7));
    assert_eq!(parse(&json!({})).unwrap().limit, PAGE_MAX);
}

proptest! {
    #[test]
    fn neighbouring_spans_of_time_mean_each_task_once(ended_ms in 0..4_000_000_000_000_u64, cut_ms in 0..4_000_000_000_000_u64) {
        let cut = crate::rfc3339::rfc3339(cut_ms);
        let job = Job { ended_ms: Some(ended_ms), ..dead() };
        let before = filter(&json!({"ended_before": cut})).means(&job);
        let after = filter(&json!({"ended_after": cut})).means(&job);
        prop_assert!(before != after);
    }
}
