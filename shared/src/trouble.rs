//! A trouble with Redis that many calls meet, told once: at its begin, not at each call.
//!
//! While Redis is away each part of a program asks again and again, and each answer is the
//! same. A log of that hides what else happens.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::queue::QueueError;

/// What one part of a program has told of a trouble that it is in.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<Told>>);

#[derive(Debug)]
struct Told {
    kind: String,
    since: Instant,
}

impl Trouble {
    /// Notes that a call failed with `error`. Whether that is news: there was no trouble
    /// before, or one of another kind.
    pub fn is_news(&self, error: &QueueError) -> bool {
        self.is_news_of(error.kind())
    }

    /// The same for a trouble of this kind, which is no error.
    pub fn is_news_of(&self, kind: &str) -> bool {
        let mut told = self.lock();
        let since = match &*told {
            Some(told) if told.kind == kind => return false,
            Some(told) => told.since,
            None => Instant::now(),
        };
        let kind = kind.to_owned();
        *told = Some(Told { kind, since });
        true
    }

    /// Notes that a call succeeded. How long the trouble was, if one is over by that.
    pub fn end(&self) -> Option<Duration> {
        self.lock().take().map(|told| told.since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(is_away: bool) -> QueueError {
        let operation = "claim";
        if is_away {
            QueueError::Unavailable {
                operation,
                source: None,
            }
        } else {
            QueueError::Corrupt {
                operation,
                detail: String::new(),
            }
        }
    }

    #[test]
    fn a_trouble_is_news_once_until_it_is_another_or_over() {
        let trouble = Trouble::default();
        assert_eq!(trouble.end(), None);
        for is_news in [true, false, false] {
            assert_eq!(trouble.is_news(&error(true)), is_news);
        }
        assert!(trouble.is_news(&error(false)) && !trouble.is_news(&error(false)));
        assert!(trouble.end().is_some() && trouble.end().is_none());
        assert!(trouble.is_news(&error(false)));
    }
}
