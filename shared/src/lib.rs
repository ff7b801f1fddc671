//! What the API and the worker share.

pub mod job;
pub mod names;
pub mod queue;
pub mod secret;
