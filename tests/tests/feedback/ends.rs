//! How feedback ends, well or badly, and what people see of it.

use hookme_tests::House;
use hookme_tests::by_hand::{OWNER, REPOSITORY, sha};
use hookme_tests::github::Fault;
use hookme_tests::receiver::Answer;
use hookme_tests::site::ApiClient;
use serde_json::{Value, json};

use super::client::{PULL_REQUEST, comments_of, ended, post, post_usual, task};

/// A house with an API and a worker that comments at once.
async fn house(flags: &[&str]) -> (House, ApiClient) {
    let mut house = House::start().await.unwrap();
    let client = house.api(&[]).await.unwrap();
    let usual = [
        "--api-token=token",
        "--github-write-gap=0",
        "--github-timeout=20000",
        "--reschedule-interval=20",
    ];
    let is_given = |flag: &&str| {
        let name = flag.split('=').next();
        !flags.iter().any(|given| given.split('=').next() == name)
    };
    let usual = usual.into_iter().filter(is_given);
    let flags: Vec<&str> = usual.chain(flags.iter().copied()).collect();
    house.worker(&flags).await.unwrap();
    (house, client)
}

fn comments(house: &House, repository: &str) -> Vec<String> {
    house.github.comments(OWNER, repository, PULL_REQUEST)
}

/// How the feedback ends on a repository whose comments meet this fault, while that on
/// another one succeeds.
async fn end_with(fault: Fault) -> Value {
    let (house, client) = house(&[]).await;
    house.github.always(&comments_of("other"), fault);
    let (bad, good) = (
        post_usual(&client, "other").await,
        post_usual(&client, REPOSITORY).await,
    );
    assert_eq!(ended(&client, good).await["state"], "succeeded");
    assert_eq!(comments(&house, REPOSITORY).len(), 1);
    ended(&client, bad).await
}

fn refusal(status: u16, message: &str) -> Fault {
    Fault::Status(status, Vec::new(), json!({"message": message}).to_string())
}

#[tokio::test]
async fn feedback_is_graded_commented_and_told_to_the_webhook() {
    let (house, client) = house(&[]).await;
    let id = post_usual(&client, REPOSITORY).await;
    let shown = ended(&client, id).await;
    assert_eq!(shown["state"], "succeeded", "{shown}");
    assert_eq!(shown["status"], "finished");
    let grade = json!({"passed": 1, "total": 2, "percentage": 50.0});
    assert_eq!(shown["grade"], grade);
    let url = "https://github.com/octocat/hello-world/issues/4#issuecomment-1";
    assert_eq!(shown["comment_url"], url);

    let comments = comments(&house, REPOSITORY);
    assert_eq!(comments.len(), 1);
    for part in [
        "student",
        &sha(1),
        "| It builds |",
        "| It works |",
        "1 of 2",
        "50",
    ] {
        assert!(comments[0].contains(part), "{part}: {}", comments[0]);
    }
    let news = house.receiver.deliveries().remove(0);
    assert_eq!(news.id(), Some(&*id.to_string()));
    let expected = json!({
        "id": id.to_string(), "kind": "feedback", "username": OWNER, "repository": REPOSITORY,
        "pull_request": PULL_REQUEST, "commit": sha(1), "grade": grade, "comment_url": url,
    });
    assert_eq!(news.json().unwrap(), expected);
}

#[tokio::test]
async fn a_webhook_that_fails_hears_the_same_again_and_no_second_comment_is_made() {
    let (house, client) = house(&[]).await;
    house
        .receiver
        .answer(vec![Answer::status(503), Answer::status(500)]);
    let id = post_usual(&client, REPOSITORY).await;
    assert_eq!(ended(&client, id).await["state"], "succeeded");
    let news = house.receiver.deliveries();
    assert_eq!(news.len(), 3);
    assert!(
        news.iter()
            .all(|one| (one.id(), &one.body) == (news[0].id(), &news[0].body))
    );
    assert_eq!(comments(&house, REPOSITORY).len(), 1);
    assert_eq!(house.github.count(&comments_of(REPOSITORY)), 1);
}

