//! Feedback on commits, from the task to the comment on the pull request.

#![cfg(test)]

mod crowd;
mod desk;
mod order;
mod outbox;
mod pace;
mod shares;
