//! Whatever happens around the POST, a comment exists once.

use std::time::Duration;

use hookme_shared::feedback::Grade;
use hookme_shared::job::JobId;
use hookme_shared::queue::Settlement;
use hookme_tests::by_hand::{self, OWNER, REPOSITORY};
use hookme_tests::github::Fault;
use hookme_tests::site::SiteOptions;
use hookme_tests::{GithubStandIn, House, Site, eventually};
use serde_json::Value;

use super::client::{PATIENCE, PULL_REQUEST, comments_of, ended, post, post_usual, task};

/// A site whose worker comments at once, and looks for a comment soon.
fn options(timeout_ms: u32) -> SiteOptions {
    SiteOptions::default()
        .with("API_TOKEN", "token")
        .with("GITHUB_WRITE_GAP", "0")
        .with("GITHUB_TIMEOUT", &timeout_ms.to_string())
}

fn comments(site: &Site) -> Vec<String> {
    site.github.comments(OWNER, REPOSITORY, PULL_REQUEST)
}

/// How often a comment was sent: by all requests but those that look.
fn sent(site: &Site) -> usize {
    let path = comments_of(REPOSITORY);
    site.github.count(&path) - site.github.count(&format!("{path}?per_page=100"))
}

/// The one comment exists, is the job's, and the job and the webhook know where.
fn judge(site: &Site, id: JobId, shown: &Value) {
    let comments = comments(site);
    assert_eq!(comments.len(), 1, "{comments:?}");
    assert!(
        comments[0].starts_with(&format!("<!-- hookme:{id} -->")),
        "{comments:?}"
    );
    assert_eq!(shown["state"], "succeeded", "{shown}");
    let url = "https://github.com/octocat/hello-world/issues/4#issuecomment-1";
    assert_eq!(shown["comment_url"], url);
    let news = site.receiver.deliveries();
    assert_eq!(news.len(), 1);
    assert_eq!(news[0].json().unwrap()["comment_url"], url);
}

async fn with_faults(timeout_ms: u32, faults: Vec<Fault>) -> (Site, JobId, Value) {
    let site = Site::start(options(timeout_ms)).await.unwrap();
    site.github.script(&comments_of(REPOSITORY), faults);
    let id = post_usual(&site.client, REPOSITORY).await;
    let shown = ended(&site.client, id).await;
    (site, id, shown)
}

#[tokio::test]
async fn a_comment_that_was_made_and_answered_with_502_is_not_made_again() {
    let (site, id, shown) = with_faults(500, vec![Fault::CreatedThen(502)]).await;
    judge(&site, id, &shown);
    assert_eq!(sent(&site), 1);
    assert_eq!(shown["failures"], 0);
}

#[tokio::test]
async fn a_comment_whose_answer_broke_off_is_not_made_again() {
    let (site, id, shown) = with_faults(500, vec![Fault::TruncatedBody]).await;
    judge(&site, id, &shown);
    assert_eq!(sent(&site), 1);
}

#[tokio::test]
async fn a_comment_whose_answer_took_too_long_is_not_made_again() {
    let (site, id, shown) = with_faults(500, vec![Fault::Delay(Duration::from_secs(30))]).await;
    judge(&site, id, &shown);
    assert_eq!(sent(&site), 1);
}

#[tokio::test]
async fn a_comment_that_was_not_made_is_made_after_a_look() {
    let (site, id, shown) = with_faults(
        300,
        vec![
            Fault::status(502),
            Fault::Delay(Duration::ZERO),
            Fault::DropConnection,
        ],
    )
    .await;
    judge(&site, id, &shown);
    assert_eq!(sent(&site), 3);
}

#[tokio::test]
async fn a_look_is_never_answered_by_what_was_kept_before() {
    let options = options(300).with("GITHUB_CACHE_MAX_BYTES", "1000000");
    let site = Site::start(options).await.unwrap();
    let good = Fault::Delay(Duration::ZERO);
    // The first look finds nothing, and its answer is good for a minute.
    let faults = vec![Fault::status(502), good, Fault::CreatedThen(502)];
    site.github.script(&comments_of(REPOSITORY), faults);
    let id = post_usual(&site.client, REPOSITORY).await;
    judge(&site, id, &ended(&site.client, id).await);
    assert_eq!(sent(&site), 2);
}

