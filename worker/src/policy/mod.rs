//! Rules, and nothing else.
//!
//! A function here takes everything that it needs as an argument: the failure
//! count, the answer's status and headers, the random sample. It returns a value
//! that says what should happen, and somebody else makes it happen. So there is
//! no `async`, no HTTP client, no clock and no random generator below this line.

pub mod caching;
pub mod delivery;
pub(crate) mod excerpt;
pub mod github;
pub mod outbox;
pub mod retry;
pub mod retry_after;
pub mod settlement;
