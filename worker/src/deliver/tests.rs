//! The delivery against a real receiver.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::routing::post;
use futures_util::stream;
use reqwest::dns::{Addrs, Name, Resolving};

use hookme_shared::job::Truncated;

use super::*;
use crate::http::testing::{Server, serve};

/// A request as the receiver saw it.
struct Seen {
    uri: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A receiver that gives the same answer to everything.
struct Receiver {
    server: Server,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    async fn answering(
        answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let handler = move |request: Request<Body>| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            log.lock().unwrap().push(Seen {
                uri: parts.uri.to_string(),
                headers: parts.headers,
                body,
            });
            answer()
        };
        let server = serve(Router::new().fallback(post(handler))).await;
        Self { server, seen }
    }

    fn deliverer(&self, timeout: Duration) -> Deliverer {
        Deliverer::new(&self.settings(timeout)).unwrap()
    }

    fn settings(&self, timeout: Duration) -> WebhookSettings {
        WebhookSettings {
            url: Some(self.server.url.join("/hook?key=1").unwrap()),
            guard: Guard::default(),
            signer: None,
            in_flight: 0,
            timeout,
            report_max_bytes: 1024,
        }
    }

    async fn receive(&self) -> Delivery {
        let body = Bytes::from_static(b"{\"a\":1}");
        send(&self.deliverer(Duration::from_secs(20)), body, false).await
    }
}

/// Delivers to the operator's webhook.
async fn send(deliverer: &Deliverer, body: Bytes, contributors_unavailable: bool) -> Delivery {
    let omissions = Omissions {
        contributors_unavailable,
        ..Omissions::default()
    };
    let target = deliverer.target(None).unwrap();
    deliverer.deliver(&target, "job-1", body, omissions).await
}

fn answer(status: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}

/// A body of which three bytes come and then nothing.
fn stuck() -> Body {
    let first = stream::iter([Ok::<_, Infallible>("abc")]);
    Body::from_stream(futures_util::StreamExt::chain(first, stream::pending()))
}

#[tokio::test]
async fn a_delivery_carries_its_id_its_time_and_the_body_as_given() {
    let receiver = Receiver::answering(|| answer(200, "thanks")).await;
    let before = unix_seconds();
    assert_eq!(
        receiver.receive().await,
        Delivery::Delivered { status: 200 }
    );
    let seen = receiver.seen.lock().unwrap();
    let header = |name: &str| {
        seen[0]
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(seen[0].uri, "/hook?key=1");
    assert_eq!(seen[0].body, "{\"a\":1}");
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("content-length"), Some("7"));
    assert_eq!(header("user-agent"), Some(http::USER_AGENT));
    assert_eq!(header("webhook-id"), Some("job-1"));
    let stamp: u64 = header("webhook-timestamp").unwrap().parse().unwrap();
    assert!((before..=unix_seconds()).contains(&stamp), "{stamp}");
    assert_eq!(header("hookme-contributors"), None);
    assert_eq!(header("authorization"), None);
    assert_eq!(header("accept-encoding"), None);
}