/// Somebody else's comment.
async fn say(github: &GithubStandIn, text: &str) {
    let url = format!("{}{}", github.url(), comments_of(REPOSITORY));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(url).header("user-agent", "somebody");
    let request = request.header("authorization", "Bearer somebody");
    let body = serde_json::json!({ "body": text }).to_string();
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
}

#[tokio::test]
async fn a_comment_is_found_behind_a_hundred_others_and_is_no_quotation() {
    let site = Site::start(options(3_000)).await.unwrap();
    for number in 0..120 {
        say(&site.github, &format!("Comment {number}")).await;
    }
    let faults = vec![
        Fault::status(502),
        Fault::Delay(Duration::ZERO),
        Fault::Delay(Duration::ZERO),
        Fault::CreatedThen(502),
    ];
    site.github.script(&comments_of(REPOSITORY), faults);
    let id = post_usual(&site.client, REPOSITORY).await;
    site.github
        .wait_for(&comments_of(REPOSITORY), 121, PATIENCE)
        .await
        .unwrap();
    // Nobody can know the marker by now; should somebody do, it is no comment of ours.
    say(&site.github, &format!("> <!-- hookme:{id} -->\n> Grade")).await;
    let shown = ended(&site.client, id).await;
    assert_eq!(shown["state"], "succeeded", "{shown}");
    let comments = comments(&site);
    assert_eq!(comments.len(), 122);
    assert!(comments[121].starts_with(&format!("<!-- hookme:{id} -->")));
    assert!(
        shown["comment_url"]
            .as_str()
            .unwrap()
            .ends_with("#issuecomment-122")
    );
}

#[tokio::test]
async fn a_list_without_end_is_not_looked_through_for_ever() {
    let site = Site::start(options(100)).await.unwrap();
    let path = comments_of(REPOSITORY);
    site.github.script(&path, vec![Fault::CreatedThen(502)]);
    let next = format!("<{}{path}?page=2>; rel=\"next\"", site.github.url());
    let endless = Fault::Status(200, vec![("link".to_owned(), next)], "[]".to_owned());
    site.github.always(&path, endless);
    let id = post_usual(&site.client, REPOSITORY).await;
    let shown = ended(&site.client, id).await;
    assert_eq!(shown["state"], "dead");
    let why = shown["why"].as_str().unwrap();
    assert!(
        why.contains("not known: pull request octocat/hello-world#4 has too many comments"),
        "{why}"
    );
    assert_eq!(site.github.count(&path), 51);
}

#[tokio::test]
async fn a_comment_that_cannot_start_is_not_noted_as_begun() {
    let options = options(20_000).with("GITHUB_IN_FLIGHT", "1");
    let site = Site::start(options).await.unwrap();
    // A report's request holds the one place for requests.
    site.github.script("/repos/octocat/slow", vec![Fault::Hang]);
    site.submit(OWNER, "slow").await.unwrap();
    site.github
        .wait_for("/repos/octocat/slow", 1, PATIENCE)
        .await
        .unwrap();
    let id = post_usual(&site.client, REPOSITORY).await;
    let seen = eventually(PATIENCE, "a wait for the turn", async || {
        let job = site.job(id).await.map_err(|error| error.to_string())?.job;
        let waits = job
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("its turn"));
        if waits {
            Ok(job)
        } else {
            Err(format!("{job:?}"))
        }
    });
    let feedback = seen.await.unwrap().feedback.unwrap();
    assert_eq!(
        (feedback.comment_tries, feedback.comment_tried_ms),
        (0, None)
    );
}

#[tokio::test]
async fn while_nobody_knows_whether_a_comment_exists_it_is_not_made_again() {
    let unreadable = Fault::Status(200, Vec::new(), "{}".to_owned());
    let faults = vec![
        Fault::CreatedThen(500),
        Fault::status(503),
        unreadable,
        Fault::Html502,
    ];
    let (site, id, shown) = with_faults(300, faults).await;
    judge(&site, id, &shown);
    assert_eq!(sent(&site), 1);
    assert_eq!(shown["failures"], 3);
}

