//! Names that would be something else in a key of Redis, in a URL or in a log.

use serde_json::json;

use super::Api;

#[tokio::test]
async fn a_name_that_could_bend_a_key_is_refused_and_leaves_no_trace_in_redis() {
    let api = Api::start().await;
    let before = api.keys().await;
    let large = "x".repeat(1_000_000);
    for name in [
        "a\r\nFLUSHALL\r\n",
        "a\r\n$1\r\nx",
        "{x}",
        "{hookme}:job",
        "a}b",
        "*",
        "?",
        "[a-z]",
        "a:b",
        "a~b",
        "a/b",
        "../..",
        "a%2fb",
        "a b",
        "a\u{0}b",
        "a\u{1b}[2J",
        "a\u{2028}b",
        "\u{ff41}",
        "\u{e9}",
        &large,
    ] {
        for (username, repository) in [(name, "hello"), ("octocat", name)] {
            let body = json!({"username": username, "repository": repository}).to_string();
            let answers = api.post(body.as_bytes()).await;
            let shown: String = name.chars().take(20).collect();
            assert_eq!(answers.statuses(), [400], "{shown:?}: {answers:?}");
            assert!(!answers.text.contains("FLUSHALL"), "{answers:?}");
        }
    }
    for member in ["kind", "delay_ms", "commit", "pull_request", "evaluation"] {
        for value in [json!("{x}\r\n*"), json!(large)] {
            let mut body = json!({"username": "octocat", "repository": "hello"});
            body[member] = value;
            let answers = api.post(body.to_string().as_bytes()).await;
            assert_eq!(answers.statuses(), [400], "{member}: {answers:?}");
        }
    }
    assert_eq!(api.keys().await, before);
    let log = api.program.log();
    assert!(
        !log.contains("FLUSHALL") && !log.contains('\u{1b}'),
        "{log}"
    );
}

#[tokio::test]
async fn an_idempotency_key_is_a_hash_in_redis_whatever_it_was() {
    let api = Api::start().await;
    let body = r#"{"username": "octocat", "repository": "hello"}"#;
    let request = format!(
        "POST /tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\nidempotency-key: {{x}}*:canary\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answers = api.once_redis_answers(request.into_bytes()).await;
    assert_eq!(answers.statuses(), [202], "{answers:?}");
    let keys = api.keys().await;
    assert!(
        keys.iter().any(|key| key.starts_with("idempotency:")),
        "{keys:?}"
    );
    assert!(
        !keys
            .iter()
            .any(|key| key.contains("canary") || key.contains('*')),
        "{keys:?}"
    );
}

#[tokio::test]
async fn a_path_is_an_id_or_nothing() {
    let api = Api::start().await;
    let before = api.keys().await;
    for path in [
        "/tasks/%ff",
        "/tasks/%c0%af",
        "/tasks/%00",
        "/tasks/..%2f..%2fmetrics",
        "/tasks/%2e%2e",
        "/tasks/*",
        "/tasks/%7bx%7d",
        "/tasks/3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e%0d%0a",
        "/tasks/%zz",
        "/%ff",
        "//livez",
        "/livez/",
        "/livez%2f",
        "/LIVEZ",
        "/docs/../metrics",
        "/docs/%2e%2e/metrics",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answers = api.exchange(request).await;
        assert_eq!(answers.statuses(), [404], "{path}: {answers:?}");
        assert!(
            answers.text.contains("application/problem+json") || path.starts_with("/docs/"),
            "{path}: {answers:?}"
        );
    }
    // Bytes that no path has.
    let answers = api
        .exchange(b"GET /tasks/\xff\xfe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    assert!(
        answers
            .statuses()
            .iter()
            .all(|status| [400, 404].contains(status)),
        "{answers:?}"
    );
    for query in [
        "state=%ff",
        "state=dead&state=dead",
        "cursor=%00",
        "limit=%2b1",
        "username=*&repository={x}&pull_request=1",
    ] {
        let request =
            format!("GET /tasks?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        assert_eq!(api.exchange(request).await.statuses(), [400], "{query}");
    }
    assert_eq!(api.keys().await, before);
}
