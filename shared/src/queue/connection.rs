//! The connections to Redis: one for the hot path, shared by all calls, and a pool that
//! hands out dedicated ones for what blocks.
//!
//! One multiplexed connection is faster than a pool, because it pipelines by
//! itself; but a call that blocks would block all others on it. The client library's own
//! manager of connections is not used: it stays with an address, also with one whose
//! Redis is a replica now.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::Connection;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult};

use super::Address;
use super::dedicated::Dedicated;
use super::whereabouts::Whereabouts;

/// After so many time-outs in a row the connection is replaced: a peer behind
/// a proxy that acknowledges but never answers is not noticed otherwise.
const TIMEOUTS_MAX: u32 = 3;

/// A connection that is made once, for all who wait for it.
type Made = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

/// The connections of one process to one Redis.
pub(super) struct Connections {
    whereabouts: Arc<Whereabouts>,
    response_timeout: Duration,
    hot: Mutex<Hot>,
    timeouts: AtomicU32,
    dedicated: Dedicated,
}

/// The shared connection, and how many there were before it.
struct Hot {
    number: u64,
    made: Option<Made>,
}

impl Connections {
    /// Prepares connections to `address`; none is made yet. A call that gets no
    /// answer within its time-out fails, and a connection may take as long to be made.
    pub(super) fn new(address: &Address) -> RedisResult<Self> {
        let authority = address.certificate_authority.as_ref();
        let whereabouts = Whereabouts::read(address.url.expose(), authority)?;
        Ok(Self {
            whereabouts: Arc::new(whereabouts),
            response_timeout: address.response_timeout,
            hot: Mutex::new(Hot {
                number: 0,
                made: None,
            }),
            timeouts: AtomicU32::new(0),
            dedicated: Dedicated::default(),
        })
    }

    /// Sends a command that does not block, on the shared connection. Nothing is sent
    /// twice: whoever calls knows better what to do if there is no answer.
    pub(super) async fn send<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let (number, made) = self.hot();
        let mut connection = match made.await {
            Ok(connection) => connection,
            Err(error) => {
                self.drop_hot(number);
                return Err(error);
            }
        };
        let answer = command.query_async(&mut connection).await;
        self.note(number, answer.as_ref().err());
        answer
    }

    /// A connection of its own out of the pool, for what blocks.
    pub(super) async fn dedicated(&self) -> RedisResult<Connection> {
        let (whereabouts, patience) = (&self.whereabouts, self.response_timeout);
        self.dedicated.get(whereabouts, patience).await
    }

    /// The name of the Redis user.
    pub(super) fn user(&self) -> String {
        self.whereabouts.user()
    }

    fn lock(&self) -> MutexGuard<'_, Hot> {
        self.hot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hot(&self) -> (u64, Made) {
        let mut hot = self.lock();
        let made = hot.made.get_or_insert_with(|| {
            let (whereabouts, patience) = (Arc::clone(&self.whereabouts), self.response_timeout);
            async move { whereabouts.connect(patience).await }
                .boxed()
                .shared()
        });
        let made = made.clone();
        (hot.number, made)
    }

    /// Takes note of how a call went, and gives the connection up if it has ended, leads
    /// to what is no master any more, or only times out.
    fn note(&self, number: u64, error: Option<&RedisError>) {
        if !error.is_some_and(RedisError::is_timeout) {
            self.timeouts.store(0, Ordering::Relaxed);
        }
        let Some(error) = error else { return };
        if error.is_unrecoverable_error() || error.code() == Some("READONLY") {
            self.drop_hot(number);
        } else if error.is_timeout() {
            let timeouts = self.timeouts.fetch_add(1, Ordering::Relaxed) + 1;
            if timeouts == TIMEOUTS_MAX {
                tracing::warn!(
                    "redis only times out on this connection; it is replaced, again and again until an answer comes"
                );
            }
            if timeouts.is_multiple_of(TIMEOUTS_MAX) {
                self.drop_hot(number);
            }
        }
    }

    /// The next call makes another connection, unless somebody has seen to that already.
    fn drop_hot(&self, number: u64) {
        let mut hot = self.lock();
        if hot.number == number {
            *hot = Hot {
                number: number + 1,
                made: None,
            };
        }
    }
}
