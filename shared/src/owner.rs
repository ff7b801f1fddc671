//! Whose a task is: the id of the API key that it was submitted with.

use std::fmt;
use std::str::FromStr;

use crate::words::Unknown;

/// The longest id of a key, in characters.
pub const KEY_ID_MAX: usize = 32;

/// The id of an API key: 1 to [`KEY_ID_MAX`] of the characters `a-z 0-9 _ -`, so that it
/// can stand in a Redis key. It is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    /// The id as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        let fits = (1..=KEY_ID_MAX).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned())).ok_or_else(|| Unknown {
            text: text.to_owned(),
            expected: "key id",
        })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_cannot_bend_a_redis_key() {
        for id in ["shop", "a-b_9", &"x".repeat(32)] {
            assert_eq!(id.parse::<KeyId>().unwrap().as_str(), id);
        }
        for id in [
            "",
            "Shop",
            "a:b",
            "a b",
            "a~b",
            "{a}",
            "é",
            "a\n",
            &"x".repeat(33),
        ] {
            assert!(id.parse::<KeyId>().is_err(), "{id:?}");
        }
    }
}
