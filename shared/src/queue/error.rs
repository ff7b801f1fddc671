//! What can go wrong between a program and Redis, by what the caller can do.

use redis::RedisError;

/// Why a call to Redis gave no answer that can be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// Redis did not answer, or not in time. The call may have taken effect:
    /// the `Repeat` line of each function says what sending it again does.
    #[error("redis did not answer {operation}")]
    Unavailable {
        /// Which function was called.
        operation: &'static str,
        /// What the client saw.
        #[source]
        source: Option<RedisError>,
    },

    /// Redis answered that it will not do it now: out of memory, loading,
    /// read-only, a missing right. Nothing was changed.
    #[error("redis refused {operation}")]
    Refused {
        /// Which function was called.
        operation: &'static str,
        /// Redis's own words.
        #[source]
        source: RedisError,
    },

    /// A reply or a record that this version cannot read. Never repeated.
    #[error("{operation} met data it cannot read: {detail}")]
    Corrupt {
        /// Which function was called.
        operation: &'static str,
        /// What was met.
        detail: String,
    },
}
