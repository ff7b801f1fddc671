//! Reading a request's body, bounded in bytes and in time.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use tokio::time::timeout;

use crate::problem::Problem;

/// The longest body. What a task can say fits into a twentieth of it.
pub(super) const BODY_MAX_BYTES: usize = 16 * 1024;
/// How long a client may take to send a body.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

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
