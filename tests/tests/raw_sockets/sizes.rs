//! Headers and bodies that are too large: refused, and not kept.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Answers, Api, BOUND, LATE};

const BODY_MAX: usize = 1024 * 1024;

fn with_headers(headers: &str) -> String {
    format!("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn sixty_four_header_fields_are_read_and_one_more_is_refused() {
    let api = Api::start().await;
    // Two fields stand there already.
    let answers = api.exchange(with_headers(&"x: y\r\n".repeat(62))).await;
    assert_eq!(answers.statuses(), [200], "{answers:?}");
    let answers = api.exchange(with_headers(&"x: y\r\n".repeat(63))).await;
    assert_eq!(answers.statuses(), [431], "{answers:?}");
}

#[tokio::test]
async fn a_header_that_is_too_large_is_refused_in_whatever_part_it_is() {
    let api = Api::start().await;
    for huge in [
        with_headers(&format!("x: {}\r\n", "y".repeat(1 << 20))),
        with_headers(&format!("{}: y\r\n", "x".repeat(1 << 20))),
        with_headers(&format!(
            "authorization: Bearer {}\r\n",
            "y".repeat(1 << 20)
        )),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "p".repeat(1 << 20)),
        format!(
            "GET /tasks?state={} HTTP/1.1\r\nhost: x\r\n\r\n",
            "q".repeat(1 << 20)
        ),
        format!("{} / HTTP/1.1\r\nhost: x\r\n\r\n", "M".repeat(1 << 20)),
    ] {
        let answers = api.exchange(&huge).await;
        // A reset may take the refusal along, as not everything was read.
        let refused = |status: &u16| [400, 414, 431].contains(status);
        assert!(
            answers.statuses().iter().all(refused),
            "{}: {answers:?}",
            &huge[..40]
        );
        assert!(answers.took < BOUND, "{answers:?}");
    }
    api.assert_alive().await;
}

#[tokio::test]
async fn a_body_of_the_bound_is_read_and_one_byte_more_is_413() {
    let api = Api::start().await;
    let mut body = br#"{"username": "octocat", "repository": "large"}"#.to_vec();
    body.resize(BODY_MAX, b' ');
    assert_eq!(api.post(&body).await.statuses(), [202]);
    body.push(b' ');
    let answers = api.post(&body).await;
    assert_eq!(answers.statuses(), [413], "{answers:?}");
    assert!(
        answers.text.contains("application/problem+json"),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_chunked_body_without_an_end_is_413_and_its_connection_is_closed() {
    let api = Api::start().await;
    let mut stream = api.connect().await;
    let head = "POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(1 << 16));
    let (mut from, mut to) = stream.split();
    let mut sent = 0;
    let flood = async {
        while to.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 1 << 16;
        }
    };
    let mut came = Vec::new();
    let read = async { from.read_to_end(&mut came).await };
    let both = tokio::time::timeout(BOUND + LATE, async { tokio::join!(flood, read) });
    assert!(both.await.is_ok(), "still open after {sent} bytes");
    let text = String::from_utf8_lossy(&came);
    // A reset may take the refusal along, as not everything was read.
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 413 "),
        "{text}"
    );
    // What the two systems buffer comes on top of what was read.
    assert!(sent < 64 * BODY_MAX, "{sent}");
    api.assert_alive().await;
}

#[tokio::test]
async fn a_chunked_body_of_the_bound_is_counted_like_any_other() {
    let api = Api::start().await;
    for (bytes, status) in [(BODY_MAX, 400), (BODY_MAX + 1, 413)] {
        let head = "POST /tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        let body = format!("{bytes:x}\r\n{}\r\n0\r\n\r\n", " ".repeat(bytes));
        let mut stream = api.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.ok();
        let answers = Answers::read(&mut stream).await;
        assert_eq!(answers.statuses(), [status], "{bytes}: {answers:?}");
    }
}

#[tokio::test]
async fn many_extensions_of_chunks_and_many_trailers_are_not_read_for_ever() {
    let api = Api::start().await;
    let head = "POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let extensions = format!("{head}1;{}\r\n \r\n0\r\n\r\n", "e".repeat(1 << 20));
    let trailers = format!("{head}0\r\n{}\r\n", "t: u\r\n".repeat(1 << 16));
    let sizes = format!("{head}{}1\r\n \r\n0\r\n\r\n", "0".repeat(1 << 20));
    let overflow = format!("{head}fffffffffffffffff\r\n \r\n0\r\n\r\n");
    for request in [extensions, trailers, sizes, overflow] {
        let answers = api.exchange(&request).await;
        assert!(answers.took < BOUND + LATE, "{answers:?}");
        assert!(
            answers.statuses().iter().all(|status| *status >= 400),
            "{answers:?}"
        );
    }
    api.assert_alive().await;
}
