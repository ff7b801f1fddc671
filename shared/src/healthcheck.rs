//! Asking a process on this machine whether it is alive, by HTTP.
//!
//! For container images without a shell or curl: the binary asks itself. It
//! looks at the status line only, and it is not a client for anything else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the whole question may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of the answer is looked at: `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// Asks `GET path` of the process that listens on `listen`, and returns whether
/// it answered with 200. An error says that it did not answer at all.
pub async fn is_healthy(listen: SocketAddr, path: &str) -> io::Result<bool> {
    timeout(PATIENCE, ask(reachable(listen), path))
        .await
        .map_err(io::Error::from)?
}

/// The address under which this machine reaches a listener: one that listens on
/// every address is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr, path: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
        .await?;
    let mut status = [0; STATUS_BYTES];
    stream.read_exact(&mut status).await?;
    Ok(status.starts_with(b"HTTP/1.") && status.ends_with(b" 200"))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::serve::{Bounds, serve};

    #[tokio::test]
    async fn only_a_200_is_healthy() {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let listen = listener.local_addr().unwrap();
        let router = Router::new().route("/livez", get(async || "alive"));
        let mut server = JoinSet::new();
        server.spawn(serve(
            listener,
            router,
            CancellationToken::new(),
            Bounds::default(),
        ));

        assert!(is_healthy(listen, "/livez").await.unwrap());
        assert!(!is_healthy(listen, "/elsewhere").await.unwrap());
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = listener.local_addr().unwrap();
        drop(listener);
        assert!(is_healthy(listen, "/livez").await.is_err());
    }
}
