//! The doors towards Redis: who may do what there, and how it is reached.

#![cfg(test)]

mod commands;
mod lists;
mod loading;
mod preflight;
mod sentinel;
mod system;
mod tls;
mod users;

use std::time::Duration;

/// How long to wait for what takes a second on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(60);
