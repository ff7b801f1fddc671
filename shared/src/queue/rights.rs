//! Looks whether the Redis user may do what a program does, before it does it.
//!
//! A function that lacks a right half-way has made its first changes already, and Redis
//! takes none of them back. So a program asks for all of its rights when it starts.

use super::{Queue, QueueError, reply};

/// Whose rights are looked at. A program of each needs others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes tasks and shows them.
    Api,
    /// Claims jobs, works on them and settles them.
    Worker,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }
}

impl Queue {
    /// The rights that `role` needs and that this user lacks, in the words of
    /// `ACL SETUSER`, `+zadd` for example. Empty when none is missing.
    ///
    /// # Errors
    ///
    /// [`QueueError::Failed`] where the functions are not loaded and may not be, and
    /// whatever else keeps Redis from answering.
    pub async fn missing_rights(&self, role: Role) -> Result<Vec<String>, QueueError> {
        match self.are_functions_loaded().await {
            Err(error) if error.is_denied() => return Ok(vec!["+fcall".to_owned()]),
            Err(error) => return Err(error),
            Ok(true) => {}
            Ok(false) => self.load_functions().await?,
        }
        // Declares the tag alone: the second key of other calls is one of those asked about.
        let call = self
            .function_on("preflight", &[&self.0.tag])
            .arg(role.as_str());
        match self.call(call, reply::words).await {
            // It may be called, as was seen above: what is denied is its key. Nothing is
            // known of the others, which are needed too.
            Err(error) if error.is_denied() => {
                let tag = &self.0.tag;
                Ok(vec![format!("~{tag}"), format!("~{tag}:*")])
            }
            answered => answered,
        }
    }

    /// What an administrator is to be told of `missing` rights.
    pub(crate) fn about_rights(&self, missing: &[String]) -> String {
        let (user, missing) = (self.0.connections.user(), missing.join(" "));
        format!(
            "the Redis user {user} lacks the rights {missing}; an administrator of Redis gives them with: ACL SETUSER {user} {missing}"
        )
    }
}
