//! The last steps of every kind of job: takes a result to where it goes, and says how the
//! attempt ends.

use std::time::Duration;

use bytes::Bytes;
use hookme_shared::destination::Destination;
use hookme_shared::queue::{Queue, QueueError, Settlement};
use hookme_shared::supervisor::Supervisor;

use crate::deliver::{Deliverer, Delivery, Target};
use crate::destinations::{Closed, Destinations};
use crate::handle::{Attempt, jitter, not_renewed};
use crate::http::ClientError;
use crate::policy::retry::RetryPolicy;
use crate::policy::settlement::after_delivery;
use crate::report::Omissions;
use crate::settings::webhook::WebhookSettings;

/// A delivery that was not given back by then is lost with its worker: it takes no longer
/// than `WEBHOOK_TIMEOUT`.
const TERM_MORE: Duration = Duration::from_secs(5);

/// Takes results to where they go. Clones share their connections.
#[derive(Clone)]
pub struct Courier {
    deliverer: Deliverer,
    destinations: Destinations,
    retry: RetryPolicy,
}

/// A result, ready to be sent.
pub struct Parcel {
    /// Names the body, on every try.
    pub webhook_id: String,
    /// What is sent.
    pub body: Bytes,
    /// What to say that it is without.
    pub omissions: Omissions,
}

impl Courier {
    /// One whose task the `supervisor` starts.
    ///
    /// # Errors
    ///
    /// If no HTTP client can be set up.
    pub fn new(
        settings: &WebhookSettings,
        queue: Queue,
        retry: RetryPolicy,
        supervisor: &Supervisor,
    ) -> Result<Self, ClientError> {
        let term = settings.timeout + TERM_MORE;
        Ok(Self {
            deliverer: Deliverer::new(settings)?,
            destinations: Destinations::start(queue, term, settings.in_flight, supervisor),
            retry,
        })
    }

    /// Where the result of a job goes that names this place, or none; `None` if it goes
    /// nowhere.
    #[must_use]
    pub fn target(&self, named: Option<&Destination>) -> Option<Target> {
        self.deliverer.target(named)
    }

    /// How the attempt ends if nothing can be sent there now, as far as this process
    /// knows: for whoever would have to ask GitHub first.
    #[must_use]
    pub fn closed(&self, target: &Target) -> Option<Settlement> {
        self.destinations.closed(target).map(not_sent)
    }

    /// Sends a result, once, if it may be sent now. Redis has just confirmed the fence,
    /// or given it.
    ///
    /// # Errors
    ///
    /// If Redis does not say whether it may be sent; then it was not.
    pub async fn send(
        &self,
        attempt: &Attempt,
        target: &Target,
        parcel: Parcel,
    ) -> Result<Settlement, QueueError> {
        let permit = match self.destinations.enter(target).await? {
            Ok(permit) => permit,
            Err(closed) => return Ok(not_sent(closed)),
        };
        // This catches a pause since then, such as a stopped process.
        if !attempt.is_ours() {
            return Ok(not_renewed());
        }
        let (id, omissions) = (&parcel.webhook_id, parcel.omissions);
        let delivery = self
            .deliverer
            .deliver(target, id, parcel.body, omissions)
            .await;
        let (outcome, slow) = delivery.for_others();
        let gone = if let Delivery::Gone { reason } = &delivery {
            reason
        } else {
            ""
        };
        permit.leave(outcome, slow, gone).await;
        let failures = attempt.job.failures;
        Ok(after_delivery(delivery, failures, &self.retry, jitter()))
    }
}

/// How an attempt ends whose result may not be sent.
fn not_sent(closed: Closed) -> Settlement {
    match closed {
        Closed::For { delay, reason, .. } => Settlement::Defer { delay, reason },
        Closed::ForGood { reason } => Settlement::Bury {
            reason: format!("its destination is disabled: {reason}"),
        },
    }
}
