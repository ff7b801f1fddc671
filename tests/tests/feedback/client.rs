//! What a client sends and gets to see.

use std::time::Duration;

use hookme_shared::job::JobId;
use hookme_tests::by_hand::{OWNER, sha};
use hookme_tests::eventually;
use hookme_tests::site::ApiClient;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// The number of the pull request that every usual repository has.
pub(crate) const PULL_REQUEST: usize = 4;
/// How long anything may take. A busy machine must not fail a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The path of a repository's comments.
pub(crate) fn comments_of(repository: &str) -> String {
    format!("/repos/{OWNER}/{repository}/issues/{PULL_REQUEST}/comments")
}

/// A task of feedback with these requirements: description and grade.
pub(crate) fn task(repository: &str, commit: u32, requirements: &[(&str, u32)]) -> Value {
    let one =
        |(description, grade): &(&str, u32)| json!({"description": description, "grade": grade});
    json!({
        "kind": "feedback",
        "username": OWNER,
        "repository": repository,
        "pull_request": PULL_REQUEST,
        "commit": sha(commit),
        "evaluation": {
            "github_username": "student",
            "github_repository_name": format!("{OWNER}/{repository}"),
            "evaluations": requirements.iter().map(one).collect::<Vec<_>>(),
        },
    })
}

/// Posts a task that is taken.
pub(crate) async fn post(client: &ApiClient, task: &Value) -> JobId {
    let answer = client.post_task(task, None).await.unwrap();
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    answer.id().unwrap()
}

/// Posts a task about a repository that is taken.
pub(crate) async fn post_usual(client: &ApiClient, repository: &str) -> JobId {
    post(
        client,
        &task(repository, 1, &[("It builds", 3), ("It works", 1)]),
    )
    .await
}

/// What a client is shown of a task, once it has ended.
pub(crate) async fn ended(client: &ApiClient, id: JobId) -> Value {
    eventually(PATIENCE, "the end of the task", async || {
        let shown = client
            .show(id)
            .await
            .map_err(|error| error.to_string())?
            .body;
        match shown["state"].as_str() {
            Some("succeeded" | "dead" | "cancelled") => Ok(shown),
            _ => Err(shown.to_string()),
        }
    })
    .await
    .unwrap()
}
