//! The door before every route: who comes in, and how often. What a caller may do
//! inside is [`Caller`]'s to say.
//!
//! A route is closed unless it is named here as open, so that one which is forgotten
//! asks for a key.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use crate::caller::Caller;
use crate::headers::bearer;
use crate::problem::Problem;

/// The routes of operators.
const OPERATORS: [&str; 4] = [
    "/metrics",
    "/tasks/retry",
    "/destinations",
    "/destinations/{id}/enable",
];
/// The routes that need no key: for whoever restarts the process or sends it
/// requests, and what is the same in every copy of this program.
const OPEN: [&str; 4] = ["/livez", "/readyz", "/openapi.json", "/problems/{name}"];
/// What the paths of the API's description begin with.
const DOCS: &str = "/docs";

/// At which listener a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    /// That of the clients, where keys are asked for.
    Clients {
        /// Whether operators have a listener of their own.
        apart: bool,
    },
    /// That of the operators, which nobody else reaches.
    Operators,
}

/// What is behind a door.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) api: Arc<Api>,
    pub(super) listener: Listener,
}

/// Whether a route is for operators.
pub(super) fn is_operators(route: &str) -> bool {
    OPERATORS.contains(&route)
}

/// Whether a route needs no key.
pub(super) fn is_open(route: &str) -> bool {
    OPEN.contains(&route) || route.starts_with(DOCS)
}

/// Lets a request in with its [`Caller`], or refuses it.
pub(super) async fn enter(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    match door.admit(&request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Door {
    /// Says whether a key is needed here for all routes but the open ones.
    pub(super) fn asks_for_keys(&self) -> bool {
        match self.listener {
            Listener::Operators => false,
            Listener::Clients { .. } => !self.api.settings.doors.keys.is_empty(),
        }
    }

    fn admit(&self, request: &Request) -> Result<Caller, Problem> {
        let route = request.extensions().get::<MatchedPath>();
        let route = route.map_or("", MatchedPath::as_str);
        match self.listener {
            Listener::Operators => return Ok(Caller::Operator(None)),
            Listener::Clients { apart: true } if is_operators(route) => {
                return Err(Problem::UnknownPath);
            }
            // Whoever asks here is told the same, whoever it is.
            Listener::Clients { .. } if is_open(route) => return Ok(Caller::Anybody),
            Listener::Clients { .. } => {}
        }
        let caller = self.identify(request)?;
        if is_operators(route) && !caller.may_operate() {
            return Err(Problem::OperatorsOnly);
        }
        Ok(caller)
    }

    /// Says who asks, and counts the request.
    fn identify(&self, request: &Request) -> Result<Caller, Problem> {
        let keys = &self.api.settings.doors.keys;
        if keys.is_empty() {
            self.api.rate_limit.pass(None)?;
            return Ok(Caller::Anybody);
        }
        let (place, key) = keys
            .find(bearer(request.headers()))
            .ok_or(Problem::KeyNeeded)?;
        self.api.rate_limit.pass(Some(place))?;
        Ok(Caller::holder(key))
    }
}
