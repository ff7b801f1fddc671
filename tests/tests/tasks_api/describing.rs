//! What the API says of itself, with nothing but its own binary.

use std::collections::BTreeSet;

use hookme_tests::House;
use reqwest::Method;
use serde_json::Value;

use super::{get, text};

/// The routes, and the statuses that each can answer.
const ROUTES: [(&str, &str, &str); 12] = [
    (
        "post",
        "/tasks",
        "200 202 400 401 403 408 409 413 415 421 422 429 503",
    ),
    ("get", "/tasks", "200 400 401 421 429 503"),
    ("get", "/tasks/{id}", "200 401 404 421 429 500 503"),
    (
        "delete",
        "/tasks/{id}",
        "200 202 401 403 404 409 421 429 503",
    ),
    (
        "post",
        "/tasks/{id}/retry",
        "202 401 403 404 409 421 429 503",
    ),
    (
        "post",
        "/tasks/retry",
        "200 400 401 403 408 413 415 421 429 503",
    ),
    ("get", "/destinations", "200 401 403 421 429 503"),
    (
        "post",
        "/destinations/{id}/enable",
        "200 401 403 404 421 429 503",
    ),
    ("get", "/livez", "200 421"),
    ("get", "/readyz", "200 421 503"),
    ("get", "/metrics", "200 401 403 421 429"),
    ("get", "/problems/{name}", "200 404 421"),
];

#[tokio::test]
async fn the_description_names_every_route_and_each_answers_as_it_says() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let description = get(&api, "/openapi.json").await.body;
    assert!(
        description["openapi"].as_str().unwrap().starts_with("3."),
        "{description}"
    );
    let paths = description["paths"].as_object().unwrap();
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(move |method| (method.as_str(), path.as_str()))
        })
        .collect();
    let expected: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .collect();
    assert_eq!(described, expected);
    for (method, path, statuses) in ROUTES {
        let responses = description["paths"][path][method]["responses"]
            .as_object()
            .unwrap();
        let given: Vec<_> = responses.keys().map(String::as_str).collect();
        assert_eq!(given.join(" "), statuses, "{method} {path}");
        for (status, response) in responses
            .iter()
            .filter(|(status, _)| status.as_str() >= "400")
        {
            let content = &response["content"]["application/problem+json"];
            assert!(content.is_object(), "{method} {path} {status}");
        }
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let path = path.replace("{id}", "none").replace("{name}", "none");
        let answer = api.send(api.request(method.clone(), &path)).await.unwrap();
        let status = answer.status.as_str();
        assert!(
            statuses.contains(status),
            "{method} {path} answered {status}"
        );
    }
}

#[tokio::test]
async fn the_docs_are_a_page_that_needs_no_other_server() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let (status, page) = text(&api, "/docs/").await;
    assert_eq!(status, 200);
    let sources: Vec<_> = page
        .split(['"', '\''])
        .filter(|word| {
            [".js", ".css", ".png"]
                .iter()
                .any(|ending| word.ends_with(ending))
        })
        .collect();
    assert!(sources.len() >= 3, "{page}");
    for source in sources {
        assert!(!source.contains("//"), "{source} is on another server");
        let (status, content) =
            text_or_bytes(&api, &format!("/docs/{}", source.trim_start_matches("./"))).await;
        assert_eq!((status, content > 0), (200, true), "{source}");
    }
    let (_, start) = text(&api, "/docs/swagger-initializer.js").await;
    assert!(
        start.contains("/openapi.json") && !start.contains("petstore"),
        "{start}"
    );
}

/// The status and the length: an image is no text.
async fn text_or_bytes(api: &hookme_tests::site::ApiClient, path: &str) -> (u16, usize) {
    let response = api.request(Method::GET, path).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.bytes().await.unwrap().len())
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_description() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    for path in ["/nowhere", "/tasks/none", "/tasks?state=none"] {
        let problem = get(&api, path).await.body;
        let (status, words) = text(&api, problem["type"].as_str().unwrap()).await;
        assert_eq!(status, 200, "{problem}");
        assert!(
            words.starts_with(problem["title"].as_str().unwrap()),
            "{words}"
        );
    }
    assert_eq!(
        get(&api, "/problems/none").await.body["code"],
        Value::from(404)
    );
}
