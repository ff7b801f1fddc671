//! The routes before a Redis that is not there: everything that is decided
//! without the queue, and what a client hears when the queue does not answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use hookme_shared::guard::Guard;
use hookme_shared::queue::{Address, Clock, Terms};
use hookme_shared::secret::Secret;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::admission::Wish;
use crate::problem::PROBLEM_JSON;
use crate::problem_kinds;
use crate::settings::Doors;

const ID: &str = "3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e";
const TASK: &str = r#"{"username": "octocat", "repository": "hello-world"}"#;
/// What a client is promised while Redis is away, and ten times that, because
/// the machine of a test is busy.
const SOON: Duration = Duration::from_secs(3);

/// The API before a port that nobody listens on.
fn api() -> Router {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = Address {
        url: Secret::from(format!("redis://127.0.0.1:{port}")),
        certificate_authority: None,
        namespace: "hookme".to_owned(),
        response_timeout: Duration::from_millis(250),
        clock: Clock::Redis,
    };
    let settings = ApiSettings {
        doors: Doors::default(),
        guard: Guard::default(),
        schedule_interval: Duration::ZERO,
        patience: crate::patience::BUDGET,
        shutdown_grace: Duration::ZERO,
        allow_unsafe_redis: false,
    };
    let queue = Queue::new(&address, Terms::default()).unwrap();
    router(
        Api::new(queue, settings),
        Listener::Clients { apart: false },
    )
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path)
}

fn post_task() -> axum::http::request::Builder {
    request("POST", "/tasks").header("content-type", "application/json")
}

/// The answer, and its body as JSON, or as a JSON string if it is none.
async fn ask(request: Request<Body>) -> (Response<()>, Value) {
    let (parts, body) = api().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let value = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into());
    (Response::from_parts(parts, ()), value)
}

async fn assert_problem(request: Request<Body>, status: u16, error: &str) -> Response<()> {
    let shown = format!("{} {}", request.method(), request.uri());
    let (response, body) = ask(request).await;
    assert_eq!(response.status().as_u16(), status, "{shown}: {body}");
    assert_eq!(response.headers()["content-type"], PROBLEM_JSON, "{shown}");
    assert_eq!(body["error"], error, "{shown}");
    response
}

