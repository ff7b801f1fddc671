//! Each request for a comment: noted right before, and on its own.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use hookme_shared::queue::{Clock, QueueError, Settlement, Terms};
use hookme_shared::supervisor::Supervisor;
use hookme_tests::by_hand::{self, OWNER, REPOSITORY};
use hookme_tests::github::Fault;
use hookme_tests::{House, eventually};
use hookme_worker::commenter::Commenter;
use hookme_worker::courier::Courier;
use hookme_worker::feedback::template::Template;
use hookme_worker::github::Github;
use hookme_worker::handle::{Attempt, Handle};
use hookme_worker::policy::retry::RetryPolicy;
use hookme_worker::settings::Arguments;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::client::{PATIENCE, PULL_REQUEST, comments_of, ended, post_usual};
use super::desk::graded;

/// The name that the usual repository has by now.
const RENAMED: &str = "renamed";

/// A house whose GitHub sends the comments of the usual repository to the renamed one.
async fn renamed() -> House {
    let house = House::start().await.unwrap();
    let moved = Fault::MovedTo(comments_of(RENAMED));
    house.github.always(&comments_of(REPOSITORY), moved);
    house
}

#[tokio::test]
async fn a_redirected_comment_is_noted_anew_before_it_is_sent_on() {
    let mut house = renamed().await;
    let client = house.api(&[]).await.unwrap();
    let late = Fault::Delay(Duration::from_secs(600));
    house.github.script(&comments_of(RENAMED), vec![late]);
    let gap = Duration::from_secs(1);
    let flag = format!("--github-write-gap={}", gap.as_millis());
    house.worker(&["--api-token=token", &flag]).await.unwrap();
    let id = post_usual(&client, REPOSITORY).await;
    let path = comments_of(RENAMED);
    house.github.wait_for(&path, 1, PATIENCE).await.unwrap();
    let job = house.job(id).await.unwrap().job;
    let feedback = job.feedback.unwrap();
    let tried_ms = feedback.comment_tried_ms.unwrap();
    // The request that is under way started that much after the first at least.
    let since = Duration::from_millis(tried_ms - job.started_ms.unwrap());
    assert!(since >= gap, "{since:?}");
    assert_eq!(feedback.comment_tries, 1);
}

#[tokio::test]
async fn a_redirected_comment_has_the_turn_of_its_first_request() {
    let mut house = renamed().await;
    let client = house.api(&[]).await.unwrap();
    let flags = ["--api-token=token", "--github-content-per-minute=1"];
    house.worker(&flags).await.unwrap();
    let id = post_usual(&client, REPOSITORY).await;
    let shown = ended(&client, id).await;
    assert_eq!(shown["state"], "succeeded", "{shown}");
    assert_eq!(house.github.comments(OWNER, RENAMED, PULL_REQUEST).len(), 1);
    for repository in [REPOSITORY, RENAMED] {
        assert_eq!(house.github.count(&comments_of(repository)), 1);
    }
}

#[tokio::test]
async fn a_comment_that_is_redirected_without_end_is_given_up_and_certain_not_to_exist() {
    let mut house = renamed().await;
    let client = house.api(&[]).await.unwrap();
    let back = Fault::MovedTo(comments_of(REPOSITORY));
    house.github.always(&comments_of(RENAMED), back);
    let flags = ["--api-token=token", "--github-write-gap=0"];
    house.worker(&flags).await.unwrap();
    let id = post_usual(&client, REPOSITORY).await;
    let shown = ended(&client, id).await;
    let why = shown["why"].as_str().unwrap();
    assert!(why.contains("more than 3 times"), "{why}");
    for repository in [REPOSITORY, RENAMED] {
        assert_eq!(house.github.count(&comments_of(repository)), 2);
    }
    let feedback = house.job(id).await.unwrap().job.feedback.unwrap();
    assert_eq!(
        (feedback.comment_tries, feedback.comment_tried_ms),
        (0, None)
    );
}

/// Hands out attempts and lets their leases go, while Redis still has them.
struct Lender(mpsc::UnboundedSender<Attempt>);

impl Handle for Lender {
    async fn handle(&self, attempt: Attempt) -> Result<Option<Settlement>, QueueError> {
        self.0.send(attempt).unwrap();
        Ok(None)
    }
}

async fn commenter(house: &House) -> Commenter {
    let url = format!("--api-url={}", house.github.url());
    let flags = ["worker", &url, "--api-token=token", "--webhook-url=none"];
    let settings = Arguments::parse_from(flags).check().unwrap();
    let (queue, name) = (house.queue.clone(), "commenter".to_owned());
    let supervisor = Supervisor::new(CancellationToken::new());
    let github = Github::shared(
        &settings.github,
        queue.clone(),
        name,
        Arc::default(),
        supervisor.clone(),
    );
    let retry = RetryPolicy::new(Duration::from_secs(5), 10);
    Commenter {
        queue: queue.clone(),
        github: Arc::new(github.await.unwrap()),
        template: Template::default(),
        courier: Courier::new(&settings.webhook, queue, retry, &supervisor).unwrap(),
        retry,
    }
}

#[tokio::test]
async fn a_comment_that_is_not_sent_as_the_lease_is_stale_uses_up_no_try() {
    let mut house = House::start().await.unwrap();
    let id = by_hand::submit_feedback(&house.queue, 4, 1, Duration::ZERO);
    let id = id.await.unwrap();
    let claimed = by_hand::claim(&house.queue, 1, 0).await.unwrap().jobs;
    let (fence, grade) = (&claimed[0].fence, graded());
    house.queue.settle(id, fence, &grade).await.unwrap();

    let terms = Terms {
        lease: Duration::from_secs(600),
        ..Terms::default()
    };
    let launch = house.launch_of("lender", terms, Clock::Redis).unwrap();
    let (sender, mut lent) = mpsc::unbounded_channel();
    house.launch(launch, Lender(sender)).await.unwrap();
    let attempt = lent.recv().await.unwrap();
    let let_go = eventually(PATIENCE, "the end of the lease here", async || {
        let is_let_go = !attempt.is_ours();
        is_let_go.then_some(()).ok_or("it is held".to_owned())
    });
    let_go.await.unwrap();

    let end = commenter(&house).await.handle(attempt).await.unwrap();
    assert!(matches!(end, Some(Settlement::Release { .. })), "{end:?}");
    assert_eq!(house.github.count(&comments_of(REPOSITORY)), 0);
    let feedback = house.job(id).await.unwrap().job.feedback.unwrap();
    assert_eq!(
        (feedback.comment_tries, feedback.comment_tried_ms),
        (0, None)
    );
}
