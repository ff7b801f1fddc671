//! The leases that this worker holds: what its heartbeat renews, and how a job
//! learns that it must stop.
//!
//! This stands beside the line, from claim to settle. It knows nothing of Redis.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookme_shared::job::{Fence, JobId};
use tokio::sync::{Notify, watch};
use tokio::time::timeout_at;

/// Why a job must stop before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Another claim holds the job by now: let go of it and say nothing.
    Lost,
    /// Redis has not renewed the lease for too long: stop, and give the job
    /// back when Redis answers again.
    RedisAway,
    /// The worker shuts down: give the job back.
    Shutdown,
    /// A client wants the job cancelled: give it back, which cancels it.
    CancelAsked,
}

/// All leases of one worker.
#[derive(Debug)]
pub struct Leases {
    /// How long a lease may go without renewal before its job is stopped here:
    /// a fifth less than Redis waits, for clocks that do not run alike.
    patience: Duration,
    books: Mutex<Books>,
    emptied: Notify,
    /// Rings when a lease came that is stale before `Books::watched_until`.
    stale_sooner: Notify,
}

#[derive(Debug, Default)]
struct Books {
    held: HashMap<JobId, Held>,
    /// Until when whoever stops stale jobs sleeps; none while there is no lease.
    watched_until: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    fence: Fence,
    renewed: Instant,
    stop: watch::Sender<Option<Stop>>,
}

/// One lease, in the hands of the job's future.
#[derive(Debug)]
pub struct Lease {
    stop: watch::Receiver<Option<Stop>>,
}

impl Lease {
    /// Waits until the job must stop, if it ever must.
    pub async fn stopped(&mut self) -> Stop {
        let stop = self.stop.wait_for(Option::is_some).await.map(|stop| *stop);
        match stop {
            Ok(stop) => stop.unwrap_or(Stop::Lost),
            // The lease is off the books: it was settled.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Leases {
    /// No leases yet, of the term `lease`.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self {
            patience: lease.mul_f64(0.8),
            books: Mutex::default(),
            emptied: Notify::new(),
            stale_sooner: Notify::new(),
        }
    }

    /// Takes a lease into the books, which was asked for at `since`.
    pub fn hold(&self, id: JobId, fence: Fence, since: Instant) -> Lease {
        let (stop, stopped) = watch::channel(None);
        let held = Held {
            fence,
            renewed: since,
            stop,
        };
        let mut books = self.books();
        books.held.insert(id, held);
        let stale_at = since + self.patience;
        if books.watched_until.is_none_or(|until| stale_at < until) {
            self.stale_sooner.notify_one();
        }
        Lease { stop: stopped }
    }

    /// Strikes a lease off the books: its job is settled or lost.
    pub fn forget(&self, id: JobId, fence: &Fence) {
        let mut books = self.books();
        if books.held.get(&id).is_some_and(|held| held.fence == *fence) {
            books.held.remove(&id);
        }
        if books.held.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// How many leases there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.books().held.len()
    }

    /// Waits until no lease is left.
    pub async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.count() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// What is to be renewed.
    #[must_use]
    pub fn claims(&self) -> Vec<(JobId, Fence)> {
        self.books()
            .held
            .iter()
            .map(|(id, held)| (*id, held.fence.clone()))
            .collect()
    }

    /// A renewal that was sent at `sent` went through.
    pub fn renewed(&self, id: JobId, fence: &Fence, sent: Instant) {
        if let Some(held) = self
            .books()
            .held
            .get_mut(&id)
            .filter(|held| held.fence == *fence)
        {
            held.renewed = sent;
        }
    }

    /// Whether this lease was renewed lately enough for the job to act on the
    /// world at `now`.
    #[must_use]
    pub fn is_fresh(&self, id: JobId, fence: &Fence, now: Instant) -> bool {
        self.books().held.get(&id).is_some_and(|held| {
            held.fence == *fence && now.saturating_duration_since(held.renewed) < self.patience
        })
    }

    /// Stops one job.
    pub fn stop(&self, id: JobId, fence: &Fence, why: Stop) {
        if let Some(held) = self
            .books()
            .held
            .get(&id)
            .filter(|held| held.fence == *fence)
        {
            held.stop_because(why);
        }
    }

    /// Stops every job.
    pub fn stop_all(&self, why: Stop) {
        for held in self.books().held.values() {
            held.stop_because(why);
        }
    }

    /// Waits until a lease was not renewed in time, and stops its job; says how many such
    /// jobs there were. For one caller at a time.
    pub async fn stop_when_stale(&self) -> usize {
        loop {
            let sooner = self.stale_sooner.notified();
            match self.watch_next() {
                None => sooner.await,
                Some(at) => {
                    if timeout_at(at.into(), sooner).await.is_err() {
                        let stopped = self.stop_stale(Instant::now());
                        if stopped > 0 {
                            return stopped;
                        }
                    }
                }
            }
        }
    }

