//! How far a fetch has come: what was read so far, and where it goes on. Kept with
//! a job that has to wait for GitHub, so that what was read is not read again.

use serde::{Deserialize, Serialize};
use url::Url;

use super::contributors::Listed;
use crate::pack::{UnpackError, pack, unpack};
use crate::report::Issue;

/// The state of one fetch.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What the pages were asked for with: where, by whom, and what was left out of
    /// them. With anything else the fetch begins anew.
    pub(super) made_with: String,
    pub(super) issues: Walk<Issue>,
    pub(super) contributors: Walk<Listed>,
}

/// How far a walk over one list has come.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Walk<T> {
    pub(super) items: Vec<T>,
    /// Pages read so far.
    pub(super) pages: u32,
    pub(super) place: Place,
}

/// Where a walk stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// Before the first page.
    Start,
    /// Before this page.
    Page(Url),
    /// At the end.
    End(Ending),
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ending {
    /// Every page was read.
    Complete,
    /// There are more pages than were allowed; the rest was left out.
    CutOff,
    /// GitHub does not give this list, because it is too large.
    TooLarge,
}

impl<T> Default for Walk<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            pages: 0,
            place: Place::Start,
        }
    }
}

impl Checkpoint {
    /// Pages read so far.
    pub(super) fn pages(&self) -> u32 {
        self.issues.pages + self.contributors.pages
    }

    /// Whether anything was read yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issues.place == Place::Start && self.contributors.place == Place::Start
    }

    /// The bytes to keep with the job; `None` if there are more than `bytes_max` to
    /// be packed.
    #[must_use]
    pub fn compress(&self, bytes_max: usize) -> Option<Vec<u8>> {
        let bytes = serde_json::to_vec(self).ok()?;
        (bytes.len() <= bytes_max).then(|| pack(0, &bytes))
    }

    /// Reads what [`Checkpoint::compress`] wrote, if it unpacks to at most `bytes_max`
    /// bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be used; the fetch then begins anew.
    pub fn decompress(kept: &[u8], bytes_max: usize) -> Result<Self, UnpackError> {
        let (_, bytes) = unpack(kept, 0, bytes_max)?;
        serde_json::from_slice(&bytes).map_err(|error| UnpackError::Damaged(error.into()))
    }
}
