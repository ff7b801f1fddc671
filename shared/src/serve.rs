//! Taking connections and answering them, beside the steps of a job's line.
//!
//! The API and the worker's operator page are both served from here, because
//! `axum::serve` has no bound on how long a client may take to send a header.
//! Every wait on a client is bounded by one of [`Bounds`], except the wait for
//! a request's body: only the route knows how large a body may be, so the route
//! bounds that itself. HTTP/1 only: nothing that HTTP/2 gives is needed, and
//! its floods cannot happen.
//!
//! A request with both `Transfer-Encoding` and `Content-Length` is read by the
//! former, and hyper closes the connection after the answer, which is one of
//! the two ways that RFC 9112, section 6.1, leaves against request smuggling. To
//! refuse it is the other; but hyper takes the length away before anybody else
//! sees it.

mod stall;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use stall::StallGuard;

/// The most header fields of one request. Browsers and proxies send under 40.
const HEADERS_MAX: usize = 64;
/// The most bytes that a connection buffers, and so the largest header.
const BUFFER_MAX_BYTES: usize = 16 * 1024;
/// How long to leave the listener alone after the operating system had no more
/// file descriptors or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long clients are waited for, and how many at once.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// From the opening of a connection, or the end of an answer on it, until
    /// the next request's header is complete.
    pub header_read: Duration,
    /// How long a client may take nothing of an answer that it is being sent.
    pub write_stall: Duration,
    /// From the wish to shut down until open requests are cut off.
    pub grace: Duration,
    /// Open connections. More wait in the listener's backlog.
    pub connections: usize,
}

impl Default for Bounds {
    /// 10,000 connections, so that thousands that send nothing leave room for
    /// those that do until `header_read` closes them; at 16 KiB each they hold
    /// 160 MB at worst.
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(5),
            write_stall: Duration::from_secs(10),
            grace: Duration::from_secs(25),
            connections: 10_000,
        }
    }
}

/// Serves `router` on `listener` until `shutdown` is cancelled.
///
/// Then the port is closed, idle connections are closed, and open requests are
/// finished; what is left after [`Bounds::grace`] is cut off. Returns when no
/// connection is left.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    bounds: Bounds,
) {
    let server = Server {
        router,
        bounds,
        permits: Arc::new(Semaphore::new(bounds.connections)),
        graceful: GracefulShutdown::new(),
        tasks: TaskTracker::new(),
        cut: CancellationToken::new(),
    };
    while let Some((stream, permit)) = shutdown
        .run_until_cancelled(server.next_connection(&listener))
        .await
    {
        server.start(stream, permit);
    }
    drop(listener);
    server.finish().await;
}

/// What all connections of one listener share.
struct Server {
    router: Router,
    bounds: Bounds,
    permits: Arc<Semaphore>,
    graceful: GracefulShutdown,
    tasks: TaskTracker,
    /// Ends the connections that are left after the grace.
    cut: CancellationToken,
}

impl Server {
    /// Waits for a permit, and only then for a connection to use it.
    async fn next_connection(&self, listener: &TcpListener) -> (TcpStream, OwnedSemaphorePermit) {
        loop {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                // The semaphore is never closed; if it were, nobody could be let in.
                return std::future::pending().await;
            };
            match listener.accept().await {
                Ok((stream, _)) => return (stream, permit),
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot take connections; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Answers one connection's requests in a task of its own.
    #[expect(
        clippy::disallowed_methods,
        reason = "a connection's task ends with the connection, and nothing else depends on it"
    )]
    fn start(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let (router, bounds) = (self.router.clone(), self.bounds);
        let (watcher, cut) = (self.graceful.watcher(), self.cut.clone());
        self.tasks.spawn(async move {
            let talk = talk(stream, router, bounds, watcher);
            if let Some(Err(error)) = cut.run_until_cancelled(talk).await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }

    /// Lets open requests finish within the grace, and cuts off the others.
    async fn finish(self) {
        let open = self.graceful.count();
        let drained = tokio::time::timeout(self.bounds.grace, self.graceful.shutdown()).await;
        if drained.is_err() {
            tracing::warn!(open, "cutting off requests that outlived the grace");
        }
        self.cut.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Whether an error of `accept` says something about the connection that was to
/// be accepted, and nothing about the listener.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Reads requests from one connection and answers them, until either side ends
/// it or a bound is met.
fn talk(
    stream: TcpStream,
    router: Router,
    bounds: Bounds,
    watcher: Watcher,
) -> impl Future<Output = hyper::Result<()>> {
    // Without this an answer can wait 40 ms for the acknowledgement of the one
    // before. If the option cannot be set, the connection still works.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch off Nagle's algorithm");
    }
    let service = service_fn(move |request| answer(router.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_read)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_MAX_BYTES)
        .serve_connection(
            TokioIo::new(StallGuard::new(stream, bounds.write_stall)),
            service,
        );
    watcher.watch(connection)
}

/// Answers one request. What breaks HTTP's own rules gets an empty 400 and the
/// end of its connection, as hyper itself answers what it cannot parse.
async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if names_one_host(&request) && is_cut_in_one_way(&request) {
        return router.oneshot(request).await;
    }
    let mut refusal = Response::new(Body::empty());
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    refusal
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(refusal)
}

/// Whether the request names its host once, as RFC 9112, section 3.2, demands
/// of HTTP/1.1; HTTP/1.0 need not.
fn names_one_host<B>(request: &Request<B>) -> bool {
    let hosts = request
        .headers()
        .get_all(header::HOST)
        .iter()
        .take(2)
        .count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

/// Whether the request's body, if it comes in a coding, comes in chunks and nothing
/// else, said once. hyper looks at the last coding only, and so takes others before it,
/// which a proxy may not know or read differently (RFC 9112, section 6.1).
fn is_cut_in_one_way<B>(request: &Request<B>) -> bool {
    let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests;
