//! What a client sees of feedback, alone and in the list of its pull request.

use hookme_shared::feedback::Grade;
use hookme_shared::job::JobId;
use hookme_shared::queue::{Settled, Settlement};
use hookme_tests::House;
use hookme_tests::site::ApiClient;
use serde_json::{Value, json};

use super::super::{assert_problem, claim_one, get};
use super::{feedback, listed, sha, taken};

/// What only feedback has.
const OF_FEEDBACK: [&str; 6] = [
    "status",
    "pull_request",
    "commit",
    "grade",
    "comment_url",
    "superseded_by",
];

/// What the task shows of those, in their order.
fn told(task: &Value) -> Value {
    json!(OF_FEEDBACK.map(|member| task.get(member).expect(member)))
}

async fn shown(api: &ApiClient, id: JobId) -> Value {
    api.show(id).await.unwrap().body
}

#[tokio::test]
async fn feedback_shows_how_far_it_is_and_its_grade_as_soon_as_there_is_one() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let id = taken(&api, &feedback('a')).await;
    let body = shown(&api, id).await;
    assert_eq!(
        (&body["kind"], &body["stage"]),
        (&json!("feedback"), &json!("grade"))
    );
    let waiting = json!(["waiting", 7, sha('a'), null, null, null]);
    assert_eq!(told(&body), waiting);

    grade_by_hand(&house, id).await;
    let body = shown(&api, id).await;
    let grade = json!({"passed": 1, "total": 3, "percentage": 33.33});
    let processing = json!(["processing", 7, sha('a'), grade, null, null]);
    assert_eq!(told(&body), processing);
    assert_eq!(
        (&body["state"], &body["stage"]),
        (&json!("scheduled"), &json!("comment"))
    );
    assert_eq!(body["history"][0]["event"], "grade");
}

/// Does what a worker does first with feedback.
async fn grade_by_hand(house: &House, id: JobId) {
    let (claimed, fence) = claim_one(&house.queue).await;
    assert_eq!(claimed, id);
    let grade = Settlement::Grade(Grade {
        passed: 1,
        total: 3,
    });
    let settled = house.queue.settle(id, &fence, &grade).await.unwrap();
    assert_eq!(settled, Settled::Done);
}

#[tokio::test]
async fn feedback_that_has_its_comment_shows_where_it_is_wherever_it_is_listed() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let id = taken(&api, &feedback('a')).await;
    grade_by_hand(&house, id).await;
    let (_, fence) = claim_one(&house.queue).await;
    assert_eq!(shown(&api, id).await["status"], "processing");
    let url = "https://github.com/octocat/hello/pull/7#issuecomment-1";
    let queue = &house.queue;
    queue.open_comment(id, &fence).await.unwrap();
    assert!(queue.close_comment(id, &fence, Some(url)).await.unwrap());
    queue.finish(&[(id, fence)], &[]).await.unwrap();

    let grade = json!({"passed": 1, "total": 3, "percentage": 33.33});
    let finished = json!(["finished", 7, sha('a'), grade, url, null]);
    assert_eq!(told(&shown(&api, id).await), finished);
    for query in [
        "state=succeeded",
        "username=octocat&repository=hello&pull_request=7",
    ] {
        let tasks = listed(&api, query).await;
        assert_eq!(tasks.len(), 1, "{query}");
        assert_eq!(told(&tasks[0]), finished, "{query}");
    }
}

#[tokio::test]
async fn a_report_has_none_of_what_feedback_has() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let id = api.submit("octocat", "hello", None).await.unwrap();
    let shown = api.show(id).await.unwrap().body;
    let tasks = listed(&api, "state=scheduled").await;
    for body in [&shown, &tasks[0]] {
        assert_eq!(body["kind"], "report");
        for member in OF_FEEDBACK {
            assert!(body.get(member).is_none(), "{member}: {body}");
        }
    }
}

#[tokio::test]
async fn the_list_of_a_pull_request_is_asked_for_by_all_its_names_and_nothing_else() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let none = listed(&api, "username=octocat&repository=hello&pull_request=7").await;
    assert_eq!(none, Vec::<Value>::new());
    let missing = |name| {
        format!("parameter {name} is required: username, repository and pull_request go together")
    };
    let apart = "parameters state and cursor do not go with username, repository and pull_request";
    let number = "field pull_request must be the number of a pull request, from 1";
    let whole = "username=a&repository=b&pull_request=7";
    for (query, error) in [
        ("repository=b&pull_request=7", &*missing("username")),
        ("username=a&pull_request=7", &missing("repository")),
        ("username=a&repository=b", &missing("pull_request")),
        ("pull_request=7&state=dead", &missing("username")),
        (&*format!("{whole}&state=dead"), apart),
        (
            &format!("{whole}&cursor=1-3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e"),
            apart,
        ),
        ("username=a&repository=b&pull_request=0", number),
        ("username=a&repository=b&pull_request=", number),
        ("username=a&repository=b&pull_request=%2B7", number),
        ("username=a&repository=b&pull_request=x", number),
        (
            &format!("{whole}&limit=101"),
            "parameter limit must be a whole number from 1 to 100",
        ),
        (
            &format!("{whole}&limit=0"),
            "parameter limit must be a whole number from 1 to 100",
        ),
    ] {
        assert_problem(&get(&api, &format!("/tasks?{query}")).await, 400, error);
    }
    for (query, beginning) in [
        (
            "username=a%20b&repository=b&pull_request=7",
            "field username must be ",
        ),
        (
            "username=a&repository=..&pull_request=7",
            "field repository must be ",
        ),
    ] {
        let refused = get(&api, &format!("/tasks?{query}")).await;
        let error = refused.body["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(beginning), "{error}");
        assert_problem(&refused, 400, &error);
    }
}
