//! The check as a layer of a router.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use super::{AllowedHosts, Refusal, authority};

/// The most of a host's name that is logged, in characters, which are ASCII.
const LOGGED_MAX: usize = 100;

#[derive(Clone)]
struct Protection {
    hosts: Arc<AllowedHosts>,
    refuse: fn(Refusal) -> Response,
    /// The memory that a host which is not allowed was told in the log.
    told: Arc<AtomicBool>,
}

/// Answers every request to `router` that [`AllowedHosts::judge`] refuses with what
/// `refuse` makes of it.
pub fn protect<S>(
    router: Router<S>,
    hosts: AllowedHosts,
    refuse: fn(Refusal) -> Response,
) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let protection = Protection {
        hosts: Arc::new(hosts),
        refuse,
        told: Arc::default(),
    };
    router.layer(from_fn_with_state(protection, check))
}

async fn check(State(protection): State<Protection>, request: Request, next: Next) -> Response {
    match protection.hosts.judge(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            if refusal == Refusal::Host && !protection.told.swap(true, Ordering::Relaxed) {
                tell(&request);
            }
            (protection.refuse)(refusal)
        }
    }
}

/// Logs that a host is not allowed: a health check or a scraper shows its operator the
/// status and not what it means. Once, as a page could send any number of such requests.
fn tell(request: &Request) {
    let host = authority(request).ok().flatten();
    let host = host.and_then(|host| host.get(..host.len().min(LOGGED_MAX)));
    tracing::warn!(
        host = host.unwrap_or("unreadable"),
        "ALLOWED_HOSTS does not name the host that a request is for; this one and all others like it are answered 421"
    );
}
