//! What an idle worker asks of Redis.

use std::time::Duration;

use anyhow::ensure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::scene::Scene;

/// Counts the calls a minute that an idle worker makes beside renew and reap, over
/// `span`.
pub(crate) async fn measure(scene: &mut Scene, span: Duration) -> anyhow::Result<f64> {
    scene.flush().await?;
    let _worker = scene.worker(&[]).await?;
    let seen = watch(scene, span).await?;
    let calls = seen.lines().filter(|line| is_counted(line)).count();
    ensure!(
        seen.contains("_reap\""),
        "not even the reaper called: {seen}"
    );
    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
    Ok(calls as f64 * 60.0 / span.as_secs_f64())
}

/// Whether a line of MONITOR is a call over the wire, and neither renew nor reap.
/// What a function calls is marked with `lua` in place of the client.
fn is_counted(line: &str) -> bool {
    line.contains("] \"")
        && !line.contains(" lua] ")
        && !line.contains("_renew\"")
        && !line.contains("_reap\"")
}

/// What MONITOR shows during `span`.
async fn watch(scene: &Scene, span: Duration) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", scene.redis.port())).await?;
    stream.write_all(b"MONITOR\r\n").await?;
    let mut seen = Vec::new();
    let elapsed = timeout(span, async {
        while stream.read_buf(&mut seen).await? > 0 {}
        anyhow::Ok(())
    });
    ensure!(elapsed.await.is_err(), "Redis closed the connection");
    Ok(String::from_utf8_lossy(&seen).into_owned())
}
