//! Stand-ins for everything that Hookme talks to, and the harness that starts it.
//!
//! The product's tests, the demo and the benchmark share these parts. They are
//! real processes and real sockets, so that a test meets what production meets:
//!
//! - [`redis_server`]: a private Redis that can be killed, paused and restarted.
//! - [`process`]: the real `api` and `worker` binaries, killed and paused at will.
//! - [`github`]: an HTTP server with GitHub's shapes, pages, limits and faults; its
//!   [`Limiter`] also works alone, on a clock of the test's own.
//! - [`receiver`]: the webhook's other end, which keeps what it was sent.
//! - [`fault_proxy`]: loses exactly the request or the reply to Redis that a test
//!   names.
//! - [`site`]: all of it together, for tests of the whole.
//! - [`house`]: the same inside the test's own process, where nothing is killed.
//! - [`by_hand`]: a client and a worker that take one step at a time.
//! - [`pace`]: how long clients of GitHub take for their comments, measured.
//! - [`eventually()`]: waits for a state, and says what it last saw.
//! - [`leash`]: why nothing that was started here outlives the test.
//!
//! Nothing here knows the product's rules: what a report must hold or when a job
//! is retried is for the tests to say. A failure of a stand-in comes back as an
//! [`anyhow::Error`]; nothing here panics or prints.

pub mod by_hand;
pub mod eventually;
pub mod fault_proxy;
pub mod github;
pub mod house;
mod http_server;
pub mod leash;
mod lock;
pub mod pace;
pub mod process;
pub mod receiver;
pub mod redis_server;
pub mod site;

pub use eventually::eventually;
pub use fault_proxy::FaultProxy;
pub use github::{GithubStandIn, Limiter, Limits};
pub use house::House;
pub use process::Program;
pub use receiver::Receiver;
pub use redis_server::RedisServer;
pub use site::Site;
