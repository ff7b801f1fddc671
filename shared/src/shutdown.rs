//! Ending on a signal: the first asks, the second insists.
//!
//! What *asking* means is up to whoever holds the token: the API stops taking
//! connections and answers the requests it has; a worker stops claiming and
//! finishes or gives back its jobs. Both bound that time themselves.

use std::fmt::Debug;
use std::io;
use std::process::ExitCode;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::telemetry::complain;

/// Added to a signal's number to make the exit code of a process that it ended,
/// as shells have it.
const EXIT_CODE_BASE: i32 = 128;

/// Does the whole `work` of a process, and tells an error that ends it. When it is done
/// nothing else is waited for: looking up a name takes a thread, which may hang longer than
/// whoever asked the process to end waits for it.
pub fn block_on<E: From<io::Error> + Debug>(
    work: impl Future<Output = Result<ExitCode, E>>,
) -> ExitCode {
    let done = Runtime::new().map_err(E::from).and_then(|runtime| {
        let done = runtime.block_on(work);
        runtime.shutdown_background();
        done
    });
    done.unwrap_or_else(|error| complain(&error))
}

/// The two signals that end a process politely: `SIGTERM`, which supervisors
/// send, and `SIGINT`, which Ctrl-C sends.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from the operating system, whose answer to them
    /// is to kill the process. Must be called on a Tokio runtime.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Does `work` to its end, which it comes to after `shutdown`: that is cancelled at the
    /// first signal. The second exits the process, without waiting for anything.
    pub async fn during<T>(self, work: impl Future<Output = T>, shutdown: CancellationToken) -> T {
        tokio::select! {
            done = work => done,
            never = self.forward_to(shutdown) => never,
        }
    }

    async fn forward_to(mut self, shutdown: CancellationToken) -> ! {
        let first = self.next().await;
        tracing::info!(
            signal = first,
            "shutting down; a second signal ends the process at once"
        );
        shutdown.cancel();
        let second = self.next().await;
        tracing::warn!(signal = second, "ending at once, as a second signal asked");
        std::process::exit(EXIT_CODE_BASE + second)
    }

    /// Waits for a signal and returns its number.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the thread that hangs stands for what the system does in such threads"
    )]
    fn a_thread_that_hangs_does_not_hold_up_the_end() {
        let (_held, never) = mpsc::channel::<()>();
        let work = async {
            drop(tokio::task::spawn_blocking(move || never.recv()));
            Ok::<_, io::Error>(ExitCode::from(3))
        };
        assert_eq!(block_on(work), ExitCode::from(3));
    }
}
