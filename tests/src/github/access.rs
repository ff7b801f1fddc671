//! Who asks: the user behind an `Authorization` header.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::header::{AUTHORIZATION, HeaderMap};

use super::limiter::Identity;
use super::shape::number_of;
use crate::lock::lock;

/// Where the ids of users begin that are known by their token alone; ids that
/// follow from logins lie below.
const FIRST_TOKEN_USER: u64 = 200_000_000;

/// Who a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Anonymous,
    User(u64),
    /// Somebody with a token that is not valid.
    Refused,
}

impl Caller {
    /// Whose allowance is used up. A wrong token is counted as none.
    pub(super) fn identity(self) -> Identity {
        match self {
            Self::User(id) => Identity::User(id),
            Self::Anonymous | Self::Refused => Identity::Anonymous,
        }
    }
}

/// The tokens that a test has said something about.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// Whether there is any, so that nobody else pays for the lock.
    any: AtomicBool,
    known: Mutex<HashMap<String, Caller>>,
}

impl Access {
    pub(super) fn put(&self, token: &str, caller: Caller) {
        lock(&self.known).insert(token.to_owned(), caller);
        self.any.store(true, Ordering::SeqCst);
    }

    pub(super) fn caller(&self, headers: &HeaderMap) -> Caller {
        let header = headers.get(AUTHORIZATION);
        let Some(value) = header.map(|value| value.to_str().unwrap_or_default()) else {
            return Caller::Anonymous;
        };
        let token = value.split_once(' ').map_or(value, |(_, token)| token);
        self.of_token(token)
    }

    /// The user of this token; every token is valid until it is said not to be.
    pub(super) fn of_token(&self, token: &str) -> Caller {
        if self.any.load(Ordering::SeqCst)
            && let Some(known) = lock(&self.known).get(token)
        {
            return *known;
        }
        Caller::User(FIRST_TOKEN_USER + number_of(token))
    }
}