#[tokio::test]
async fn every_mistake_of_a_new_task_is_a_problem_that_needs_no_redis() {
    let long = " ".repeat(1024 * 1024 + 1);
    for (body, status, error) in [
        ("{}", 400, "field username is required"),
        (r#"{"username": "a"}"#, 400, "field repository is required"),
        (
            "",
            400,
            "the body must be one JSON object that names no field twice",
        ),
        (&*long, 413, "the body is longer than 1048576 bytes"),
    ] {
        let asked = post_task().body(Body::from(body.to_owned())).unwrap();
        assert_problem(asked, status, error).await;
    }
    let bad_key = post_task()
        .header("idempotency-key", "a b")
        .body(Body::from(TASK))
        .unwrap();
    let told = "header Idempotency-Key must be one value of 1 to 255 visible ASCII characters";
    assert_problem(bad_key, 400, told).await;
    let form = request("POST", "/tasks").header("content-type", "text/plain");
    let told = "the content type must be application/json";
    assert_problem(form.body(Body::from(TASK)).unwrap(), 415, told).await;
}

#[tokio::test]
async fn every_mistake_in_a_path_or_query_is_a_problem_that_needs_no_redis() {
    let states = "parameter state must be one of scheduled, running, succeeded, dead, cancelled";
    for (method, path, status, error) in [
        ("GET", "/tasks?state=gone", 400, states),
        (
            "GET",
            "/tasks?limit=1&limit=2",
            400,
            "the query cannot be read",
        ),
        ("GET", "/tasks/nonsense", 404, "no such task"),
        ("GET", "/tasks/%ff", 404, "no such task"),
        ("DELETE", "/tasks/1", 404, "no such task"),
        ("POST", "/tasks/1/retry", 404, "no such task"),
        ("GET", "/nowhere", 404, "route not found"),
        ("GET", "/problems/nothing", 404, "route not found"),
    ] {
        assert_problem(
            request(method, path).body(Body::empty()).unwrap(),
            status,
            error,
        )
        .await;
    }
}

#[tokio::test]
async fn a_path_says_which_methods_it_takes() {
    for (path, allowed) in [
        ("/tasks", "POST,GET,HEAD"),
        (&*format!("/tasks/{ID}"), "GET,HEAD,DELETE"),
        (&*format!("/tasks/{ID}/retry"), "POST"),
        ("/livez", "GET,HEAD"),
    ] {
        let put = request("PUT", path).body(Body::empty()).unwrap();
        let response = assert_problem(put, 405, "method not allowed").await;
        let mut given: Vec<_> = response.headers()["allow"]
            .to_str()
            .unwrap()
            .split(',')
            .collect();
        let mut expected: Vec<_> = allowed.split(',').collect();
        given.sort_unstable();
        expected.sort_unstable();
        assert_eq!(given, expected, "{path}");
    }
}

#[tokio::test]
async fn without_redis_every_question_to_the_queue_is_answered_soon_with_503() {
    for (method, path) in [
        ("POST", "/tasks".to_owned()),
        ("GET", "/tasks".to_owned()),
        ("GET", format!("/tasks/{ID}")),
        ("DELETE", format!("/tasks/{ID}")),
        ("POST", format!("/tasks/{ID}/retry")),
        ("GET", "/readyz".to_owned()),
    ] {
        let started = Instant::now();
        let asked = request(method, &path).body(Body::from(TASK)).unwrap();
        let told = match &*path {
            "/readyz" => "not ready",
            _ => "the queue is not available",
        };
        let response = assert_problem(asked, 503, told).await;
        assert!(
            started.elapsed() < SOON,
            "{method} {path} took {:?}",
            started.elapsed()
        );
        assert_eq!(response.headers()["retry-after"], "1", "{method} {path}");
    }
}

#[tokio::test]
async fn without_redis_the_process_is_alive_and_shows_its_own_numbers() {
    let get = |path| request("GET", path).body(Body::empty()).unwrap();
    assert_eq!(ask(get("/livez")).await.0.status(), StatusCode::OK);
    let (response, text) = ask(get("/metrics")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        text.as_str().unwrap().contains("hookme_redis_up 0\n"),
        "{text}"
    );
}

#[tokio::test]
async fn no_answer_is_stored_by_a_cache_or_guessed_at_by_a_browser() {
    for path in ["/livez", "/nowhere", "/readyz", "/docs/"] {
        let (response, _) = ask(request("GET", path).body(Body::empty()).unwrap()).await;
        assert_eq!(
            response.headers()["x-content-type-options"],
            "nosniff",
            "{path}"
        );
        assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn the_type_of_every_problem_leads_to_its_description() {
    for kind in problem_kinds::ALL {
        let path = format!("/problems/{}", kind.name);
        let (response, text) = ask(request("GET", &path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(
            text.as_str().unwrap().starts_with(kind.title),
            "{path}: {text}"
        );
    }
}

#[tokio::test]
async fn every_example_of_a_task_is_one() {
    let (_, description) = ask(request("GET", "/openapi.json").body(Body::empty()).unwrap()).await;
    let content = &description["paths"]["/tasks"]["post"]["requestBody"]["content"];
    let examples = content["application/json"]["examples"].as_object().unwrap();
    assert_eq!(examples.len(), 3);
    for (name, example) in examples {
        let wish = Wish::parse(example["value"].to_string().as_bytes(), &Guard::default());
        assert!(wish.is_ok(), "{name}: {wish:?}");
    }
}

#[tokio::test]
async fn the_docs_come_from_this_binary() {
    let (response, page) = ask(request("GET", "/docs/").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(page.as_str().unwrap().contains("swagger-ui"), "{page}");
}

#[test]
fn what_is_described_as_operation_is_for_operators_or_open_to_all() {
    let description = serde_json::to_value(described().split_for_parts().1).unwrap();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            let is_operation = about["tags"] == serde_json::json!(["Operations"]);
            let is_restricted = door::is_operators(path) || door::is_open(path);
            assert!(!is_operation || is_restricted, "{method} {path}");
        }
    }
}
