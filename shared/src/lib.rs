//! What the API and the worker share.

pub mod descriptors;
pub mod destination;
pub mod digest;
pub mod error;
pub mod feedback;
pub mod guard;
pub mod healthcheck;
pub mod hiding;
pub mod job;
pub mod keyless;
pub mod names;
pub mod owner;
pub mod queue;
pub mod secret;
pub mod serve;
pub mod settings;
pub mod shutdown;
pub mod span;
pub mod start;
pub mod supervisor;
pub mod telemetry;
pub mod transition;
pub mod trouble;
pub mod words;
