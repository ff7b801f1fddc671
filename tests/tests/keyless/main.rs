//! Requests that a browser can send for a page to a listener that asks for no key: bytes
//! by hand, on a TCP socket, against the real programs.

#![cfg(test)]

mod cases;
mod routes;

use std::time::Duration;

use hookme_shared::digest::sha256;
use hookme_tests::Program;
use hookme_tests::process::free_port;
use hookme_tests::redis_server::{namespace, shared_server};
use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use cases::{CASES, Case, Outcome};
use routes::{Listener, Route};

const PATIENCE: Duration = Duration::from_secs(60);
/// The hosts that the programs are told of, in a spelling that is not the plainest.
const ALLOWED: &str = "Hookme.Internal., worker:4002,,10.0.0.7";
const KEY: &str = "ZmlZ0c0h9b1lVQ8p3Yy6m2bq5n7o8R4sT1uVwXyZaBc=";

/// A program, with variables that all of them know and these on top.
async fn start(name: &str, variables: &[(&str, &str)]) -> Program {
    let (url, namespace) = (shared_server().await.unwrap().url(), namespace());
    let usual = [
        ("REDIS_URL", &*url),
        ("REDIS_NAMESPACE", &*namespace),
        ("ALLOW_UNSAFE_REDIS", "true"),
        ("ALLOWED_HOSTS", ALLOWED),
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", "info"),
    ];
    Program::start(name, &[&usual, variables].concat()).unwrap()
}

/// An API with a listener for clients and one for operators, and where they are.
async fn start_api(variables: &[(&str, &str)]) -> (Program, [String; 2]) {
    let usual = [
        ("LISTEN", "127.0.0.1:0"),
        ("OPERATOR_LISTEN", "127.0.0.1:0"),
        ("REQUESTS_PER_KEY", "0"),
    ];
    let program = start("api", &[&usual, variables].concat()).await;
    let mut addresses = [String::new(), String::new()];
    for (address, words) in addresses
        .iter_mut()
        .zip(["taking tasks", "serving operators"])
    {
        let line = program.wait_for_log(words, PATIENCE).await.unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        line["address"].as_str().unwrap().clone_into(address);
    }
    (program, addresses)
}

/// A worker that serves operators, and where.
async fn start_worker() -> (Program, String) {
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let variables = [
        ("WEBHOOK_URL", "none"),
        ("API_URL", "http://127.0.0.1:9"),
        ("OPERATOR_LISTEN", &*address),
    ];
    let program = start("worker", &variables).await;
    program.wait_for_log("taking jobs", PATIENCE).await.unwrap();
    (program, address)
}

/// All that comes back for these bytes, which ask for the end of the connection.
async fn exchange(address: &str, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.unwrap_or_else(|_| panic!("still open: {bytes}"))
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

/// The body of an answer that says what is wrong.
fn problem(answer: &str) -> Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("content-type: application/problem+json"),
        "{answer}"
    );
    serde_json::from_str(body).unwrap()
}

/// Sends the request of that case for that route, and looks whether the answer is what
/// is expected.
async fn assert_case(listener: &Listener, route: &Route, case: &Case) {
    let request = case.request(&route.method, &route.path, &listener.address);
    let answer = exchange(&listener.address, &request).await;
    let shown = format!("{} {request:?}: {answer}", listener.name);
    let outcome = Outcome::of(status(&answer), answer.ends_with("\r\n\r\n"));
    assert_eq!(outcome, case.outcome(&route.method), "{shown}");
    let name = match outcome {
        Outcome::OtherHost => "host-not-allowed",
        Outcome::CrossOrigin => "cross-origin",
        Outcome::Passes | Outcome::Broken => return,
    };
    if route.method != Method::HEAD {
        let problem = problem(&answer);
        assert_eq!(problem["type"], listener.problem(name), "{shown}");
        let names_setting = problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("ALLOWED_HOSTS ");
        assert_eq!(names_setting, outcome == Outcome::OtherHost, "{shown}");
    }
}

