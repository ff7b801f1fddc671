//! One run: a GitHub with limits, the clock, and what has happened so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{bail, ensure};
use hookme_worker::policy::github::{Budget, Call, Reading, Refusal, budget, read};
use serde_json::json;

use super::wire::Wire;
use crate::github::{Broken, Clock, GithubOptions, RepositorySpec};
use crate::{GithubStandIn, Limits};

/// Where the clock begins: 2023-11-14 at 22:13:20 UTC.
const BEGIN_MS: u64 = 1_700_000_000_000;
/// Who owns the repositories, each of which has one pull request.
const OWNER: &str = "octocat";
const PULL_REQUEST: usize = 1;

/// What a run has come to. Times count from the first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Until the last comment existed.
    pub took: Duration,
    /// How many requests GitHub refused.
    pub refused: u64,
    /// Until the first of them; `None` if there was none.
    pub first_refusal: Option<Duration>,
    /// How often each of GitHub's rules was broken.
    pub broken: Broken,
}

/// What GitHub said to a comment.
#[derive(Debug)]
pub(super) struct Reply {
    /// `None` if the comment exists now.
    pub(super) refusal: Option<Refusal>,
    pub(super) budget: Option<Budget>,
}

/// A client's GitHub and its time.
#[derive(Debug)]
pub(super) struct Scene {
    github: GithubStandIn,
    wire: Wire,
    now_ms: Arc<AtomicU64>,
    took_ms: u64,
    first_refusal_ms: Option<u64>,
}

impl Scene {
    /// A GitHub with GitHub's documented limits, as it is before the first request.
    pub(super) async fn open() -> anyhow::Result<Self> {
        let now_ms = Arc::new(AtomicU64::new(BEGIN_MS));
        let spec = RepositorySpec {
            issues: 0,
            pull_requests: PULL_REQUEST,
            ..RepositorySpec::default()
        };
        let github = GithubStandIn::start(GithubOptions {
            generate: Some(spec),
            keep_headers: false,
            limits: Some(Limits::default()),
            clock: Clock::Virtual(Arc::clone(&now_ms)),
            ..GithubOptions::default()
        });
        let github = github.await?;
        Ok(Self {
            wire: Wire::open(&github.url()).await?,
            github,
            now_ms,
            took_ms: 0,
            first_refusal_ms: None,
        })
    }

    /// The time, in ms since 1970.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    /// Sets the time.
    pub(super) fn set_now(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// Posts the comment of this number.
    ///
    /// # Errors
    ///
    /// When GitHub neither creates nor refuses it.
    pub(super) async fn post(&mut self, number: usize) -> anyhow::Result<Reply> {
        let repository = repository(number);
        let path = format!("/repos/{OWNER}/{repository}/issues/{PULL_REQUEST}/comments");
        let body = json!({ "body": text(number) });
        let (status, headers, body) = self.wire.post(&path, body.to_string()).await?;
        let at_ms = self.now_ms() - BEGIN_MS;
        let refusal = match read("a comment", Call::Create, status, &headers, &body) {
            Ok(Reading::Created) => {
                self.took_ms = at_ms;
                None
            }
            Err(refusal) => {
                self.first_refusal_ms.get_or_insert(at_ms);
                Some(refusal)
            }
            Ok(other) => bail!("GitHub answers a comment with {other:?}"),
        };
        Ok(Reply {
            refusal,
            budget: budget(&headers),
        })
    }

    /// Ends a run that was to make so many comments.
    ///
    /// # Errors
    ///
    /// When not every comment exists exactly once.
    pub(super) fn close(self, comments: usize) -> anyhow::Result<Measured> {
        for number in 1..=comments {
            let repository = repository(number);
            let found = self.github.comments(OWNER, &repository, PULL_REQUEST);
            ensure!(found == [text(number)], "{repository} has {found:?}");
        }
        Ok(Measured {
            took: Duration::from_millis(self.took_ms),
            refused: self.github.refused(),
            first_refusal: self.first_refusal_ms.map(Duration::from_millis),
            broken: self.github.broken(),
        })
    }
}

fn repository(number: usize) -> String {
    format!("repository-{number}")
}

fn text(number: usize) -> String {
    format!("Feedback {number}")
}
