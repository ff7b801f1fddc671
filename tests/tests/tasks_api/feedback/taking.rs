//! `POST /tasks` for feedback: what is taken, in which forms, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookme_shared::feedback::Evaluation;
use hookme_shared::job::{Kind, Stage};
use hookme_tests::House;
use serde_json::{Value, json};

use super::super::{assert_problem, header};
use super::{count_live, evaluation, feedback, kept_evaluation, post, sha, taken, with};

#[tokio::test]
async fn feedback_is_stored_with_its_evaluation_and_is_due_at_once() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=60000"]).await.unwrap();
    let answer = post(&api, &feedback('A')).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.id().unwrap();
    assert_eq!(header(&answer, "location"), Some(&*format!("/tasks/{id}")));
    let members: Vec<_> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["due_at", "id", "ok", "state"]);

    let job = house.job(id).await.unwrap().job;
    assert_eq!((job.kind, job.stage), (Kind::Feedback, Stage::Grade));
    assert_eq!(job.due_ms, job.created_ms);
    let record = job.feedback.unwrap();
    assert_eq!((record.pull_request, record.commit), (7, sha('a')));
    let kept = kept_evaluation(&house, id).await.unwrap();
    let sent = Evaluation::parse(&evaluation(), "octocat/hello").unwrap();
    assert_eq!(kept, sent);
    assert_eq!(kept.requirements.len(), 2);

    let mut later = feedback('b');
    later["pull_request"] = json!(8);
    later["delay_ms"] = json!(5_000);
    let job = house.job(taken(&api, &later).await).await.unwrap().job;
    assert_eq!(job.due_ms - job.created_ms, 5_000);
}

#[tokio::test]
async fn an_evaluation_may_come_in_base64_whole_or_in_lines() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let whole = STANDARD.encode(evaluation().to_string());
    let lines: Vec<_> = whole
        .as_bytes()
        .chunks(76)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    let sent = Evaluation::parse(&evaluation(), "octocat/hello").unwrap();
    for (pull_request, text) in [
        whole.trim_end_matches('=').to_owned(),
        lines.join("\n") + "\n",
        lines.join("\r\n"),
        whole.clone(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = with("evaluation", Value::from(text));
        body["pull_request"] = json!(pull_request + 1);
        let id = taken(&api, &body).await;
        assert_eq!(kept_evaluation(&house, id).await, Some(sent.clone()));
    }
}

/// Nothing of it is taken, and each is told why.
async fn assert_refused<const N: usize>(bodies: [(Value, &str); N]) {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    for (body, error) in bodies {
        assert_problem(&post(&api, &body).await, 400, error);
    }
    assert_eq!(count_live(&house).await, 0);
}

#[tokio::test]
async fn what_is_no_task_of_feedback_is_told_why_and_nothing_is_stored() {
    const PULL_REQUEST: &str = "field pull_request must be the number of a pull request, from 1";
    const COMMIT: &str = "field commit must be a commit's whole SHA: 40 or 64 hexadecimal digits";
    const FORGOTTEN: &str =
        "field kind must be feedback where pull_request, commit or evaluation is given";
    const KIND: &str = "field kind must be report or feedback";
    const HOOK: &str = "field webhook_url cannot be used: its host must not have a private address";
    let missing = |name| (with(name, Value::Null), format!("field {name} is required"));
    let [username, repository, pull_request, commit, evaluation] = [
        "username",
        "repository",
        "pull_request",
        "commit",
        "evaluation",
    ]
    .map(missing);
    assert_refused([
        (username.0, &username.1),
        (repository.0, &repository.1),
        (pull_request.0, &pull_request.1),
        (commit.0, &commit.1),
        (evaluation.0, &evaluation.1),
        (with("kind", json!("FEEDBACK")), KIND),
        (with("kind", Value::Null), FORGOTTEN),
        (with("kind", json!("report")), FORGOTTEN),
        (with("pull_request", json!(0)), PULL_REQUEST),
        (with("pull_request", json!("7")), PULL_REQUEST),
        (with("pull_request", json!(2_147_483_648_u64)), PULL_REQUEST),
        (with("commit", json!("abc1234")), COMMIT),
        (with("commit", json!(7)), COMMIT),
        (with("webhook_url", json!("https://10.0.0.1/")), HOOK),
    ])
    .await;
}

#[tokio::test]
async fn what_is_no_evaluation_is_told_why_and_nothing_is_stored() {
    let some = |evaluation| with("evaluation", evaluation);
    let of = |list: Value| some(json!({"github_username": "student", "evaluations": list}));
    let many = json!(vec![json!({"description": "one"}); 1_001]);
    let not_utf8 = STANDARD.encode(b"{\"a\": \"\xff\"}");
    let of_another = json!({
        "github_username": "a", "github_repository_name": "octocat/other", "evaluations": [],
    });
    let told = [
        (
            some(json!([])),
            "the evaluator's output: a JSON object, or that object in base64",
        ),
        (
            some(json!("no base64!")),
            "the evaluator's output: a JSON object, or a string that is base64 of it in the standard alphabet",
        ),
        (
            some(json!(not_utf8)),
            "the evaluator's output: as a string it must be base64 of one JSON object in UTF-8",
        ),
        (
            some(json!({"evaluations": []})),
            "an object whose github_username is a GitHub user",
        ),
        (
            some(of_another),
            "about the task's own repository: its github_repository_name must be username/repository",
        ),
        (of(Value::Null), "an object whose evaluations is a list"),
        (of(many), "an object with at most 1000 evaluations"),
        (
            of(json!([{"grade": 3}])),
            "an object each of whose evaluations has a description",
        ),
        (
            of(json!([{"description": "one", "grade": "3"}])),
            "an object each of whose evaluations has a number as its grade, or none",
        ),
    ]
    .map(|(body, rule)| (body, format!("field evaluation must be {rule}")));
    assert_refused(
        told.each_ref()
            .map(|(body, error)| (body.clone(), &**error)),
    )
    .await;
}
