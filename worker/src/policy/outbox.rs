//! When a comment may be made: a POST whose answer was lost may have made it, so it is
//! looked for before it is made again.

use std::time::Duration;

use hookme_shared::job::JobId;

/// The most comments of one job that are begun without a word that they do not exist.
pub const TRIES_MAX: u32 = 3;

/// What comes next for a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It does not exist: make it.
    Create,
    /// Its request may still be under way: come back after this long.
    Wait(Duration),
    /// Look whether it exists.
    Look,
}

/// What comes next.
///
/// - `tried_ms`: when a comment was begun that may exist, by Redis's clock. A claim sets it
///   back with the clock.
/// - `now_ms`: the time, by the same clock.
/// - `term`: the longest that one request takes. What GitHub has not made by then it
///   does not make any more.
#[must_use]
pub fn next(tried_ms: Option<u64>, now_ms: u64, term: Duration) -> Step {
    let Some(tried_ms) = tried_ms else {
        return Step::Create;
    };
    let since = Duration::from_millis(now_ms.saturating_sub(tried_ms));
    match term.checked_sub(since) {
        Some(left) if !left.is_zero() => Step::Wait(left),
        _ => Step::Look,
    }
}

/// What a job's comment begins with, and no other does. Nobody sees it, and nobody
/// can guess it before.
#[must_use]
pub fn marker(id: JobId) -> String {
    format!("<!-- hookme:{id} -->")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(30);

    #[test]
    fn a_comment_that_was_never_begun_is_made_at_once() {
        assert_eq!(next(None, 0, TERM), Step::Create);
    }

    #[test]
    fn one_that_was_begun_is_looked_for_when_its_request_is_over() {
        let begun = Some(1_000_000);
        let left = |ms| Step::Wait(Duration::from_millis(ms));
        assert_eq!(next(begun, 1_000_000, TERM), left(30_000));
        assert_eq!(next(begun, 1_029_999, TERM), left(1));
        assert_eq!(next(begun, 1_030_000, TERM), Step::Look);
        assert_eq!(next(begun, u64::MAX, TERM), Step::Look);
        assert_eq!(next(begun, 0, TERM), left(30_000));
    }
}
