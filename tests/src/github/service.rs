//! One request from its arrival to its answer: recorded, let in or refused, served,
//! and spoiled on order.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use super::access::{Access, Caller};
use super::answer::{Answer, add_common_headers};
use super::catalog::Catalog;
use super::comments::Comments;
use super::fault::{self, Fault, Script};
use super::gate::{Gate, Rates};
use super::limiter::{Ask, Kind};
use super::log::RequestLog;
use super::target::{Resource, Target};
use super::{graphql, refusal, resource};
use crate::http_server;
use crate::lock::lock;

/// What the handlers share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) catalog: Catalog,
    pub(super) comments: Comments,
    pub(super) access: Access,
    pub(super) gate: Gate,
    pub(super) script: Mutex<Script>,
    pub(super) log: RequestLog,
    /// How many ids GraphQL answers in full.
    pub(super) heavy_above: AtomicUsize,
}

impl State {
    pub(super) async fn handle(&self, request: Request<Incoming>) -> http_server::Answer {
        let uri = request.uri();
        let name_of = |id| self.catalog.name_of(id);
        let target = Target::parse(uri.path(), uri.query().unwrap_or_default(), name_of);
        let in_flight = self.log.begin(&request, &target);
        let caller = self.access.caller(request.headers());
        let (head, body) = request.into_parts();
        let shown = self.look(&head, &target, caller);
        let ask = ask(&head.method, &target, caller, shown.as_ref());
        let admission = match self.gate.enter(caller, ask) {
            Ok(admission) => admission,
            Err(refused) => {
                let (answer, rates) = *refused;
                let mut response = answer.into_response();
                self.gate.date(response.headers_mut());
                add_common_headers(response.headers_mut(), rates, in_flight.number);
                return Ok(response);
            }
        };
        let fault = lock(&self.script).take(&target);
        let good = match shown {
            Some(answer) => answer,
            None if fault.as_ref().is_none_or(Fault::lets_happen) => {
                let body = body.collect().await.map_err(|_| http_server::Cut)?;
                self.change(&target, caller, &body.to_bytes())
            }
            // The fault replaces it.
            None => Answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
        };
        let rates = match admission.rates {
            Rates::Plenty { reset, .. } => Rates::Plenty {
                reset,
                token: !good.rates_without_token,
            },
            counted => counted,
        };
        let mut response = match fault {
            None => good.into_response(),
            Some(fault) => fault::apply(fault, good, self.catalog.api()).await?,
        };
        self.gate.date(response.headers_mut());
        add_common_headers(response.headers_mut(), rates, in_flight.number);
        Ok(response)
    }

    /// The answer to what changes nothing; none, if the request may change something,
    /// which it must not before it is let in.
    fn look(&self, head: &Parts, target: &Target, caller: Caller) -> Option<Answer> {
        if caller == Caller::Refused {
            return Some(refusal::bad_credentials());
        }
        if head.method == Method::GET {
            let stored = (&self.catalog, &self.comments);
            return Some(resource::answer(stored, target, caller, &head.headers));
        }
        let changes = match target.resource {
            Resource::Comments(..) | Resource::Graphql => head.method == Method::POST,
            _ => false,
        };
        if changes {
            return resource::nameless(&head.headers);
        }
        let moved = resource::moved(&self.catalog, target, StatusCode::TEMPORARY_REDIRECT);
        Some(moved.unwrap_or_else(|| Answer::error(StatusCode::NOT_FOUND, "Not Found", "")))
    }

    /// Does what a POST asks for.
    fn change(&self, target: &Target, caller: Caller, body: &Bytes) -> Answer {
        let Caller::User(user) = caller else {
            return refusal::requires_authentication("");
        };
        let Resource::Comments(name, number) = &target.resource else {
            let heavy_above = self.heavy_above.load(Ordering::SeqCst);
            return graphql::answer(&self.catalog.accounts, body, heavy_above);
        };
        let Some(entry) = self.catalog.find(name) else {
            let moved = resource::moved(&self.catalog, target, StatusCode::TEMPORARY_REDIRECT);
            return moved.unwrap_or_else(|| resource::not_found(""));
        };
        if !entry.has_issue(*number) {
            return resource::not_found("issues/comments#create-an-issue-comment");
        }
        let author = self.catalog.accounts.of_token_user(user);
        let now_ms = self.gate.now_ms();
        let api = self.catalog.api();
        self.comments
            .post(api, (&entry, *number), author, body, now_ms)
    }
}

/// What a request is to the limits. `shown`: its answer, where that is known before.
fn ask(method: &Method, target: &Target, caller: Caller, shown: Option<&Answer>) -> Ask {
    let signed_in = matches!(caller, Caller::User(_));
    if target.resource == Resource::Graphql && signed_in && *method == Method::POST {
        return Ask::query();
    }
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => match shown {
            Some(answer) if answer.status == StatusCode::NOT_MODIFIED => Ask::unchanged(),
            _ => Ask::rest(Kind::Read),
        },
        // What is refused for want of a token or a target creates nothing.
        Method::POST | Method::PATCH if signed_in && shown.is_none() => Ask::rest(Kind::Content),
        _ => Ask::rest(Kind::Write),
    }
}
