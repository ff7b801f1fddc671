//! The keys that clients show, and whose each is. Rules only.
//!
//! This program never holds a key, only its SHA-256: whoever reads its memory, its
//! environment or a list of processes learns no key. A key is 256 random bits, so
//! that a hash without salt or stretching is enough (nobody can try them all).

use std::fmt;
use std::str::FromStr;

use hookme_shared::owner::{KEY_ID_MAX, KeyId};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// How many keys there may be: each request is compared with all of them.
const KEYS_MAX: usize = 1_000;
/// What follows the hash of a key whose holder may do everything.
const OPERATOR: &str = "operator";

/// Why a list of keys was refused: what it should be. It never repeats what was
/// given, which may be a key in the place of its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "up to {KEYS_MAX} entries <id>:<hash> or <id>:<hash>:operator with commas between them: an id has 1 to {KEY_ID_MAX} of the characters a-z 0-9 _ -, a hash is the SHA-256 of a key in 64 hexadecimal digits, and neither comes twice"
)]
pub struct KeysError;

/// The SHA-256 of a key. It has no `==`, so that nobody compares two in a time that
/// tells how alike they are.
#[derive(Clone)]
struct KeyHash([u8; 32]);

impl KeyHash {
    fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }
}

impl ConstantTimeEq for KeyHash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl FromStr for KeyHash {
    type Err = KeysError;

    fn from_str(text: &str) -> Result<Self, KeysError> {
        let mut hash = Self([0; 32]);
        if text.len() != 2 * hash.0.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(KeysError);
        }
        for (byte, digits) in hash.0.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| KeysError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| KeysError)?;
        }
        Ok(hash)
    }
}

/// A key that is known.
#[derive(Clone)]
pub(crate) struct Key {
    /// Its name.
    pub(crate) id: KeyId,
    /// Whether its holder may do everything.
    pub(crate) is_operator: bool,
    hash: KeyHash,
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Key")
            .field("id", &self.id)
            .field("is_operator", &self.is_operator)
            .finish_non_exhaustive()
    }
}

impl FromStr for Key {
    type Err = KeysError;

    fn from_str(entry: &str) -> Result<Self, KeysError> {
        let (id, rest) = entry.trim().split_once(':').ok_or(KeysError)?;
        let (hash, is_operator) = match rest.split_once(':') {
            None => (rest, false),
            Some((hash, OPERATOR)) => (hash, true),
            Some(_) => return Err(KeysError),
        };
        Ok(Self {
            id: id.parse().map_err(|_| KeysError)?,
            is_operator,
            hash: hash.parse()?,
        })
    }
}

/// All keys that are known, in the order in which they were given. None at all means
/// that nobody is asked for one.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Key>);

impl FromStr for Keys {
    type Err = KeysError;

    /// Reads the entries of `API_KEYS`; nothing but white space is no key.
    fn from_str(text: &str) -> Result<Self, KeysError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let keys: Vec<Key> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let repeats = |(place, key): (usize, &Key)| {
            let before = &keys[..place];
            before
                .iter()
                .any(|other| other.id == key.id || bool::from(other.hash.ct_eq(&key.hash)))
        };
        if keys.len() > KEYS_MAX || keys.iter().enumerate().any(repeats) {
            return Err(KeysError);
        }
        Ok(Self(keys))
    }
}

impl Keys {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.iter().map(|key| &key.id)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key that was `shown`, and its place in the list; `None` if nothing was
    /// shown, or nothing that is known.
    ///
    /// The hash of what was shown is compared with every entry, to the last byte, and
    /// so it is where nothing was: how long this takes tells nothing of the keys.
    pub(crate) fn find(&self, shown: Option<&[u8]>) -> Option<(usize, &Key)> {
        let hash = KeyHash::of(shown.unwrap_or_default());
        let mut found = u32::MAX;
        for (place, key) in (0_u32..).zip(&self.0) {
            found.conditional_assign(&place, key.hash.ct_eq(&hash));
        }
        // The hash of nothing may stand in the list by mistake.
        shown.filter(|shown| !shown.is_empty())?;
        let place = usize::try_from(found).ok()?;
        Some((place, self.0.get(place)?))
    }
}

#[cfg(test)]
mod tests;
