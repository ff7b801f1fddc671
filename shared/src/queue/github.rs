//! The calls that make all workers one client of GitHub: its limits, the answers
//! kept for all, and the names that people show.

use std::time::Duration;

use redis::Value;

use super::{
    Asker, Granted, Identity, Keep, KeptAnswer, Looked, Outcome, Pace, Queue, QueueError, Release,
    Want, keys, reply,
};
use crate::span::whole_ms;

impl Queue {
    /// Asks whether these requests may start: one answer for each, in order. A
    /// request that got one counts as in flight until it is released, or for
    /// `term` after its start.
    pub async fn github_acquire(
        &self,
        identity: &Identity,
        worker: &str,
        term: Duration,
        pace: &Pace,
        wants: &[Want],
    ) -> Result<Vec<Granted>, QueueError> {
        let mut call = self
            .function("github_acquire")
            .arg(&identity.name)
            .arg(&identity.token)
            .arg(worker)
            .arg(whole_ms(term))
            .arg(pace.in_flight)
            .arg(whole_ms(pace.read_gap))
            .arg(whole_ms(pace.write_gap))
            .arg(pace.content_per_minute)
            .arg(pace.content_per_hour);
        for want in wants {
            call = call
                .arg(&want.lease)
                .arg(want.class.as_str())
                .arg(want.resource.as_str())
                .arg(whole_ms(want.patience));
        }
        self.call(call, reply::github::granted).await
    }

    /// Ends requests, and shares what their answers said: how long everybody waits
    /// because of each. `jitter` is a sample in `[0, 1)`.
    pub async fn github_release(
        &self,
        identity: &Identity,
        jitter: f64,
        releases: &[Release],
    ) -> Result<Vec<Duration>, QueueError> {
        let mut call = self
            .function("github_release")
            .arg(&identity.name)
            .arg(&identity.token)
            .arg(jitter);
        for release in releases {
            call = call.arg(&release.lease);
            call = match &release.outcome {
                Outcome::Answered => call.arg("answered").arg("").arg("").arg(""),
                Outcome::Unknown => call.arg("unknown").arg("").arg("").arg(""),
                Outcome::Refused {
                    scope,
                    wait,
                    request_id,
                } => call
                    .arg("refused")
                    .arg(scope)
                    .arg(
                        wait.map(whole_ms)
                            .map_or_else(String::new, |ms| ms.to_string()),
                    )
                    .arg(request_id),
            };
            call = match &release.budget {
                None => call.arg("").arg("").arg("").arg(""),
                Some(left) => call
                    .arg(&left.resource)
                    .arg(left.limit)
                    .arg(left.remaining)
                    .arg(whole_ms(left.reset_in)),
            };
        }
        self.call(call, reply::github::released).await
    }

    /// The identity that a token was found to have, if that is known.
    pub async fn github_identity(&self, fingerprint: &str) -> Result<Option<String>, QueueError> {
        let get = redis::cmd("GET")
            .arg(keys::github_identity(&self.0.tag, fingerprint))
            .to_owned();
        self.send("github_identity", &get).await
    }

    /// Remembers for all workers, for `ttl`, which identity a token has.
    pub async fn know_github_identity(
        &self,
        fingerprint: &str,
        identity: &str,
        ttl: Duration,
    ) -> Result<(), QueueError> {
        let set = redis::cmd("SET")
            .arg(keys::github_identity(&self.0.tag, fingerprint))
            .arg(identity)
            .arg("PX")
            .arg(whole_ms(ttl))
            .to_owned();
        self.send::<Value>("know_github_identity", &set)
            .await
            .map(|_| ())
    }

    /// Takes an identity off the list of those that asked GitHub: what counted for it
    /// counts for another one now.
    pub async fn unlist_github_identity(&self, identity: &str) -> Result<(), QueueError> {
        let remove = redis::cmd("ZREM")
            .arg(keys::github_identities(&self.0.tag))
            .arg(identity)
            .to_owned();
        self.send::<Value>("unlist_github_identity", &remove)
            .await
            .map(|_| ())
    }

    /// Looks for a kept answer. Who gets [`Looked::Stale`] or [`Looked::Missing`]
    /// is to ask GitHub, and counts as asking for `term` at most.
    pub async fn github_look(&self, asker: &Asker, term: Duration) -> Result<Looked, QueueError> {
        let call = self
            .function("github_look")
            .arg(&asker.hash)
            .arg(&asker.token)
            .arg(&asker.name)
            .arg(whole_ms(term));
        self.call(call, reply::github::looked).await
    }

    /// Keeps an answer for all workers, to be used for `fresh` without asking, and
    /// ends the asking. One that does not fit is not kept.
    pub async fn github_keep(
        &self,
        asker: &Asker,
        keep: &Keep,
        fresh: Duration,
        answer: &KeptAnswer,
    ) -> Result<(), QueueError> {
        let call = self
            .function("github_keep")
            .arg(&asker.hash)
            .arg(&asker.token)
            .arg(&asker.name)
            .arg(whole_ms(fresh))
            .arg(whole_ms(keep.ttl))
            .arg(keep.max_bytes)
            .arg(answer.status)
            .arg(&answer.etag)
            .arg(&answer.last_modified)
            .arg(&answer.link)
            .arg(&answer.location)
            .arg(&answer.body);
        self.call(call, |_: Value| Ok(())).await
    }

    /// Ends the asking. If `confirmed`, GitHub said that this answer still holds,
    /// and for how long it need not be asked.
    pub async fn github_confirm(
        &self,
        asker: &Asker,
        keep: &Keep,
        confirmed: Option<(&KeptAnswer, Duration)>,
    ) -> Result<(), QueueError> {
        let fresh = confirmed.map_or_else(String::new, |(_, fresh)| whole_ms(fresh).to_string());
        let (etag, last_modified) = confirmed.map_or(("", ""), |(answer, _)| {
            (&*answer.etag, &*answer.last_modified)
        });
        let call = self
            .function("github_confirm")
            .arg(&asker.hash)
            .arg(&asker.token)
            .arg(&asker.name)
            .arg(fresh)
            .arg(whole_ms(keep.ttl))
            .arg(etag)
            .arg(last_modified);
        self.call(call, |_: Value| Ok(())).await
    }

    /// The names that these accounts of `host` show, by their ids: one answer for
    /// each, in order; `None` where it is not known.
    pub async fn github_names(
        &self,
        host: &str,
        ids: &[u64],
    ) -> Result<Vec<Option<String>>, QueueError> {
        let call = ids
            .iter()
            .fold(self.function("github_names").arg(host), |call, id| {
                call.arg(*id)
            });
        self.call(call, reply::github::names).await
    }

    /// Remembers the names of accounts of `host`, each with how long it is
    /// believed.
    pub async fn know_github_names(
        &self,
        host: &str,
        names: &[(u64, Duration, String)],
    ) -> Result<(), QueueError> {
        let mut call = self.function("github_name").arg(host);
        for (id, believed, name) in names {
            call = call.arg(*id).arg(whole_ms(*believed)).arg(name);
        }
        self.call(call, |_: Value| Ok(())).await
    }
}
