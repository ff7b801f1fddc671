//! How much a worker asks of Redis when there is nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hookme_tests::Site;
use hookme_tests::site::SiteOptions;

use super::PATIENCE;

/// How long commands are counted.
const WINDOW: Duration = Duration::from_secs(8);
/// What an idle worker may ask in that time, beside `renew` and `reap`: 60 a
/// minute. It is about 24.
const IDLE_MAX: usize = 8;
/// What it may ask of a Redis that hangs, all together.
const AWAY_MAX: usize = 100;

#[tokio::test]
async fn a_worker_asks_little_of_redis_when_it_is_idle_and_when_redis_hangs() {
    let options = SiteOptions {
        proxy: true,
        ..SiteOptions::default()
    }
    .with("LEASE", "15000");
    let site = Site::start(options).await.unwrap();
    let proxy = site.proxy.as_ref().unwrap();
    site.submit("octocat", "hello").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();

    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    // A rule that is never meant, and counts.
    proxy.drop_request(1, move |words| {
        let beside = words
            .get(1)
            .is_some_and(|name| name.ends_with(b"_renew") || name.ends_with(b"_reap"));
        counter.fetch_add(usize::from(!beside), Ordering::Relaxed);
        false
    });
    // Time must pass; nothing is waited for.
    tokio::time::sleep(WINDOW).await;
    let idle = asked.load(Ordering::Relaxed);
    assert!((1..=IDLE_MAX).contains(&idle), "{idle} in {WINDOW:?}");

    let (before, cpu_before) = (proxy.commands(), site.workers[0].cpu_time().unwrap());
    site.redis.pause().unwrap();
    tokio::time::sleep(WINDOW).await;
    let away = proxy.commands() - before;
    let cpu = site.workers[0].cpu_time().unwrap();
    let cpu = cpu.saturating_sub(cpu_before);
    site.redis.resume().unwrap();
    println!("{idle} idle, {away} while redis hung, {cpu:?} of {WINDOW:?}");
    assert!((1..=AWAY_MAX).contains(&away), "{away} in {WINDOW:?}");
    assert!(cpu < WINDOW / 10, "{cpu:?}");

    site.submit("octocat", "after").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
}
