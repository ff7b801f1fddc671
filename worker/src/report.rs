//! What was fetched about one repository, the bytes that the webhook receives, and
//! the form in which Redis keeps them until they are delivered.
//!
//! The body is exactly Hookme's, down to the order of the keys. What Hookme did
//! not have (`contributors_unavailable`, `truncated`) stays out of it.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Serialize;
use serde_json::value::RawValue;

/// A repository's open issues and contributors.
///
/// The fields stand in the order of the body's keys, which is Hookme's:
/// alphabetical.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Contributors, in GitHub's order: most commits first.
    pub contributors: Vec<Contributor>,
    /// Open issues, in GitHub's order: newest first.
    pub issues: Vec<Issue>,
    /// The repository's name, as the client wrote it.
    pub repository: String,
    /// Its owner's name, as the client wrote it.
    pub user: String,
    /// GitHub does not list this repository's contributors because they are too
    /// many, so `contributors` is empty for want of an answer.
    #[serde(skip)]
    pub contributors_unavailable: bool,
    /// A list was longer than what is fetched, and its end was left out.
    #[serde(skip)]
    pub truncated: bool,
}

/// An open issue.
#[derive(Debug, Serialize)]
pub struct Issue {
    /// The login of who opened it; `None` if that account is gone.
    pub author: Option<String>,
    /// The labels as GitHub sent them, byte for byte.
    pub labels: Option<Box<RawValue>>,
    /// The title.
    pub title: Option<String>,
}

/// Somebody with commits in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contributor {
    /// The name that they show; `None` if they show none.
    pub name: Option<String>,
    /// Number of commits.
    pub qtd_commits: Option<u64>,
    /// Login; `None` for somebody without an account.
    pub user: Option<String>,
}

impl Report {
    /// The webhook's body: compact JSON in UTF-8.
    ///
    /// # Errors
    ///
    /// None that these types can bring about; serde's signature allows one, and a
    /// made-up body in its place would be worse than to pass it on.
    pub fn into_body(self) -> Result<Bytes, serde_json::Error> {
        serde_json::to_vec(&self).map(Bytes::from)
    }
}

/// Bodies below this many bytes are kept as they are: setting up the compressor
/// costs more time than the few bytes saved are worth.
const COMPRESS_FROM_BYTES: usize = 1024;

/// The bit of the first byte that says: the contributors were not available.
const UNAVAILABLE: u8 = 0b01;
/// The bit of the first byte that says: what follows is compressed (zlib).
const COMPRESSED: u8 = 0b10;

/// A report's body, as it is delivered and as it is kept for a later attempt.
///
/// Kept, it is one byte of flags (1: unavailable, 2: compressed; the others are
/// zero and belong to later versions) and then the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReport {
    /// The body's bytes, the same for every attempt.
    pub body: Bytes,
    /// See [`Report::contributors_unavailable`].
    pub contributors_unavailable: bool,
}

/// Why a kept report cannot be used. In each case it can be fetched again.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Written by a version of this program with other flags.
    #[error("the kept report has a form that this version does not know")]
    UnknownForm,
    /// The body is longer than allowed; the rest was not unpacked.
    #[error("the kept report unpacks to more than {bytes_max} bytes")]
    TooLong {
        /// The bound.
        bytes_max: usize,
    },
    /// The bytes are not what was once written.
    #[error("the kept report is damaged")]
    Damaged(#[source] std::io::Error),
}

impl KeptReport {
    /// The bytes to keep.
    #[must_use]
    pub fn compress(&self) -> Vec<u8> {
        let flag = if self.contributors_unavailable {
            UNAVAILABLE
        } else {
            0
        };
        let packed = if self.body.len() < COMPRESS_FROM_BYTES {
            None
        } else {
            pack(flag, &self.body)
        };
        packed.unwrap_or_else(|| {
            let mut plain = Vec::with_capacity(1 + self.body.len());
            plain.push(flag);
            plain.extend_from_slice(&self.body);
            plain
        })
    }

    /// Reads what [`KeptReport::compress`] wrote, if the body has at most
    /// `bytes_max` bytes. No more than that is ever unpacked.
    pub fn decompress(kept: &[u8], bytes_max: usize) -> Result<Self, KeptError> {
        let Some((&flags, rest)) = kept.split_first() else {
            return Err(KeptError::UnknownForm);
        };
        if flags & !(UNAVAILABLE | COMPRESSED) != 0 {
            return Err(KeptError::UnknownForm);
        }
        let body = if flags & COMPRESSED == 0 {
            rest.to_vec()
        } else {
            unpack(rest, bytes_max)?
        };
        if body.len() > bytes_max {
            return Err(KeptError::TooLong { bytes_max });
        }
        Ok(Self {
            body: body.into(),
            contributors_unavailable: flags & UNAVAILABLE != 0,
        })
    }
}