#[tokio::test]
async fn every_route_of_every_listener_without_keys_judges_every_case_alike() {
    assert!(CASES.len() >= 25);
    let (_api, [clients, operators]) = start_api(&[]).await;
    let (_worker, worker) = start_worker().await;
    let try_all = async |listener: Listener| {
        for route in &listener.routes {
            for case in CASES {
                assert_case(&listener, route, case).await;
            }
        }
    };
    tokio::join!(
        try_all(Listener::of_api("clients", clients).await),
        try_all(Listener::of_api("operators", operators).await),
        try_all(Listener::of_worker(worker)),
    );
}

#[tokio::test]
async fn where_keys_are_asked_for_no_page_gets_further_than_without_one() {
    let keys = format!("shop:{}", sha256(KEY));
    let (_api, [clients, operators]) = start_api(&[("API_KEYS", &keys)]).await;
    let foreign = "host: evil.example\r\nsec-fetch-site: cross-site\r\norigin: http://evil.example\r\nconnection: close\r\ncontent-length: 0";
    let clients = Listener::of_api("clients", clients).await;
    for route in &clients.routes {
        let request = format!("{} {} HTTP/1.1\r\n{foreign}", route.method, route.path);
        let with_key = format!("{request}\r\nauthorization: Bearer {KEY}\r\n\r\n");
        let without = exchange(&clients.address, &format!("{request}\r\n\r\n")).await;
        let open = ["/livez", "/readyz", "/openapi.json", "/docs", "/problems/"];
        let is_open = open.iter().any(|path| route.path.starts_with(path));
        // 404 are the routes that only the operators' listener has.
        let is_refused = [401, 404].contains(&status(&without));
        assert!(is_refused || is_open, "{request}: {without}");
        let answer = exchange(&clients.address, &with_key).await;
        assert!(![401, 403, 421].contains(&status(&answer)), "{answer}");
    }
    // That of the operators asks for none, and so for the rest.
    let operators = Listener::of_api("operators", operators).await;
    for route in &operators.routes {
        let request = format!(
            "{} {} HTTP/1.1\r\n{foreign}\r\n\r\n",
            route.method, route.path
        );
        assert_eq!(status(&exchange(&operators.address, &request).await), 421);
    }
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_told_once_to_whoever_reads_the_log() {
    let (api, [clients, _]) = start_api(&[]).await;
    let (worker, operators) = start_worker().await;
    for (program, address) in [(api, clients), (worker, operators)] {
        for _ in 0..3 {
            let request = "GET /livez HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
            assert_eq!(status(&exchange(&address, request).await), 421);
        }
        program
            .wait_for_log("ALLOWED_HOSTS", PATIENCE)
            .await
            .unwrap();
        program.terminate().unwrap();
        program.wait(PATIENCE).await.unwrap();
        let log = program.log();
        assert_eq!(log.matches("ALLOWED_HOSTS").count(), 1, "{log}");
        assert!(log.contains("evil.example"), "{log}");
    }
}

#[tokio::test]
async fn a_name_that_no_host_has_ends_the_start() {
    for (program, variables) in [
        (
            "api",
            [("LISTEN", "127.0.0.1:0"), ("REQUESTS_PER_KEY", "0")],
        ),
        (
            "worker",
            [("WEBHOOK_URL", "none"), ("REQUESTS_PER_KEY", "0")],
        ),
    ] {
        for wrong in ["*", "http://hookme", "a b", "[::1"] {
            let variables = [&variables[..], &[("ALLOWED_HOSTS", wrong)]].concat();
            let program = start(program, &variables).await;
            assert_ne!(program.wait(PATIENCE).await.unwrap().code(), Some(0));
            let log = program.log();
            assert!(log.contains("ALLOWED_HOSTS must be "), "{wrong}: {log}");
        }
    }
}
