//! A token that GitHub does not accept, and tokens of one user.

use hookme_shared::job::JobId;
use hookme_tests::github::{Budget, Limits};
use hookme_tests::site::SiteOptions;
use hookme_tests::{Site, eventually};
use redis::AsyncCommands;

use super::{PATIENCE, TOKEN, limited};

fn tokened() -> SiteOptions {
    SiteOptions {
        workers: 3,
        github: limited(Limits::default()),
        ..SiteOptions::default()
    }
    .with("API_TOKEN", TOKEN)
    .with("GITHUB_IN_FLIGHT", "1")
}

/// How many lines of all workers' logs hold this.
fn lines(site: &Site, words: &str) -> usize {
    let logs = site.workers.iter().map(|worker| {
        let log = worker.log();
        log.lines().filter(|line| line.contains(words)).count()
    });
    logs.sum()
}

async fn waits_for_a_token(site: &Site, id: JobId) {
    eventually(PATIENCE, "a job that waits for a token", async || {
        let seen = site.job(id).await.map_err(|error| error.to_string())?;
        let words = "waits for a valid API_TOKEN";
        if seen.why.starts_with(words) && seen.job.failures == 0 {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_token_that_github_refuses_is_tried_once_by_all_workers_together() {
    let site = Site::start(tokened()).await.unwrap();
    site.github.refuse_token(TOKEN);
    let mut ids = Vec::new();
    for number in 0..12 {
        let name = format!("repository-{number}");
        ids.push(site.submit("octocat", &name).await.unwrap());
    }
    for id in ids {
        waits_for_a_token(&site, id).await;
    }
    assert_eq!(site.github.requests().len(), 1);
    let loud = lines(&site, "\"level\":\"ERROR\"");
    assert_eq!(
        (loud, lines(&site, "GitHub does not accept API_TOKEN")),
        (1, 1)
    );
    // Whoever starts now knows.
    let late = site.start_worker(&[]).unwrap();
    Site::ready(&late).await.unwrap();
    let more = site.submit("octocat", "one-more").await.unwrap();
    waits_for_a_token(&site, more).await;
    assert_eq!(site.github.requests().len(), 1);
}

#[tokio::test]
async fn all_workers_together_ask_once_whose_token_it_is() {
    let options = SiteOptions {
        workers: 8,
        ..tokened()
    };
    let site = Site::start(options.with("GITHUB_READ_GAP", "0"))
        .await
        .unwrap();
    for number in 0..64 {
        let name = format!("repository-{number}");
        site.submit("octocat", &name).await.unwrap();
    }
    site.all_ended(PATIENCE).await.unwrap();
    let requests = site.github.requests();
    let questions = requests.iter().filter(|request| request.target == "/user");
    assert_eq!(questions.count(), 1);
    // What stood for the token until then is not taken for who asked last.
    let mut redis = site.connection().await.unwrap();
    let identities = redis.zrange("{hookme}:github:identities", 0, -1);
    let identities: Vec<String> = identities.await.unwrap();
    assert_eq!(identities.len(), 1, "{identities:?}");
    assert!(identities[0].contains("/user-"), "{identities:?}");
}

#[tokio::test]
async fn a_new_token_of_the_same_user_goes_on_where_the_refused_one_stopped() {
    let mut site = Site::start(tokened()).await.unwrap();
    site.github.add_token(TOKEN, 7);
    site.github.add_token("n3w", 7);
    let first = site.submit("octocat", "first").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
    assert!(site.job(first).await.unwrap().job.failures == 0);

    site.github.refuse_token(TOKEN);
    let second = site.submit("octocat", "second").await.unwrap();
    waits_for_a_token(&site, second).await;
    for worker in std::mem::take(&mut site.workers) {
        worker.terminate().unwrap();
        worker.wait(PATIENCE).await.unwrap();
    }
    let worker = site.start_worker(&[("API_TOKEN", "n3w")]).unwrap();
    Site::ready(&worker).await.unwrap();
    site.workers.push(worker);
    // The new token is not parked. What was put back comes when it is due.
    let third = site.submit("octocat", "third").await.unwrap();
    let seen = eventually(PATIENCE, "a report with the new token", async || {
        let seen = site.job(third).await.map_err(|error| error.to_string())?;
        if seen.job.state.is_live() {
            Err(seen.why)
        } else {
            Ok(seen)
        }
    });
    assert_eq!(seen.await.unwrap().job.failures, 0);
    let job = site.job(second).await.unwrap();
    assert!(!job.why.contains("valid API_TOKEN"), "{}", job.why);
}

#[tokio::test]
async fn tokens_of_one_user_share_what_is_left() {
    let limits = Limits {
        hourly_token: 60,
        ..Limits::default()
    };
    let options = SiteOptions {
        github: limited(limits),
        ..tokened()
    };
    let mut site = Site::start(options).await.unwrap();
    site.github.add_token(TOKEN, 7);
    site.github.add_token("other", 7);
    let other = site.start_worker(&[("API_TOKEN", "other")]).unwrap();
    Site::ready(&other).await.unwrap();
    site.workers.push(other);
    for number in 0..60 {
        let name = format!("repository-{number}");
        site.submit("octocat", &name).await.unwrap();
    }
    let queue = site.queue().await.unwrap();
    eventually(PATIENCE, "the end of the hour", async || {
        let counts = queue.counts().await.map_err(|error| error.to_string())?;
        if counts.running == 0 && counts.github_paused_ms > 0 {
            Ok(())
        } else {
            Err(format!("{counts:?}"))
        }
    })
    .await
    .unwrap();
    // A tenth is left to others.
    assert_eq!(site.github.spent_by(Some(TOKEN), Budget::Core), 54);
    assert_eq!(
        (site.github.refused(), site.github.broken().total()),
        (0, 0)
    );
}
