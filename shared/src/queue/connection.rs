//! The connections to Redis: one for the hot path, shared by all calls, and a
//! pool that hands out dedicated ones for what blocks.
//!
//! One multiplexed connection is faster than a pool, because it pipelines by
//! itself; but a call that blocks would block all others on it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deadpool_redis::{Manager, Pool, Runtime};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, RedisError, RedisResult,
};

use super::Address;
use super::tls::trusting;

/// A peer that acknowledges nothing for this long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(3);
/// After so many time-outs in a row the connection is replaced: a peer behind
/// a proxy that acknowledges but never answers is not noticed otherwise.
const TIMEOUTS_MAX: u32 = 3;
/// Dedicated connections at once: one waits for hints, one is for start-up.
const POOL_SIZE: usize = 4;

/// The connections of one process to one Redis.
pub(super) struct Connections {
    client: Client,
    config: ConnectionManagerConfig,
    hot: Mutex<ConnectionManager>,
    timeouts: AtomicU32,
    pool: Pool,
}

impl Connections {
    /// Prepares connections to `address`; none is made yet. A call that gets no
    /// answer within its time-out fails, and a connection may take as long to be made.
    pub(super) fn new(address: &Address) -> RedisResult<Self> {
        let response_timeout = address.response_timeout;
        let info = with_tcp_settings(address.url.expose())?;
        let info = trusting(info, address.certificate_authority.as_ref())?;
        let client = Client::open(info.clone())?;
        // The library's own retries hold a call for seconds while Redis is
        // down. The caller knows better what to do meanwhile.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(response_timeout))
            .set_response_timeout(Some(response_timeout));
        let dedicated = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(response_timeout))
            .set_response_timeout(Some(response_timeout));
        let pool = Pool::builder(Manager::new_with_config(info, dedicated)?)
            .max_size(POOL_SIZE)
            .wait_timeout(Some(response_timeout))
            .create_timeout(Some(response_timeout * 2))
            .recycle_timeout(Some(response_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| RedisError::from(std::io::Error::other(error)))?;
        let hot = Mutex::new(ConnectionManager::new_lazy_with_config(
            client.clone(),
            config.clone(),
        )?);
        Ok(Self {
            client,
            config,
            hot,
            timeouts: AtomicU32::new(0),
            pool,
        })
    }

    /// The shared connection, for everything that does not block.
    pub(super) fn hot(&self) -> ConnectionManager {
        match self.hot.lock() {
            Ok(connection) => connection.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    /// The name of the Redis user.
    pub(super) fn user(&self) -> &str {
        let login = self.client.get_connection_info().redis_settings();
        login.username().unwrap_or("default")
    }

    /// Dedicated connections, for what blocks or must stand alone.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Takes note of how a call on the shared connection went, and replaces
    /// that connection if it only times out.
    pub(super) fn note(&self, error: Option<&RedisError>) {
        if !error.is_some_and(RedisError::is_timeout) {
            self.timeouts.store(0, Ordering::Relaxed);
            return;
        }
        if self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 < TIMEOUTS_MAX {
            return;
        }
        self.timeouts.store(0, Ordering::Relaxed);
        match ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone()) {
            Ok(fresh) => {
                tracing::warn!("redis only times out on this connection; it is replaced");
                match self.hot.lock() {
                    Ok(mut connection) => *connection = fresh,
                    Err(poisoned) => *poisoned.into_inner() = fresh,
                }
            }
            Err(error) => tracing::error!(%error, "no connection to redis can be prepared"),
        }
    }
}

fn with_tcp_settings(url: &str) -> RedisResult<ConnectionInfo> {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(3))
        .with_retries(3);
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive)
        .set_user_timeout(USER_TIMEOUT);
    let info = url.into_connection_info()?;
    // Redis 7.0 does not know the commands that tell it the library's name, and a user
    // with few rights may not send them.
    let login = info.redis_settings().clone().set_skip_set_lib_name();
    Ok(info.set_tcp_settings(tcp).set_redis_settings(login))
}
