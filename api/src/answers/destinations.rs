//! What operators get to read of the places that results go to.

use hookme_shared::queue::Known;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rfc3339::rfc3339;

/// The places that results went to lately.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DestinationList {
    /// The last used first.
    destinations: Vec<DestinationAnswer>,
}

/// A place that results go to, and how it takes them.
#[derive(Debug, Serialize, ToSchema)]
struct DestinationAnswer {
    /// Its id: `default` for the operator's own webhook.
    #[schema(example = "5d41402abc4b2a76b9719d911017c592")]
    id: String,
    /// Its URL, without the query.
    #[schema(example = "https://hooks.example.com/hookme")]
    url: String,
    /// When a result last went there, or was to.
    #[schema(example = "2025-11-21T20:37:00.050Z", format = DateTime)]
    used_at: String,
    /// Since when nothing is sent there, because its receiver wants no more; null: it is
    /// sent to.
    #[schema(example = "2025-11-21T20:37:01.090Z", format = DateTime)]
    disabled_at: Option<String>,
    /// What its receiver said then.
    #[schema(example = "the webhook answered 410 (gone: it wants no more deliveries)")]
    reason: Option<String>,
    /// Scheme, host and port, whose trouble is that of all places there.
    origin: OriginAnswer,
}

/// How an origin takes deliveries.
#[derive(Debug, Serialize, ToSchema)]
struct OriginAnswer {
    /// Its name; empty if nothing went there lately.
    #[schema(example = "https://hooks.example.com")]
    name: String,
    /// closed: deliveries go there; open: it fails, and nothing is sent for a while;
    /// probing: one delivery tries whether it works again; slow: it asked for less, and
    /// deliveries have a gap between them. The words are those of a circuit.
    #[schema(example = "open")]
    state: &'static str,
    /// When the state is looked at anew, if that is known.
    #[schema(example = "2025-11-21T20:37:31.090Z", format = DateTime)]
    until: Option<String>,
    /// Deliveries that are under way.
    #[schema(example = 0)]
    under_way: u64,
}

/// That results go to a place again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DestinationEnabled {
    /// What happened, in words.
    #[schema(example = "destination enabled")]
    pub(crate) ok: &'static str,
    /// The destination's id.
    #[schema(example = "default")]
    pub(crate) id: String,
}

impl DestinationList {
    /// The list of these.
    pub(crate) fn new(known: Vec<Known>) -> Self {
        Self {
            destinations: known.into_iter().map(DestinationAnswer::from).collect(),
        }
    }
}

impl From<Known> for DestinationAnswer {
    fn from(known: Known) -> Self {
        let (disabled_ms, reason) = known.disabled.unzip();
        let (state, until_ms) = known.state.unzip();
        Self {
            id: known.id,
            url: known.url,
            used_at: rfc3339(known.used_ms),
            disabled_at: disabled_ms.map(rfc3339),
            reason,
            origin: OriginAnswer {
                name: known.origin,
                state: state.map_or("closed", |state| state.as_str()),
                until: until_ms.flatten().map(rfc3339),
                under_way: known.under_way,
            },
        }
    }
}
