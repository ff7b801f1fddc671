//! Feedback on a pull request: what an evaluator found, as a comment.
//!
//! [`template`] makes the comment's text, [`comment`] makes the comment or finds it
//! again, and [`news`] tells the webhook of it. When which of this is done is the story
//! of [`crate::commenter`].

pub mod comment;
mod markdown;
pub mod news;
pub mod template;
mod text;
