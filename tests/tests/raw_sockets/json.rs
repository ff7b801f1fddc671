//! Bodies that a parser could stumble over: each is refused, and the program lives.

use super::Api;

/// Far more levels than a stack has room for if each takes a call.
const DEEP: usize = 10_000;

#[tokio::test]
async fn ten_thousand_levels_are_refused_wherever_they_stand() {
    let api = Api::start().await;
    let before = api.keys().await;
    let deep = |open: &str| open.repeat(DEEP);
    let member = |name: &str, open: &str| {
        format!(
            r#"{{"username": "octocat", "repository": "deep", "{name}": {}"#,
            deep(open)
        )
    };
    for body in [
        deep("["),
        deep("{"),
        deep(r#"{"a":"#),
        format!("{}{}", deep("["), deep("]")),
        member("username", "["),
        member("delay_ms", r#"{"a":"#),
        member("evaluation", "["),
        member("evaluation", r#"{"a":"#),
        format!(
            r#"{{"username": "a", "repository": "b", "delay_ms": {}{}}}"#,
            deep("["),
            deep("]")
        ),
    ] {
        let answers = api.post(body.as_bytes()).await;
        assert_eq!(answers.statuses(), [400], "{}: {answers:?}", &body[..60]);
    }
    assert_eq!(api.keys().await, before);
    api.assert_alive().await;
}

#[tokio::test]
async fn ten_thousand_levels_that_nobody_reads_do_no_harm() {
    let api = Api::start().await;
    let (open, close) = ("[".repeat(DEEP), "]".repeat(DEEP));
    let body =
        format!(r#"{{"username": "octocat", "repository": "deep", "unknown": {open}{close}}}"#);
    let status = api.post(body.as_bytes()).await.statuses();
    assert!(status == [202] || status == [400], "{status:?}");
    let body = format!(r#"{{"limit": {open}{close}}}"#);
    let request = format!(
        "POST /tasks/retry HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(api.exchange(request).await.statuses(), [400]);
    api.assert_alive().await;
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let api = Api::start().await;
    let before = api.keys().await;
    let bodies: [&[u8]; 15] = [
        br#"{"username": "a", "username": "b", "repository": "r"}"#,
        br#"{"username": "a", "repository": "r", "repository": "r"}"#,
        br#"{"username": "a", "usern\u0061me": "b", "repository": "r"}"#,
        br#"{"username": "a", "repository": "r"} {}"#,
        br#"{"username": "a", "repository": "r"}x"#,
        b"{\"username\": \"a\", \"repository\": \"r\"}\0",
        b"\xef\xbb\xbf{\"username\": \"a\", \"repository\": \"r\"}",
        b"{\"username\": \"\xff\", \"repository\": \"r\"}",
        b"{\"username\": \"a\", \"repository\": \"r\", \"x\xc0\xaf\": 1}",
        b"{\"username\": \"a\", \"repository\": \"r\", \"delay_ms\": \"\xed\xa0\x80\"}",
        br#"{"username": "\ud800", "repository": "r"}"#,
        br#"{"username": "a", "repository": "r",}"#,
        br#"{"username": "a", "repository": "r", "delay_ms": 1e999}"#,
        br#"{"username": "a", "repository": "r", "delay_ms": NaN}"#,
        b"\xff\xfe{\0}\0",
    ];
    for body in bodies {
        let answers = api.post(body).await;
        let shown = String::from_utf8_lossy(body);
        assert_eq!(answers.statuses(), [400], "{shown}: {answers:?}");
        assert!(
            answers.text.contains("application/problem+json"),
            "{shown}: {answers:?}"
        );
    }
    assert_eq!(api.keys().await, before);
    api.assert_alive().await;
}
