//! A backlog of feedback on four real workers, in virtual time: Redis and GitHub have
//! one clock, which goes on when the workers have nothing to do at its time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use hookme_shared::job::{JobId, Stage, State};
use hookme_shared::queue::{Clock, Queue, Submitted, Terms};
use hookme_shared::supervisor::Supervisor;
use hookme_tests::by_hand::{self, OWNER, sha};
use hookme_tests::github::{Broken, Clock as GithubClock, GithubOptions, RepositorySpec};
use hookme_tests::site::live;
use hookme_tests::{House, Limits};
use hookme_worker::commenter::Commenter;
use hookme_worker::courier::Courier;
use hookme_worker::feedback::template::Template;
use hookme_worker::github::Github;
use hookme_worker::policy::retry::RetryPolicy;
use hookme_worker::settings::Arguments;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio_util::sync::CancellationToken;

/// Where the clock begins: in 2033. What the workers say of themselves is read by the
/// clock of Redis, for which it must lie ahead.
const BEGIN_MS: u64 = 2_000_000_000_000;
const PULL_REQUEST: usize = 1;
const WORKERS: usize = 4;
/// How long all of it may take in real time. A busy machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(500);
/// The worker's default caps of comments.
const PER_MINUTE: u64 = 40;
const PER_HOUR: u64 = 450;

struct Crowd {
    house: House,
    queue: Queue,
    redis: MultiplexedConnection,
    now_ms: Arc<AtomicU64>,
}

fn repository(number: usize) -> String {
    format!("repository-{number}")
}

/// How long so many comments take at the least, if both caps are used up as soon as
/// they can be.
fn allowed(comments: u64) -> Duration {
    let (hours, rest) = ((comments - 1) / PER_HOUR, (comments - 1) % PER_HOUR);
    Duration::from_secs(3_600 * hours) + Duration::from_secs(60 * (rest / PER_MINUTE))
}

impl Crowd {
    async fn gather() -> Self {
        let now_ms = Arc::new(AtomicU64::new(BEGIN_MS));
        let house = House::with_github(GithubOptions {
            generate: Some(RepositorySpec {
                issues: 0,
                pull_requests: PULL_REQUEST,
                ..RepositorySpec::default()
            }),
            keep_headers: false,
            limits: Some(Limits::default()),
            clock: GithubClock::Virtual(Arc::clone(&now_ms)),
            ..GithubOptions::default()
        });
        let house = house.await.unwrap();
        house.set_clock(BEGIN_MS).await.unwrap();
        let queue = house
            .queue_under(Terms::default(), Clock::Virtual)
            .await
            .unwrap();
        Self {
            redis: house.redis().await.unwrap(),
            house,
            queue,
            now_ms,
        }
    }

    async fn submit(&self, number: usize, commit: u32) -> JobId {
        let work = by_hand::feedback(PULL_REQUEST as u64, commit).unwrap();
        let name = repository(number);
        let offered = by_hand::offer(&self.queue, &name, work, Duration::ZERO);
        match offered.await.unwrap() {
            Submitted::Accepted(receipt) => receipt.id,
            other => panic!("{other:?}"),
        }
    }

    /// Starts the workers, under the default settings.
    async fn start(&mut self) {
        let url = format!("--api-url={}", self.house.github.url());
        let flags = ["worker", &url, "--api-token=token", "--webhook-url=none"];
        let settings = Arguments::parse_from(flags).check().unwrap();
        for number in 0..WORKERS {
            let name = format!("worker-{number}");
            let mut launch = self
                .house
                .launch_of(&name, Terms::default(), Clock::Virtual)
                .unwrap();
            launch.concurrency = 16;
            let supervisor = Supervisor::new(CancellationToken::new());
            let (queue, metrics) = (launch.queue.clone(), Arc::clone(&launch.metrics));
            let github = Github::shared(&settings.github, queue, name, metrics, supervisor.clone());
            let retry = RetryPolicy::new(Duration::from_secs(5), 10);
            let commenter = Commenter {
                queue: launch.queue.clone(),
                github: Arc::new(github.await.unwrap()),
                template: Template::default(),
                courier: Courier::new(&settings.webhook, launch.queue.clone(), retry, &supervisor)
                    .unwrap(),
                retry,
            };
            self.house.launch(launch, commenter).await.unwrap();
        }
    }

