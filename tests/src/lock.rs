//! One way to take a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes `mutex`, also after a panic elsewhere: a test that has failed already
/// should report its own failure and not a poisoned lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