#[tokio::test]
async fn without_a_webhook_feedback_is_finished_and_a_report_is_told_why_not() {
    let (house, client) = house(&["--webhook-url=none"]).await;
    let id = post_usual(&client, REPOSITORY).await;
    let report = client.submit(OWNER, REPOSITORY, None).await.unwrap();
    assert_eq!(ended(&client, id).await["state"], "succeeded");
    let shown = ended(&client, report).await;
    assert_eq!(shown["state"], "dead");
    assert!(
        shown["reason"]
            .as_str()
            .unwrap()
            .starts_with("WEBHOOK_URL is none"),
        "{shown}"
    );
    assert_eq!(house.receiver.deliveries().len(), 0);
    assert_eq!(
        house
            .github
            .count(&format!("/repos/{OWNER}/{REPOSITORY}/issues?state=open")),
        0
    );
}

#[tokio::test]
async fn what_github_will_never_take_ends_with_its_words_and_the_others_go_on() {
    let locked = "Unable to create comment because issue is locked.";
    let forbidden = "Resource not accessible by personal access token";
    for (fault, words) in [
        (refusal(403, locked), locked),
        (refusal(403, forbidden), forbidden),
        (refusal(422, "Validation Failed"), "Validation Failed"),
        (
            refusal(410, "This issue was deleted"),
            "This issue was deleted",
        ),
        (
            refusal(404, "Not Found"),
            "GitHub has no pull request octocat/other#4",
        ),
    ] {
        let shown = end_with(fault).await;
        assert_eq!(
            (&shown["state"], &shown["status"]),
            (&json!("dead"), &json!("finished"))
        );
        let why = shown["why"].as_str().unwrap();
        assert!(why.contains(words), "{why}");
        assert_eq!(shown["attempts"], 2, "it is not tried again: {shown}");
        assert_eq!(shown["grade"]["passed"], 1);
    }
}

#[tokio::test]
async fn a_pull_request_that_does_not_exist_is_named() {
    let (_house, client) = house(&[]).await;
    let mut wrong = task(REPOSITORY, 1, &[("a", 3)]);
    wrong["pull_request"] = json!(99);
    let shown = ended(&client, post(&client, &wrong).await).await;
    assert_eq!(shown["state"], "dead");
    let why = shown["why"].as_str().unwrap();
    assert!(
        why.contains("GitHub has no pull request octocat/hello-world#99"),
        "{why}"
    );
}

#[tokio::test]
async fn a_refusal_for_the_rate_makes_the_comment_wait_and_spends_no_try() {
    // Each refusal halves the caps, which is not the matter here.
    let uncapped = [
        "--github-content-per-minute=0",
        "--github-content-per-hour=0",
    ];
    let (house, client) = house(&uncapped).await;
    let body = json!({"message": "You have exceeded a secondary rate limit."}).to_string();
    let wait = vec![("retry-after".to_owned(), "1".to_owned())];
    let refused = Fault::Status(403, wait, body);
    // More of them than there are tries; each pauses for a second.
    house
        .github
        .script(&comments_of(REPOSITORY), vec![refused; 4]);
    let id = post_usual(&client, REPOSITORY).await;
    let shown = ended(&client, id).await;
    assert_eq!(
        (&shown["state"], &shown["failures"]),
        (&json!("succeeded"), &json!(0)),
        "{shown}"
    );
    assert_eq!(comments(&house, REPOSITORY).len(), 1);
    // Each was a clear no: nothing was looked for.
    assert_eq!(house.github.count(&comments_of(REPOSITORY)), 5);
}

