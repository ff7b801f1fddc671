//! What was fetched about one repository, the bytes that the webhook receives, and
//! the form in which Redis keeps them until they are delivered.
//!
//! The body is exactly Hookme's, down to the order of the keys. What Hookme did
//! not have (`contributors_unavailable`, `truncated`) stays out of it.

use bytes::Bytes;
use hookme_shared::job::Truncated;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::pack::{UnpackError, pack, unpack};

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
    /// The lists that were longer than what is fetched, and whose ends were left out.
    #[serde(skip)]
    pub truncated: Truncated,
}

/// An open issue.
#[derive(Debug, Serialize, Deserialize)]
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

/// What a report's body is without, for the headers that it is sent with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Omissions {
    /// See [`Report::contributors_unavailable`].
    pub contributors_unavailable: bool,
    /// See [`Report::truncated`].
    pub truncated: Truncated,
}

/// The bits of the first byte that say: the contributors were not available; the issues
/// were cut; the contributors were.
const UNAVAILABLE: u8 = 0b0001;
const ISSUES_CUT: u8 = 0b0100;
const CONTRIBUTORS_CUT: u8 = 0b1000;

impl Omissions {
    fn flags(self) -> u8 {
        let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        flag(self.contributors_unavailable, UNAVAILABLE)
            | flag(self.truncated.issues, ISSUES_CUT)
            | flag(self.truncated.contributors, CONTRIBUTORS_CUT)
    }

    fn read(flags: u8) -> Self {
        Self {
            contributors_unavailable: flags & UNAVAILABLE != 0,
            truncated: Truncated {
                issues: flags & ISSUES_CUT != 0,
                contributors: flags & CONTRIBUTORS_CUT != 0,
            },
        }
    }
}

/// A report's body, as it is delivered and as it is kept for a later attempt.
///
/// Kept, it is one byte of flags (1: unavailable, 2: compressed, 4: issues cut, 8:
/// contributors cut; the others are zero and belong to later versions) and then the body,
/// packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReport {
    /// The body's bytes, the same for every attempt.
    pub body: Bytes,
    /// What it is without.
    pub omissions: Omissions,
}

impl KeptReport {
    /// The bytes to keep.
    #[must_use]
    pub fn compress(&self) -> Vec<u8> {
        pack(self.omissions.flags(), &self.body)
    }

    /// Reads what [`KeptReport::compress`] wrote, if the body has at most
    /// `bytes_max` bytes. No more than that is ever unpacked.
    pub fn decompress(kept: &[u8], bytes_max: usize) -> Result<Self, UnpackError> {
        let known = UNAVAILABLE | ISSUES_CUT | CONTRIBUTORS_CUT;
        let (flags, body) = unpack(kept, known, bytes_max)?;
        Ok(Self {
            body: body.into(),
            omissions: Omissions::read(flags),
        })
    }
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
            truncated: Truncated {
                issues: true,
                contributors: false,
            },
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

    proptest! {
        #[test]
        fn what_was_kept_comes_back(body in prop::collection::vec(any::<u8>(), 0..5_000), flags: [bool; 3]) {
            let [contributors_unavailable, issues, contributors] = flags;
            let truncated = Truncated { issues, contributors };
            let omissions = Omissions { contributors_unavailable, truncated };
            let kept = KeptReport { body: body.into(), omissions };
            let back = KeptReport::decompress(&kept.compress(), kept.body.len()).unwrap();
            prop_assert_eq!(back, kept);
        }
    }
}
