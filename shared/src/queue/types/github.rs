//! What goes into the functions about GitHub and what comes out of them.

use std::time::Duration;

/// Whose limits a request to GitHub counts against, and with which token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// GitHub's host and the account there, or the address that we come from:
    /// `api.github.com/user-1`. Never a token's text.
    pub name: String,
    /// The fingerprint of the token; empty without one.
    pub token: String,
}

/// How fast all workers together may ask GitHub. 0 is no limit, each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// `GITHUB_IN_FLIGHT`: requests at once.
    pub in_flight: u32,
    /// `GITHUB_READ_GAP`: between the starts of two requests.
    pub read_gap: Duration,
    /// `GITHUB_WRITE_GAP`: between the starts of two writes.
    pub write_gap: Duration,
    /// `GITHUB_CONTENT_PER_MINUTE`: requests that make content, in any minute.
    pub content_per_minute: u32,
    /// `GITHUB_CONTENT_PER_HOUR`: requests that make content, in any hour.
    pub content_per_hour: u32,
}

/// What a request does, for the gaps and caps that it is subject to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It changes nothing. A GraphQL query is one.
    Read,
    /// It changes something.
    Write,
    /// It makes content that people are told of: a comment.
    Content,
}

impl Class {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Content => "content",
        }
    }
}

/// Which of GitHub's hourly limits a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// The REST API, but for searches.
    Core,
    /// The GraphQL API.
    Graphql,
}

impl Resource {
    /// GitHub's own word for it, as in `x-ratelimit-resource`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Graphql => "graphql",
        }
    }
}

/// A request that wants to be sent to GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Its name among all requests. Random.
    pub lease: String,
    /// What it does.
    pub class: Class,
    /// What it counts against.
    pub resource: Resource,
    /// How long it can wait.
    pub patience: Duration,
}

impl Want {
    /// Whether it is a read of the REST API, as most are.
    #[must_use]
    pub fn is_plain_read(&self) -> bool {
        (self.class, self.resource) == (Class::Read, Resource::Core)
    }
}

/// The answer to a [`Want`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    /// It may be sent after this long, and is to be released then.
    Start {
        /// From now; zero is at once.
        after: Duration,
        /// Whether it must be released whatever its answer says.
        noted: bool,
    },
    /// Not yet.
    Wait {
        /// When to ask again.
        ask_after: Duration,
        /// What keeps it, in words that follow "waits for".
        awaited: String,
    },
}

impl Granted {
    /// Whether it may be sent now and nothing of it is counted: nothing is limited.
    #[must_use]
    pub fn is_free(&self) -> bool {
        matches!(
            self,
            Self::Start {
                after: Duration::ZERO,
                noted: false
            }
        )
    }
}

/// How a granted request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// GitHub answered, and refused nothing.
    Answered,
    /// GitHub refused it, and with it everybody.
    Refused {
        /// The scope of the pause: `all`, `content`, `token`, or a resource.
        scope: String,
        /// How long GitHub said to wait; `None` if it did not.
        wait: Option<Duration>,
        /// GitHub's id of the request; empty if it gave none.
        request_id: String,
    },
    /// No answer came, or it was not sent.
    Unknown,
}

/// What GitHub says is left of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetLeft {
    /// Of which resource.
    pub resource: String,
    /// Requests or points an hour.
    pub limit: u64,
    /// How many of them are left.
    pub remaining: u64,
    /// From now until the hour ends.
    pub reset_in: Duration,
}

/// The end of a granted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The lease of its [`Want`].
    pub lease: String,
    /// How it went.
    pub outcome: Outcome,
    /// What the answer said is left.
    pub budget: Option<BudgetLeft>,
}

/// An answer of GitHub, as it is kept for all workers. What is not there is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `ETag`.
    pub etag: String,
    /// `Last-Modified`.
    pub last_modified: String,
    /// `Link`.
    pub link: String,
    /// `Location`.
    pub location: String,
    /// The body, as its keeper packed it.
    pub body: Vec<u8>,
}

/// What is known of an answer before GitHub is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// GitHub need not be asked.
    Fresh(KeptAnswer),
    /// The caller is to ask whether this still holds.
    Stale(KeptAnswer),
    /// The caller is to ask.
    Missing,
    /// Somebody else is asking; look again.
    Asked,
}

/// Who asks GitHub for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The hash of what is asked, and how.
    pub hash: String,
    /// The fingerprint of the token; empty without one.
    pub token: String,
    /// Its name among all askers. Random.
    pub name: String,
}

/// How long and in how much room answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// How long an answer is kept after GitHub last confirmed it.
    pub ttl: Duration,
    /// The bytes that all answers may take together.
    pub max_bytes: u64,
}
