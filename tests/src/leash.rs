//! A child process that cannot outlive the process that started it.
//!
//! A destructor is not enough: a test that is killed runs none, and statics are
//! never dropped. So each child gets a watchdog, a shell that holds the other end
//! of a pipe of ours. The kernel closes our end however we die, and then the
//! watchdog kills the child and removes its directory.
//!
//! This module only starts and ends processes; what they are is for
//! [`crate::redis_server`] and [`crate::process`] to know.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use crate::lock::lock;

/// The shell's part; the contract stands at its head.
const SCRIPT: &str = include_str!("leash.sh");

/// A running child. Dropping it kills the child (SIGKILL) and reaps it.
#[derive(Debug)]
pub struct Leash {
    pid: Pid,
    held: Mutex<Held>,
}

/// What changes when the child ends.
#[derive(Debug)]
struct Held {
    child: Child,
    pipe: Option<ChildStdin>,
    status: Option<ExitStatus>,
}

impl Leash {
    /// A command that runs `program` on a leash; add arguments and environment,
    /// then hand it to [`Leash::start`].
    ///
    /// `scratch` is removed when this process dies before the child did.
    #[must_use]
    pub fn command(program: &Path, scratch: &Path) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "leash"])
            .arg(scratch)
            .arg(program);
        command
    }

    /// Starts `command`, with both outputs going to `output` and no input.
    ///
    /// The child is the leader of a process group of its own, so that Ctrl-C at
    /// the terminal reaches the test alone and the leash does the rest.
    ///
    /// # Errors
    ///
    /// When the process cannot be started.
    pub fn start(mut command: Command, output: File) -> anyhow::Result<Self> {
        let errors = output
            .try_clone()
            .context("the log file has no second handle")?;
        command
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        let mut child = command
            .spawn()
            .context("cannot start a process through /bin/sh")?;
        let pipe = child.stdin.take();
        let pid = Pid::from_child(&child);
        let held = Held {
            child,
            pipe,
            status: None,
        };
        Ok(Self {
            pid,
            held: Mutex::new(held),
        })
    }

    /// The child's process id; it stays the same for the child's whole life.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How the child ended, or `None` while it runs. Never waits.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the question.
    pub fn status(&self) -> io::Result<Option<ExitStatus>> {
        let mut held = lock(&self.held);
        if held.status.is_none()
            && let Some(status) = held.child.try_wait()?
        {
            held.ended(status);
        }
        Ok(held.status)
    }

    /// Sends `signal` to the child.
    ///
    /// # Errors
    ///
    /// When the child has ended, or the kernel refuses the signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if let Some(status) = self.status()? {
            return Err(io::Error::other(format!("the process has ended: {status}")));
        }
        Ok(kill_process(self.pid, signal)?)
    }

    /// Kills the child (SIGKILL; a stopped one too) and reaps it. Harmless when
    /// the child has ended already.
    ///
    /// # Errors
    ///
    /// When the kernel refuses either.
    pub fn kill(&self) -> io::Result<ExitStatus> {
        let mut held = lock(&self.held);
        if let Some(status) = held.status {
            return Ok(status);
        }
        held.child.kill()?;
        let status = held.child.wait()?;
        held.ended(status);
        Ok(status)
    }
}

impl Held {
    /// Sends the watchdog home before the process id can be given to a stranger.
    fn ended(&mut self, status: ExitStatus) {
        self.status = Some(status);
        if let Some(mut pipe) = self.pipe.take() {
            // The only failure is that the watchdog has died before us, and
            // then there is nobody to send home.
            drop(pipe.write_all(b"ended\n"));
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // A destructor has nobody to tell; the watchdog kills once more when
        // the pipe closes without a word.
        drop(self.kill());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::eventually;

    fn sleeper(scratch: &Path) -> Leash {
        let mut command = Leash::command(Path::new("sleep"), scratch);
        command.arg("600");
        Leash::start(command, File::create(scratch.join("log")).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_child_dies_when_the_pipe_closes_without_a_word() {
        let scratch = tempfile::tempdir().unwrap();
        let leash = sleeper(scratch.path());
        drop(lock(&leash.held).pipe.take());
        let gone = eventually(
            Duration::from_secs(10),
            "the child and its directory gone",
            async || match (leash.status(), scratch.path().exists()) {
                (Ok(Some(_)), false) => Ok(()),
                seen => Err(format!("{seen:?}")),
            },
        );
        gone.await.unwrap();
    }

    #[tokio::test]
    async fn a_child_that_was_reaped_leaves_no_watchdog_behind() {
        let scratch = tempfile::tempdir().unwrap();
        let leash = sleeper(scratch.path());
        let marker = scratch.path().display().to_string();
        let program = format!("/proc/{}/cmdline", leash.pid());
        let started = eventually(Duration::from_secs(10), "sleep itself", async || {
            let line = std::fs::read_to_string(&program).unwrap();
            if line.starts_with("sleep") {
                Ok(())
            } else {
                Err(line)
            }
        });
        started.await.unwrap();
        assert_eq!(watchdogs_of(&marker).len(), 1);
        leash.signal(Signal::STOP).unwrap();
        leash.kill().unwrap();
        let gone = eventually(Duration::from_secs(10), "no watchdog", async || {
            let left = watchdogs_of(&marker);
            if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            }
        });
        gone.await.unwrap();
        assert!(
            scratch.path().exists(),
            "only a dead starter's directory is removed"
        );
        assert!(leash.signal(Signal::CONT).is_err());
    }

    /// The processes whose command line holds `marker`.
    fn watchdogs_of(marker: &str) -> Vec<String> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).into_owned())
            .filter(|line| line.contains(marker))
            .collect()
    }
}
