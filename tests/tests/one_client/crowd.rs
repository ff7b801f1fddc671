//! Many workers and many tasks before a GitHub that counts.
//!
//! Time at this GitHub runs ten times as fast: what it allows in a minute it allows
//! in six seconds, and the workers' gaps are a tenth of the usual ones.

use hookme_shared::queue::Counts;
use hookme_tests::Site;
use hookme_tests::github::{Budget, Limits};
use hookme_tests::site::{SiteOptions, total};
use tokio::task::JoinSet;

use super::{PATIENCE, TOKEN, limited};

const WORKERS: usize = 8;
const TASKS: usize = 400;
/// Where most of the time goes into pauses.
const FEWER: usize = 100;

/// GitHub's documented numbers, ten times as fast.
fn fast() -> Limits {
    let usual = Limits::default();
    Limits {
        hour_ms: usual.hour_ms / 10,
        minute_ms: usual.minute_ms / 10,
        block_ms: 2_000,
        ..usual
    }
}

fn crowd(limits: Limits) -> SiteOptions {
    SiteOptions {
        workers: WORKERS,
        github: limited(limits),
        ..SiteOptions::default()
    }
    .with("API_TOKEN", TOKEN)
    .with("GITHUB_READ_GAP", "10")
    .with("GITHUB_WRITE_GAP", "100")
    .with("GITHUB_IN_FLIGHT", "1")
    .with("GITHUB_TIMEOUT", "20000")
    .with("LEASE", "5000")
    .with("GITHUB_CACHE_MAX_BYTES", "67108864")
}

/// Posts tasks, each about a repository of its own.
async fn post(site: &Site, tasks: usize) {
    let mut posts = JoinSet::new();
    for client in 0..4 {
        let client_of = site.client.clone();
        posts.spawn(async move {
            for number in (client..tasks).step_by(4) {
                let name = format!("repository-{number}");
                let key = format!("key-{number}");
                client_of
                    .submit("octocat", &name, Some(&key))
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(posted) = posts.join_next().await {
        posted.unwrap();
    }
}

/// Every task succeeded, none by way of a failure, and nobody asked in a pause or
/// two at a time.
async fn judge(site: &Site, counts: &Counts, tasks: usize) {
    assert_eq!(counts.succeeded, tasks as u64, "{counts:?}");
    assert_eq!(site.receiver.distinct_ids(), tasks);
    let broken = site.github.broken();
    assert_eq!(
        (broken.during_pause, broken.beside_probe),
        (0, 0),
        "{broken:?}"
    );
    assert_eq!(site.github.max_in_flight(), 1);
    assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_workers_break_no_rule_and_every_task_ends() {
    let site = Site::start(crowd(fast())).await.unwrap();
    post(&site, TASKS).await;
    let counts = site.all_ended(PATIENCE).await.unwrap();
    judge(&site, &counts, TASKS).await;
    assert_eq!(total(&counts, "retried"), 0, "{counts:?}");
    assert_eq!(
        site.github.broken().total(),
        0,
        "{:?}",
        site.github.broken()
    );
    assert_eq!(site.github.refused(), 0);
    // Whose token it is, two lists for each task, and the names once.
    assert_eq!(site.github.spent(Budget::Core), 1 + 2 * TASKS as u64);
    assert_eq!(site.github.spent(Budget::Graphql), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_that_is_used_up_is_waited_for_without_a_refusal() {
    let limits = Limits {
        hourly_token: 500,
        hour_ms: 6_000,
        ..fast()
    };
    let site = Site::start(crowd(limits)).await.unwrap();
    post(&site, TASKS).await;
    let counts = site.all_ended(PATIENCE).await.unwrap();
    judge(&site, &counts, TASKS).await;
    assert_eq!(
        site.github.broken().total(),
        0,
        "{:?}",
        site.github.broken()
    );
    assert_eq!(site.github.refused(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_one_worker_pauses_them_all() {
    // Fewer than the workers' pace: GitHub may lower its limits as it likes.
    let limits = Limits {
        points_per_minute: 30,
        minute_ms: 2_000,
        block_ms: 1_000,
        ..fast()
    };
    let site = Site::start(crowd(limits)).await.unwrap();
    post(&site, FEWER).await;
    let counts = site.all_ended(PATIENCE).await.unwrap();
    judge(&site, &counts, FEWER).await;
    assert_eq!(total(&counts, "retried"), 0, "{counts:?}");
    let broken = site.github.broken();
    assert!(broken.points_per_minute > 0, "{broken:?}");
    // Each refusal was a new one, after a pause that was kept to its end.
    assert_eq!(site.github.refused(), broken.points_per_minute);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_are_killed_break_no_rule_either() {
    let limits = Limits {
        points_per_minute: 300,
        minute_ms: 4_000,
        block_ms: 2_000,
        ..fast()
    };
    let options = crowd(limits)
        .with("LEASE", "1000")
        .with("GITHUB_TIMEOUT", "1500");
    let mut site = Site::start(options).await.unwrap();
    let mut workers = std::mem::take(&mut site.workers);
    let kills = async {
        for kill in 1..=10 {
            let delivered = TASKS * kill / 12;
            site.receiver.wait_for(delivered, PATIENCE).await.unwrap();
            let victim = rand::random_range(0..WORKERS);
            workers[victim].kill().unwrap();
            workers[victim] = site.start_worker(&[]).unwrap();
        }
    };
    tokio::join!(post(&site, TASKS), kills);
    let counts = site.all_ended(PATIENCE).await.unwrap();
    judge(&site, &counts, TASKS).await;
    assert!(
        total(&counts, "crashed") > 0,
        "no kill hit a job: {counts:?}"
    );
}
