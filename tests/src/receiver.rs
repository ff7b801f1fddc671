//! The webhook's other end: takes deliveries, keeps them, answers as told.
//!
//! It checks one thing by itself, that one `webhook-id` always names one body,
//! because it sees every delivery. Signatures and contents are for the tests.

mod record;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::http_server::{self, Cut, HttpServer, endless};
use crate::lock::lock;
pub use record::Delivery;
use record::Record;

/// The largest body taken, in bytes; a larger one is cut and not recorded.
const BODY_MAX_BYTES: usize = 64 * 1_024 * 1_024;

/// What one delivery is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This status and these headers, at once.
    Status(u16, Vec<(String, String)>),
    /// This status, and what was sent as the body: the target and all headers.
    Echo(u16),
    /// This status, and this body.
    Says(u16, String),
    /// This status, that much later.
    Slow(Duration, u16),
    /// The delivery is taken and never answered.
    Hang,
    /// The connection is closed before the body is read. Nothing is recorded: as
    /// far as this receiver knows, there was no delivery.
    Drop,
    /// The delivery is taken and recorded; then the connection is closed.
    CloseAfterReading,
    /// 200 with a body that never ends.
    Endless,
}

impl Answer {
    /// This status without headers.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status(code, Vec::new())
    }
}

/// What is kept of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Everything,
    Counts,
}

/// A server that takes webhooks on 127.0.0.1. Dropping it closes all connections.
#[derive(Debug)]
pub struct Receiver {
    server: HttpServer,
    state: Arc<State>,
}

/// What the handlers share.
#[derive(Debug)]
struct State {
    keep: Keep,
    answers: Mutex<Answers>,
    record: Mutex<Record>,
    count: watch::Sender<usize>,
}

#[derive(Debug)]
struct Answers {
    scripted: VecDeque<Answer>,
    then: Answer,
}

impl Receiver {
    /// Starts a receiver that keeps every delivery whole.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_keeping(Keep::Everything).await
    }

    /// Starts a receiver for a benchmark: of each delivery it keeps only two
    /// hashes, of the id and of the body, so [`Receiver::deliveries`] and
    /// [`Receiver::ids`] stay empty.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn start_counting() -> anyhow::Result<Self> {
        Self::start_keeping(Keep::Counts).await
    }

    async fn start_keeping(keep: Keep) -> anyhow::Result<Self> {
        let (mut server, listener) = HttpServer::bind().await?;
        let then = Answer::status(200);
        let state = Arc::new(State {
            keep,
            answers: Mutex::new(Answers {
                scripted: VecDeque::new(),
                then,
            }),
            record: Mutex::default(),
            count: watch::channel(0).0,
        });
        let shared = Arc::clone(&state);
        server.serve(listener, move |request| {
            let state = Arc::clone(&shared);
            async move { state.handle(request).await }
        });
        Ok(Self { server, state })
    }

    /// Where webhooks go. Every path is taken; this is one of them.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/webhook", self.server.url())
    }

    /// Adds answers for the next deliveries, one each, in the order of arrival.
    pub fn answer(&self, answers: Vec<Answer>) {
        lock(&self.state.answers).scripted.extend(answers);
    }

    /// What is answered when no other answer is left; at first 200.
    pub fn answer_always(&self, answer: Answer) {
        lock(&self.state.answers).then = answer;
    }

    /// The deliveries so far, in the order in which their bodies were complete.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.state.record).deliveries().to_vec()
    }

    /// The `webhook-id` of each delivery so far, in order, repeated ones too.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let record = lock(&self.state.record);
        record
            .deliveries()
            .iter()
            .filter_map(|one| one.id().map(str::to_owned))
            .collect()
    }

    /// How many deliveries there were, repeated ones too.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.state.count.borrow()
    }

    /// How many different `webhook-id`s there were.
    #[must_use]
    pub fn distinct_ids(&self) -> usize {
        lock(&self.state.record).distinct_ids()
    }

    /// How many requests were no POST, and were refused with 405.
    #[must_use]
    pub fn strays(&self) -> usize {
        lock(&self.state.record).strays
    }

    /// Waits until there were at least `count` deliveries; returns those so far.
    ///
    /// # Errors
    ///
    /// At the deadline, with how many there were.
    pub async fn wait_for(
        &self,
        count: usize,
        deadline: Duration,
    ) -> anyhow::Result<Vec<Delivery>> {
        let mut counts = self.state.count.subscribe();
        let arrived = timeout(deadline, counts.wait_for(|seen| *seen >= count)).await;
        arrived
            .map_err(|_| anyhow!("{} of {count} deliveries within {deadline:?}", self.count()))?
            .context("the receiver has gone")?;
        Ok(self.deliveries())
    }

    /// Checks that each delivery had a `webhook-id` and that no id has ever come
    /// with two different bodies.
    ///
    /// # Errors
    ///
    /// When it is not so, with the ids.
    pub fn one_body_per_id(&self) -> anyhow::Result<()> {
        lock(&self.state.record).one_body_per_id()
    }
}

impl State {
    async fn handle(&self, request: Request<Incoming>) -> http_server::Answer {
        if request.method() != Method::POST {
            lock(&self.record).strays += 1;
            return Ok(respond(405, &[], Body::empty()));
        }
        let answer = self.next_answer();
        if answer == Answer::Drop {
            return Err(Cut);
        }
        let target = format!("{}\n{:?}", request.uri(), request.headers());
        self.take(request).await?;
        match answer {
            Answer::Echo(code) => Ok(respond(code, &[], Body::from(target))),
            Answer::Says(code, words) => Ok(respond(code, &[], Body::from(words))),
            Answer::Status(code, headers) => Ok(respond(code, &headers, Body::empty())),
            Answer::Slow(delay, code) => {
                sleep(delay).await;
                Ok(respond(code, &[], Body::empty()))
            }
            Answer::Hang => std::future::pending().await,
            Answer::Drop | Answer::CloseAfterReading => Err(Cut),
            Answer::Endless => Ok(respond(200, &[], endless(&[b'.'; 16 * 1_024]))),
        }
    }

    fn next_answer(&self) -> Answer {
        let mut answers = lock(&self.answers);
        answers
            .scripted
            .pop_front()
            .unwrap_or_else(|| answers.then.clone())
    }

    /// Reads the body and records the delivery.
    async fn take(&self, request: Request<Incoming>) -> Result<(), Cut> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), BODY_MAX_BYTES).await;
        let delivery = Delivery::new(head, body.map_err(|_| Cut)?);
        let mut record = lock(&self.record);
        record.add(delivery, self.keep == Keep::Everything);
        // Under the record's lock, so that whoever is woken sees the delivery.
        self.count.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// An answer; a status or a header that HTTP does not have becomes a plain 500.
fn respond(code: u16, headers: &[(String, String)], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            (Ok(name), Ok(value)) => _ = response.headers_mut().append(name, value),
            _ => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
    response
}
