//! The queue as pure code: the transition table with its clock, lanes, leases,
//! locks and limits. What it predicts is compared with Redis after each step.

use std::collections::BTreeMap;

use hookme_shared::job::{Fence, JobId, Stage, State};
use hookme_shared::transition::{Event, Life, Outcome};

/// The terms of the test's queue, small enough to be met often.
pub(crate) const LEASE_MS: u64 = 15_000;
pub(crate) const JOB_MAX_AGE_MS: u64 = 120_000;
pub(crate) const REPORT_MAX_AGE_MS: u64 = 30_000;
pub(crate) const RUNNING_MAX: usize = 3;
pub(crate) const STARTS_MAX: usize = 4;
pub(crate) const INTERVAL_MS: u64 = 10_000;
pub(crate) const LIVE_MAX: usize = 5;
const ALONE_FROM: u32 = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub life: Life,
    pub repository: String,
    pub stage: Stage,
    pub due_ms: u64,
    pub created_ms: u64,
    pub born_ms: u64,
    pub lease_until_ms: u64,
    pub ended_ms: u64,
    pub resumes: bool,
    pub bodies: u32,
    pub body_fence: Option<Fence>,
    pub report_ms: Option<u64>,
}

/// What is due in a lane, as far as one claim looks.
struct Candidates {
    due: Vec<JobId>,
    taken: usize,
    most: usize,
}

impl Candidates {
    fn next(&mut self) -> Option<JobId> {
        let id = self.due.iter().take(self.most).nth(self.taken).copied()?;
        self.taken += 1;
        Some(id)
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub now_ms: u64,
    pub jobs: BTreeMap<JobId, Job>,
    pub locks: BTreeMap<String, JobId>,
    pub starts: Vec<u64>,
    pub reaped_ms: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    Accepted,
    Duplicate(JobId),
    Full,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Revived {
    Done,
    Held,
    Full,
    NotDead,
}

impl Job {
    fn has_good_report(&self, now_ms: u64) -> bool {
        self.report_ms
            .is_some_and(|kept| kept + REPORT_MAX_AGE_MS > now_ms)
    }
}

impl Model {
    pub(crate) fn submit(&mut self, id: JobId, repository: &str, delay_ms: u64) -> Submitted {
        if let Some(live) = self.locks.get(repository) {
            return Submitted::Duplicate(*live);
        }
        if self.live() >= LIVE_MAX {
            return Submitted::Full;
        }
        let now_ms = self.now_ms;
        self.locks.insert(repository.to_owned(), id);
        let job = Job {
            life: Life::submitted(),
            repository: repository.to_owned(),
            stage: Stage::Fetch,
            due_ms: now_ms + delay_ms,
            created_ms: now_ms,
            born_ms: now_ms,
            lease_until_ms: 0,
            ended_ms: 0,
            resumes: false,
            bodies: 0,
            body_fence: None,
            report_ms: None,
        };
        self.jobs.insert(id, job);
        Submitted::Accepted
    }

    pub(crate) fn live(&self) -> usize {
        self.jobs
            .values()
            .filter(|job| job.life.state.is_live())
            .count()
    }

    fn running(&self) -> usize {
        self.jobs
            .values()
            .filter(|job| job.life.state == State::Running)
            .count()
    }

    /// The due jobs of a lane, in the order that a claim meets them.
    fn due(&self, stage: Stage) -> Vec<JobId> {
        let mut due: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, job)| {
                job.life.state == State::Scheduled
                    && job.stage == stage
                    && job.due_ms <= self.now_ms
            })
            .map(|(id, job)| (job.due_ms, id.to_string(), *id))
            .collect();
        due.sort();
        due.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Returns the claimed jobs in order.
    pub(crate) fn claim(
        &mut self,
        nonce: &str,
        wanted: usize,
        alone: bool,
        turn: usize,
    ) -> Vec<JobId> {
        let room = wanted.min(RUNNING_MAX.saturating_sub(self.running()));
        let oldest = self.now_ms.saturating_sub(INTERVAL_MS);
        let forever = self.now_ms < INTERVAL_MS;
        self.starts.retain(|start| forever || *start > oldest);
        let starts_left = STARTS_MAX.saturating_sub(self.starts.len());
        let mut lanes = [Stage::Deliver, Stage::Fetch].map(|stage| {
            let due = self.due(stage);
            Candidates {
                due,
                taken: 0,
                most: room,
            }
        });
        let (mut picked, mut ended, mut starts, mut turn) = (Vec::new(), Vec::new(), 0, turn);
        let mut to_fetch = Vec::new();
        while picked.len() < room {
            let first = usize::from(turn % 4 >= 3);
            let Some((lane, id)) = [first, 1 - first]
                .into_iter()
                .find_map(|lane| Some((lane, lanes[lane].next()?)))
            else {
                break;
            };
            let job = &self.jobs[&id];
            let suspect = job.life.crashes >= ALONE_FROM;
            if job.born_ms + JOB_MAX_AGE_MS <= self.now_ms {
                ended.push(id);
            } else if job.stage == Stage::Deliver && !job.has_good_report(self.now_ms) {
                to_fetch.push(id);
            } else if suspect && !alone {
                // It stays where it is, and keeps nobody from what is behind it.
                lanes[lane].most += 1;
            } else if !job.resumes && starts_left <= starts {
                // It stays where it is.
            } else {
                starts += usize::from(!job.resumes);
                if suspect {
                    picked = vec![id];
                    break;
                }
                picked.push(id);
                turn += 1;
            }
        }
        for id in ended {
            self.happen(id, &Event::Expire);
        }
        for id in to_fetch {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.report_ms = None;
                job.stage = Stage::Fetch;
            }
        }
        for id in &picked {
            self.start(*id, nonce);
        }
        picked
    }

