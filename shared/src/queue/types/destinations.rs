//! What goes into the functions about places that results go to, and what comes out.

use std::time::Duration;

use crate::words::words;

/// A delivery that wants to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names it until it is taken back. Random.
    pub lease: String,
    /// The id of the place.
    pub destination: String,
    /// Its URL without the query, for people.
    pub url: String,
    /// Scheme, host and port.
    pub origin: String,
}

/// Whether a delivery may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// Now.
    Go {
        /// Redis's clock, in ms, to be given back with it.
        started_ms: u64,
    },
    /// Not before this has passed.
    Wait {
        /// How long.
        delay: Duration,
        /// Why.
        state: OriginState,
    },
    /// As many are under way to the origin as may be.
    Full,
    /// Never: the receiver wants no more.
    Disabled {
        /// What it said.
        reason: String,
    },
}

words! {
    /// What keeps deliveries from an origin.
    OriginState, "state of an origin", {
        /// It fails: nothing is sent for a while.
        Open = "open",
        /// It failed, and one delivery tries whether it works again.
        Probing = "probing",
        /// It asked for less: deliveries start with a gap between them.
        Slow = "slow",
    }
}

words! {
    /// What came of a delivery, for whoever sends to the same origin.
    DeliveryOutcome, "outcome of a delivery", {
        /// The origin works, whatever it said of this delivery.
        Ok = "ok",
        /// It does not.
        Failed = "failed",
        /// It works, and wants no more at this place.
        Gone = "gone",
        /// Nothing was sent, or nobody knows.
        Unknown = "unknown",
    }
}

/// A delivery that is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// What named it.
    pub lease: String,
    /// The id of the place.
    pub destination: String,
    /// Scheme, host and port.
    pub origin: String,
    /// What came of it.
    pub outcome: DeliveryOutcome,
    /// As [`Entered::Go`] said.
    pub started_ms: u64,
    /// If the receiver asked for less: the wait that it named, or zero.
    pub slow: Option<Duration>,
    /// What the receiver said, if it wants no more.
    pub reason: String,
}

/// What changed with a delivery's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing that anybody needs to know.
    Nothing,
    /// The origin counts as failing now, for this long.
    Opened(Duration),
    /// It works again.
    Closed,
    /// It asked for less: the next delivery starts after this.
    Slowed(Duration),
    /// The place is disabled now.
    Disabled,
}

/// What became of the wish to send to a place again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabled {
    /// Results go there again.
    Done,
    /// They were not kept from it.
    Already,
    /// Nobody knows such a place.
    Unknown,
}

/// A place that results went to lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// Its URL without the query.
    pub url: String,
    /// When it was last used, in ms since the Unix epoch by Redis's clock.
    pub used_ms: u64,
    /// Since when nothing may be sent there, and why.
    pub disabled: Option<(u64, String)>,
    /// Scheme, host and port; empty if nothing was ever sent there.
    pub origin: String,
    /// What keeps deliveries from its origin, and until when, if that is known.
    pub state: Option<(OriginState, Option<u64>)>,
    /// Deliveries that are under way to its origin.
    pub under_way: u64,
}
