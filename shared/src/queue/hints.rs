//! Hints that something became due sooner than a sleeping worker knows.

use std::time::Duration;

use deadpool_redis::Connection;
use redis::{RedisError, Value};

use super::error::classify;
use super::{Queue, QueueError, keys};

const WAIT_FOR_HINT: &str = "wait for a hint";

impl Queue {
    /// A dedicated connection that waits for hints.
    pub async fn hints(&self) -> Result<Hints, QueueError> {
        let connection = self.0.connections.dedicated().await;
        let connection = connection.map_err(|error| classify(WAIT_FOR_HINT, error))?;
        Ok(Hints {
            connection,
            wake: keys::wake(&self.0.tag),
        })
    }

    /// Passes on a hint that came too late to be of use here.
    pub async fn pass_hint_on(&self) -> Result<(), QueueError> {
        let command = redis::cmd("LPUSH")
            .arg(keys::wake(&self.0.tag))
            .arg("passed on")
            .to_owned();
        self.send::<Value>("pass a hint on", &command)
            .await
            .map(|_| ())
    }
}

/// Waits for hints that something became due sooner.
pub struct Hints {
    connection: Connection,
    wake: String,
}

impl Hints {
    /// Waits for a hint, at most `longest`; says whether one came. After a failure the
    /// connection is over: it may still wait, or lead to what is no master any more.
    pub async fn wait(mut self, longest: Duration) -> Result<(Self, bool), QueueError> {
        // The connection's own time-out is for calls that are answered at once.
        self.connection
            .set_response_timeout(longest + Duration::from_secs(2));
        let popped: Result<Value, RedisError> = redis::cmd("BLPOP")
            .arg(&self.wake)
            .arg(longest.as_secs_f64())
            .query_async(&mut self.connection)
            .await;
        match popped {
            Ok(value) => Ok((self, value != Value::Nil)),
            Err(error) => {
                drop(Connection::take(self.connection));
                Err(classify(WAIT_FOR_HINT, error))
            }
        }
    }
}
