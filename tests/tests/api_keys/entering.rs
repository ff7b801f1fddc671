//! Who comes in, and who is told to show a key.

use std::collections::BTreeSet;

use hookme_shared::digest::sha256;
use hookme_tests::redis_server::namespace;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::json;

use super::{DESK, Door, OPS, PATIENCE, SHOP, ask, assert_problem, keys, start_program};

#[tokio::test]
async fn whatever_is_shown_instead_of_a_key_gets_one_and_the_same_refusal() {
    let door = Door::with_keys(&[]).await;
    let id = door.submit(SHOP, "hello").await;
    let (own, retry) = (format!("/tasks/{id}"), format!("/tasks/{id}/retry"));
    let long = format!("Bearer {}", "k".repeat(8_000));
    let longer = format!("Bearer {SHOP}x");
    let (basic, bare, twice) = (
        format!("Basic {SHOP}"),
        SHOP.to_owned(),
        format!("Bearer {SHOP}, Bearer {SHOP}"),
    );
    let hash = format!("Bearer {}", sha256(SHOP));
    let shown: [Option<&[u8]>; 12] = [
        None,
        Some(b""),
        Some(b"Bearer"),
        Some(b"Bearer "),
        Some(b"Bearer wrong"),
        Some(b"Bearer \xff\xfe"),
        Some(long.as_bytes()),
        Some(longer.as_bytes()),
        Some(&longer.as_bytes()[..longer.len() - 2]),
        Some(basic.as_bytes()),
        Some(bare.as_bytes()),
        Some(twice.as_bytes()),
    ];
    let paths = [
        (Method::GET, "/tasks"),
        (Method::POST, "/tasks"),
        (Method::GET, &*own),
        (Method::DELETE, &*own),
        (Method::POST, &*retry),
        (Method::POST, "/tasks/retry"),
        (Method::GET, "/metrics"),
        (Method::PUT, "/tasks"),
        (Method::GET, "/nowhere"),
        (Method::GET, "/"),
    ];
    let mut bodies = BTreeSet::new();
    for (method, path) in &paths {
        for shown in shown.into_iter().chain([Some(hash.as_bytes())]) {
            let mut request = door.clients.request(method.clone(), path);
            if let Some(shown) = shown {
                request = request.header("authorization", HeaderValue::from_bytes(shown).unwrap());
            }
            let answer = door.clients.send(request).await.unwrap();
            assert_problem(&answer, 401, "key-needed");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            bodies.insert(answer.body.to_string());
        }
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    // Nothing of all this has touched the task.
    assert_eq!(door.get(SHOP, &own).await.body["state"], "scheduled");
}

#[tokio::test]
async fn every_key_that_is_known_lets_in_and_the_word_before_it_has_no_case() {
    let door = Door::with_keys(&[]).await;
    for key in [SHOP, DESK, OPS] {
        assert_eq!(door.get(key, "/tasks").await.status, 200);
        assert_problem(&door.get(key, "/nowhere").await, 404, "unknown-path");
        for scheme in ["bearer", "BEARER"] {
            let request = door.clients.request(Method::GET, "/tasks");
            let request = request.header("authorization", format!("{scheme} {key}"));
            assert_eq!(door.clients.send(request).await.unwrap().status, 200);
        }
    }
}

#[tokio::test]
async fn what_tells_of_health_and_what_describes_the_api_needs_no_key() {
    let door = Door::with_keys(&[]).await;
    for path in [
        "/livez",
        "/readyz",
        "/docs/",
        "/docs/index.css",
        "/openapi.json",
        "/problems/key-needed",
    ] {
        let answer = ask(&door.clients, Method::GET, path, None, None).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let description = ask(&door.clients, Method::GET, "/openapi.json", None, None)
        .await
        .body;
    let scheme = &description["components"]["securitySchemes"]["key"];
    assert_eq!(
        (&scheme["type"], &scheme["scheme"]),
        (&json!("http"), &json!("bearer"))
    );
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let asks = !operation["security"].is_null();
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let path = path.replace("{id}", "none").replace("{name}", "key-needed");
            let answer = ask(&door.clients, method, &path, None, None).await;
            assert_eq!(answer.status == 401, asks, "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_api_that_others_reach_does_not_start_without_keys_and_says_what_to_do() {
    let everywhere = ("LISTEN", "0.0.0.0:0");
    let program = start_program(&namespace(), &[everywhere]).await;
    let ended = program.wait(PATIENCE).await.unwrap();
    assert_ne!(ended.code(), Some(0));
    let log = program.log();
    for word in ["API_KEYS", "README.md", "127.0.0.1", "ALLOW_ANONYMOUS=true"] {
        assert!(log.contains(word), "{word}: {log}");
    }

    let keys = keys();
    for allowed in [("ALLOW_ANONYMOUS", "true"), ("API_KEYS", &*keys)] {
        let program = start_program(&namespace(), &[everywhere, allowed]).await;
        program
            .wait_for_log("taking tasks", PATIENCE)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_key_in_the_place_of_its_hash_ends_the_start_and_is_not_repeated() {
    let program = start_program(&namespace(), &[("API_KEYS", &format!("shop:{SHOP}"))]).await;
    assert_ne!(program.wait(PATIENCE).await.unwrap().code(), Some(0));
    let log = program.log();
    assert!(
        log.contains("API_KEYS must be ") && !log.contains(SHOP),
        "{log}"
    );
}

#[tokio::test]
async fn neither_a_key_nor_its_hash_is_ever_logged() {
    let door = Door::with_keys(&[("RUST_LOG", "trace"), ("OPERATOR_LISTEN", "127.0.0.1:0")]).await;
    let wrong = "canary-of-a-wrong-key";
    for key in [SHOP, OPS, wrong] {
        for path in ["/tasks", "/nowhere", "/tasks/none"] {
            door.get(key, path).await;
        }
    }
    door.submit(SHOP, "hello").await;
    door.program.terminate().unwrap();
    door.program.wait(PATIENCE).await.unwrap();
    let log = door.program.log();
    assert!(log.contains("taking tasks"), "{log}");
    for secret in [SHOP, DESK, OPS, wrong] {
        assert!(
            !log.contains(secret) && !log.contains(&sha256(secret)),
            "{secret}"
        );
    }
}
