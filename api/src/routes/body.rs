//! Reading a request's body, bounded in bytes and in time, and in how many large ones
//! there are at once.

use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::problem::Problem;

/// The longest body. An evaluation of 100,000 letters fits, in base64 and with four
/// bytes to each letter too.
pub(super) const BODY_MAX_BYTES: usize = 1024 * 1024;
/// What a report can say fits into a twentieth of this, and most feedback fits too. As
/// many bodies up to this are read at once as there are connections.
const SMALL_BODY_MAX_BYTES: u64 = 16 * 1024;
/// How many longer bodies are held at once. As many as there are connections would fill
/// the memory of most machines.
const LARGE_BODIES_MAX: usize = 64;
/// How long a client may take to send a body, and how long a large one waits for the
/// others before that.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// The room for large bodies.
#[derive(Debug)]
pub(super) struct BodyRoom(Semaphore);

impl Default for BodyRoom {
    fn default() -> Self {
        Self(Semaphore::new(LARGE_BODIES_MAX))
    }
}

impl BodyRoom {
    /// Waits until there is room for a body of that many bytes at most, `None` if that
    /// is not known; a small one needs none. The permit is to be kept as long as
    /// anything of the body is.
    pub(super) async fn enter(
        &self,
        most_bytes: Option<u64>,
    ) -> Result<Option<SemaphorePermit<'_>>, Problem> {
        self.enter_within(BODY_PATIENCE, most_bytes).await
    }

    async fn enter_within(
        &self,
        patience: Duration,
        most_bytes: Option<u64>,
    ) -> Result<Option<SemaphorePermit<'_>>, Problem> {
        if most_bytes.is_some_and(|bytes| bytes <= SMALL_BODY_MAX_BYTES) {
            return Ok(None);
        }
        match timeout(patience, self.0.acquire()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(Problem::SlowBody),
        }
    }
}

/// How long the request's body can be, as far as it says: in chunks it does not.
pub(super) fn most_bytes(request: &Request) -> Option<u64> {
    request.body().size_hint().upper()
}

/// Reads the whole body, waiting for it no longer than a bound.
pub(super) async fn read(request: Request) -> Result<Bytes, Problem> {
    read_within(BODY_PATIENCE, request).await
}

async fn read_within(patience: Duration, mut request: Request) -> Result<Bytes, Problem> {
    DefaultBodyLimit::max(BODY_MAX_BYTES).apply(&mut request);
    match timeout(patience, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)))) => {
            Err(Problem::TooLarge(BODY_MAX_BYTES))
        }
        Ok(Err(_)) => Err(Problem::Invalid("the body broke off".into())),
        Err(_) => Err(Problem::SlowBody),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_of_the_bound_is_read_and_a_longer_one_is_refused() {
        let sized = |bytes: usize| Request::new(Body::from(vec![b' '; bytes]));
        assert_eq!(
            read(sized(BODY_MAX_BYTES)).await.unwrap().len(),
            BODY_MAX_BYTES
        );
        let refused = read(sized(BODY_MAX_BYTES + 1)).await;
        assert_eq!(refused, Err(Problem::TooLarge(BODY_MAX_BYTES)));
    }

    #[tokio::test]
    async fn only_so_many_large_bodies_are_held_at_once_and_no_small_one_waits_for_them() {
        let room = BodyRoom::default();
        let enter = async |most_bytes| {
            room.enter_within(Duration::from_millis(10), most_bytes)
                .await
        };
        let (small, large) = (SMALL_BODY_MAX_BYTES, SMALL_BODY_MAX_BYTES + 1);
        let mut held = Vec::new();
        for _ in 0..LARGE_BODIES_MAX {
            held.push(enter(Some(large)).await.unwrap().unwrap());
        }
        assert!(enter(Some(small)).await.unwrap().is_none());
        for most_bytes in [Some(large), None] {
            assert_eq!(enter(most_bytes).await.unwrap_err(), Problem::SlowBody);
        }
        drop(held.pop());
        assert!(enter(Some(large)).await.unwrap().is_some());
    }

    #[test]
    fn a_body_in_chunks_may_be_of_any_length() {
        let empty = stream::empty::<Result<Bytes, axum::Error>>();
        assert_eq!(most_bytes(&Request::new(Body::from_stream(empty))), None);
        assert_eq!(most_bytes(&Request::new(Body::from("four"))), Some(4));
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let silent = stream::pending::<Result<Bytes, axum::Error>>();
        let request = Request::new(Body::from_stream(silent));
        assert_eq!(
            read_within(Duration::from_millis(10), request).await,
            Err(Problem::SlowBody)
        );
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_told_so() {
        let broken = stream::iter([Err::<Bytes, _>(axum::Error::new("gone"))]);
        let refused = read(Request::new(Body::from_stream(broken))).await;
        assert_eq!(refused, Err(Problem::Invalid("the body broke off".into())));
    }
}
