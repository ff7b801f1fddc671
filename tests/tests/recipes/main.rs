//! What README.md says about looking inside with `redis-cli` is tried out, line by
//! line, on jobs in every state.

#![cfg(test)]

mod findings;
mod jobs;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use hookme_shared::destination::{DEFAULT_ID, Destination};
use hookme_shared::job::JobId;
use hookme_shared::queue::{
    Address, Class, Clock, DeliveryOutcome, Entry, Identity, Outcome, Pace, Queue, Release,
    Resource, Return, Terms, Want,
};
use hookme_shared::secret::Secret;
use hookme_tests::redis_server::RedisOptions;
use hookme_tests::{RedisServer, by_hand, eventually};

use findings::findings;
use jobs::Jobs;

const HEADING: &str = "## Looking inside with redis-cli";
/// What the section tells the reader to put in the place of `redis-cli`.
const CLIENT: &str = r#"redis-cli -u "$REDIS_URL""#;
/// Fewer commands than this do not show what waits, runs and died, and why.
const COMMANDS_MIN: usize = 8;
/// What the list of identities shows.
const IDENTITY: &str = "api.github.com/user-1";
/// Short, because the test waits for the end of one.
const LEASE: Duration = Duration::from_millis(500);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The section's commands, in their order.
fn commands() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (_, section) = readme
        .split_once(HEADING)
        .expect("README.md has no such section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut commands = Vec::new();
    let mut in_fence = false;
    for line in section.lines() {
        match line.trim() {
            "```sh" => in_fence = true,
            "```" => in_fence = false,
            command if in_fence && command.starts_with("redis-cli ") => {
                commands.push(command.to_owned());
            }
            other => assert!(
                !in_fence || other.is_empty() || other.starts_with('#'),
                "{other:?} is not tried out"
            ),
        }
    }
    commands
}

/// Asks GitHub with a token that it refuses.
async fn be_refused(queue: &Queue) {
    let identity = Identity {
        name: IDENTITY.to_owned(),
        token: "fingerprint".to_owned(),
    };
    let pace = Pace {
        in_flight: 1,
        read_gap: Duration::from_millis(100),
        write_gap: Duration::from_secs(1),
        content_per_minute: 40,
        content_per_hour: 450,
    };
    let want = Want {
        lease: "lease".to_owned(),
        class: Class::Read,
        resource: Resource::Core,
        patience: Duration::ZERO,
    };
    let refused = Release {
        lease: want.lease.clone(),
        outcome: Outcome::Refused {
            scope: "token".to_owned(),
            wait: None,
            request_id: "5AFE:1D00".to_owned(),
        },
        budget: None,
    };
    let wants = [want];
    queue
        .github_acquire(&identity, by_hand::WORKER, HOUR, &pace, &wants)
        .await
        .unwrap();
    queue
        .github_release(&identity, 0.0, &[refused])
        .await
        .unwrap();
}

/// The operator's webhook is sent something, and wants no more.
async fn be_gone(queue: &Queue) {
    let webhook = Destination::new("https://hooks.example.com/in".parse().unwrap());
    queue.declare_destination(&webhook).await.unwrap();
    let entry = Entry {
        lease: "lease".to_owned(),
        destination: DEFAULT_ID.to_owned(),
        url: webhook.to_string(),
        origin: webhook.origin(),
    };
    let gone = Return {
        lease: entry.lease.clone(),
        destination: entry.destination.clone(),
        origin: entry.origin.clone(),
        outcome: DeliveryOutcome::Gone,
        started_ms: 0,
        slow: None,
        reason: "the webhook answered 410".to_owned(),
    };
    queue.enter_destinations(HOUR, 1, &[entry]).await.unwrap();
    queue.leave_destinations(&[gone]).await.unwrap();
}

