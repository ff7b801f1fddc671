//! What can go wrong between a program and Redis, by what the caller can do.
//!
//! [`classify`] sorts every error of the client library into one of four: no answer, not
//! now, never, not understood. ARCHITECTURE.md has the table of what each part of the
//! programs does with them.

use redis::{ErrorKind, RedisError};

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

    /// Redis answered that it does not do it now: it is out of memory, loading,
    /// read-only, cannot write its disk, or a slot moves. It judged the call before it
    /// ran anything, so nothing was changed, and the same call can succeed later.
    #[error("redis does not do {operation} now: {}", words(.source))]
    Refused {
        /// Which function was called.
        operation: &'static str,
        /// Redis's own words.
        #[source]
        source: RedisError,
    },

    /// Redis answered with an error that waiting does not mend: a key of another type, a
    /// missing right, an error inside a function. What the function wrote before it failed
    /// stays written. The same call fails again until a person mends the cause.
    #[error("redis failed {operation}: {}", words(.source))]
    Failed {
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

impl QueueError {
    /// Redis's code of the error, if it answered with one: `OOM`, `WRONGTYPE`, `ERR`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { source, .. } | Self::Failed { source, .. } => source.code(),
            Self::Unavailable { .. } | Self::Corrupt { .. } => None,
        }
    }

    /// In a word or two what kind of trouble it is: Redis's code, if it answered with one.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Unavailable { .. } => "no answer",
            Self::Refused { source, .. } | Self::Failed { source, .. } => {
                source.code().unwrap_or("ERR")
            }
            Self::Corrupt { .. } => "not understood",
        }
    }

    /// Whether Redis refused it because the user lacks a right that all such calls need.
    /// Redis checks the commands inside of a function too. A key inside of a function that
    /// the user may not touch is one job's matter, and none of these.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Failed { source, .. } => {
                let text = source.detail().unwrap_or_default();
                let is_one_key =
                    text.contains("script") && text.contains("a key") || text.contains(KEY_DENIED);
                !is_one_key && (source.code() == Some("NOPERM") || text.contains(DENIED))
            }
            Self::Unavailable { .. } | Self::Refused { .. } | Self::Corrupt { .. } => false,
        }
    }

    /// Whether every job would meet it: Redis is away, does not do it now, or its user
    /// lacks a right. Then the caller waits, and no job pays for it.
    #[must_use]
    pub fn meets_all_jobs(&self) -> bool {
        self.passes() || self.is_denied()
    }

    /// Whether the caller can only wait: Redis is away, or does not do it now.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Refused { .. } => true,
            Self::Failed { .. } | Self::Corrupt { .. } => false,
        }
    }
}

/// The words of a function that met a command which its user may not send, in Redis 7.0,
/// and a key that it may not touch.
const DENIED: &str = "can't run this command or subcommand";
const KEY_DENIED: &str = "can't access at least one of the keys";

/// The codes of what Redis does not do now, and may do later. Every other code is of an
/// error that stays. Source: Redis's `server.c` and `cluster.c`, version 7.0.
const NOT_NOW: [&str; 14] = [
    // Its memory is full, its disk cannot be written, or too few replicas follow it.
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    // It is starting, busy with a script, or a replica.
    "LOADING",
    "BUSY",
    "READONLY",
    "MASTERDOWN",
    "UNBLOCKED",
    // A cluster: its slots are being moved or not all served.
    "MOVED",
    "ASK",
    "TRYAGAIN",
    "CLUSTERDOWN",
    // It wants a password now that REDIS_URL does not have.
    "NOAUTH",
    "WRONGPASS",
];
/// The start of the only plain `ERR` that passes by itself.
const TOO_MANY_CLIENTS: &str = "max number of clients";

