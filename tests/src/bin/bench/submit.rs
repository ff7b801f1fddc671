//! Tasks through the real API: how many it takes a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::ensure;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::meter::{Cost, Reading};
use crate::scene::Scene;
use crate::seed;

/// Connections that are kept alive, each with one request at a time.
pub(crate) const CONNECTIONS: usize = 64;

/// Submits `tasks` through a new API process, which end up in the queue and due.
/// Returns tasks/s.
pub(crate) async fn measure(scene: &mut Scene, tasks: usize) -> anyhow::Result<(f64, Cost)> {
    let (program, address) = scene.api().await?;
    let sent = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(&address).await?);
    }
    let before = Reading::take(&mut scene.connection, &program).await?;
    let started = Instant::now();
    let mut tasks_of_clients = JoinSet::new();
    for client in clients {
        tasks_of_clients.spawn(client.send(Arc::clone(&sent), tasks));
    }
    while let Some(ended) = tasks_of_clients.join_next().await {
        ended??;
    }
    let elapsed = started.elapsed();
    let after = Reading::take(&mut scene.connection, &program).await?;
    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
    let rate = tasks as f64 / elapsed.as_secs_f64();
    Ok((rate, before.cost(&after, tasks, 0)))
}

/// One connection: a client that costs little, so that the API is measured.
struct Client {
    address: String,
    sender: SendRequest<Full<Bytes>>,
    _connection: JoinSet<()>,
}

impl Client {
    async fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut task = JoinSet::new();
        // Its errors show at the sender.
        task.spawn(async { drop(connection.await) });
        Ok(Self {
            address: address.to_owned(),
            sender,
            _connection: task,
        })
    }

    async fn send(mut self, sent: Arc<AtomicUsize>, tasks: usize) -> anyhow::Result<()> {
        loop {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            if number >= tasks {
                return Ok(());
            }
            let (username, repository) = seed::names(number);
            let body =
                format!(r#"{{"username":"{username}","repository":"{repository}","delay_ms":0}}"#);
            let request = Request::post("/tasks")
                .header(HOST, &self.address)
                .header(CONTENT_TYPE, "application/json")
                .body(Full::from(body))?;
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            let answer = response.into_body().collect().await?.to_bytes();
            ensure!(status == 202, "the API answered {status}: {answer:?}");
        }
    }
}
