//! The limit that the rates are held against: the HTTP client as it is set up
//! for webhooks, and nothing around it.

use std::env;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use hookme_tests::Program;
use hookme_worker::http::webhook_client;
use tokio::task::JoinSet;

use crate::part::Part;

/// Requests in flight, as many as a worker of the benchmark runs jobs.
pub(crate) const IN_FLIGHT: usize = 64;
/// The length of a body, in bytes.
pub(crate) const BODY_BYTES: usize = 1_024;
const PATIENCE: Duration = Duration::from_secs(60);
const TOLD: &str = "requests/s ";

/// Runs a loop of `requests` in a process of its own; returns requests/s.
pub(crate) async fn measure(url: &str, requests: usize) -> anyhow::Result<f64> {
    let (requests, seed) = (requests.to_string(), rand::random::<u32>().to_string());
    let environment = [("URL", url), ("REQUESTS", &*requests), ("SEED", &*seed)];
    let program: Program = Part::RawLoop.start(&environment)?;
    let line = program.wait_for_log(TOLD, PATIENCE).await?;
    line.strip_prefix(TOLD)
        .and_then(|rate| rate.parse().ok())
        .with_context(|| format!("the raw loop said {line:?}"))
}

/// The part [`Part::RawLoop`].
pub(crate) async fn run() -> anyhow::Result<()> {
    let requests: usize = env::var("REQUESTS")?.parse()?;
    let loops = Arc::new(Loop {
        client: webhook_client(Duration::from_secs(15))?,
        url: env::var("URL")?.parse()?,
        seed: env::var("SEED")?,
        requests,
        sent: AtomicUsize::new(0),
    });
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        tasks.spawn(Arc::clone(&loops).post());
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 requests")]
    let rate = requests as f64 / started.elapsed().as_secs_f64();
    writeln!(std::io::stdout().lock(), "{TOLD}{rate}")?;
    Ok(())
}

struct Loop {
    client: reqwest::Client,
    url: reqwest::Url,
    /// Keeps this loop's ids apart from another's at the same receiver.
    seed: String,
    requests: usize,
    sent: AtomicUsize,
}

impl Loop {
    async fn post(self: Arc<Self>) -> anyhow::Result<()> {
        let body = Bytes::from(vec![b'x'; BODY_BYTES]);
        loop {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            if number >= self.requests {
                return Ok(());
            }
            let request = self
                .client
                .post(self.url.clone())
                .header("content-type", "application/json")
                .header("webhook-id", format!("{}-{number}", self.seed))
                .header("webhook-timestamp", number)
                .body(body.clone());
            let status = request.send().await?.status();
            ensure!(status == 200, "the receiver answered {status}");
        }
    }
}