    fn start(&mut self, id: JobId, nonce: &str) {
        self.happen(id, &Event::Claim(nonce.to_owned()));
        let now_ms = self.now_ms;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if !job.resumes {
            self.starts.push(now_ms);
        }
        job.resumes = false;
        job.lease_until_ms = now_ms + LEASE_MS;
    }

    /// Applies the table, and what follows from the state: ended jobs hold no
    /// scope and no report.
    fn happen(&mut self, id: JobId, event: &Event) -> Outcome {
        let now_ms = self.now_ms;
        let Some(job) = self.jobs.get_mut(&id) else {
            return Outcome::Stale;
        };
        let was_live = job.life.state.is_live();
        let (outcome, life) = job.life.after(event);
        job.life = life;
        if was_live && !job.life.state.is_live() {
            job.ended_ms = now_ms;
            job.report_ms = None;
            if self.locks.get(&job.repository) == Some(&id) {
                self.locks.remove(&job.repository);
            }
        }
        outcome
    }

    pub(crate) fn settle(&mut self, id: JobId, event: &Event, delay_ms: u64) -> Outcome {
        let outcome = self.happen(id, event);
        let now_ms = self.now_ms;
        if outcome == Outcome::Done && self.jobs[&id].life.state == State::Scheduled {
            if self.jobs[&id].born_ms + JOB_MAX_AGE_MS <= now_ms {
                self.happen(id, &Event::Expire);
            } else if let Some(job) = self.jobs.get_mut(&id) {
                job.due_ms = now_ms + delay_ms;
                job.resumes = matches!(event, Event::Defer(_) | Event::Release(_));
            }
        }
        outcome
    }

    /// Keeps a report; returns the number of its body.
    pub(crate) fn keep(&mut self, id: JobId, fence: &Fence) -> Option<u32> {
        if self.happen(id, &Event::Advance(fence.clone())) != Outcome::Done {
            return None;
        }
        let now_ms = self.now_ms;
        let job = self.jobs.get_mut(&id)?;
        if job.body_fence.as_ref() != Some(fence) {
            job.bodies += 1;
            job.body_fence = Some(fence.clone());
        }
        job.stage = Stage::Deliver;
        job.report_ms = Some(now_ms);
        Some(job.bodies)
    }

    pub(crate) fn renew(&mut self, id: JobId, fence: &Fence) -> bool {
        let now_ms = self.now_ms;
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        let ours = job.life.state == State::Running && job.life.fence.as_ref() == Some(fence);
        if ours {
            job.lease_until_ms = now_ms + LEASE_MS;
        }
        ours
    }

    /// Returns how many jobs were taken back, and how many leases renewed.
    pub(crate) fn reap(&mut self, jitter: f64) -> (u64, u64) {
        let last = std::mem::replace(&mut self.reaped_ms, self.now_ms);
        let (now_ms, mut renewed) = (self.now_ms, 0);
        if last > now_ms || 3 * (now_ms - last) > LEASE_MS {
            for job in self
                .jobs
                .values_mut()
                .filter(|job| job.life.state == State::Running)
            {
                job.lease_until_ms = now_ms + LEASE_MS;
                renewed += 1;
            }
            return (0, renewed);
        }
        let mut over: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.life.state == State::Running && job.lease_until_ms <= now_ms)
            .map(|(id, job)| (job.lease_until_ms, id.to_string(), *id))
            .collect();
        over.sort();
        for (place, (_, _, id)) in over.iter().enumerate() {
            self.happen(*id, &Event::Reap);
            let Some(job) = self.jobs.get_mut(id) else {
                continue;
            };
            if job.life.state == State::Scheduled {
                #[expect(clippy::cast_precision_loss, reason = "a handful of jobs")]
                let sample = (jitter + (place + 1) as f64 * 0.618) % 1.0;
                let wait = (200.0 * 2_f64.powi(job.life.crashes.cast_signed() - 1)).min(60_000.0);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "at most 90,000"
                )]
                let wait = (wait * (1.0 + sample / 2.0)).floor() as u64;
                job.due_ms = now_ms + wait;
                job.resumes = true;
            }
        }
        (over.len() as u64, 0)
    }

    pub(crate) fn cancel(&mut self, id: JobId) -> Outcome {
        self.happen(id, &Event::Cancel)
    }

    pub(crate) fn revive(&mut self, id: JobId) -> Revived {
        let job = &self.jobs[&id];
        if job.life.state != State::Dead {
            return Revived::NotDead;
        }
        if self.locks.contains_key(&job.repository) {
            return Revived::Held;
        }
        if self.live() >= LIVE_MAX {
            return Revived::Full;
        }
        self.happen(id, &Event::Revive);
        let now_ms = self.now_ms;
        if let Some(job) = self.jobs.get_mut(&id) {
            job.due_ms = now_ms;
            job.born_ms = now_ms;
            job.resumes = false;
            job.stage = Stage::Fetch;
            self.locks.insert(job.repository.clone(), id);
        }
        Revived::Done
    }
}
