//! `POST /tasks`: what is taken, what is a duplicate and what is refused.

use hookme_shared::queue::Counts;
use hookme_tests::House;
use hookme_tests::site::{Answer, ApiClient, live};
use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_problem, claim_one, header, task};

const NOT_AN_OBJECT: &str = "the body must be one JSON object that names no field twice";
const USERNAME_RULE: &str = "field username must be a GitHub user or organization: 1 to 39 letters, digits, hyphens or underscores, not starting with a hyphen";
const REPOSITORY_RULE: &str = "field repository must be a GitHub repository's name without its owner: 1 to 100 letters, digits, hyphens, underscores or dots, not . or .. and not ending in .git or .wiki";
const DELAY_RULE: &str =
    "field delay_ms must be a whole number of milliseconds from 0 to 2592000000";

/// Bodies, and what is told about each.
const NO_TASKS: [(&str, &str); 25] = [
    ("", NOT_AN_OBJECT),
    ("{", NOT_AN_OBJECT),
    ("[]", NOT_AN_OBJECT),
    (r#"["octocat", "hello"]"#, NOT_AN_OBJECT),
    (r#""octocat/hello""#, NOT_AN_OBJECT),
    ("null", NOT_AN_OBJECT),
    ("1", NOT_AN_OBJECT),
    (
        r#"{"username": "a", "username": "b", "repository": "r"}"#,
        NOT_AN_OBJECT,
    ),
    ("{}", "field username is required"),
    (r#"{"repository": "r"}"#, "field username is required"),
    (
        r#"{"username": null, "repository": null}"#,
        "field username is required",
    ),
    (
        r#"{"username": 1, "repository": "r"}"#,
        "field username is required",
    ),
    (
        r#"{"username": ["a"], "repository": "r"}"#,
        "field username is required",
    ),
    (r#"{"username": "a"}"#, "field repository is required"),
    (
        r#"{"username": "a", "repository": null}"#,
        "field repository is required",
    ),
    (
        r#"{"username": "a", "repository": false}"#,
        "field repository is required",
    ),
    (r#"{"username": "", "repository": "r"}"#, USERNAME_RULE),
    (r#"{"username": "a b", "repository": "r"}"#, USERNAME_RULE),
    (r#"{"username": "-", "repository": "/"}"#, USERNAME_RULE),
    (r#"{"username": "a", "repository": ""}"#, REPOSITORY_RULE),
    (r#"{"username": "a", "repository": ".."}"#, REPOSITORY_RULE),
    (
        r#"{"username": "a", "repository": "r.git"}"#,
        REPOSITORY_RULE,
    ),
    (
        r#"{"username": "a", "repository": "r", "delay_ms": -1}"#,
        DELAY_RULE,
    ),
    (
        r#"{"username": "a", "repository": "r", "delay_ms": "1"}"#,
        DELAY_RULE,
    ),
    (
        r#"{"username": "a", "repository": "r", "kind": "coffee"}"#,
        "field kind must be report or feedback",
    ),
];

async fn post(api: &ApiClient, content_type: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
    let mut request = api.request(Method::POST, "/tasks").body(body.into());
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    api.send(request).await.unwrap()
}

async fn counts(house: &House) -> Counts {
    house.queue.counts().await.unwrap()
}

#[tokio::test]
async fn a_task_is_answered_with_202_and_the_path_where_it_stands() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=4321"]).await.unwrap();
    let answer = api.post_task(&task("hello"), None).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.id().unwrap();
    assert_eq!(header(&answer, "location"), Some(&*format!("/tasks/{id}")));
    let members: Vec<_> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["due_at", "id", "ok", "state"]);
    assert_eq!(answer.body["ok"], "task successfully scheduled");
    assert_eq!(answer.body["state"], "scheduled");

    let shown = super::get(&api, header(&answer, "location").unwrap()).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(shown.body["due_at"], answer.body["due_at"]);
    let job = house.job(id).await.unwrap().job;
    assert_eq!(job.due_ms - job.created_ms, 4_321);
}

#[tokio::test]
async fn a_task_waits_as_long_as_its_client_asks() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    for (delay_ms, repository) in [(0_u64, "now"), (1, "soon"), (2_592_000_000, "in-a-month")] {
        let mut body = task(repository);
        body["delay_ms"] = json!(delay_ms);
        let id = api.post_task(&body, None).await.unwrap().id().unwrap();
        let job = house.job(id).await.unwrap().job;
        assert_eq!(job.due_ms - job.created_ms, delay_ms);
    }
}

#[tokio::test]
async fn a_second_task_for_a_live_repository_is_the_first_one_in_any_letter_case() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let first = api.post_task(&task("Hello"), None).await.unwrap();
    for (username, repository) in [
        ("octocat", "Hello"),
        ("OCTOCAT", "hello"),
        ("Octocat", "HELLO"),
    ] {
        let body = json!({"username": username, "repository": repository, "delay_ms": 1});
        let answer = api.post_task(&body, None).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.id().unwrap(), first.id().unwrap());
        assert_eq!(answer.body["duplicate"], true);
        assert_eq!(answer.body["due_at"], first.body["due_at"]);
    }
    assert_eq!(live(&counts(&house).await), 1);
}

#[tokio::test]
async fn an_ended_task_is_in_nobody_s_way() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let first = api.submit("octocat", "hello", None).await.unwrap();
    let claim = claim_one(&house.queue).await;
    let duplicate = api.post_task(&task("hello"), None).await.unwrap();
    assert_eq!(
        (duplicate.status.as_u16(), duplicate.id().unwrap()),
        (200, first)
    );
    assert_eq!(duplicate.body["state"], "running");
    house.queue.finish(&[claim], &[]).await.unwrap();
    let second = api.submit("octocat", "hello", None).await.unwrap();
    assert_ne!(first, second);
}

#[tokio::test]
async fn names_that_look_alike_when_joined_are_different_repositories() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    for (username, repository) in [("a-b", "c"), ("a", "b-c"), ("a", "b.c"), ("a_b", "c")] {
        api.submit(username, repository, None).await.unwrap();
    }
    let joined = json!({"username": "a/b", "repository": "c"});
    assert_problem(
        &api.post_task(&joined, None).await.unwrap(),
        400,
        USERNAME_RULE,
    );
    let joined = json!({"username": "a", "repository": "b/c"});
    assert_problem(
        &api.post_task(&joined, None).await.unwrap(),
        400,
        REPOSITORY_RULE,
    );
    assert_eq!(live(&counts(&house).await), 4);
}

#[tokio::test]
async fn at_the_limit_a_new_task_is_told_when_to_come_back_and_a_duplicate_is_not_refused() {
    let mut house = House::start().await.unwrap();
    let flags = [
        "--rate-limit-max-simultaneous-jobs=2",
        "--schedule-interval=0",
    ];
    let api = house.api(&flags).await.unwrap();
    let first = api.submit("octocat", "one", None).await.unwrap();
    api.submit("octocat", "two", None).await.unwrap();
    // A running task counts too.
    let claim = claim_one(&house.queue).await;

    let refused = api.post_task(&task("three"), None).await.unwrap();
    assert_problem(&refused, 429, "max simultaneous jobs");
    assert!(
        header(&refused, "retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 0
    );
    let duplicate = api.post_task(&task("one"), None).await.unwrap();
    assert_eq!(
        (duplicate.status.as_u16(), duplicate.id().unwrap()),
        (200, first)
    );
    assert_problem(
        &api.post_task(&json!({}), None).await.unwrap(),
        400,
        "field username is required",
    );

    house.queue.finish(&[claim], &[]).await.unwrap();
    api.submit("octocat", "three", None).await.unwrap();
    assert_eq!(live(&counts(&house).await), 2);
}

#[tokio::test]
async fn a_limit_of_zero_or_less_is_none() {
    let mut house = House::start().await.unwrap();
    for (limit, owner) in [("0", "zero"), ("-1", "less")] {
        let flag = format!("--rate-limit-max-simultaneous-jobs={limit}");
        let api = house.api(&[&flag]).await.unwrap();
        for repository in ["one", "two", "three"] {
            api.submit(owner, repository, None).await.unwrap();
        }
    }
}

#[tokio::test]
async fn every_body_that_is_no_task_is_told_why_and_nothing_is_stored() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let name_too_long = format!(r#"{{"username": "{}", "repository": "r"}}"#, "u".repeat(40));
    let more = [(&*name_too_long, USERNAME_RULE)];
    for (body, error) in NO_TASKS.into_iter().chain(more) {
        assert_problem(
            &post(&api, Some("application/json"), body).await,
            400,
            error,
        );
    }
    let not_utf8 = b"{\"username\": \"\xff\", \"repository\": \"r\"}";
    assert_problem(
        &post(&api, Some("application/json"), *not_utf8).await,
        400,
        NOT_AN_OBJECT,
    );
    assert_eq!(live(&counts(&house).await), 0);
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_by_name_is_refused_before_it_is_stored() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let mut large = task("large").to_string().into_bytes();
    large.resize(1_024 * 1_024 + 1, b' ');
    let refused = post(&api, Some("application/json"), large.clone()).await;
    assert_problem(&refused, 413, "the body is longer than 1048576 bytes");
    let no_json = "the content type must be application/json";
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "json",
        "application/jsonp",
    ] {
        let refused = post(&api, Some(content_type), task("typed").to_string()).await;
        assert_problem(&refused, 415, no_json);
    }
    assert_eq!(live(&counts(&house).await), 0);

    large.truncate(1_024 * 1_024);
    assert_eq!(
        post(&api, Some("application/json"), large).await.status,
        202
    );
    for (content_type, repository) in [
        (None, "untyped"),
        (Some("Application/JSON; charset=utf-8"), "parameter"),
        (Some("application/vnd.api+json"), "suffix"),
    ] {
        let taken = post(&api, content_type, task(repository).to_string()).await;
        assert_eq!(taken.status, 202, "{taken:?}");
    }
}

#[tokio::test]
async fn what_is_not_a_route_is_404_and_what_a_route_does_not_take_is_405() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let send = async |method: Method, path: &str| {
        let request = api
            .request(method, path)
            .header("content-type", "application/json");
        api.send(request.body(task("x").to_string())).await.unwrap()
    };
    for path in ["/", "/TASKS", "/tasks/", "/task", "/tasks/x/y/z", "/health"] {
        assert_problem(&send(Method::POST, path).await, 404, "route not found");
    }
    let id = "3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e";
    for (method, path, allowed) in [
        (Method::PUT, "/tasks".to_owned(), ["GET", "POST"]),
        (Method::POST, format!("/tasks/{id}"), ["GET", "DELETE"]),
        (Method::GET, format!("/tasks/{id}/retry"), ["POST", "POST"]),
        (Method::DELETE, "/metrics".to_owned(), ["GET", "HEAD"]),
    ] {
        let refused = send(method, &path).await;
        assert_problem(&refused, 405, "method not allowed");
        let allow = header(&refused, "allow").unwrap();
        assert!(
            allowed.iter().all(|method| allow.contains(method)),
            "{path}: {allow}"
        );
    }
    assert_eq!(live(&counts(&house).await), 0);
}

#[tokio::test]
async fn what_a_task_says_beyond_its_fields_is_ignored() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let mut body = task("more");
    body["favourite"] = json!({"colour": "blue"});
    body["kind"] = json!("report");
    assert_eq!(api.post_task(&body, None).await.unwrap().status, 202);
    // To ignore this one would send the report to somebody else.
    body["webhook_url"] = Value::from("http://example.org/");
    let refused = api.post_task(&body, None).await.unwrap();
    assert_eq!(refused.status, 400, "{refused:?}");
}
