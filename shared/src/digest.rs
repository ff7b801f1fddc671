//! SHA-256 as text: how things are told apart without being shown.

use sha2::{Digest, Sha256};

/// The SHA-256 of `text`, in 64 hexadecimal digits.
#[must_use]
pub fn sha256(text: &str) -> String {
    hexadecimal(&Sha256::digest(text))
}

/// The first half of the SHA-256 of `parts`, each ended by a line feed: 32
/// hexadecimal digits, so many that two never meet.
#[must_use]
pub fn short_hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        hasher.update(b"\n");
    }
    hexadecimal(&hasher.finalize()[..16])
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_one_that_other_programs_compute() {
        // printf abc | sha256sum; printf 'abc\n' | sha256sum | cut -c1-32
        assert_eq!(
            sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(short_hash(&[b"abc"]), "edeaaff3f1774ad2888673770c6d6409");
        assert_ne!(short_hash(&[b"ab", b"c"]), short_hash(&[b"a", b"bc"]));
    }
}
