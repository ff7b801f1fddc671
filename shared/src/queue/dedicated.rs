//! Dedicated connections, for what blocks: out of a pool, which bounds how many there are
//! and how long each step on the way to one takes.
//!
//! A pool knows one address. Where Sentinels say where Redis is, they are asked each time,
//! and a master at another address gets a pool of its own.
//!
//! The package tries a connection that comes back with UNWATCH, which the users of
//! `deploy/redis` may not send. For them it makes another one, and UNWATCH is not worth
//! a right: connections come back only from waits that went well and are not repeated.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use redis::{ConnectionInfo, RedisError, RedisResult};

use super::whereabouts::{Whereabouts, waiting};

/// Dedicated connections at once: one waits for hints, and as it is replaced another may
/// not have ended yet.
const POOL_SIZE: usize = 4;

/// The pool of the dedicated connections. Never shown with `Debug`: the package's own
/// shows the password.
#[derive(Default)]
pub(super) struct Dedicated {
    pool: Mutex<Option<(String, Pool)>>,
}

impl Dedicated {
    /// A connection to where Redis is now, that goes back into the pool when it is
    /// dropped. One that failed should not: [`Connection::take`] ends it.
    pub(super) async fn get(
        &self,
        whereabouts: &Whereabouts,
        patience: Duration,
    ) -> RedisResult<Connection> {
        let place = whereabouts.place(patience).await?;
        let pool = self.pool_at(place, patience)?;
        pool.get().await.map_err(reason)
    }

    fn pool_at(&self, place: ConnectionInfo, patience: Duration) -> RedisResult<Pool> {
        let address = place.addr().to_string();
        let mut kept = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, pool)) = &*kept
            && *known == address
        {
            return Ok(pool.clone());
        }
        let pool = Pool::builder(Manager::new_with_config(place, waiting(patience))?)
            .max_size(POOL_SIZE)
            .wait_timeout(Some(patience))
            .create_timeout(Some(patience))
            .recycle_timeout(Some(patience))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(std::io::Error::other)?;
        *kept = Some((address, pool.clone()));
        Ok(pool)
    }
}

/// As Redis's own error, which callers tell apart by what it is.
fn reason(error: PoolError) -> RedisError {
    match error {
        PoolError::Backend(error) => error,
        PoolError::Timeout(_) => std::io::Error::from(std::io::ErrorKind::TimedOut).into(),
        other => std::io::Error::other(other).into(),
    }
}
