//! Clients that keep a connection and send little or nothing: each is closed in the end.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval};

use super::{Answers, Api, BOUND, LATE};

/// From one byte to the next of a client that sends slowly.
const DRIP: Duration = Duration::from_millis(250);

/// Sends `bytes` one at a time, over and over, until the program has closed; returns
/// what came meanwhile.
async fn drip(stream: TcpStream, bytes: &[u8]) -> Answers {
    let (mut from, mut to) = stream.into_split();
    let (began, mut came) = (Instant::now(), Vec::new());
    let mut ticks = interval(DRIP);
    let mut next = bytes.iter().cycle();
    loop {
        tokio::select! {
            read = from.read_buf(&mut came) => if read.unwrap_or(0) == 0 { break },
            _ = ticks.tick() => {
                let byte = next.next().unwrap();
                // A broken pipe is seen by the read as well.
                to.write_all(&[*byte]).await.ok();
            }
        }
        assert!(
            began.elapsed() < BOUND + BOUND + LATE,
            "still open after {:?}",
            began.elapsed()
        );
    }
    Answers {
        text: String::from_utf8_lossy(&came).into_owned(),
        took: began.elapsed(),
    }
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_closed() {
    let api = Api::start().await;
    let answers = api.exchange("").await;
    answers.assert_closed_at(BOUND);
    assert_eq!(answers.text, "");
}

#[tokio::test]
async fn a_header_that_comes_byte_by_byte_has_no_more_time_than_one_that_does_not_come() {
    let api = Api::start().await;
    let answers = drip(api.connect().await, b"x").await;
    answers.assert_closed_at(BOUND);
    let mut begun = api.connect().await;
    begun
        .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let answers = drip(begun, b"x-slow: y\r\n").await;
    answers.assert_closed_at(BOUND);
    assert!(!answers.statuses().contains(&200), "{answers:?}");
}

#[tokio::test]
async fn half_a_preface_of_http_2_is_no_reason_to_wait() {
    let api = Api::start().await;
    for half in [
        "PRI * HT",
        "PRI * HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
    ] {
        let answers = api.exchange(half).await;
        assert!(answers.took < BOUND + LATE, "{answers:?}");
        assert!(
            answers.statuses().iter().all(|status| *status == 400),
            "{answers:?}"
        );
    }
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_given_up_and_its_connection_is_closed() {
    let api = Api::start().await;
    for framing in ["content-length: 100000", "transfer-encoding: chunked"] {
        for path in ["/tasks", "/tasks/retry"] {
            let mut stream = api.connect().await;
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            let answers = drip(stream, b"1\r\n \r\n").await;
            answers.assert_closed_at(BOUND);
            assert_eq!(answers.statuses(), [408], "{framing}: {answers:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_wanted_is_not_waited_for() {
    let api = Api::start().await;
    for (request, status) in [
        ("GET /livez", 200),
        ("POST /nowhere", 404),
        ("PUT /tasks", 405),
        ("DELETE /tasks/none", 404),
    ] {
        let mut stream = api.connect().await;
        let head = format!("{request} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answers = drip(stream, b" ").await;
        assert!(answers.took < BOUND + LATE, "{request}: {answers:?}");
        assert_eq!(answers.statuses(), [status], "{request}: {answers:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_kept_for_another_request_is_closed_when_none_comes() {
    let api = Api::start().await;
    let request = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let answers = api.exchange(request.repeat(3)).await;
    answers.assert_closed_at(BOUND);
    assert_eq!(answers.statuses(), [200, 200, 200], "{answers:?}");
}

#[tokio::test]
async fn a_body_that_ends_before_its_length_is_told_so_or_waited_for_no_longer_than_others() {
    let api = Api::start().await;
    let request = "POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{}";
    let answers = api.exchange(request).await;
    answers.assert_closed_at(BOUND);
    assert_eq!(answers.statuses(), [408], "{answers:?}");

    let mut stream = api.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answers = Answers::read(&mut stream).await;
    assert!(answers.took < BOUND, "{answers:?}");
    assert!(!answers.text.contains(" 202 "), "{answers:?}");
    api.assert_alive().await;
}
