//! Waiting for a state that nobody announces.
//!
//! For what can be awaited there is something better: a signal, as in
//! [`crate::Receiver::wait_for`]. This is for the rest, and it is no licence to
//! sleep: a test waits for what it wants to see, never for a time to pass.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep, timeout};

/// How long to wait between two looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// Looks again and again until `look` returns `Ok`, and returns that value.
///
/// - `deadline`: how long to go on looking, measured by tokio's clock.
/// - `what`: what is waited for, for the error's text.
/// - `look`: one look; its `Err` says what was seen instead.
///
/// # Errors
///
/// When the deadline has passed, with what the last look saw. A look that does
/// not come back is cut off at the deadline too.
pub async fn eventually<T, F>(deadline: Duration, what: &str, mut look: F) -> anyhow::Result<T>
where
    F: AsyncFnMut() -> Result<T, String>,
{
    let end = Instant::now() + deadline;
    let mut last_seen = "nothing: no look came back".to_owned();
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        match timeout(left, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last_seen = seen,
            Err(_) => break,
        }
        sleep(INTERVAL).await;
    }
    bail!("{what}: not within {deadline:?}; last seen: {last_seen}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_that_comes_is_returned() {
        let mut looks = 0;
        let seen = eventually(Duration::from_secs(5), "three looks", async || {
            looks += 1;
            if looks == 3 {
                Ok(looks)
            } else {
                Err(format!("{looks}"))
            }
        });
        assert_eq!(seen.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_state_that_never_comes_is_an_error_with_the_last_thing_seen() {
        let never = eventually(Duration::from_millis(50), "a door", async || {
            Err::<(), _>("a wall".to_owned())
        });
        let error = never.await.unwrap_err().to_string();
        assert!(
            error.contains("a door") && error.contains("a wall"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_cut_off_at_the_deadline() {
        let hanging = eventually(Duration::from_millis(50), "an answer", async || {
            std::future::pending::<Result<(), String>>().await
        });
        assert!(
            hanging
                .await
                .unwrap_err()
                .to_string()
                .contains("no look came back")
        );
    }
}
