//! Fetches that go on where an earlier attempt stood, against a real server that plays
//! GitHub.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;

use super::stand_in::{ISSUES, Reply, StandIn, json, page, status};
use super::*;

const SECOND: &str = "/repos/octo/hello/issues?after=b";

async fn fetch(fetcher: &Fetcher, checkpoint: &mut Checkpoint) -> Result<Report, Failure> {
    let owner = Username::parse("octo").unwrap();
    let name = RepositoryName::parse("hello").unwrap();
    fetcher.fetch(&owner, &name, checkpoint).await
}

/// Two pages, the second of which answers this for as long as the switch is on.
async fn two_pages(trouble: fn() -> Reply) -> (StandIn, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(true));
    let is_on = Arc::clone(&switch);
    let github = StandIn::answering(move |asked| match asked {
        ISSUES => Some(page(r#"[{"title":"a"}]"#, "?after=b")),
        SECOND if is_on.load(Ordering::SeqCst) => Some(trouble()),
        SECOND => Some(json(r#"[{"title":"b"}]"#)),
        _ => None,
    })
    .await;
    (github, switch)
}

fn refused() -> Reply {
    status(429, "{}")
}

/// How far a fetch comes that is refused at the second page, as it is kept.
async fn halfway(github: &StandIn) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    let waits = fetch(&github.fetcher(), &mut checkpoint).await;
    assert!(matches!(waits, Err(Failure::Wait { .. })), "{waits:?}");
    let kept = checkpoint.compress(1_000_000).unwrap();
    Checkpoint::decompress(&kept, 1_000_000).unwrap()
}

fn titles(report: &Report) -> Vec<&str> {
    let titles = report.issues.iter().map(|issue| issue.title.as_deref());
    titles.map(Option::unwrap_or_default).collect()
}

fn first_pages(github: &StandIn) -> usize {
    let asked = github.asked();
    asked.iter().filter(|asked| *asked == ISSUES).count()
}

#[tokio::test]
async fn a_fetch_that_had_to_wait_goes_on_where_it_stood() {
    let (github, switch) = two_pages(refused).await;
    let mut checkpoint = halfway(&github).await;
    switch.store(false, Ordering::SeqCst);
    let report = fetch(&github.fetcher(), &mut checkpoint).await.unwrap();
    assert_eq!(titles(&report), ["a", "b"]);
    assert_eq!(first_pages(&github), 1);
}

#[tokio::test]
async fn a_checkpoint_that_was_made_with_other_settings_is_not_gone_on_with() {
    let (github, switch) = two_pages(refused).await;
    let mut checkpoint = halfway(&github).await;
    switch.store(false, Ordering::SeqCst);
    let other = github.fetcher_with(|settings| settings.include_pull_requests = true);
    let report = fetch(&other, &mut checkpoint).await.unwrap();
    assert_eq!(titles(&report), ["a", "b"]);
    assert_eq!(first_pages(&github), 2);
}

#[tokio::test]
async fn a_fetch_whose_place_github_has_forgotten_begins_anew() {
    let once = || {
        static FORGOTTEN: AtomicBool = AtomicBool::new(false);
        if FORGOTTEN.swap(true, Ordering::SeqCst) {
            status(422, r#"{"message":"the cursor is not valid"}"#)
        } else {
            refused()
        }
    };
    let (github, switch) = two_pages(once).await;
    let mut checkpoint = halfway(&github).await;
    // The second page is gone for this attempt, and so the job ends by it only if the
    // whole list, read anew, comes to the same.
    let again = fetch(&github.fetcher(), &mut checkpoint).await;
    assert!(matches!(again, Err(Failure::Final { .. })), "{again:?}");
    assert_eq!(first_pages(&github), 2);
    switch.store(false, Ordering::SeqCst);
    let report = fetch(&github.fetcher(), &mut checkpoint).await.unwrap();
    assert_eq!(titles(&report), ["a", "b"]);
}

#[tokio::test]
async fn a_fetch_that_came_on_but_took_too_long_waits_and_one_that_did_not_has_failed() {
    let stuck = || {
        let never = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
        Reply(200, vec![], Body::from_stream(never))
    };
    let (github, _switch) = two_pages(stuck).await;
    let mut fetcher = github.fetcher();
    fetcher.time_max = Duration::from_secs(1);
    let mut checkpoint = Checkpoint::default();
    let came_on = fetch(&fetcher, &mut checkpoint).await;
    assert!(matches!(came_on, Err(Failure::Wait { .. })), "{came_on:?}");
    let stood_still = fetch(&fetcher, &mut checkpoint).await;
    assert!(
        matches!(stood_still, Err(Failure::Later { .. })),
        "{stood_still:?}"
    );
}
