//! Clients that put secrets where they do not belong.

use hookme_tests::Site;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::asking::Asker;
use super::search::assert_nothing_left;
use super::{CLIENT_QUERY, IDEMPOTENCY, KEY, PASSWORD, site};

/// What a server says to these bytes, until it closes.
async fn raw(site: &Site, bytes: &str) -> String {
    let url = site.client.request(Method::GET, "/").build().unwrap();
    let address = url.url().authority().to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_key_in_the_wrong_place_is_not_shown_and_the_right_one_lets_in() {
    let (site, operators) = site().await;
    let mut asker = Asker::new(&site);
    for path in [
        format!("/tasks?key={KEY}"),
        format!("/tasks?state={KEY}"),
        format!("/tasks?cursor={KEY}"),
        format!("/tasks?{KEY}"),
        format!("/tasks/{KEY}"),
        format!("/{KEY}"),
        format!("/nowhere?key={KEY}"),
        format!("/problems/{KEY}"),
        format!("/tasks?username={KEY}&repository={KEY}&pull_request={KEY}"),
    ] {
        let plain = site.client.request(Method::GET, &path);
        for request in [plain.try_clone().unwrap(), plain.bearer_auth(KEY)] {
            let (status, body) = asker.send(request).await;
            assert!(status < 500, "{path}: {status} {body}");
        }
    }
    for shown in [
        KEY.to_owned(),
        format!("Basic {KEY}"),
        format!("Bearer {KEY}x"),
        format!("Bearer {KEY}, Bearer {KEY}"),
    ] {
        let request = site.client.request(Method::GET, "/tasks");
        let (status, _) = asker.send(request.header("authorization", shown)).await;
        assert_eq!(status, 401);
    }
    for bytes in [
        format!("GET /tasks?key={KEY} HTTP/9.9\r\n\r\n"),
        format!("{KEY}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: h\r\nauthorization Bearer {KEY}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: h\r\ncontent-length: {KEY}\r\n\r\n"),
    ] {
        let said = raw(&site, &bytes).await;
        assert!(said.starts_with("HTTP/1.1 400"), "{bytes}: {said}");
        asker.heard += &said;
    }
    let request = site.client.request(Method::GET, "/tasks");
    assert_eq!(asker.send(request.bearer_auth(KEY)).await.0, 200);
    asker.look_everywhere(&operators).await;
    store_something(&site).await;
    assert_nothing_left(&site, &asker.heard).await;
}

/// Leaves a task in Redis, so that there is something to search.
async fn store_something(site: &Site) {
    let mut asker = Asker::new(site);
    let task = json!({"username": "octocat", "repository": "hello"});
    asker.task_until(&task, r#""state":"succeeded""#).await;
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_not_shown() {
    let (site, operators) = site().await;
    let mut asker = Asker::new(&site);
    let good = json!({"username": "octocat", "repository": "hello"});
    let with = |name: &str, value: Value| {
        let mut task = good.clone();
        task[name] = value;
        task
    };
    let long = format!(
        "https://example.com/?key={CLIENT_QUERY}{}",
        "x".repeat(3_000)
    );
    for task in [
        json!(KEY),
        json!([KEY]),
        with("username", json!([KEY])),
        with("username", format!("!{KEY}").into()),
        with("delay_ms", KEY.into()),
        with("kind", KEY.into()),
        with("evaluation", KEY.into()),
        with(
            "webhook_url",
            format!("http://10.0.0.1/?key={CLIENT_QUERY}").into(),
        ),
        with("webhook_url", format!("ftp://h/?key={CLIENT_QUERY}").into()),
        with("webhook_url", format!("//?key={CLIENT_QUERY}").into()),
        with(
            "webhook_url",
            format!("https://me:{PASSWORD}@example.com/").into(),
        ),
        with("webhook_url", long.into()),
    ] {
        let posted = asker.posting(&task);
        let (status, body) = asker.send(posted).await;
        assert_eq!(status, 400, "{task}: {body}");
    }
    let posted = asker.posting(&good).header("idempotency-key", IDEMPOTENCY);
    let again = posted.try_clone().unwrap();
    let (first, second) = (asker.send(posted).await, asker.send(again).await);
    assert_eq!((first.0, second.0), (202, 202));
    let id = |body: &str| serde_json::from_str::<Value>(body).unwrap()["id"].clone();
    assert_eq!(id(&first.1), id(&second.1));
    let other = with("delay_ms", 7.into());
    let posted = asker.posting(&other).header("idempotency-key", IDEMPOTENCY);
    assert_eq!(asker.send(posted).await.0, 422);
    let long = format!("{IDEMPOTENCY}{}", "x".repeat(9_000));
    let posted = asker.posting(&good).header("idempotency-key", long);
    assert_eq!(asker.send(posted).await.0, 400);
    asker.look_everywhere(&operators).await;
    assert_nothing_left(&site, &asker.heard).await;
}
