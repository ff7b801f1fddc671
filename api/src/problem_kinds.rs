//! The kinds of problem, each with a name that stands in the `type` of RFC 9457.
//!
//! A kind's name and status never change their meaning: clients may compare
//! them. `GET /problems/{name}` shows a kind to whoever follows the `type`.

use axum::http::StatusCode;
use hookme_shared::keyless::Refusal;

/// A kind of problem.
#[derive(Debug)]
pub(crate) struct ProblemKind {
    /// The last segment of the `type`.
    pub(crate) name: &'static str,
    /// The status that goes with it.
    pub(crate) status: StatusCode,
    /// The kind in a few words.
    pub(crate) title: &'static str,
    /// What it means and what the client can do.
    pub(crate) advice: &'static str,
}

macro_rules! problem_kinds {
    ($($constant:ident: $status:ident, $name:literal, $title:literal, $advice:expr;)*) => {
        $(pub(crate) static $constant: ProblemKind = ProblemKind {
            name: $name,
            status: StatusCode::$status,
            title: $title,
            advice: $advice,
        };)*

        /// Every kind.
        pub(crate) static ALL: &[&ProblemKind] = &[$(&$constant),*];
    };
}

problem_kinds! {
    INVALID: BAD_REQUEST, "invalid-request", "The request is not valid",
        "The detail of the answer names the field, header or parameter and what it must be.";
    KEY_NEEDED: UNAUTHORIZED, "key-needed", "A key is needed",
        "Send the header Authorization: Bearer <key>, once, with a key that whoever runs this API has given you.";
    OPERATORS_ONLY: FORBIDDEN, "operators-only", "Only operators may do this",
        "The key is known, but it is no operator's.";
    CROSS_ORIGIN: FORBIDDEN, "cross-origin", "A page of another origin sent this",
        Refusal::CrossOrigin.detail();
    UNKNOWN_TASK: NOT_FOUND, "unknown-task", "There is no such task",
        "No task has this id. Tasks that have ended are forgotten after a while.";
    UNKNOWN_DESTINATION: NOT_FOUND, "unknown-destination", "There is no such destination",
        "No destination has this id. GET /destinations lists those that results went to lately.";
    UNKNOWN_PATH: NOT_FOUND, "unknown-path", "There is no such path",
        "The paths that exist are described at /docs.";
    METHOD: METHOD_NOT_ALLOWED, "method-not-allowed", "The path does not take this method",
        "The Allow header of the answer says which methods the path takes.";
    SLOW_BODY: REQUEST_TIMEOUT, "slow-body", "The body took too long",
        "The body did not come in time, or waited too long behind other large ones, and nothing was done. Send it again.";
    ENDED: CONFLICT, "task-ended", "The task has ended",
        "A task that has ended cannot be cancelled.";
    NOT_DEAD: CONFLICT, "task-not-dead", "The task is not dead",
        "Only a dead task can be retried.";
    HELD: CONFLICT, "repository-held", "Another live task does the same",
        "Of a client a repository has one live report for each place at most, and a commit of a pull request one live feedback. Follow the task that the member holder names.";
    DISABLED: CONFLICT, "destination-disabled", "The destination wants no more deliveries",
        "It answered 410 Gone to a delivery, so nothing is sent there until an operator enables it again with POST /destinations/{id}/enable. Nothing was stored.";
    TOO_LARGE: PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large",
        "A report fits into a few hundred bytes. Feedback has room for an evaluation of some hundred thousand characters: leave out of it what nobody reads.";
    CONTENT_TYPE: UNSUPPORTED_MEDIA_TYPE, "content-type", "The body is not declared to be JSON",
        "Send the header Content-Type: application/json.";
    HOST: MISDIRECTED_REQUEST, "host-not-allowed", "This host is not answered to",
        Refusal::Host.detail();
    KEY_REUSED: UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The Idempotency-Key was used for another body",
        "A key stands for one body. Repeat that body, or take a new key for a new one.";
    FULL: TOO_MANY_REQUESTS, "live-limit", "Too many live tasks",
        "As many tasks are live as may be. Nothing was stored. Try again later.";
    TOO_FAST: TOO_MANY_REQUESTS, "request-limit", "Too many requests",
        "More requests came with this key than may in a second. Nothing was done. Try again after the seconds in Retry-After, and then more slowly.";
    UNREADABLE: INTERNAL_SERVER_ERROR, "unreadable-data", "The server met data that it cannot read",
        "This version cannot read what is stored. Whoever runs the server must look.";
    UNAVAILABLE: SERVICE_UNAVAILABLE, "queue-unavailable", "The queue is not available",
        "Redis did not answer in time, or its user lacks a right, so it is not known whether the request took effect. Repeating the request is safe: a repository has one live report for each place at most, a commit of a pull request one live feedback, and with the same Idempotency-Key the first answer comes again.";
    REFUSED: SERVICE_UNAVAILABLE, "queue-refuses", "The queue takes nothing now",
        "Redis is there but does not do this now, as where its memory is full, its disk cannot be written, or it is still starting. The request changed nothing. Try again later; /readyz says what is wrong.";
    NOT_READY: SERVICE_UNAVAILABLE, "not-ready", "The server is not ready",
        "The member complaints says what is wrong with Redis and what to do.";
}

/// The kind of that name.
pub(crate) fn find(name: &str) -> Option<&'static ProblemKind> {
    ALL.iter().copied().find(|kind| kind.name == name)
}
