//! Receivers and a GitHub that say in their answers what they were sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookme_tests::github::Fault;
use hookme_tests::process::free_port;
use hookme_tests::receiver::Answer;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::asking::Asker;
use super::search::assert_nothing_left;
use super::{
    CLIENT_QUERY, OPERATOR_QUERY, PASSWORD, PATIENCE, SIGNING, TOKEN, signing_secret, site,
};

/// What stands in a secret's place.
const HIDDEN: &str = "[hidden]";

fn report(repository: &str) -> Value {
    json!({"username": "octocat", "repository": repository})
}

/// The same for a place of the client's own.
fn report_to(repository: &str, url: &str) -> Value {
    let mut task = report(repository);
    task["webhook_url"] = format!("{url}?key={CLIENT_QUERY}").into();
    task
}

#[tokio::test]
async fn what_a_receiver_says_back_carries_no_secret_on() {
    let (site, operators) = site().await;
    let mut asker = Asker::new(&site);
    let succeeded = r#""state":"succeeded""#;
    let dead = r#""state":"dead""#;
    asker.task_until(&report("well"), succeeded).await;
    let own = site.receiver.url();
    asker.task_until(&report_to("well", &own), succeeded).await;
    for code in [500, 302, 410] {
        site.receiver
            .answer(vec![Answer::Echo(code), Answer::Echo(code)]);
        let place = format!("{own}/{code}");
        let task = report_to(&format!("echo-{code}"), &place);
        let shown = asker.task_until(&task, dead).await;
        assert!(shown.contains(HIDDEN), "{shown}");
    }
    site.receiver.answer(vec![Answer::Echo(500), Answer::Drop]);
    let shown = asker.task_until(&report("echo"), dead).await;
    assert!(shown.contains(HIDDEN), "{shown}");
    let nobody = format!("http://127.0.0.1:{}/", free_port().unwrap());
    let shown = asker.task_until(&report_to("refused", &nobody), dead).await;
    assert!(shown.contains("refused"), "{shown}");
    asker.look_everywhere(&operators).await;

    let deliveries = site.receiver.deliveries();
    for query in [OPERATOR_QUERY, CLIENT_QUERY] {
        assert!(deliveries.iter().any(|one| one.target.contains(query)));
    }
    let webhook = Webhook::new(&signing_secret()).unwrap();
    for one in &deliveries {
        webhook.verify(&one.body, &one.headers).unwrap();
    }
    assert_nothing_left(&site, &asker.heard).await;
}

#[tokio::test]
async fn what_github_says_back_carries_no_secret_on() {
    let (site, operators) = site().await;
    let mut asker = Asker::new(&site);
    let words = json!({"message": format!("No: Authorization: Bearer {TOKEN}")}).to_string();
    let errors =
        json!({"data": null, "errors": [{"type": "X", "message": format!("No: {TOKEN}")}]});
    // First, because names that are known are not asked for again.
    site.github.always(
        "/graphql",
        Fault::Status(200, Vec::new(), errors.to_string()),
    );
    // The report does without; the log says why.
    let (succeeded, dead) = (r#""state":"succeeded""#, r#""state":"dead""#);
    asker.task_until(&report("graphql"), succeeded).await;
    let log = site.workers[0].log();
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("GraphQL does not answer"));
    assert!(line.is_some_and(|line| line.contains(HIDDEN)), "{line:?}");
    site.github.heal();
    for code in [403, 422, 500, 503] {
        let repository = format!("says-{code}");
        let path = format!("/repos/octocat/{repository}");
        let fault = Fault::Status(code, Vec::new(), words.clone());
        site.github.always(&path, fault);
        let shown = asker.task_until(&report(&repository), dead).await;
        let said = shown.contains(HIDDEN) && shown.contains(&format!("({code})"));
        assert!(said, "{shown}");
    }
    site.github.heal();
    // Last, because nobody asks GitHub for a while afterwards; so the others have ended.
    site.github
        .always("/repos", Fault::Status(401, Vec::new(), words));
    asker.task_until(&report("says-401"), HIDDEN).await;
    asker.look_everywhere(&operators).await;

    let bearer = format!("Bearer {TOKEN}");
    let requests = site.github.requests();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request.header("authorization"), Some(&*bearer));
    }
    assert_nothing_left(&site, &asker.heard).await;
}

#[tokio::test]
async fn a_comment_carries_no_secret() {
    let (site, operators) = site().await;
    let mut asker = Asker::new(&site);
    let words = json!({"message": format!("No: {TOKEN}")}).to_string();
    let path = "/repos/octocat/graded/issues/4/comments";
    site.github
        .script(path, vec![Fault::Status(422, Vec::new(), words)]);
    let task = |commit: char| {
        json!({
            "kind": "feedback", "username": "octocat", "repository": "graded", "pull_request": 4,
            "commit": commit.to_string().repeat(40),
            "evaluation": {"github_username": "student", "evaluations": []},
        })
    };
    asker.task_until(&task('a'), HIDDEN).await;
    asker.task_until(&task('b'), r#""state":"succeeded""#).await;
    asker.look_everywhere(&operators).await;
    let comments = site.github.comments("octocat", "graded", 4);
    assert_eq!(comments.len(), 1);
    site.receiver.wait_for(1, PATIENCE).await.unwrap();
    asker.heard += &comments[0];
    assert_nothing_left(&site, &asker.heard).await;
}

/// Every form of every other secret, as a stranger might say it.
fn gossip() -> String {
    let forms = [
        TOKEN.to_owned(),
        signing_secret(),
        STANDARD.encode(SIGNING),
        str::from_utf8(SIGNING).unwrap().to_owned(),
        OPERATOR_QUERY.to_owned(),
        CLIENT_QUERY.to_owned(),
        PASSWORD.to_owned(),
    ];
    forms.join(" ")
}

/// A task of whose answers this secret is to be hidden: a client's own only of its own.
fn told_of(secret: &str, repository: &str, url: &str) -> Value {
    if secret == CLIENT_QUERY {
        return report_to(repository, url);
    }
    let mut task = report(repository);
    task["webhook_url"] = url.into();
    task
}

#[tokio::test]
async fn who_says_a_secret_that_was_never_sent_to_them_carries_none_on() {
    let (site, operators) = site().await;
    let mut asker = Asker::new(&site);
    let dead = r#""state":"dead""#;
    for (place, secret) in gossip().split(' ').enumerate() {
        for code in [500, 410] {
            let repository = format!("receiver-{place}-{code}");
            let says = Answer::Says(code, format!("No: {secret}!"));
            site.receiver.answer(vec![says.clone(), says]);
            let own = format!("{}/{repository}", site.receiver.url());
            let task = told_of(secret, &repository, &own);
            let shown = asker.task_until(&task, dead).await;
            assert!(shown.contains(HIDDEN), "{secret}: {shown}");
        }
        let repository = format!("github-{place}");
        let path = format!("/repos/octocat/{repository}");
        let words = json!({"message": format!("No: {secret}!")}).to_string();
        site.github
            .always(&path, Fault::Status(422, Vec::new(), words));
        let task = told_of(secret, &repository, &site.receiver.url());
        let shown = asker.task_until(&task, dead).await;
        assert!(shown.contains(HIDDEN), "{secret}: {shown}");
    }
    asker.look_everywhere(&operators).await;
    assert_nothing_left(&site, &asker.heard).await;
}
