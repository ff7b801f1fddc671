//! Bytes as they are kept in Redis: with a byte of flags before them, and
//! compressed where that is worth it.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// The flag that says: what follows is compressed (zlib). The other bits belong to
/// whoever packs.
pub(crate) const COMPRESSED: u8 = 0b10;

/// Bytes below this many are kept as they are: setting up the compressor costs
/// more time than the few bytes saved are worth.
const COMPRESS_FROM_BYTES: usize = 1024;

/// Why kept bytes cannot be used. In each case what they hold can be fetched again.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Written by a version of this program with other flags.
    #[error("the kept bytes have a form that this version does not know")]
    UnknownForm,
    /// There is more than allowed; the rest was not unpacked.
    #[error("the kept bytes unpack to more than {bytes_max} bytes")]
    TooLong {
        /// The bound.
        bytes_max: usize,
    },
    /// The bytes are not what was once written.
    #[error("the kept bytes are damaged")]
    Damaged(#[source] std::io::Error),
}

/// The bytes to keep, with these flags (all but [`COMPRESSED`]).
pub(crate) fn pack(flags: u8, bytes: &[u8]) -> Vec<u8> {
    let packed = if bytes.len() < COMPRESS_FROM_BYTES {
        None
    } else {
        compress(flags, bytes)
    };
    packed.unwrap_or_else(|| {
        let mut plain = Vec::with_capacity(1 + bytes.len());
        plain.push(flags);
        plain.extend_from_slice(bytes);
        plain
    })
}

/// Reads what [`pack`] wrote: the flags, of which `known` may occur, and at most
/// `bytes_max` bytes. No more than that is ever unpacked.
pub(crate) fn unpack(
    kept: &[u8],
    known: u8,
    bytes_max: usize,
) -> Result<(u8, Vec<u8>), UnpackError> {
    let Some((&flags, rest)) = kept.split_first() else {
        return Err(UnpackError::UnknownForm);
    };
    if flags & !(known | COMPRESSED) != 0 {
        return Err(UnpackError::UnknownForm);
    }
    let bytes = if flags & COMPRESSED == 0 {
        rest.to_vec()
    } else {
        decompress(rest, bytes_max)?
    };
    if bytes.len() > bytes_max {
        return Err(UnpackError::TooLong { bytes_max });
    }
    Ok((flags & known, bytes))
}

/// `None` if the compressor fails, which it does not on memory; the bytes are then
/// kept as they are.
fn compress(flags: u8, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(vec![flags | COMPRESSED], Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// At most one byte more than `bytes_max`, so that the caller sees the excess.
fn decompress(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, UnpackError> {
    let bound = u64::try_from(bytes_max)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    ZlibDecoder::new(packed)
        .take(bound)
        .read_to_end(&mut bytes)
        .map_err(UnpackError::Damaged)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repetitive_bytes_are_kept_in_less_room_and_few_ones_as_they_are() {
        assert!(pack(0, &vec![b'x'; 100_000]).len() < 2_000);
        assert_eq!(pack(1, &[b'x'; 100]).len(), 101);
    }

    #[test]
    fn unpacking_stops_at_the_bound() {
        for length in [100, 5_000_000] {
            let bytes = vec![0; length];
            let kept = pack(0, &bytes);
            assert_eq!(unpack(&kept, 0, length).unwrap(), (0, bytes));
            let refused = unpack(&kept, 0, length - 1);
            assert!(
                matches!(refused, Err(UnpackError::TooLong { .. })),
                "{length}"
            );
        }
        // The bound holds for what is unpacked, not only for what is returned.
        let bomb = pack(0, &vec![0; 5_000_000]);
        assert_eq!(decompress(&bomb[1..], 10).unwrap().len(), 11);
    }

    #[test]
    fn bytes_that_nobody_wrote_are_refused() {
        for kept in [&b""[..], b"\x04{}", b"\xff{}", b"\x01{}"] {
            let refused = unpack(kept, 0, 99);
            assert!(matches!(refused, Err(UnpackError::UnknownForm)), "{kept:?}");
        }
        let mut torn = pack(0, &[7; 9_000]);
        torn.truncate(torn.len() - 3);
        let refused = unpack(&torn, 0, 9_000);
        assert!(
            matches!(refused, Err(UnpackError::Damaged(_))),
            "{refused:?}"
        );
    }

    proptest! {
        #[test]
        fn what_was_kept_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..5_000), flag: bool) {
            let flags = u8::from(flag);
            let back = unpack(&pack(flags, &bytes), 1, bytes.len()).unwrap();
            prop_assert_eq!(back, (flags, bytes));
        }

        #[test]
        fn no_bytes_panic(kept: Vec<u8>) {
            if let Ok((_, bytes)) = unpack(&kept, 1, 64) {
                prop_assert!(bytes.len() <= 64);
            }
        }
    }
}