/// Fields of a record that no job has a value for: they are called otherwise by now.
fn unknown_fields(command: &str, printed: &Printed) -> Vec<String> {
    let Some((_, fields)) = command
        .split_once("$ID\" ")
        .filter(|(start, _)| start.contains("HMGET"))
    else {
        return Vec::new();
    };
    let about = printed.0.iter().filter(|(line, _, _)| line == command);
    let about: Vec<Vec<&str>> = about
        .map(|(_, _, printed)| printed.lines().collect())
        .collect();
    let has = |place: usize| {
        about
            .iter()
            .any(|lines| lines.get(place).is_some_and(|line| !line.is_empty()))
    };
    let fields = fields.split_whitespace().enumerate();
    fields
        .filter(|(place, _)| !has(*place))
        .map(|(_, field)| field.to_owned())
        .collect()
}

/// Runs a command as a reader would, about one job; returns what it printed.
fn run(command: &str, redis_url: &str, id: JobId) -> String {
    let line = command.replacen("redis-cli", CLIENT, usize::from(!command.contains(" -u ")));
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("sh")
        .args(["-c", &line])
        .env("REDIS_URL", redis_url)
        .env("ID", id.to_string())
        .env("IDENTITY", IDENTITY)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(status.success(), "{command}: {status}\n{printed}");
    for trouble in ["ERR", "WRONGTYPE", "NOSCRIPT", "Unrecognized", "rror:"] {
        assert!(!printed.contains(trouble), "{command}:\n{printed}");
    }
    printed
}

/// What each command printed, about each job.
struct Printed(Vec<(String, JobId, String)>);

impl Printed {
    /// Whether a command with this in it, run about this job, printed all of that.
    fn shows(&self, command: &str, id: JobId, expected: &[&str]) -> bool {
        let about = self
            .0
            .iter()
            .filter(|(line, about, _)| line.contains(command) && *about == id);
        about
            .into_iter()
            .any(|(_, _, printed)| expected.iter().all(|words| printed.contains(words)))
    }
}

#[tokio::test]
async fn every_command_of_the_readme_runs_and_shows_what_it_promises() {
    let redis = RedisServer::start(RedisOptions::default()).await.unwrap();
    let address = Address {
        url: Secret::from(redis.url()),
        certificate_authority: None,
        namespace: "hookme".to_owned(),
        response_timeout: HOUR,
        clock: Clock::Redis,
    };
    let queue = Queue::new(&address, Terms::default()).unwrap();
    let terms = Terms {
        lease: LEASE,
        ..Terms::default()
    };
    let hasty = Queue::new(&address, terms).unwrap();
    let connected = eventually(HOUR, "a connection to Redis", async || {
        queue.counts().await.map_err(|error| error.to_string())?;
        hasty.counts().await.map_err(|error| error.to_string())
    });
    connected.await.unwrap();
    let jobs = Jobs::make(&queue, &hasty).await;
    be_refused(&queue).await;
    be_gone(&queue).await;
    let commands = commands();
    assert!(
        commands.len() >= COMMANDS_MIN,
        "only {} commands",
        commands.len()
    );

    let mut printed = Printed(Vec::new());
    for command in &commands {
        let mut anything = false;
        for (_, id) in jobs.all() {
            let output = run(command, &redis.url(), id);
            anything |= !output.trim().is_empty();
            printed.0.push((command.clone(), id, output));
        }
        assert_eq!(
            unknown_fields(command, &printed),
            Vec::<String>::new(),
            "{command}"
        );
        // A key that is called otherwise by now prints nothing.
        assert!(anything, "{command} shows nothing about any job");
        if command.contains("HSET") && command.contains("paused all") {
            let seen = queue.explain(jobs.waiting).await.unwrap().unwrap();
            assert!(
                seen.why.contains("paused in the settings"),
                "{command}: {}",
                seen.why
            );
        }
    }
    promises(&printed, &jobs);
}

fn promises(printed: &Printed, jobs: &Jobs) {
    for (what, command, about, expected) in findings(jobs) {
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        assert!(
            printed.shows(command, about, &expected),
            "no command shows {what}: {expected:?}"
        );
    }
    for (state, about) in jobs.all() {
        assert!(
            printed.shows("HGETALL", about, &[state.as_str()]),
            "no command shows a {state} job"
        );
    }
}
