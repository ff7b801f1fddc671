//! Our client: the governor of all workers, asked as a worker asks it.
//!
//! The functions in Redis decide; what they say is followed to the millisecond. The
//! worker's own waiting, its queue of jobs and its chance are not a part of this.

use std::time::Duration;

use anyhow::Context;
use clap::{Args, Command, FromArgMatches};
use hookme_shared::queue::{
    Class, Clock, Granted, Identity, Outcome, Pace, Queue, Release, Resource, Terms, Want,
};
use hookme_shared::settings::Mistakes;
use hookme_worker::github::PATIENCE;
use hookme_worker::settings::pace::PaceArguments;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use super::backlog::Backlog;
use super::scene::{Reply, Scene};
use crate::House;

/// How long a request counts as under way; none is lost here.
const TERM: Duration = Duration::from_secs(30);
/// No chance, so that every run is the same.
const JITTER: f64 = 0.0;

/// Makes all comments under the worker's default settings.
///
/// # Errors
///
/// When Redis or GitHub does not answer as it should, or the backlog does not end.
pub(super) async fn clear(backlog: &mut Backlog, scene: &mut Scene) -> anyhow::Result<()> {
    let mut worker = Worker::start(scene.now_ms()).await?;
    while let Some(waiting) = backlog.take()? {
        let lease = worker.lease();
        match worker.acquire(&lease).await? {
            Granted::Wait { ask_after, .. } => {
                worker.pass(ask_after, scene).await?;
                backlog.put_back(waiting);
            }
            Granted::Start { after, .. } => {
                worker.pass(after, scene).await?;
                let reply = scene.post(waiting.number).await?;
                if reply.refusal.is_some() {
                    backlog.put_back(waiting);
                }
                worker.release(lease, reply).await?;
            }
        }
    }
    Ok(())
}

/// The one worker, with a namespace of its own.
struct Worker {
    house: House,
    queue: Queue,
    redis: MultiplexedConnection,
    identity: Identity,
    pace: Pace,
    leases: u64,
}

impl Worker {
    async fn start(now_ms: u64) -> anyhow::Result<Self> {
        let house = House::start().await?;
        house.set_clock(now_ms).await?;
        Ok(Self {
            queue: house.queue_under(Terms::default(), Clock::Virtual).await?,
            redis: house.redis().await?,
            house,
            identity: Identity {
                name: "api.github.com/user-1".to_owned(),
                token: "fingerprint".to_owned(),
            },
            pace: usual_pace()?,
            leases: 0,
        })
    }

    /// A name for a request that no other has.
    fn lease(&mut self) -> String {
        self.leases += 1;
        format!("lease-{}", self.leases)
    }

    /// Lets time pass, for Redis and for GitHub.
    async fn pass(&mut self, span: Duration, scene: &Scene) -> anyhow::Result<()> {
        let now_ms = scene.now_ms() + u64::try_from(span.as_millis())?;
        scene.set_now(now_ms);
        let () = self.redis.set(self.house.key("clock"), now_ms).await?;
        Ok(())
    }

    async fn acquire(&self, lease: &str) -> anyhow::Result<Granted> {
        let wants = [Want {
            lease: lease.to_owned(),
            class: Class::Content,
            resource: Resource::Core,
            patience: PATIENCE,
        }];
        let answers = self
            .queue
            .github_acquire(&self.identity, "worker", TERM, &self.pace, &wants);
        answers.await?.pop().context("the governor has no answer")
    }

    async fn release(&self, lease: String, reply: Reply) -> anyhow::Result<()> {
        let outcome = reply
            .refusal
            .as_ref()
            .map_or(Outcome::Answered, Outcome::from);
        let ended = [Release {
            lease,
            outcome,
            budget: reply.budget.map(|budget| budget.after(Duration::ZERO)),
        }];
        let released = self.queue.github_release(&self.identity, JITTER, &ended);
        released.await?;
        Ok(())
    }
}

/// The worker's default settings, whatever the environment holds.
fn usual_pace() -> anyhow::Result<Pace> {
    let command = PaceArguments::augment_args(Command::new("worker"));
    let command = command.mut_args(|argument| argument.env(None::<&'static str>));
    let given = PaceArguments::from_arg_matches(&command.try_get_matches_from(["worker"])?)?;
    let mut mistakes = Mistakes::default();
    let pace = given.check(&mut mistakes);
    Ok(mistakes.judge(pace)?)
}
