//! Requests that two readers could cut apart at different places. A proxy before the
//! API may read them the other way, so nothing behind the first is ever answered.

use super::Api;

/// What would be a request of its own to whoever cuts wrongly. The path is asked for
/// nowhere else.
const SMUGGLED: &str = "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";

/// The eight requests, each with the statuses that may answer it.
const REQUESTS: [(&str, &[u16]); 8] = [
    // Two lengths that differ.
    (
        "POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ncontent-length: 36\r\n\r\n",
        &[400],
    ),
    // A coding that is chunked, but not at the end.
    (
        "POST /tasks HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    // Space before the colon.
    (
        "POST /tasks HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    // A length with a sign.
    (
        "POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-length: +0\r\n\r\n",
        &[400],
    ),
    // A folded line.
    (
        "GET /livez HTTP/1.1\r\nhost: x\r\nx-folded: a\r\n b\r\n\r\n",
        &[400],
    ),
    // Both a length and a coding: hyper reads by the coding, does not tell that there
    // was a length, and closes after the answer (RFC 9112, section 6.1).
    (
        "GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 41\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        &[200, 400],
    ),
    // No host.
    ("GET /livez HTTP/1.1\r\n\r\n", &[400]),
    // Lines that end in a bare line feed: taken for a line's end by hyper (RFC 9112,
    // section 2.2), so that this is one request, and the last because it says so.
    (
        "GET /livez HTTP/1.1\nhost: x\nconnection: close\n\n",
        &[200, 400],
    ),
];

#[tokio::test]
async fn each_of_the_eight_is_refused_or_is_the_last_that_is_read_of_its_connection() {
    let api = Api::start().await;
    for (request, allowed) in REQUESTS {
        let answers = api.exchange(format!("{request}{SMUGGLED}")).await;
        let statuses = answers.statuses();
        assert_eq!(statuses.len(), 1, "{request:?}: {answers:?}");
        assert!(allowed.contains(&statuses[0]), "{request:?}: {answers:?}");
    }
    assert_eq!(api.answered("/readyz").await, 0);
    assert_eq!(api.answered("/tasks").await, 0);
}

#[tokio::test]
async fn nor_is_anything_behind_their_relatives() {
    let api = Api::start().await;
    for framing in [
        "transfer-encoding: chunked\r\ncontent-length: 41",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding: identity",
        "transfer-encoding: xchunked",
        "transfer-encoding: \x0bchunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding:\r\n chunked",
        "content-length: 0, 41",
        "content-length: 0x29",
        "content-length: 41 41",
        "content-length: -1",
        "content-length: 18446744073709551616",
        "content-length:\r\n 41",
        "content-length\x00: 41",
        "x\r: y",
        "host: y",
    ] {
        let answers = api
            .exchange(format!(
                "POST /tasks HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n0\r\n\r\n{SMUGGLED}"
            ))
            .await;
        let statuses = answers.statuses();
        assert!(
            statuses.len() == 1 && statuses[0] >= 400,
            "{framing:?}: {answers:?}"
        );
    }
    // HTTP/1.0 knows no chunks.
    let answers = api
        .exchange(format!(
            "POST /tasks HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"
        ))
        .await;
    assert!(answers.statuses().len() <= 1, "{answers:?}");
    for chunks in [
        "0\n\n",
        "0\r\n \r\n",
        "-1\r\n",
        "0x0\r\n\r\n",
        "0;\n\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
    ] {
        let answers = api.exchange(format!("POST /tasks HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{SMUGGLED}")).await;
        assert!(answers.statuses().len() <= 1, "{chunks:?}: {answers:?}");
    }
    assert_eq!(api.answered("/readyz").await, 0);
    api.assert_alive().await;
}

#[tokio::test]
async fn what_is_framed_in_one_way_only_is_answered_as_often_as_it_was_asked() {
    let api = Api::start().await;
    let last = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for body in [
        "content-length: 2\r\n\r\n{}",
        "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ] {
        let first =
            format!("POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{body}");
        let answers = api.exchange(format!("{first}{last}")).await;
        assert_eq!(answers.statuses(), [400, 200], "{body:?}: {answers:?}");
    }
}
