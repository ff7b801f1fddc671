//! The supervisor: starts every long-lived task of a process under a name, and ends the
//! process when one of them fails.
//!
//! It stands beside the whole line. What such a task does is missed by nobody at once: a
//! settler that is gone settles nothing, and all else goes on. So a task that panics, or
//! ends while the process works, is told as an error with its name, and the process ends in
//! order, as if it were asked to. Whoever supervises the process starts it anew.

use std::any::Any;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A long-lived task that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaskFailure {
    /// It panicked.
    #[error("the {0} panicked")]
    Panicked(&'static str),
    /// It ended, and nobody had asked the process to.
    #[error("the {0} ended before the process did")]
    Ended(&'static str),
}

/// Starts tasks and watches them. Clones share everything.
#[derive(Debug, Clone)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tracker: TaskTracker,
    ending: CancellationToken,
    failed: CancellationToken,
    failure: OnceLock<TaskFailure>,
    started: Mutex<Vec<(&'static str, CancellationToken)>>,
}

/// A long-lived task that was started.
#[derive(Debug)]
pub struct Task(CancellationToken);

impl Task {
    /// Waits until the task has ended, however it did.
    pub async fn ended(&self) {
        self.0.cancelled().await;
    }
}

impl Supervisor {
    /// A supervisor of a process that works until `shutdown`: from then on tasks may end.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a token is a handle, and is handed over like everywhere else"
    )]
    pub fn new(shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            tracker: TaskTracker::new(),
            ending: shutdown.child_token(),
            failed: CancellationToken::new(),
            failure: OnceLock::new(),
            started: Mutex::default(),
        }))
    }

    /// Cancelled when the process has to end: at its shutdown, or when a task has failed.
    #[must_use]
    pub fn ending(&self) -> CancellationToken {
        self.0.ending.clone()
    }

    /// Starts a task that works as long as the process does.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Task {
        let (watched, handle) = self.watched(name, task);
        self.spawn_short(watched);
        handle
    }

    /// The same, on a thread of its own, whose name the task's is.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place where threads are started and watched"
    )]
    pub fn spawn_thread(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<Task> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (watched, handle) = self.watched(name, task);
        let watched = self.0.tracker.track_future(watched);
        let builder = thread::Builder::new().name(name.to_owned());
        drop(builder.spawn(move || runtime.block_on(watched))?);
        Ok(handle)
    }

    /// Starts a task that is over soon, which [`Supervisor::all_ended`] waits for.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place where tasks are started, and the end waits for them"
    )]
    pub fn spawn_short(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.tracker.spawn(task));
    }

    /// Waits until no task is left.
    pub async fn all_ended(&self) {
        self.0.tracker.close();
        self.0.tracker.wait().await;
    }

    /// Waits until a task has failed.
    pub async fn failed(&self) {
        self.0.failed.cancelled().await;
    }

    /// The first task that failed, if one has.
    #[must_use]
    pub fn failure(&self) -> Option<TaskFailure> {
        self.0.failure.get().copied()
    }

    /// How the process ends.
    ///
    /// # Errors
    ///
    /// With the first task that failed, if one has.
    pub fn outcome(&self) -> Result<(), TaskFailure> {
        self.failure().map_or(Ok(()), Err)
    }

    /// The names of the tasks that were started.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.started().iter().map(|(name, _)| *name).collect()
    }

    /// Drops the task of this name where it stands, which is a failure of it. For tests
    /// of what follows: most tasks cannot be made to fail from outside.
    pub fn kill(&self, name: &str) {
        for (started, kill) in self.started().iter() {
            if *started == name {
                kill.cancel();
            }
        }
    }

    fn watched(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> (impl Future<Output = ()> + Send + 'static, Task) {
        let (kill, ended) = (CancellationToken::new(), CancellationToken::new());
        self.started().push((name, kill.clone()));
        let (supervisor, over) = (self.clone(), ended.clone().drop_guard());
        let watched = async move {
            let task = async move { kill.run_until_cancelled(task).await };
            match AssertUnwindSafe(task).catch_unwind().await {
                Ok(Some(())) if supervisor.0.ending.is_cancelled() => {}
                Ok(_) => supervisor.fail(TaskFailure::Ended(name), "it returned"),
                Err(panic) => supervisor.fail(TaskFailure::Panicked(name), words_of(&*panic)),
            }
            drop(over);
        };
        (watched, Task(ended))
    }

    /// The first failure stands; the process ends for it.
    fn fail(&self, failure: TaskFailure, reason: &str) {
        let first = *self.0.failure.get_or_init(|| failure);
        if first == failure {
            tracing::error!(%failure, reason, "a part of this process failed; the process ends, and must be started anew");
        } else {
            tracing::error!(%failure, reason, "another part of this process failed as it ended");
        }
        self.0.failed.cancel();
        self.0.ending.cancel();
    }

    fn started(&self) -> MutexGuard<'_, Vec<(&'static str, CancellationToken)>> {
        self.0
            .started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message of a panic, if it has one.
#[must_use]
pub fn words_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A supervisor under which one task waits for the end, and nothing has failed.
    fn at_work() -> (Supervisor, CancellationToken) {
        let shutdown = CancellationToken::new();
        let supervisor = Supervisor::new(shutdown.clone());
        let ending = supervisor.ending();
        supervisor.spawn("neighbour", async move { ending.cancelled().await });
        assert_eq!(supervisor.outcome(), Ok(()));
        (supervisor, shutdown)
    }

    async fn within<T>(waits: impl Future<Output = T>) -> T {
        timeout(PATIENCE, waits).await.unwrap()
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_process_with_its_name() {
        let (supervisor, shutdown) = at_work();
        let task = supervisor.spawn("victim", async { panic!("of the test") });
        within(supervisor.failed()).await;
        within(task.ended()).await;
        within(supervisor.all_ended()).await;
        let failure = TaskFailure::Panicked("victim");
        assert_eq!(supervisor.failure(), Some(failure));
        assert_eq!(supervisor.outcome(), Err(failure));
        assert_eq!(failure.to_string(), "the victim panicked");
        assert!(!shutdown.is_cancelled(), "that token is somebody else's");
    }

    #[tokio::test]
    async fn a_task_that_ends_before_the_process_does_ends_it_with_its_name() {
        let (supervisor, _shutdown) = at_work();
        supervisor.spawn("victim", async {});
        within(supervisor.all_ended()).await;
        assert_eq!(supervisor.outcome(), Err(TaskFailure::Ended("victim")));
    }

    #[tokio::test]
    async fn a_task_on_its_own_thread_is_watched_like_any_other() {
        let (supervisor, _shutdown) = at_work();
        let victim = supervisor.spawn_thread("victim", async {
            assert_eq!(thread::current().name(), Some("victim"));
            tokio::time::sleep(Duration::from_millis(1)).await;
            panic!("of the test")
        });
        within(victim.unwrap().ended()).await;
        within(supervisor.all_ended()).await;
        assert_eq!(supervisor.outcome(), Err(TaskFailure::Panicked("victim")));
    }

    #[tokio::test]
    async fn a_task_that_is_killed_ends_the_process_with_its_name() {
        let (supervisor, _shutdown) = at_work();
        supervisor.spawn("victim", pending());
        let thread = supervisor.spawn_thread("thread", pending()).unwrap();
        assert_eq!(supervisor.names(), ["neighbour", "victim", "thread"]);
        supervisor.kill("thread");
        within(thread.ended()).await;
        supervisor.kill("victim");
        within(supervisor.all_ended()).await;
        assert_eq!(supervisor.outcome(), Err(TaskFailure::Ended("thread")));
    }

    #[tokio::test]
    async fn tasks_may_end_once_the_process_has_to_but_not_panic() {
        let (supervisor, shutdown) = at_work();
        shutdown.cancel();
        supervisor.spawn("late", async {});
        supervisor.spawn_short(async {});
        within(supervisor.all_ended()).await;
        assert_eq!(supervisor.outcome(), Ok(()));
        supervisor.spawn("victim", async { panic!("of the test") });
        within(supervisor.all_ended()).await;
        assert_eq!(supervisor.outcome(), Err(TaskFailure::Panicked("victim")));
    }

    #[tokio::test]
    async fn a_short_task_that_ends_ends_nothing_else() {
        let (supervisor, shutdown) = at_work();
        supervisor.spawn_short(async {});
        supervisor.spawn_short(async { panic!("of the test") });
        shutdown.cancel();
        within(supervisor.all_ended()).await;
        assert_eq!(supervisor.outcome(), Ok(()));
    }
}