/// Sorts an error by what the caller can do.
pub(super) fn classify(operation: &'static str, error: RedisError) -> QueueError {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {
            let full = |text: &str| text.starts_with(TOO_MANY_CLIENTS);
            if error.code().is_some_and(|code| NOT_NOW.contains(&code))
                || error.detail().is_some_and(full)
            {
                QueueError::Refused {
                    operation,
                    source: error,
                }
            } else {
                QueueError::Failed {
                    operation,
                    source: error,
                }
            }
        }
        // A connection was not made, and nothing was sent on it.
        ErrorKind::AuthenticationFailed => QueueError::Refused {
            operation,
            source: error,
        },
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => QueueError::Corrupt {
            operation,
            detail: error.to_string(),
        },
        _ => QueueError::Unavailable {
            operation,
            source: Some(error),
        },
    }
}

/// Redis reports a missing function as a plain `ERR`: only its words tell.
pub(super) fn is_function_missing(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("Function not found"))
}

/// Redis's words, in short: the code and what follows it.
fn words(error: &RedisError) -> String {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return "the user or the password of REDIS_URL is refused".to_owned();
    }
    let code = error.code().unwrap_or_default();
    let detail = error.detail().unwrap_or_default();
    format!("{code} {detail}").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use redis::{Value, make_extension_error, parse_redis_value};

    use super::*;

    fn answered(line: &str) -> QueueError {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        let Value::ServerError(error) = value else {
            panic!("{value:?}")
        };
        classify("finish", error.into())
    }

    #[test]
    fn what_redis_does_not_do_now_is_waited_for() {
        for line in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "NOREPLICAS Not enough good replicas to write.",
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script.",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "UNBLOCKED force unblock from blocking operation, instance state changed",
            "MOVED 3999 127.0.0.1:6381",
            "ASK 3999 127.0.0.1:6381",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CLUSTERDOWN The cluster is down",
            "NOAUTH Authentication required.",
            "ERR max number of clients reached",
        ] {
            let error = answered(line);
            assert!(matches!(error, QueueError::Refused { .. }), "{error:?}");
            assert!(error.passes());
        }
    }

    #[test]
    fn what_waiting_does_not_mend_is_told_apart() {
        for line in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "NOPERM this user has no permissions to run the 'fcall' command",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "ERR user_function:12: attempt to index a nil value",
            "ERR unknown command 'FCALL', with args beginning with:",
            "ERR value is not an integer or out of range",
            "NEWCODE of a later version",
        ] {
            let error = answered(line);
            assert!(matches!(error, QueueError::Failed { .. }), "{error:?}");
            assert!(!error.passes());
        }
    }

    /// As Redis 7.0 and 7.4 say it.
    #[test]
    fn a_missing_right_is_known_by_its_code_or_by_a_functions_words() {
        for line in [
            "NOPERM this user has no permissions to run the 'fcall' command",
            "NOPERM this user has no permissions to access one of the keys used as arguments",
            "NOPERM No permissions to access a key",
            "ERR The user executing the script can't run this command or subcommand script: x, on @user_function:1.",
            "NOPERM ACL failure in script: User w has no permissions to run the 'zadd' command",
        ] {
            let error = answered(line);
            assert!(error.is_denied() && error.meets_all_jobs(), "{error:?}");
        }
        for line in [
            "WRONGTYPE Operation against a key",
            "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments script: x, on @user_function:1.",
            "NOPERM ACL failure in script: No permissions to access a key",
        ] {
            let error = answered(line);
            assert!(!error.is_denied() && !error.meets_all_jobs(), "{error:?}");
        }
    }

    #[test]
    fn a_login_that_is_refused_is_waited_for_and_told() {
        let error = RedisError::from((ErrorKind::AuthenticationFailed, "x"));
        let error = classify("claim", error);
        assert!(error.passes() && error.kind() == "ERR", "{error:?}");
        assert_eq!(
            error.to_string(),
            "redis does not do claim now: the user or the password of REDIS_URL is refused"
        );
    }

    #[test]
    fn redis_own_words_stand_in_the_message() {
        let error = classify(
            "submit",
            make_extension_error("OOM".to_owned(), Some("command not allowed".to_owned())),
        );
        assert_eq!(
            error.to_string(),
            "redis does not do submit now: OOM command not allowed"
        );
    }
}