#[tokio::test]
async fn a_repository_that_was_renamed_gets_its_comment_once() {
    let (house, client) = house(&[]).await;
    house.github.add_repository(
        OWNER,
        REPOSITORY,
        &hookme_tests::github::RepositorySpec::default(),
    );
    house.github.rename(OWNER, REPOSITORY, "renamed").unwrap();
    let id = post_usual(&client, REPOSITORY).await;
    assert_eq!(ended(&client, id).await["state"], "succeeded");
    assert_eq!(comments(&house, "renamed").len(), 1);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_job_says_so() {
    let (house, client) = house(&["--api-token="]).await;
    let id = post_usual(&client, REPOSITORY).await;
    let shown = ended(&client, id).await;
    assert_eq!(shown["state"], "dead");
    assert!(
        shown["reason"]
            .as_str()
            .unwrap()
            .starts_with("API_TOKEN is not set"),
        "{shown}"
    );
    assert_eq!(house.github.requests().len(), 0);
}

#[tokio::test]
async fn a_template_that_fails_for_one_commit_lets_the_others_have_theirs() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let poison =
        "Grade {{ passed }}\n{% if total == 17 %}{{ requirements[50].description }}{% endif %}";
    std::fs::write(file.path(), poison).unwrap();
    let flag = format!("--feedback-template={}", file.path().display());
    let (house, client) = house(&[&flag]).await;
    let bad = post(&client, &task("other", 1, &[("a", 3); 17])).await;
    let good = post_usual(&client, REPOSITORY).await;
    assert_eq!(ended(&client, good).await["state"], "succeeded");
    assert!(
        comments(&house, REPOSITORY)[0].ends_with("Grade 1"),
        "{:?}",
        comments(&house, REPOSITORY)
    );
    let shown = ended(&client, bad).await;
    assert_eq!(
        (&shown["state"], &shown["grade"]["passed"]),
        (&json!("dead"), &json!(17))
    );
    let why = shown["why"].as_str().unwrap();
    assert!(
        why.contains("the comment cannot be written") && why.contains("line 2"),
        "{why}"
    );
    assert_eq!(comments(&house, "other").len(), 0);
}

#[tokio::test]
async fn a_description_can_neither_break_the_table_nor_call_anybody() {
    let (house, client) = house(&[]).await;
    let nasty = [
        ("a | b\n| c | d |\n\n# Heading", 3),
        ("<img src=x onerror=alert(1)> <!-- hookme:0 --> </table>", 3),
        ("@everyone @octocat/team #1 octocat/hello-world#2", 1),
        ("`code` **bold** [link](https://x.org) ![i](j)", 1),
    ];
    let id = post(&client, &task(REPOSITORY, 1, &nasty)).await;
    assert_eq!(ended(&client, id).await["state"], "succeeded");
    let comment = comments(&house, REPOSITORY).remove(0);
    let rows = comment.lines().filter(|line| line.starts_with('|')).count();
    assert_eq!(rows, 2 + nasty.len(), "{comment}");
    let marker_and_rest = comment.split_once('\n').unwrap();
    let rest = marker_and_rest.1;
    for forbidden in ["<", "@e", "@o", "#1", "#2", "\n#  Heading", "](", "**bold"] {
        assert!(!rest.contains(forbidden), "{forbidden}: {rest}");
    }

    // One that is too long leaves room for the others.
    let long = "x".repeat(100_000);
    let three = [("first", 3), (&*long, 3), ("last", 1)];
    let id = post(&client, &task("other", 1, &three)).await;
    assert_eq!(ended(&client, id).await["state"], "succeeded");
    let comment = comments(&house, "other").remove(0);
    assert!(
        comment.len() < 2_000 && comment.contains("| last |"),
        "{comment}"
    );
}

#[tokio::test]
async fn a_comment_that_github_would_not_take_is_cut_and_says_so() {
    let (house, client) = house(&[]).await;
    let long = "x".repeat(400);
    let many = vec![(&*long, 3); 500];
    let id = post(&client, &task(REPOSITORY, 1, &many)).await;
    let shown = ended(&client, id).await;
    assert_eq!(shown["state"], "succeeded", "{shown}");
    let comment = comments(&house, REPOSITORY).remove(0);
    assert!(comment.chars().count() <= 65_536);
    assert!(comment.contains("500 of 500"), "the grade is never cut off");
    assert!(
        comment.ends_with("GitHub takes no longer comment.*"),
        "{}",
        &comment[65_000..]
    );
}

#[tokio::test]
async fn a_newer_commit_has_the_only_comment_if_the_older_had_none_yet() {
    let mut house = House::start().await.unwrap();
    let client = house.api(&[]).await.unwrap();
    let old = post(&client, &task(REPOSITORY, 1, &[("a", 1)])).await;
    let new = post(&client, &task(REPOSITORY, 2, &[("a", 3)])).await;
    house.worker(&["--api-token=token"]).await.unwrap();
    assert_eq!(ended(&client, new).await["state"], "succeeded");
    let shown = ended(&client, old).await;
    assert_eq!(shown["superseded_by"], new.to_string());
    let comments = comments(&house, REPOSITORY);
    assert!(
        comments.len() == 1 && comments[0].contains(&sha(2)),
        "{comments:?}"
    );
}