#[tokio::test]
async fn after_three_tries_it_is_given_up_and_a_revival_tries_again() {
    let good = || Fault::Delay(Duration::ZERO);
    let bad = || Fault::status(500);
    let (site, id, shown) = with_faults(100, vec![bad(), good(), bad(), good(), bad()]).await;
    assert_eq!(
        (&shown["state"], sent(&site)),
        (&Value::from("dead"), 3),
        "{shown}"
    );
    let reason = shown["reason"].as_str().unwrap();
    assert!(reason.contains("made no comment in 3 tries"), "{reason}");
    assert_eq!(shown["grade"]["percentage"], 50.0);
    site.client.revive(id).await.unwrap();
    judge(&site, id, &ended(&site.client, id).await);
    assert_eq!(sent(&site), 4);
}

#[tokio::test]
async fn a_worker_that_is_killed_after_its_comment_was_made_leaves_one_comment() {
    let mut site = Site::start(options(3_000)).await.unwrap();
    let late = Fault::Delay(Duration::from_secs(60));
    site.github.script(&comments_of(REPOSITORY), vec![late]);
    let id = post_usual(&site.client, REPOSITORY).await;
    eventually(PATIENCE, "the comment", async || {
        match comments(&site).len() {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    site.workers[0].kill().unwrap();
    site.workers[0] = site.start_worker(&[]).unwrap();
    let shown = ended(&site.client, id).await;
    judge(&site, id, &shown);
    assert_eq!((sent(&site), &shown["failures"]), (1, &Value::from(0)));
    let events: Vec<_> = shown["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["event"].clone())
        .collect();
    assert!(events.contains(&"crash".into()), "{events:?}");
}

#[tokio::test]
async fn a_word_to_redis_that_is_lost_makes_no_second_comment() {
    for function in ["_comment_open", "_comment_close"] {
        let site = Site::start(SiteOptions {
            proxy: true,
            ..options(500)
        })
        .await
        .unwrap();
        let proxy = site.proxy.as_ref().unwrap();
        proxy.drop_reply(1, move |words| {
            let name = words.get(1).map(Vec::as_slice).unwrap_or_default();
            name.ends_with(function.as_bytes())
        });
        let id = post_usual(&site.client, REPOSITORY).await;
        let shown = ended(&site.client, id).await;
        judge(&site, id, &shown);
        assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_comment_that_exists_is_found_also_if_it_could_not_be_written_any_more() {
    let mut house = House::start().await.unwrap();
    let client = house.api(&[]).await.unwrap();
    let id = post(&client, &task(REPOSITORY, 1, &[("a", 3); 17])).await;
    let claim = async || {
        let batch = by_hand::claim(&house.queue, 1, 0).await.unwrap();
        batch.jobs.into_iter().next().unwrap().fence
    };
    let grade = Settlement::Grade(Grade::default());
    house
        .queue
        .settle(id, &claim().await, &grade)
        .await
        .unwrap();
    let fence = claim().await;
    house.queue.open_comment(id, &fence).await.unwrap();
    let back = Settlement::Release {
        reason: "its worker stops".to_owned(),
    };
    house.queue.settle(id, &fence, &back).await.unwrap();
    say(&house.github, &format!("<!-- hookme:{id} -->\nGrade")).await;

    let file = tempfile::NamedTempFile::new().unwrap();
    let poison = "Grade{% if total == 17 %}{{ requirements[50].description }}{% endif %}";
    std::fs::write(file.path(), poison).unwrap();
    let template = format!("--feedback-template={}", file.path().display());
    let flags = ["--api-token=token", "--github-timeout=50", &template];
    house.worker(&flags).await.unwrap();
    let shown = ended(&client, id).await;
    assert_eq!(shown["state"], "succeeded", "{shown}");
    assert_eq!(
        house.github.comments(OWNER, REPOSITORY, PULL_REQUEST).len(),
        1
    );
}
