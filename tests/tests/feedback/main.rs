//! Feedback on commits, from the task to the comment on the pull request.

#![cfg(test)]

mod again;
mod client;
mod crowd;
mod desk;
mod ends;
mod once;
mod order;
mod outbox;
mod pace;
mod sending;
mod sequences;
mod shares;
mod workflow;