#[tokio::test]
async fn a_report_without_its_contributors_says_so_in_a_header() {
    let receiver = Receiver::answering(|| answer(204, "")).await;
    let deliverer = receiver.deliverer(Duration::from_secs(20));
    let delivery = send(&deliverer, Bytes::new(), true).await;
    assert_eq!(delivery, Delivery::Delivered { status: 204 });
    let seen = receiver.seen.lock().unwrap();
    assert_eq!(seen[0].headers["hookme-contributors"], "unavailable");
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let stranger = Receiver::answering(|| answer(200, "")).await;
    let there = stranger.server.url.to_string();
    let receiver = Receiver::answering(move || {
        let redirect = Response::builder().status(307).header("location", &there);
        redirect.body(Body::empty()).unwrap()
    })
    .await;
    assert!(matches!(receiver.receive().await, Delivery::Retry { .. }));
    assert!(stranger.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_receivers_words_and_wish_reach_the_outcome() {
    let receiver = Receiver::answering(|| {
        let busy = Response::builder().status(503).header("retry-after", "9");
        busy.body(Body::from("busy\n")).unwrap()
    })
    .await;
    let expected = Delivery::Retry {
        status: Some(503),
        reason: "the webhook answered 503: busy".to_owned(),
        retry_after: Some(Duration::from_secs(9)),
    };
    assert_eq!(receiver.receive().await, expected);
    let gone = Receiver::answering(|| answer(410, "")).await;
    assert!(matches!(gone.receive().await, Delivery::Gone { .. }));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_and_the_status_stands() {
    let chunk = || Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 16 * 1024]));
    let endless = move || Body::from_stream(stream::repeat_with(chunk));
    for (status, delivered) in [(200, true), (500, false)] {
        let receiver = Receiver::answering(move || answer(status, endless())).await;
        let outcome = receiver.receive().await;
        assert_eq!(
            matches!(outcome, Delivery::Delivered { .. }),
            delivered,
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_body_that_gets_stuck_does_not_undo_a_success() {
    let receiver = Receiver::answering(|| answer(200, stuck())).await;
    let deliverer = receiver.deliverer(Duration::from_millis(200));
    let delivery = send(&deliverer, Bytes::new(), false).await;
    assert_eq!(delivery, Delivery::Delivered { status: 200 });
}

#[tokio::test]
async fn the_answers_body_has_a_time_of_its_own() {
    let receiver = Receiver::answering(|| answer(500, stuck())).await;
    let mut deliverer = receiver.deliverer(Duration::from_secs(600));
    deliverer.answer_time_max = Duration::from_millis(100);
    let delivery = send(&deliverer, Bytes::new(), false).await;
    let reason = "the webhook answered 500: abc".to_owned();
    assert_eq!(
        delivery,
        Delivery::Retry {
            status: Some(500),
            reason,
            retry_after: None
        }
    );
}

#[tokio::test]
async fn a_receiver_that_is_silent_or_away_is_tried_again_and_the_reason_keeps_the_url() {
    let silent = Router::new().fallback(post(|| async { std::future::pending::<()>().await }));
    let server = serve(silent).await;
    let away: Url = "http://127.0.0.1:1/?key=canary".parse().unwrap();
    let table = [
        (
            server.url.join("/?key=canary").unwrap(),
            "the webhook did not answer: no answer in time",
        ),
        (away, "refused"),
    ];
    for (url, words) in table {
        let settings = WebhookSettings {
            url: Some(url),
            guard: Guard::default(),
            signer: None,
            in_flight: 0,
            timeout: Duration::from_millis(50),
            report_max_bytes: 1,
        };
        let delivery = send(&Deliverer::new(&settings).unwrap(), Bytes::new(), false).await;
        let Delivery::Retry {
            reason,
            status: None,
            retry_after: None,
        } = delivery
        else {
            panic!("tried again, not {delivery:?}");
        };
        assert!(
            reason.contains(words) && !reason.contains("canary"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn the_lists_that_were_cut_are_named_in_a_header() {
    let receiver = Receiver::answering(|| answer(200, "")).await;
    let deliverer = receiver.deliverer(Duration::from_secs(20));
    let target = deliverer.target(None).unwrap();
    for (issues, contributors) in [(false, false), (true, false), (false, true), (true, true)] {
        let omissions = Omissions {
            truncated: Truncated {
                issues,
                contributors,
            },
            ..Omissions::default()
        };
        let sent = deliverer.deliver(&target, "job-1", Bytes::new(), omissions);
        assert!(matches!(sent.await, Delivery::Delivered { .. }));
    }
    let seen = receiver.seen.lock().unwrap();
    let named = seen.iter().map(|one| {
        let name = one.headers.get("hookme-truncated");
        name.map(|name| name.to_str().unwrap().to_owned())
    });
    let expected = [
        None,
        Some("issues"),
        Some("contributors"),
        Some("issues, contributors"),
    ];
    assert_eq!(
        named.collect::<Vec<_>>(),
        expected.map(|name| name.map(str::to_owned))
    );
}

#[tokio::test]
async fn an_id_that_could_split_the_head_is_never_sent() {
    let receiver = Receiver::answering(|| answer(200, "")).await;
    let deliverer = receiver.deliverer(Duration::from_secs(20));
    let target = deliverer.target(None).unwrap();
    let id = "a\r\nx: y";
    let delivery = deliverer
        .deliver(&target, id, Bytes::new(), Omissions::default())
        .await;
    assert!(matches!(delivery, Delivery::Final { .. }));
    assert!(receiver.seen.lock().unwrap().is_empty());
}

/// Looks names up in a script: each look gets the next answer, and the last one stays.
struct Script(Mutex<Vec<Vec<&'static str>>>);

impl Resolve for Script {
    fn resolve(&self, _name: Name) -> Resolving {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        };
        let addresses: Vec<SocketAddr> = answer
            .into_iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
            .collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

/// Delivers to a place of a client, at the receiver's port, whose name is looked up in
/// the script.
async fn send_to_name(
    receiver: &Receiver,
    allowed: &str,
    script: Vec<Vec<&'static str>>,
) -> Delivery {
    let mut settings = receiver.settings(Duration::from_millis(500));
    settings.guard.allow_http = true;
    settings.guard.allowed = allowed
        .split_whitespace()
        .map(|net| net.parse().unwrap())
        .collect();
    let deliverer = Deliverer::looking_up(&settings, Arc::new(Script(Mutex::new(script)))).unwrap();
    let port = receiver.server.url.port().unwrap();
    let url = format!("http://hooks.example.com:{port}/hook");
    let named = Destination::new(url.parse().unwrap());
    let target = deliverer.target(Some(&named)).unwrap();
    deliverer
        .deliver(&target, "job-1", Bytes::new(), Omissions::default())
        .await
}

#[tokio::test]
async fn a_name_with_any_private_address_is_never_connected_to() {
    let receiver = Receiver::answering(|| answer(200, "")).await;
    for addresses in [
        vec!["127.0.0.1"],
        vec!["1.1.1.1", "127.0.0.1"],
        vec!["127.0.0.1", "1.1.1.1"],
        vec!["::ffff:127.0.0.1"],
        vec!["0.0.0.0"],
        vec!["::1"],
    ] {
        let delivery = send_to_name(&receiver, "", vec![addresses.clone()]).await;
        let Delivery::Retry { reason, .. } = delivery else {
            panic!("{addresses:?}: {delivery:?}");
        };
        assert!(
            reason.ends_with("its host has a private address"),
            "{reason}"
        );
    }
    assert!(receiver.seen.lock().unwrap().is_empty());
    // The same way leads there if the network is allowed.
    let delivery = send_to_name(&receiver, "127.0.0.0/8", vec![vec!["127.0.0.1"]]).await;
    assert_eq!(delivery, Delivery::Delivered { status: 200 });
}

#[tokio::test]
async fn a_host_is_looked_up_once_for_a_connection_and_judged_by_that_look() {
    let receiver = Receiver::answering(|| answer(200, "")).await;
    // Whoever looked a second time would connect to the second address.
    let script = vec![vec!["127.0.0.2"], vec!["127.0.0.1"]];
    let delivery = send_to_name(&receiver, "127.0.0.2/32", script).await;
    assert!(matches!(delivery, Delivery::Retry { .. }), "{delivery:?}");
    assert!(receiver.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_place_that_must_not_be_reached_any_more_ends_its_jobs() {
    let receiver = Receiver::answering(|| answer(200, "")).await;
    let deliverer = receiver.deliverer(Duration::from_secs(20));
    let named = Destination::new(receiver.server.url.clone());
    let target = deliverer.target(Some(&named)).unwrap();
    let delivery = deliverer
        .deliver(&target, "job-1", Bytes::new(), Omissions::default())
        .await;
    assert!(matches!(delivery, Delivery::Final { .. }), "{delivery:?}");
    assert!(receiver.seen.lock().unwrap().is_empty());
}
