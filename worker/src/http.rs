//! The HTTP clients, one towards GitHub and two towards receivers, and the only ways to
//! read a body.
//!
//! No client follows redirects (the caller judges each target), takes a
//! proxy from the environment (it would carry credentials past what the operator
//! configured), or asks for compression, so that the bytes which are counted
//! against a bound are the bytes that came. Bodies are read in chunks up to a
//! bound; nothing else in this crate reads one.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Client, ClientBuilder, Response, redirect};
use rustls::crypto::CryptoProvider;
use tokio::time::{Instant, timeout_at};

use crate::vetting::Vetting;

/// What we call ourselves. GitHub refuses requests without a name.
pub const USER_AGENT: &str = concat!("hookme/", env!("CARGO_PKG_VERSION"));

/// The longest that a connection may take to be made, with TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long GitHub's idle connections are kept: below the minute or more that
/// front ends of its kind keep theirs.
const GITHUB_IDLE: Duration = Duration::from_secs(30);

/// How long a receiver's idle connections are kept: below the 5 s after which
/// Node.js closes an idle one, the shortest default in common use. A POST written
/// to a connection that is just being closed is a failed attempt.
const WEBHOOK_IDLE: Duration = Duration::from_secs(4);

/// Idle connections kept per host; more are closed after use.
const IDLE_PER_HOST_MAX: usize = 256;

/// A client could not be set up. The program cannot start.
#[derive(Debug, thiserror::Error)]
#[error(
    "the HTTP client could not be set up; it needs the system's CA certificates (package ca-certificates)"
)]
pub struct ClientError(#[source] reqwest::Error);

/// A body that did not arrive whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is longer than the bound; what came after was not read. The same
    /// request would bring the same.
    #[error("the body is longer than {bytes_max} bytes")]
    TooLong {
        /// The bound.
        bytes_max: usize,
    },
    /// The connection broke, or the time ran out. Asking again may help.
    #[error("the body broke off")]
    Interrupted(#[source] reqwest::Error),
}

/// The client towards GitHub. `timeout` bounds a request from the connection to
/// the last byte of the body.
pub fn github_client(timeout: Duration) -> Result<Client, ClientError> {
    build(
        Client::builder()
            .timeout(timeout)
            .pool_idle_timeout(GITHUB_IDLE),
    )
}

/// The client towards the operator's webhook. `timeout` bounds a request from the
/// connection to the last byte of the body.
pub fn webhook_client(timeout: Duration) -> Result<Client, ClientError> {
    build(webhook(timeout))
}

/// The client towards places that clients name: the same, but it connects only to hosts
/// with a name that `lookup` lets through.
pub fn guarded_client(timeout: Duration, lookup: Vetting) -> Result<Client, ClientError> {
    build(webhook(timeout).dns_resolver(Arc::new(lookup)))
}

fn webhook(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .timeout(timeout)
        .pool_idle_timeout(WEBHOOK_IDLE)
}

fn build(builder: ClientBuilder) -> Result<Client, ClientError> {
    install_crypto();
    builder
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .tcp_nodelay(true)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .build()
        .map_err(|error| ClientError(error.without_url()))
}

/// Makes ring the process's provider of cryptography, unless there is one.
///
/// reqwest is built without a provider and would panic if none were installed.
fn install_crypto() {
    let missing = CryptoProvider::get_default().is_none();
    if missing
        && rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
    {
        tracing::debug!("another thread installed the provider of cryptography first");
    }
}

/// Reads the whole body, at most `bytes_max` bytes of it.
///
/// The client's timeout bounds the time. Memory stays below the bound and one
/// chunk, whatever length the answer's headers promise.
pub async fn read_bounded(mut response: Response, bytes_max: usize) -> Result<Bytes, ReadError> {
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await;
        match chunk.map_err(|error| ReadError::Interrupted(error.without_url()))? {
            None => return Ok(body.freeze()),
            Some(chunk) if chunk.len() > bytes_max - body.len() => {
                return Err(ReadError::TooLong { bytes_max });
            }
            Some(chunk) => body.extend_from_slice(&chunk),
        }
    }
}

