//! Raw sockets against the accept loop, with bounds short enough to wait for.

use std::net::SocketAddr;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;

/// Longer than anything here takes, so that a hang fails and does not hang.
const DEADLINE: Duration = Duration::from_secs(10);

const SHORT: Bounds = Bounds {
    header_read: Duration::from_millis(300),
    write_stall: Duration::from_millis(100),
    grace: Duration::from_secs(5),
    connections: 4,
};

/// A server on a port of its own, and what ends it.
struct Started {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinSet<()>,
}

impl Started {
    async fn new(router: Router, bounds: Bounds) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(serve(listener, router, shutdown.clone(), bounds));
        Self {
            address,
            shutdown,
            task,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `bytes` and returns everything that comes until the server closes.
    async fn exchange(&self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// Waits until nobody listens any more.
    async fn port_closed(&self) {
        let closed = async { while TcpStream::connect(self.address).await.is_ok() {} };
        timeout(DEADLINE, closed)
            .await
            .expect("the port is closed in time");
    }

    async fn ended(mut self) {
        let ended = timeout(DEADLINE, self.task.join_next()).await;
        ended
            .expect("the server ends in time")
            .expect("there is a server")
            .unwrap();
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
    read.expect("the server closes in time")
        .expect("the server closes cleanly");
    String::from_utf8(bytes).unwrap()
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_closed_without_an_answer() {
    let server = Started::new(hello(), SHORT).await;
    assert_eq!(server.exchange("").await, "");
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_a_header_is_closed() {
    let server = Started::new(hello(), SHORT).await;
    let answer = server
        .exchange("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ")
        .await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn a_kept_connection_is_closed_when_no_further_request_comes() {
    let server = Started::new(hello(), SHORT).await;
    let answer = server.exchange("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let large = Router::new().route("/", get(async || vec![b'x'; 32 << 20]));
    let server = Started::new(
        large,
        Bounds {
            connections: 1,
            ..SHORT
        },
    )
    .await;
    let mut lazy = server.connect().await;
    lazy.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    // The second client gets its turn only after the first lost its permit.
    let answer = server
        .exchange("GET /none HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test]
async fn a_request_must_name_its_host_once_unless_it_is_http_1_0() {
    let server = Started::new(hello(), Bounds::default()).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", "400"),
        (
            "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "200",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "200"),
    ] {
        let answer = server.exchange(request).await;
        assert_eq!(answer.get(9..12), Some(status), "{request:?}: {answer}");
    }
}

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_is_refused_or_is_the_last_of_its_connection() {
    let server = Started::new(hello(), Bounds::default()).await;
    let next = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    for framing in [
        "content-length: 1\r\ncontent-length: 2",
        "content-length: +5",
        "transfer-encoding: chunked, identity",
        "transfer-encoding : chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "x-folded: a\r\n b",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
    ] {
        let request = format!("GET / HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n0\r\n\r\n{next}");
        let answer = server.exchange(&request).await;
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{framing:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn headers_that_are_too_many_or_too_long_are_refused() {
    let server = Started::new(hello(), Bounds::default()).await;
    let many = "x: y\r\n".repeat(HEADERS_MAX);
    let long = format!("x: {}\r\n", "y".repeat(BUFFER_MAX_BYTES));
    for headers in [many, long] {
        let answer = server
            .exchange(&format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn the_preface_of_http_2_is_not_waited_on() {
    let server = Started::new(hello(), SHORT).await;
    let answer = server.exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
}

#[tokio::test]
async fn at_shutdown_the_port_is_closed_and_open_requests_are_finished() {
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let route = {
        let (arrived, go) = (Arc::clone(&arrived), Arc::clone(&go));
        get(async move || {
            arrived.notify_one();
            go.notified().await;
            "finished"
        })
    };
    let server = Started::new(Router::new().route("/", route), SHORT).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    timeout(DEADLINE, arrived.notified()).await.unwrap();

    server.shutdown.cancel();
    server.port_closed().await;
    go.notify_one();

    let answer = read_to_end(&mut stream).await;
    assert!(answer.ends_with("finished"), "{answer}");
    server.ended().await;
}

#[tokio::test]
async fn a_request_that_outlives_the_grace_is_cut_off() {
    let arrived = Arc::new(Notify::new());
    let route = {
        let arrived = Arc::clone(&arrived);
        get(async move || {
            arrived.notify_one();
            std::future::pending::<&str>().await
        })
    };
    let bounds = Bounds {
        grace: Duration::from_millis(50),
        ..SHORT
    };
    let server = Started::new(Router::new().route("/", route), bounds).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    timeout(DEADLINE, arrived.notified()).await.unwrap();

    server.shutdown.cancel();

    server.ended().await;
    assert_eq!(read_to_end(&mut stream).await, "");
}
