//! Feedback on a pull request: what an evaluator found, as a comment.
//!
//! [`template`] makes the comment's text. Nothing here asks GitHub.

mod markdown;
pub mod template;
mod text;
