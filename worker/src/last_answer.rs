//! What the world last answered in an attempt, for the attempt's record.
//!
//! It is noted where an answer's head is read and looked up when the attempt has ended,
//! because what lies between, the story of a kind of job, has no use for it.

use std::cell::Cell;

use reqwest::StatusCode;

tokio::task_local! {
    static STATUS: Cell<Option<u16>>;
}

/// Works on an attempt; returns what it came to, and the status of the last answer that
/// it got, if it got any.
pub(crate) async fn attending<T>(attempt: impl Future<Output = T>) -> (T, Option<u16>) {
    let attended = async {
        let end = attempt.await;
        (end, STATUS.with(Cell::get))
    };
    STATUS.scope(Cell::new(None), attended).await
}

/// Notes an answer; outside of an attempt there is nothing to note.
pub(crate) fn note(status: StatusCode) {
    if STATUS
        .try_with(|last| last.set(Some(status.as_u16())))
        .is_err()
    {
        tracing::trace!(status = status.as_u16(), "an answer outside of an attempt");
    }
}

/// Notes that a request got no answer: what came before it says nothing of it.
pub(crate) fn forget() {
    if STATUS.try_with(|last| last.set(None)).is_err() {
        tracing::trace!("a request outside of an attempt got no answer");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_answer_counts_and_each_attempt_has_its_own() {
        let one = attending(async {
            note(StatusCode::OK);
            tokio::task::yield_now().await;
            note(StatusCode::BAD_GATEWAY);
            1
        });
        let other = attending(async {
            note(StatusCode::OK);
            tokio::task::yield_now().await;
            forget();
            2
        });
        let (one, other) = tokio::join!(one, other);
        assert_eq!((one, other), ((1, Some(502)), (2, None)));
        note(StatusCode::OK);
    }
}