/// Reads the start of a body that only serves a message: what comes within
/// `time_max`, at most `bytes_max` bytes. A body that breaks off ends there.
///
/// A body that ends within the bounds leaves its connection free for the next
/// request; any other closes it.
pub async fn read_start(mut response: Response, bytes_max: usize, time_max: Duration) -> Bytes {
    let deadline = Instant::now() + time_max;
    let mut body = BytesMut::new();
    while let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await {
        let fits = chunk.len().min(bytes_max - body.len());
        body.extend_from_slice(&chunk[..fits]);
        if fits < chunk.len() {
            break;
        }
    }
    body.freeze()
}

/// Why a request brought no answer, in words for a reason: without the URL, which
/// may carry a secret in its query.
#[must_use]
pub fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}

#[cfg(test)]
pub(crate) mod testing {
    //! A real server for tests, on a port of its own.

    use axum::Router;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;
    use url::Url;

    /// A running server. It ends when this is dropped.
    pub(crate) struct Server {
        /// Where it listens: `http://127.0.0.1:<port>/`.
        pub(crate) url: Url,
        _task: JoinSet<()>,
    }

    /// Serves `router` until the returned value is dropped.
    pub(crate) async fn serve(router: Router) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Server { url, _task: task }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use futures_util::{StreamExt, stream};

    use super::testing::{Server, serve};
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// `/short` sends 10 bytes, `/endless` never ends, `/stuck` stops after 3 bytes.
    async fn server() -> Server {
        let chunk = |bytes| Ok::<_, Infallible>(Bytes::from_static(bytes));
        let endless = move || stream::repeat_with(move || chunk(&[b' '; 16 * 1024]));
        let stuck = move || stream::iter([chunk(b"abc")]).chain(stream::pending());
        let router = Router::new()
            .route("/short", get(|| async { "0123456789" }))
            .route(
                "/endless",
                get(move || async move { Body::from_stream(endless()) }),
            )
            .route(
                "/stuck",
                get(move || async move { Body::from_stream(stuck()) }),
            );
        serve(router).await
    }

    async fn answer(server: &Server, path: &str, timeout: Duration) -> Response {
        let client = github_client(timeout).unwrap();
        client
            .get(server.url.join(path).unwrap())
            .send()
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_body_of_exactly_the_bound_is_read_and_one_more_byte_is_refused() {
        let server = server().await;
        let whole = read_bounded(answer(&server, "/short", LONG).await, 10)
            .await
            .unwrap();
        assert_eq!(whole, "0123456789");
        let refused = read_bounded(answer(&server, "/short", LONG).await, 9).await;
        assert!(
            matches!(refused, Err(ReadError::TooLong { bytes_max: 9 })),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn an_endless_body_stops_at_the_bound() {
        let server = server().await;
        let refused = read_bounded(answer(&server, "/endless", LONG).await, 1_000_000).await;
        assert!(
            matches!(refused, Err(ReadError::TooLong { .. })),
            "{refused:?}"
        );
        let start = read_start(answer(&server, "/endless", LONG).await, 1_000, LONG).await;
        assert_eq!(start.len(), 1_000);
    }

    #[tokio::test]
    async fn a_body_that_gets_stuck_ends_with_the_time() {
        let server = server().await;
        let short = Duration::from_millis(50);
        let broken = read_bounded(answer(&server, "/stuck", short).await, 1_000).await;
        assert!(
            matches!(broken, Err(ReadError::Interrupted(_))),
            "{broken:?}"
        );
        let start = read_start(answer(&server, "/stuck", LONG).await, 1_000, short).await;
        assert_eq!(start, "abc");
    }

    #[tokio::test]
    async fn a_failure_is_told_without_the_url() {
        let client = github_client(LONG).unwrap();
        let error = client
            .get("http://127.0.0.1:1/hook?token=canary")
            .send()
            .await
            .unwrap_err();
        let words = describe(error);
        assert!(
            words.contains("refused") && !words.contains("canary"),
            "{words}"
        );
    }
}
