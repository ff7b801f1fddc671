//! What is for operators, and where.

use std::os::unix::fs::PermissionsExt;

use hookme_tests::Program;
use hookme_tests::process::find_binary;
use hookme_tests::redis_server::namespace;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Door, OPS, PATIENCE, SHOP, ask, assert_problem};

const LISTENER: (&str, &str) = ("OPERATOR_LISTEN", "127.0.0.1:0");

/// The routes of operators, with a body that does nothing.
fn routes() -> [(Method, &'static str, Option<Value>); 3] {
    [
        (Method::GET, "/metrics", None),
        (Method::GET, "/destinations", None),
        (Method::POST, "/tasks/retry", Some(json!({}))),
    ]
}

#[tokio::test]
async fn with_a_listener_of_their_own_operators_routes_are_nowhere_else() {
    let with_keys = Door::with_keys(&[LISTENER]).await;
    let without = Door::start(&namespace(), &[LISTENER]).await;
    for (door, keys) in [
        (&with_keys, vec![None, Some(SHOP), Some(OPS)]),
        (&without, vec![None]),
    ] {
        for (method, path, body) in routes() {
            for key in &keys {
                let refused = ask(&door.clients, method.clone(), path, *key, body.as_ref()).await;
                assert_problem(&refused, 404, "unknown-path");
            }
            let served = ask(door.operators(), method, path, None, body.as_ref()).await;
            assert_eq!(served.status, 200, "{path}: {served:?}");
        }
    }
}

#[tokio::test]
async fn without_one_they_need_an_operator_s_key_or_none_where_none_are_set() {
    let with_keys = Door::with_keys(&[]).await;
    let without = Door::start(&namespace(), &[]).await;
    for (method, path, body) in routes() {
        let send = async |door: &Door, key| {
            ask(&door.clients, method.clone(), path, key, body.as_ref()).await
        };
        assert_problem(&send(&with_keys, None).await, 401, "key-needed");
        assert_problem(&send(&with_keys, Some(SHOP)).await, 403, "operators-only");
        assert_eq!(send(&with_keys, Some(OPS)).await.status, 200, "{path}");
        assert_eq!(send(&without, None).await.status, 200, "{path}");
    }
    let enable = "/destinations/default/enable";
    let refused = ask(&with_keys.clients, Method::POST, enable, Some(SHOP), None).await;
    assert_problem(&refused, 403, "operators-only");
}

#[tokio::test]
async fn an_operator_sees_and_does_everything_on_its_listener_without_a_key() {
    let door = Door::with_keys(&[LISTENER]).await;
    let id = door.submit(SHOP, "hello").await;
    let api = door.operators();
    for path in ["/livez", "/readyz", "/docs/", "/openapi.json", "/tasks"] {
        let answer = ask(api, Method::GET, path, None, None).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let path = format!("/tasks/{id}");
    let shown = ask(api, Method::GET, &path, None, None).await;
    assert_eq!(
        (shown.status.as_u16(), &shown.body["owner"]),
        (200, &json!("shop"))
    );
    assert_eq!(
        ask(api, Method::DELETE, &path, None, None).await.status,
        200
    );
    // A task that is made here is nobody's.
    let made = ask(
        api,
        Method::POST,
        "/tasks",
        None,
        Some(&json!({"username": "o", "repository": "r"})),
    )
    .await;
    let path = format!("/tasks/{}", made.id().unwrap());
    assert_problem(&door.get(SHOP, &path).await, 404, "unknown-task");
    assert_eq!(door.get(OPS, &path).await.body["owner"], Value::Null);
}

#[tokio::test]
async fn both_listeners_end_with_the_program() {
    let door = Door::with_keys(&[LISTENER]).await;
    door.program.terminate().unwrap();
    assert_eq!(door.program.wait(PATIENCE).await.unwrap().code(), Some(0));
    for api in [&door.clients, door.operators()] {
        let answer = api.request(Method::GET, "/livez").send().await;
        assert!(answer.is_err_and(|error| error.is_connect()));
    }
}

#[tokio::test]
async fn the_health_check_needs_no_key() {
    let door = Door::with_keys(&[]).await;
    let listen = door.clients.request(Method::GET, "/").build().unwrap();
    let listen = listen.url().authority().to_owned();
    let check = async |listen: &str| {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("check");
        let binary = find_binary("api").unwrap();
        std::fs::write(
            &script,
            format!("#!/bin/sh\nexec '{}' --healthcheck\n", binary.display()),
        )
        .unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let program = Program::start_file(&script, &[("LISTEN", listen)]).unwrap();
        program.wait(PATIENCE).await.unwrap().code()
    };
    assert_eq!(check(&listen).await, Some(0));
    assert_ne!(check("127.0.0.1:9").await, Some(0));
}