/// `None` if the compressor fails, which it does not on memory; the body is then
/// kept as it is.
fn pack(flag: u8, body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(vec![flag | COMPRESSED], Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// At most one byte more than `bytes_max`, so that the caller sees the excess.
fn unpack(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, KeptError> {
    let bound = u64::try_from(bytes_max)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut body = Vec::new();
    ZlibDecoder::new(packed)
        .take(bound)
        .read_to_end(&mut body)
        .map_err(KeptError::Damaged)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report() -> Report {
        let labels = r#"[{"id":9007199254740993,"name":"bug","color":"f00","description":null}]"#;
        Report {
            contributors: vec![
                Contributor {
                    name: Some("Mona L.".to_owned()),
                    qtd_commits: Some(32),
                    user: Some("mona".to_owned()),
                },
                Contributor {
                    name: None,
                    qtd_commits: Some(2),
                    user: Some("ann".to_owned()),
                },
                Contributor {
                    name: Some("Bo".to_owned()),
                    qtd_commits: None,
                    user: None,
                },
            ],
            issues: vec![
                Issue {
                    author: Some("mona".to_owned()),
                    labels: Some(RawValue::from_string(labels.to_owned()).unwrap()),
                    title: Some("Bug \"q\" é 😀 </script>\n".to_owned()),
                },
                Issue {
                    author: None,
                    labels: None,
                    title: None,
                },
            ],
            repository: "r".to_owned(),
            user: "Rich".to_owned(),
            contributors_unavailable: true,
            truncated: true,
        }
    }

    #[test]
    fn the_body_is_hookmes_to_the_byte() {
        let expected = concat!(
            r#"{"contributors":[{"name":"Mona L.","qtd_commits":32,"user":"mona"},"#,
            r#"{"name":null,"qtd_commits":2,"user":"ann"},{"name":"Bo","qtd_commits":null,"user":null}],"#,
            r#""issues":[{"author":"mona","labels":[{"id":9007199254740993,"name":"bug","color":"f00","description":null}],"#,
            r#""title":"Bug \"q\" é 😀 </script>\n"},{"author":null,"labels":null,"title":null}],"#,
            r#""repository":"r","user":"Rich"}"#,
        );
        assert_eq!(report().into_body().unwrap(), expected);
    }

    #[test]
    fn a_repetitive_body_is_kept_in_less_room_and_a_small_one_as_it_is() {
        let large = KeptReport {
            body: vec![b'x'; 100_000].into(),
            contributors_unavailable: false,
        };
        assert!(large.compress().len() < 2_000);
        let small = KeptReport {
            body: vec![b'x'; 100].into(),
            contributors_unavailable: true,
        };
        assert_eq!(small.compress().len(), 101);
    }

    #[test]
    fn unpacking_stops_at_the_bound() {
        for length in [100, 5_000_000] {
            let kept = KeptReport {
                body: vec![0; length].into(),
                contributors_unavailable: false,
            };
            let bytes = kept.compress();
            assert_eq!(KeptReport::decompress(&bytes, length).unwrap(), kept);
            let refused = KeptReport::decompress(&bytes, length - 1);
            assert!(
                matches!(refused, Err(KeptError::TooLong { .. })),
                "{length}"
            );
        }
        // The bound holds for what is unpacked, not only for what is returned.
        let bomb = pack(0, &vec![0; 5_000_000]).unwrap();
        assert_eq!(unpack(&bomb[1..], 10).unwrap().len(), 11);
    }

    #[test]
    fn bytes_that_nobody_wrote_are_refused() {
        for kept in [&b""[..], b"\x04{}", b"\xff{}"] {
            let refused = KeptReport::decompress(kept, 99);
            assert!(matches!(refused, Err(KeptError::UnknownForm)), "{kept:?}");
        }
        let mut torn = KeptReport {
            body: vec![7; 9_000].into(),
            contributors_unavailable: false,
        }
        .compress();
        torn.truncate(torn.len() - 3);
        let refused = KeptReport::decompress(&torn, 9_000);
        assert!(matches!(refused, Err(KeptError::Damaged(_))), "{refused:?}");
    }

    proptest! {
        #[test]
        fn what_was_kept_comes_back(body in prop::collection::vec(any::<u8>(), 0..5_000), flag: bool) {
            let kept = KeptReport { body: body.into(), contributors_unavailable: flag };
            let back = KeptReport::decompress(&kept.compress(), kept.body.len()).unwrap();
            prop_assert_eq!(back, kept);
        }

        #[test]
        fn no_bytes_panic(kept: Vec<u8>) {
            if let Ok(report) = KeptReport::decompress(&kept, 64) {
                prop_assert!(report.body.len() <= 64);
            }
        }
    }
}
