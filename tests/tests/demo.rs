//! The demo as a person runs it: it shows what it promises, and nothing of it is
//! left, however it ends.

#![cfg(test)]

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use hookme_tests::eventually;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a demo may take here. It takes seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running demo. Everything that it and its children create lies in one
/// directory, by which what is left of them can be found.
struct Demo {
    child: Child,
    scratch: TempDir,
    output: TempDir,
}

impl Demo {
    fn start(environment: &[(&str, &str)]) -> Self {
        let (scratch, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = File::create(output.path().join("out")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_demo"))
            .env("TMPDIR", scratch.path())
            .env_remove("STAY")
            .envs(environment.iter().copied())
            .stderr(file.try_clone().unwrap())
            .stdout(file)
            .spawn()
            .unwrap();
        Self {
            child,
            scratch,
            output,
        }
    }

    fn shown(&self) -> String {
        std::fs::read_to_string(self.output.path().join("out")).unwrap()
    }

    /// Waits until the demo shows `text`; panics if it ends without.
    async fn shows(&mut self, text: &str) {
        let shown = eventually(PATIENCE, text, async || {
            // The end first: what was shown before it is then seen.
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            let shown = self.shown();
            if shown.contains(text) || ended.is_some() {
                Ok(shown)
            } else {
                Err(shown)
            }
        });
        let shown = shown.await.unwrap();
        assert!(shown.contains(text), "{text}:\n{shown}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    async fn end(&mut self) -> ExitStatus {
        let ended = eventually(PATIENCE, "the end of the demo", async || {
            let status = self.child.try_wait().map_err(|error| error.to_string())?;
            status.ok_or_else(|| "it runs".to_owned())
        })
        .await;
        ended.unwrap_or_else(|error| panic!("{error}:\n{}", self.shown()))
    }

    /// Waits until no process and no file of the demo is left.
    async fn leaves_nothing(&self) {
        let gone = eventually(PATIENCE, "nothing left", async || {
            let processes = processes_in(self.scratch.path());
            let files = std::fs::read_dir(self.scratch.path()).unwrap().count();
            if processes.is_empty() && files == 0 {
                Ok(())
            } else {
                Err(format!("{processes:?}, {files} files"))
            }
        });
        gone.await.unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // A test that failed half-way; what the demo started goes with it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The command lines of all processes that name `directory` in them, or have a file
/// of it open: the servers, the programs and their watchdogs.
fn processes_in(directory: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let marker = directory.display().to_string();
    let command_lines = processes.filter_map(|process| {
        let command_line = std::fs::read(process.path().join("cmdline")).ok()?;
        let command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
        let mut open = std::fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        let inside = |link: std::fs::DirEntry| {
            std::fs::read_link(link.path()).is_ok_and(|file| file.starts_with(directory))
        };
        (command_line.contains(&marker) || open.any(inside)).then_some(command_line)
    });
    command_lines.collect()
}

#[tokio::test]
async fn the_demo_shows_a_report_from_the_request_to_the_receiver_and_leaves_nothing() {
    let mut demo = Demo::start(&[]);
    demo.shows("Redis holds the job").await;
    // Redis, the API, two workers and their watchdogs.
    assert!(processes_in(demo.scratch.path()).len() >= 4);
    let status = demo.end().await;
    let shown = demo.shown();
    assert!(status.success(), "{status}:\n{shown}");
    for text in [
        "202 Accepted",
        "\"duplicate\": true",
        "\"repository\": \"blank-page\"",
        "GitHub has no repository octocat/no-such-thing",
        "answered 503",
        "kill -KILL",
        r#""reason": "superseded by "#,
        r#"{"state": "succeeded", "grade": {"passed": 2, "percentage": 66.67, "total": 3}}"#,
        "## Grade: 66.67% (2 of 3 requirements met)",
        "| It greets the moon, too | ❌ |",
        r#""comment_url": "https://github.com/octocat/lab-1/issues/4#issuecomment-1""#,
        "is not known: GitHub could not answer for pull request octocat/lab-2#4 (502)",
        // Asked for once, looked for, and there once.
        "POST /repos/octocat/lab-2/issues/4/comments\n    GET /repos/octocat/lab-2",
        "lab-2/issues/4/comments | jq length\n    1\n",
        "webhook-id: ",
        r#"{"name": "The Octocat", "qtd_commits": 32, "user": "octocat"}"#,
        "Nothing is left running.",
    ] {
        assert!(shown.contains(text), "{text}:\n{shown}");
    }
    assert!(!shown.contains('\x1b'), "colours in a file:\n{shown}");
    demo.leaves_nothing().await;
}

#[tokio::test]
async fn a_demo_that_stays_up_ends_well_when_it_is_asked_to() {
    let mut demo = Demo::start(&[("STAY", "1")]);
    demo.shows("Each delivery is shown below").await;
    let shown = demo.shown();
    for text in [
        r#"{"username": "you", "repository": "anything"}"#,
        "{\"username\": \"you\", \"repository\": \"anything\",\n      \"kind\": \"feedback\"",
        "/repos/you/anything/issues/4/comments | jq",
    ] {
        assert!(shown.contains(text), "{text}:\n{shown}");
    }
    demo.signal(Signal::INT);
    let status = demo.end().await;
    assert!(status.success(), "{status}:\n{}", demo.shown());
    demo.leaves_nothing().await;
}

#[tokio::test]
async fn a_demo_that_is_interrupted_leaves_nothing() {
    let mut demo = Demo::start(&[]);
    demo.shows("All parts run").await;
    demo.signal(Signal::INT);
    assert_eq!(demo.end().await.code(), Some(130), "{}", demo.shown());
    demo.leaves_nothing().await;
}

#[tokio::test]
async fn a_demo_that_is_killed_leaves_nothing() {
    let mut demo = Demo::start(&[]);
    demo.shows("All parts run").await;
    demo.signal(Signal::KILL);
    assert_eq!(demo.end().await.signal(), Some(9));
    demo.leaves_nothing().await;
}
