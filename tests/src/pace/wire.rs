//! One connection to the stand-in: HTTP without anything around it, as thousands of
//! requests are sent by a program that was not optimised.

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST, USER_AGENT};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A token of a user's.
const TOKEN: &str = "Bearer token";

/// Posts to one server.
#[derive(Debug)]
pub(super) struct Wire {
    address: String,
    sender: SendRequest<Full<Bytes>>,
    /// Carries what is sent and what comes back.
    _connection: JoinSet<hyper::Result<()>>,
}

impl Wire {
    /// Connects to `http://<address>`.
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let address = url.strip_prefix("http://").context("not plain HTTP")?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        Ok(Self {
            address: address.to_owned(),
            sender,
            _connection: connections,
        })
    }

    /// Posts this body and reads the whole answer.
    pub(super) async fn post(
        &mut self,
        path: &str,
        body: String,
    ) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
        let request = Request::post(path)
            .header(HOST, &self.address)
            .header(USER_AGENT, "hookme-tests")
            .header(AUTHORIZATION, TOKEN);
        self.sender.ready().await?;
        let request = request.body(Full::from(body))?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok((head.status, head.headers, body))
    }
}
