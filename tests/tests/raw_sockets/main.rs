//! What clients can do to the API that no HTTP library would: bytes by hand, on a TCP
//! socket, against the real program.
//!
//! Times are the program's own bounds; nothing here makes them shorter.

#![cfg(test)]

mod crowd;
mod framing;
mod json;
mod names;
mod sizes;
mod waiting;

use std::time::{Duration, Instant};

use hookme_tests::redis_server::{namespace, shared_server};
use hookme_tests::{Program, eventually};
use redis::AsyncCommands;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);
/// How long the program waits for a header, for a body, and for the next request.
const BOUND: Duration = Duration::from_secs(5);
/// How much later than at its bound a busy machine may close a connection.
const LATE: Duration = Duration::from_secs(15);

/// A running API.
struct Api {
    program: Program,
    address: String,
    namespace: String,
}

impl Api {
    async fn start() -> Self {
        Self::with(Program::start).await
    }

    /// An API that is started in this way.
    async fn with(start: impl FnOnce(&str, &[(&str, &str)]) -> anyhow::Result<Program>) -> Self {
        let (url, namespace) = (shared_server().await.unwrap().url(), namespace());
        let variables = [
            ("REDIS_URL", &*url),
            ("REDIS_NAMESPACE", &*namespace),
            ("ALLOW_UNSAFE_REDIS", "true"),
            // The host of the requests by hand.
            ("ALLOWED_HOSTS", "x"),
            ("LISTEN", "127.0.0.1:0"),
            ("REQUESTS_PER_KEY", "0"),
            ("LOG_FORMAT", "json"),
            ("RUST_LOG", "info"),
        ];
        let program = start("api", &variables).unwrap();
        let line = program
            .wait_for_log("taking tasks", PATIENCE)
            .await
            .unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let address = line["address"].as_str().unwrap().to_owned();
        Self {
            program,
            address,
            namespace,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// Sends `bytes`, and returns everything that comes until the program closes.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> Answers {
        let mut stream = self.connect().await;
        // The program may answer and close before it has read everything.
        stream.write_all(bytes.as_ref()).await.ok();
        Answers::read(&mut stream).await
    }

    /// The answer to a `POST /tasks` with this body, once Redis is not too busy.
    async fn post(&self, body: &[u8]) -> Answers {
        let head = format!(
            "POST /tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.once_redis_answers([head.as_bytes(), body].concat())
            .await
    }

    /// The answer to these bytes, once Redis is not too busy.
    async fn once_redis_answers(&self, bytes: Vec<u8>) -> Answers {
        let answered = eventually(PATIENCE, "an answer of Redis", async || {
            let answers = self.exchange(&bytes).await;
            if answers.statuses() == [503] {
                Err(answers.text)
            } else {
                Ok(answers)
            }
        });
        answered.await.unwrap()
    }

    /// How often the program has answered a request for that route, by its own count.
    async fn answered(&self, route: &str) -> u64 {
        let text = self.exchange("GET /metrics HTTP/1.0\r\n\r\n").await.text;
        let label = format!("route=\"{route}\"");
        let counts = text.lines().filter(|line| {
            line.starts_with("hookme_http_requests_total{") && line.contains(&label)
        });
        counts
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// The names of all keys in the program's namespace.
    async fn keys(&self) -> Vec<String> {
        let mut redis = shared_server().await.unwrap().connection().await.unwrap();
        let keys: Vec<String> = redis.keys("*").await.unwrap();
        let own = format!("{{{}}}:", self.namespace);
        let mut keys: Vec<_> = keys
            .iter()
            .filter_map(|key| key.strip_prefix(&own))
            .map(str::to_owned)
            .collect();
        keys.sort();
        keys
    }

    async fn assert_alive(&self) {
        let answers = self.exchange("GET /livez HTTP/1.0\r\n\r\n").await;
        assert_eq!(answers.statuses(), [200], "{}", answers.text);
    }
}

/// What came back on a connection until its end.
#[derive(Debug)]
struct Answers {
    text: String,
    /// How long it took until the connection was closed.
    took: Duration,
}

impl Answers {
    async fn read(stream: &mut TcpStream) -> Self {
        let (began, mut bytes) = (Instant::now(), Vec::new());
        // A reset ends the connection as well as a close does.
        let read = timeout(BOUND + BOUND + LATE, stream.read_to_end(&mut bytes)).await;
        assert!(
            read.is_ok(),
            "still open; so far came {:?}",
            String::from_utf8_lossy(&bytes)
        );
        Self {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            took: began.elapsed(),
        }
    }

    /// The status of each answer, in their order.
    fn statuses(&self) -> Vec<u16> {
        let answers = self.text.split("HTTP/1.").skip(1);
        answers
            .filter_map(|answer| answer.get(2..5)?.parse().ok())
            .collect()
    }

    /// Whether the connection was held as long as `bound` and not for ever.
    fn assert_closed_at(&self, bound: Duration) {
        let early = bound.saturating_sub(Duration::from_secs(1));
        assert!((early..bound + LATE).contains(&self.took), "{self:?}");
    }
}
