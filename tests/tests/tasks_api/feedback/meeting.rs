//! Feedback that meets other feedback: the same commit, a newer one, the limit, a key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookme_shared::job::State;
use hookme_shared::queue::Settlement;
use hookme_tests::House;
use serde_json::{Value, json};

use super::super::{assert_problem, claim_one, task};
use super::{count_live, evaluation, feedback, kept_evaluation, listed, post, taken, with};

#[tokio::test]
async fn a_commit_has_one_live_feedback_in_any_letter_case() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let first = taken(&api, &feedback('a')).await;
    let mut worse = feedback('A');
    worse["username"] = json!("OctoCat");
    worse["evaluation"]["evaluations"] = json!([]);
    for body in [feedback('a'), feedback('A'), worse] {
        let answer = post(&api, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.id().unwrap(), first);
        assert_eq!(answer.body["duplicate"], true);
        assert_eq!(answer.body["ok"], "feedback on this commit is live already");
    }
    assert_eq!(count_live(&house).await, 1);
    let kept = kept_evaluation(&house, first).await.unwrap();
    assert_eq!(kept.requirements.len(), 2);

    // A report is nothing to it, nor it to a report.
    api.submit("octocat", "hello", None).await.unwrap();
    let report = post(&api, &task("hello")).await;
    assert_eq!(
        report.body["ok"],
        "a task for this repository is live already"
    );
}

#[tokio::test]
async fn a_newer_commit_takes_the_place_of_one_that_waits() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let older = taken(&api, &feedback('a')).await;
    let mut elsewhere = feedback('a');
    elsewhere["pull_request"] = json!(70);
    let elsewhere = taken(&api, &elsewhere).await;
    let newer = taken(&api, &feedback('b')).await;

    let shown = api.show(older).await.unwrap().body;
    assert_eq!(shown["state"], "cancelled");
    assert_eq!(shown["status"], "finished");
    assert_eq!(shown["reason"], format!("superseded by {newer}"));
    assert_eq!(shown["superseded_by"], newer.to_string());
    assert_eq!(shown["history"][0]["event"], "supersede");
    let still = api.show(elsewhere).await.unwrap().body;
    assert_eq!(
        (&still["state"], &still["superseded_by"]),
        (&json!("scheduled"), &Value::Null)
    );

    let query = "username=OctoCat&repository=Hello&pull_request=7";
    let tasks = listed(&api, query).await;
    let told = |task: &Value| (task["id"].clone(), task["status"].clone());
    assert_eq!(
        tasks.iter().map(told).collect::<Vec<_>>(),
        [
            (json!(newer.to_string()), json!("waiting")),
            (json!(older.to_string()), json!("finished")),
        ]
    );
    let newest = listed(&api, &format!("{query}&limit=1")).await;
    assert_eq!(newest, tasks[..1]);
}

#[tokio::test]
async fn at_the_limit_a_commit_that_takes_the_place_of_another_is_taken() {
    let mut house = House::start().await.unwrap();
    let flag = "--rate-limit-max-simultaneous-jobs=2";
    let api = house.api(&[flag]).await.unwrap();
    api.submit("octocat", "one", None).await.unwrap();
    let older = taken(&api, &feedback('a')).await;
    let mut elsewhere = feedback('b');
    elsewhere["pull_request"] = json!(8);
    assert_problem(&post(&api, &elsewhere).await, 429, "max simultaneous jobs");
    taken(&api, &feedback('b')).await;
    assert_eq!(house.job(older).await.unwrap().job.state, State::Cancelled);
    assert_eq!(count_live(&house).await, 2);
}

#[tokio::test]
async fn the_same_key_is_the_first_feedback_again_in_either_form() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let ask = async |body: &Value| api.post_task(body, Some("k")).await.unwrap();
    let first = ask(&feedback('a')).await;
    assert_eq!(first.status, 202, "{first:?}");
    // A newer commit ends it; the key still stands for it.
    taken(&api, &feedback('b')).await;
    let packed = STANDARD.encode(evaluation().to_string());
    for body in [
        feedback('a'),
        feedback('A'),
        with("evaluation", json!(packed)),
    ] {
        let again = ask(&body).await;
        assert_eq!(again.status, 202, "{again:?}");
        assert_eq!(again.body["id"], first.body["id"]);
        assert_eq!(again.body["state"], "cancelled");
    }
    let mut graded = feedback('a');
    graded["evaluation"]["evaluations"][1]["grade"] = json!(5);
    let mut elsewhere = feedback('a');
    elsewhere["pull_request"] = json!(8);
    for other in [graded, elsewhere, feedback('b'), task("hello")] {
        let reused = "this Idempotency-Key came with another body";
        assert_problem(&ask(&other).await, 422, reused);
    }
    assert_eq!(count_live(&house).await, 1);
}

#[tokio::test]
async fn a_dead_feedback_whose_commit_is_live_again_names_who_does_the_same() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let dead = taken(&api, &feedback('a')).await;
    let (_, fence) = claim_one(&house.queue).await;
    let reason = "why".to_owned();
    let bury = Settlement::Bury { reason };
    house.queue.settle(dead, &fence, &bury).await.unwrap();
    let holder = taken(&api, &feedback('a')).await;
    let refused = api.revive(dead).await.unwrap();
    assert_problem(&refused, 409, &format!("task {holder} does the same"));
    assert_eq!(refused.body["type"], "/problems/repository-held");
    assert_eq!(refused.body["holder"], holder.to_string());
}