    /// When the next comment can be claimed, as the last claim found.
    async fn opens_ms(&mut self) -> Option<u64> {
        let identities = self.house.key("github:identities");
        let identities: Vec<String> = self.redis.zrevrange(identities, 0, 0).await.unwrap();
        let limits = format!("github:limits:{}", identities.first()?);
        let limits = self.house.key(&limits);
        self.redis.hget(limits, "content_opens_ms").await.unwrap()
    }

    /// When the first comment is due.
    async fn due_ms(&mut self) -> Option<u64> {
        let lane = self.house.key("scheduled:comment");
        let first: Vec<(String, u64)> = self.redis.zrange_withscores(lane, 0, 0).await.unwrap();
        first.first().map(|(_, due_ms)| *due_ms)
    }

    /// Lets time pass until at most so many jobs are live.
    async fn run_until(&mut self, jobs: u64) {
        let patience = Instant::now() + PATIENCE;
        loop {
            // In this order: whoever claims notes first when the next may.
            let opens_ms = self.opens_ms().await;
            let counts = self.queue.counts().await.unwrap();
            if live(&counts) <= jobs {
                return;
            }
            assert!(Instant::now() < patience, "{counts:?}");
            let is_quiet = counts.running == 0 && counts.due.contains(&(Stage::Grade, 0));
            let next_ms = if counts.due.contains(&(Stage::Comment, 0)) {
                self.due_ms().await
            } else {
                opens_ms
            };
            let now_ms = self.now_ms.load(Ordering::SeqCst);
            match next_ms.filter(|next_ms| is_quiet && *next_ms > now_ms) {
                Some(next_ms) => self.go_on(next_ms).await,
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// Sets the clock, and wakes somebody: who sleeps, sleeps in real time.
    async fn go_on(&mut self, at_ms: u64) {
        self.now_ms.store(at_ms, Ordering::SeqCst);
        self.house.set_clock(at_ms).await.unwrap();
        let wake = self.house.key("wake");
        let () = self.redis.rpush(wake, "due").await.unwrap();
    }

    fn took(&self) -> Duration {
        Duration::from_millis(self.now_ms.load(Ordering::SeqCst) - BEGIN_MS)
    }

    /// The commits of a repository whose feedback was posted, the oldest first.
    fn posted(&self, number: usize) -> Vec<String> {
        let comments = self
            .house
            .github
            .comments(OWNER, &repository(number), PULL_REQUEST);
        let commit = |comment: &String| {
            let known = (1..=2).map(sha).find(|sha| comment.contains(sha));
            known.unwrap_or_else(|| panic!("{comment}"))
        };
        comments.iter().map(commit).collect()
    }

    fn was_never_refused(&self) {
        assert_eq!(self.house.github.refused(), 0);
        assert_eq!(self.house.github.broken(), Broken::default());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_at_once_have_their_comments_within_ten_minutes() {
    let mut crowd = Crowd::gather().await;
    for number in 0..300 {
        crowd.submit(number, 1).await;
    }
    crowd.start().await;
    crowd.run_until(0).await;
    crowd.was_never_refused();
    assert!((0..300).all(|number| crowd.posted(number) == [sha(1)]));
    assert!(
        crowd.took() < Duration::from_secs(600),
        "{:?}",
        crowd.took()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_at_once_are_never_refused_and_each_pull_request_has_its_newest() {
    let mut crowd = Crowd::gather().await;
    let mut first = Vec::new();
    for number in 0..2_000 {
        first.push(crowd.submit(number, 1).await);
    }
    crowd.start().await;
    // Meanwhile every tenth pull request gets another commit.
    crowd.run_until(1_500).await;
    let again: BTreeSet<usize> = (0..2_000).step_by(10).collect();
    for number in &again {
        crowd.submit(*number, 2).await;
    }
    crowd.run_until(0).await;

    crowd.was_never_refused();
    let mut comments = 0;
    for (number, id) in first.iter().enumerate() {
        let old = crowd.queue.explain(*id).await.unwrap().unwrap().job;
        let mut expected = Vec::new();
        if old.state == State::Succeeded {
            expected.push(sha(1));
        }
        if again.contains(&number) {
            expected.push(sha(2));
        }
        assert_eq!(crowd.posted(number), expected, "{number}: {old:?}");
        comments += expected.len() as u64;
    }
    // Of those that had their comment before there is one more, the others gave way.
    assert!((2_001..2_200).contains(&comments), "{comments}");
    let (took, allowed) = (crowd.took(), allowed(comments));
    println!("{comments} comments in {took:?}, {allowed:?} allowed");
    assert!(
        took < allowed.mul_f64(1.15),
        "{took:?}, {allowed:?} allowed"
    );
}
