//! Whether Redis holds what the model says.

use std::collections::BTreeMap;

use hookme_shared::job::{Fence, State};
use redis::AsyncCommands;

use crate::model;
use crate::pair::Pair;

impl Pair {
    /// Compares everything that is in Redis with what the model says.
    pub(crate) async fn compare(&mut self) {
        self.compare_records().await;
        self.compare_sets().await;
        self.compare_locks_and_starts().await;
    }

    async fn compare_records(&mut self) {
        for (id, job) in self.model.jobs.clone() {
            let at = format!("{}:job:{id}", self.tag);
            let record: BTreeMap<String, String> = self.redis.hgetall(at).await.unwrap();
            let field = |name: &str| record.get(name).cloned().unwrap_or_default();
            let number = |name: &str| record.get(name).map_or(0, |text| text.parse().unwrap());
            let fence = job.life.fence.as_ref().map_or("", Fence::as_str);
            let texts = [
                ("state", job.life.state.as_str()),
                ("stage", job.stage.as_str()),
                ("fence", fence),
                (
                    "cancel_requested",
                    if job.life.cancel_requested { "yes" } else { "" },
                ),
            ];
            for (name, expected) in texts {
                assert_eq!(field(name), expected, "{name} of {record:?}");
            }
            let numbers = [
                ("due_ms", job.due_ms),
                ("attempt", job.life.attempt.into()),
                ("failures", job.life.failures.into()),
                ("crashes", job.life.crashes.into()),
                ("bodies", job.bodies.into()),
            ];
            for (name, expected) in numbers {
                assert_eq!(number(name), expected, "{name} of {record:?}");
            }
            let at = format!("{}:report:{id}", self.tag);
            let kept: bool = self.redis.exists(at).await.unwrap();
            assert_eq!(kept, job.report_ms.is_some(), "{record:?}");
            assert_eq!(record.contains_key("report_bytes"), kept, "{record:?}");
        }
    }

    async fn compare_sets(&mut self) {
        for (key, expected) in self.sets() {
            let members: Vec<(String, u64)> = self
                .redis
                .zrange_withscores(format!("{}:{key}", self.tag), 0, -1)
                .await
                .unwrap();
            assert_eq!(
                members.into_iter().collect::<BTreeMap<_, _>>(),
                expected,
                "{key}"
            );
        }
    }

    async fn compare_locks_and_starts(&mut self) {
        let locks: Vec<String> = self
            .redis
            .keys(format!("{}:lock:*", self.tag))
            .await
            .unwrap();
        assert_eq!(locks.len(), self.model.locks.len(), "{locks:?}");
        for (scope, id) in &self.model.locks {
            let holder: String = self
                .redis
                .get(format!("{}:lock:{scope}", self.tag))
                .await
                .unwrap();
            assert_eq!(holder, id.to_string());
        }
        let starts: u64 = self
            .redis
            .zcount(
                format!("{}:starts", self.tag),
                self.model.now_ms.saturating_sub(model::INTERVAL_MS) + 1,
                "+inf",
            )
            .await
            .unwrap();
        let model_starts = self
            .model
            .starts
            .iter()
            .filter(|start| **start + model::INTERVAL_MS > self.model.now_ms)
            .count();
        assert_eq!(starts, model_starts as u64);
    }

    /// The sorted sets that the states of the jobs call for.
    fn sets(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let names = [
            "scheduled:fetch",
            "scheduled:deliver",
            "running",
            "succeeded",
            "dead",
            "cancelled",
        ];
        let mut sets: BTreeMap<String, BTreeMap<String, u64>> =
            names.map(|name| (name.to_owned(), BTreeMap::new())).into();
        for (id, job) in &self.model.jobs {
            let (name, score) = match job.life.state {
                State::Scheduled => (format!("scheduled:{}", job.stage), job.due_ms),
                State::Running => ("running".to_owned(), job.lease_until_ms),
                State::Succeeded | State::Dead | State::Cancelled => {
                    (job.life.state.to_string(), job.ended_ms)
                }
            };
            sets.entry(name).or_default().insert(id.to_string(), score);
        }
        sets
    }
}
