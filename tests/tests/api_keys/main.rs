//! Who comes in at the API, what is whose, and what only operators may do: with the
//! real program, over HTTP, and a real Redis behind it.

#![cfg(test)]

mod entering;
mod limiting;
mod operators;
mod owning;
mod retrying;

use std::time::Duration;

use hookme_shared::digest::sha256;
use hookme_shared::job::JobId;
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Address, Clock, Queue, Submission, Submitted, Terms, Work};
use hookme_shared::secret::Secret;
use hookme_tests::by_hand::OWNER;
use hookme_tests::redis_server::{namespace, shared_server};
use hookme_tests::site::{Answer, ApiClient};
use hookme_tests::{Program, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
/// Two clients' keys and an operator's.
const SHOP: &str = "ZmlZ0c0h9b1lVQ8p3Yy6m2bq5n7o8R4sT1uVwXyZaBc=";
const DESK: &str = "Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5MTI=";
const OPS: &str = "b3BlcmF0b3JzIGtleSB0aGF0IG5vYm9keSBnZXRzIDE=";

/// `API_KEYS` with all three.
fn keys() -> String {
    let (shop, desk, ops) = (sha256(SHOP), sha256(DESK), sha256(OPS));
    format!("shop:{shop},desk:{desk},ops:{ops}:operator")
}

/// A namespace with an API before it.
struct Door {
    program: Program,
    clients: ApiClient,
    /// The operators' listener, if there is one.
    operators: Option<ApiClient>,
    queue: Queue,
    namespace: String,
}

impl Door {
    /// An API with these variables and the three keys.
    async fn with_keys(variables: &[(&str, &str)]) -> Self {
        let keys = keys();
        let variables = [&[("API_KEYS", &*keys)], variables].concat();
        Self::start(&namespace(), &variables).await
    }

    /// An API with these variables before that namespace.
    async fn start(namespace: &str, variables: &[(&str, &str)]) -> Self {
        let program = start_program(namespace, variables).await;
        let clients = address_of(&program, "taking tasks").await;
        let with_operators = variables.iter().any(|(name, _)| *name == "OPERATOR_LISTEN");
        let operators = if with_operators {
            Some(address_of(&program, "serving operators").await)
        } else {
            None
        };
        let queue = Queue::new(&address(namespace).await, Terms::default()).unwrap();
        queue.load_functions().await.unwrap();
        Self {
            program,
            clients,
            operators,
            queue,
            namespace: namespace.to_owned(),
        }
    }

    fn operators(&self) -> &ApiClient {
        self.operators.as_ref().unwrap()
    }

    async fn get(&self, key: &str, path: &str) -> Answer {
        ask(&self.clients, Method::GET, path, Some(key), None).await
    }

    /// The id of a task that is made with that key.
    async fn submit(&self, key: &str, repository: &str) -> JobId {
        let body = json!({"username": OWNER, "repository": repository, "delay_ms": 0});
        let answer = ask(
            &self.clients,
            Method::POST,
            "/tasks",
            Some(key),
            Some(&body),
        )
        .await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.id().unwrap()
    }

    /// The id of a task for the queue itself, made with the key of that id.
    async fn enqueue(&self, owner: Option<&str>, repository: &str, work: Work) -> JobId {
        let task = Submission {
            id: JobId::random(),
            username: Username::parse(OWNER).unwrap(),
            repository: RepositoryName::parse(repository).unwrap(),
            work,
            delay: Duration::ZERO,
            owner: owner.map(|id| id.parse().unwrap()),
            destination: None,
            idempotency: None,
        };
        match self.queue.submit(&task).await.unwrap() {
            Submitted::Accepted(receipt) => receipt.id,
            other => panic!("{other:?}"),
        }
    }
}

/// An API's process; it may end or not.
async fn start_program(namespace: &str, variables: &[(&str, &str)]) -> Program {
    let url = shared_server().await.unwrap().url();
    let usual = [
        ("REDIS_URL", &*url),
        ("REDIS_NAMESPACE", namespace),
        ("ALLOW_UNSAFE_REDIS", "true"),
        ("LISTEN", "127.0.0.1:0"),
        ("REQUESTS_PER_KEY", "0"),
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", "info"),
    ];
    Program::start("api", &[&usual, variables].concat()).unwrap()
}

async fn address(namespace: &str) -> Address {
    Address {
        url: Secret::from(shared_server().await.unwrap().url()),
        namespace: namespace.to_owned(),
        response_timeout: PATIENCE,
        certificate_authority: None,
        clock: Clock::Redis,
    }
}

/// A client of the listener that the program told with these words.
async fn address_of(program: &Program, words: &str) -> ApiClient {
    let line = program.wait_for_log(words, PATIENCE).await.unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    ApiClient::new(line["address"].as_str().unwrap()).unwrap()
}

/// The answer, once the API is not too busy to give one.
async fn ask(
    api: &ApiClient,
    method: Method,
    path: &str,
    key: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let answered = eventually(PATIENCE, "an answer", async || {
        let mut request = api.request(method.clone(), path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json");
            request = request.body(body.to_string());
        }
        let answer = api.send(request).await.map_err(|error| error.to_string())?;
        if answer.body["error"] == "the queue is not available" {
            return Err(format!("{answer:?}"));
        }
        Ok(answer)
    });
    answered.await.unwrap()
}

fn assert_problem(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    let content_type = &answer.headers["content-type"];
    assert_eq!(content_type, "application/problem+json", "{answer:?}");
    assert_eq!(
        answer.body["type"],
        format!("/problems/{kind}"),
        "{answer:?}"
    );
}