    /// When the first of the leases whose jobs run is stale, if nothing renews it. A lease
    /// that is stale before then rings.
    fn watch_next(&self) -> Option<Instant> {
        let mut books = self.books();
        let running = books
            .held
            .values()
            .filter(|held| held.stop.borrow().is_none());
        let renewed = running.map(|held| held.renewed).min();
        books.watched_until = renewed.map(|renewed| renewed + self.patience);
        books.watched_until
    }

    /// Stops the jobs whose lease was not renewed in time; says how many.
    pub fn stop_stale(&self, now: Instant) -> usize {
        let books = self.books();
        let stale = books.held.values().filter(|held| {
            now.saturating_duration_since(held.renewed) >= self.patience
                && held.stop.borrow().is_none()
        });
        stale.map(|held| held.stop_because(Stop::RedisAway)).count()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The first reason stands, except that a lost job is lost.
    fn stop_because(&self, why: Stop) {
        self.stop.send_if_modified(|stop| {
            let changes = stop.is_none() || why == Stop::Lost;
            if changes {
                *stop = Some(why);
            }
            changes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn fence(text: &str) -> Fence {
        Fence::new(text)
    }

    #[tokio::test]
    async fn a_lease_that_is_not_renewed_stops_its_job_before_redis_takes_it() {
        let (leases, id, start) = (Leases::new(LEASE), JobId::random(), Instant::now());
        let mut lease = leases.hold(id, fence("1:a"), start);
        assert_eq!(leases.stop_stale(start + LEASE * 7 / 10), 0);
        leases.renewed(id, &fence("1:a"), start + LEASE / 2);
        assert_eq!(leases.stop_stale(start + LEASE), 0);
        assert!(leases.is_fresh(id, &fence("1:a"), start + LEASE));
        assert_eq!(leases.stop_stale(start + LEASE * 14 / 10), 1);
        assert!(!leases.is_fresh(id, &fence("1:a"), start + LEASE * 14 / 10));
        assert_eq!(lease.stopped().await, Stop::RedisAway);
    }

    #[tokio::test]
    async fn a_job_is_stopped_when_its_lease_is_stale_whichever_came_first() {
        let short = Duration::from_millis(100);
        let (leases, id) = (Leases::new(short), JobId::random());
        let watching = leases.stop_when_stale();
        tokio::pin!(watching);
        assert!(futures_util::poll!(&mut watching).is_pending());

        // The first lease wakes whoever watched none.
        let start = Instant::now();
        let mut lease = leases.hold(id, fence("1:a"), start);
        assert_eq!(watching.await, 1);
        assert!(start.elapsed() >= short * 8 / 10);
        assert_eq!(lease.stopped().await, Stop::RedisAway);

        // One that was claimed long ago wakes whoever watches another.
        let (leases, late) = (Leases::new(LEASE), JobId::random());
        let _lease = leases.hold(id, fence("1:a"), start);
        let watching = leases.stop_when_stale();
        tokio::pin!(watching);
        assert!(futures_util::poll!(&mut watching).is_pending());
        let long_ago = Instant::now().checked_sub(LEASE).unwrap();
        let mut late = leases.hold(late, fence("1:b"), long_ago);
        assert_eq!(watching.await, 1);
        assert_eq!(late.stopped().await, Stop::RedisAway);
    }

    #[tokio::test]
    async fn only_the_fence_of_the_lease_touches_it() {
        let (leases, id, start) = (Leases::new(LEASE), JobId::random(), Instant::now());
        let mut lease = leases.hold(id, fence("2:b"), start);
        leases.stop(id, &fence("1:a"), Stop::Lost);
        leases.forget(id, &fence("1:a"));
        assert_eq!(leases.count(), 1);
        leases.stop(id, &fence("2:b"), Stop::Shutdown);
        assert_eq!(lease.stopped().await, Stop::Shutdown);
    }

    #[tokio::test]
    async fn a_lost_lease_outranks_every_other_reason() {
        let (leases, id) = (Leases::new(LEASE), JobId::random());
        let mut lease = leases.hold(id, fence("1:a"), Instant::now());
        leases.stop_all(Stop::RedisAway);
        leases.stop_all(Stop::Lost);
        leases.stop_all(Stop::Shutdown);
        assert_eq!(lease.stopped().await, Stop::Lost);
    }

    #[tokio::test]
    async fn whoever_waits_for_no_leases_is_told() {
        let (leases, id) = (Leases::new(LEASE), JobId::random());
        let _lease = leases.hold(id, fence("1:a"), Instant::now());
        let wait = leases.empty();
        tokio::pin!(wait);
        assert!(futures_util::poll!(&mut wait).is_pending());
        leases.forget(id, &fence("1:a"));
        wait.await;
    }
}
