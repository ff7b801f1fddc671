//! The numbers that GitHub documents, and the words for who asks for what.

/// How much one identity may ask for. The spans can be shortened by a test that
/// runs in real time.
///
/// Source: GitHub's documentation, "Rate limits for the REST API" and "Rate limits
/// and query limits for the GraphQL API".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Requests an hour without a token.
    pub hourly_anonymous: u32,
    /// Requests an hour for one user, over all of the user's tokens.
    pub hourly_token: u32,
    /// Points an hour for GraphQL.
    pub graphql_points: u32,
    /// Points a minute for REST: reading costs 1 and writing 5.
    pub points_per_minute: u32,
    /// Points a minute for GraphQL: a query costs 1.
    pub graphql_points_per_minute: u32,
    /// Requests that may be in the course of being answered.
    pub concurrent: u32,
    /// Requests a minute that create content.
    pub content_per_minute: u32,
    /// Requests an hour that create content.
    pub content_per_hour: u32,
    /// What counts as an hour.
    pub hour_ms: u64,
    /// What counts as a minute.
    pub minute_ms: u64,
    /// How long a secondary refusal lasts.
    pub block_ms: u64,
}

impl Default for Limits {
    /// GitHub's documented numbers. How long a block lasts is not documented; a
    /// minute is the wait that GitHub asks for when it says nothing else.
    fn default() -> Self {
        Self {
            hourly_anonymous: 60,
            hourly_token: 5_000,
            graphql_points: 5_000,
            points_per_minute: 900,
            graphql_points_per_minute: 2_000,
            concurrent: 100,
            content_per_minute: 80,
            content_per_hour: 500,
            hour_ms: 3_600_000,
            minute_ms: 60_000,
            block_ms: 60_000,
        }
    }
}

impl Limits {
    /// Grants everything and still counts: for a test that asks what something cost.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            hourly_anonymous: u32::MAX,
            hourly_token: u32::MAX,
            graphql_points: u32::MAX,
            points_per_minute: u32::MAX,
            graphql_points_per_minute: u32::MAX,
            concurrent: u32::MAX,
            content_per_minute: u32::MAX,
            content_per_hour: u32::MAX,
            ..Self::default()
        }
    }

    pub(super) fn hourly(&self, identity: Identity, budget: Budget) -> u32 {
        match (budget, identity) {
            (Budget::Core, Identity::Anonymous) => self.hourly_anonymous,
            (Budget::Core, Identity::User(_)) => self.hourly_token,
            // GraphQL knows nobody without a token.
            (Budget::Graphql, Identity::Anonymous) => 0,
            (Budget::Graphql, Identity::User(_)) => self.graphql_points,
        }
    }

    pub(super) fn points(&self, budget: Budget) -> u32 {
        match budget {
            Budget::Core => self.points_per_minute,
            Budget::Graphql => self.graphql_points_per_minute,
        }
    }
}

/// What a request is counted against for the hour; GitHub's `x-ratelimit-resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    /// REST.
    Core,
    /// GraphQL.
    Graphql,
}

impl Budget {
    /// GitHub's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Graphql => "graphql",
        }
    }

    /// Its place where there is one of something for each budget.
    pub(super) fn index(self) -> usize {
        match self {
            Self::Core => 0,
            Self::Graphql => 1,
        }
    }
}

/// Whose allowance a request uses up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Everybody without a token.
    Anonymous,
    /// The user of this id, whichever token was shown.
    User(u64),
}

/// What a request does, as far as limits care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It changes nothing.
    Read,
    /// It changes something and notifies nobody.
    Write,
    /// It creates something that others are told of.
    Content,
}

impl Kind {
    pub(super) fn points(self) -> u32 {
        match self {
            Self::Read => 1,
            Self::Write | Self::Content => 5,
        }
    }
}

/// A request, as far as limits care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// What it is counted against.
    pub budget: Budget,
    /// What it does.
    pub kind: Kind,
    /// What it takes from the hour's allowance; 0 when the answer is 304.
    pub cost: u32,
}

impl Ask {
    /// A REST request of this kind that is answered in full.
    #[must_use]
    pub fn rest(kind: Kind) -> Self {
        Self {
            budget: Budget::Core,
            kind,
            cost: 1,
        }
    }

    /// A REST request whose answer is 304.
    #[must_use]
    pub fn unchanged() -> Self {
        Self {
            cost: 0,
            ..Self::rest(Kind::Read)
        }
    }

    /// A GraphQL query that costs one point.
    #[must_use]
    pub fn query() -> Self {
        Self {
            budget: Budget::Graphql,
            ..Self::rest(Kind::Read)
        }
    }
}
