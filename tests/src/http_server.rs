//! The HTTP server under the stand-ins: a real one, which can also misbehave.
//!
//! It is hyper without a framework, because a framework always answers: here a
//! handler may cut the connection instead, and a body may stop half-way or never.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long to wait before trying again to accept.
const PAUSE: Duration = Duration::from_millis(10);

/// Instead of an answer: the connection is closed without one.
#[derive(Debug)]
pub(crate) struct Cut;

/// What a handler makes of a request.
pub(crate) type Answer = Result<Response<Body>, Cut>;

/// A server on a free port of 127.0.0.1. Dropping it closes all connections.
#[derive(Debug)]
pub(crate) struct HttpServer {
    address: SocketAddr,
    /// Holds the accepting task, which holds the connections.
    accepting: JoinSet<()>,
}

impl HttpServer {
    /// Takes a free port; nobody is answered before [`HttpServer::serve`].
    pub(crate) async fn bind() -> anyhow::Result<(Self, TcpListener)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("a stand-in cannot listen")?;
        let address = listener.local_addr()?;
        Ok((
            Self {
                address,
                accepting: JoinSet::new(),
            },
            listener,
        ))
    }

    /// Answers every request with `handler`, side by side. A handler whose client
    /// leaves is dropped.
    pub(crate) fn serve<H, F>(&mut self, listener: TcpListener, handler: H)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        self.accepting.spawn(accept(listener, handler));
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn accept<H, F>(listener: TcpListener, handler: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, handler.clone()));
                }
                // No file handle is free, for example; the clients wait so long.
                Err(_) => sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection<H, F>(stream: TcpStream, handler: H)
where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    // Without it small answers may wait for others; failing only makes it slow.
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| {
        let answer = handler(request);
        async {
            answer
                .await
                .map_err(|Cut| io::Error::other("cut by the script"))
        }
    });
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // Clients leave and scripts cut; what matters of it is recorded elsewhere.
    drop(served);
}

/// A body of `bytes` that are sent again and again, as fast as they are read.
pub(crate) fn endless(bytes: &'static [u8]) -> Body {
    Body::new(Endless(Bytes::from_static(bytes)))
}

/// A body that is `bytes` and then breaks off, which closes the connection. The
/// answer's `content-length` should promise more.
pub(crate) fn truncated(bytes: Bytes) -> Body {
    Body::new(Truncated {
        bytes: Some(bytes),
        sent: false,
    })
}

#[derive(Debug)]
struct Endless(Bytes);

#[derive(Debug)]
struct Truncated {
    bytes: Option<Bytes>,
    sent: bool,
}

type Polled = Poll<Option<Result<Frame<Bytes>, io::Error>>>;

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        Poll::Ready(Some(Ok(Frame::data(self.0.clone()))))
    }
}

impl hyper::body::Body for Truncated {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if !self.sent {
            // hyper throws away what it has not sent yet when a body fails; while
            // the body is not ready, it sends.
            self.sent = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("truncated by the script"))))
    }
}
