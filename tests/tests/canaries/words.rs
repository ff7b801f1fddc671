//! Clients who choose the query of their `webhook_url` so that it equals words of others.

use hookme_tests::receiver::Answer;
use redis::AsyncCommands;
use serde_json::{Value, json};
use url::Url;

use super::asking::Asker;
use super::{PATIENCE, site};

/// A name in a report, a repository and a comment of others, the words of their receiver,
/// and parts of a log line.
const WORDS: [&str; 7] = [
    "The Octocat",
    "octocat/others-own",
    "issuecomment-1",
    "a word of another receiver",
    r#""level":""#,
    "timestamp",
    "hookme_worker",
];

#[tokio::test]
async fn words_that_a_client_chose_are_hidden_in_nothing_of_others() {
    let (site, operators) = site().await;
    let mut asker = Asker::new(&site);
    site.github.add_user("contributor-1", Some("The Octocat"));
    let succeeded = r#""state":"succeeded""#;
    for (number, word) in WORDS.iter().enumerate() {
        let mut url = Url::parse(&site.receiver.url()).unwrap();
        url.query_pairs_mut().append_pair("key", word);
        let task = json!({
            "username": "octocat", "repository": format!("chosen-{number}"),
            "webhook_url": url.as_str(),
        });
        asker.task_until(&task, succeeded).await;
    }
    // Names that are known are not asked for again.
    let mut redis = site.connection().await.unwrap();
    let known: Vec<String> = redis.keys("{hookme}:github:names*").await.unwrap();
    let _forgotten: u64 = redis.del(known).await.unwrap();
    let before = site.receiver.deliveries().len();
    let report = json!({"username": "octocat", "repository": "others-own"});
    asker.task_until(&report, succeeded).await;
    let feedback = json!({
        "kind": "feedback", "username": "octocat", "repository": "others-own", "pull_request": 4,
        "commit": "a".repeat(40),
        "evaluation": {"github_username": "student", "evaluations": []},
    });
    let shown = asker.task_until(&feedback, succeeded).await;
    assert!(shown.contains("issuecomment-1"), "{shown}");
    site.receiver
        .answer(vec![Answer::Says(500, WORDS[3].to_owned()); 2]);
    let unlucky = json!({"username": "octocat", "repository": "unlucky"});
    let shown = asker.task_until(&unlucky, r#""state":"dead""#).await;
    assert!(
        shown.contains(WORDS[3]) && !shown.contains("[hidden]"),
        "{shown}"
    );
    asker.look_everywhere(&operators).await;

    site.receiver.wait_for(before + 4, PATIENCE).await.unwrap();
    for delivery in &site.receiver.deliveries()[before..] {
        let body = String::from_utf8_lossy(&delivery.body);
        assert!(!body.contains("[hidden]"), "{body}");
    }
    let report = String::from_utf8_lossy(&site.receiver.deliveries()[before].body).into_owned();
    assert!(
        report.contains(WORDS[0]) && report.contains(WORDS[1]),
        "{report}"
    );
    for log in [site.api.log(), site.workers[0].log()] {
        for line in log.lines() {
            let line: Value = serde_json::from_str(line).expect(line);
            for name in ["timestamp", "level", "target"] {
                assert!(line[name].is_string(), "{line}");
            }
        }
    }
}
