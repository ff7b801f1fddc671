//! The calls of the programs that move a job.

use hookme_shared::feedback::Grade;
use hookme_shared::job::State;
use hookme_shared::queue::Settlement;

use crate::virtual_queue::LONG;

/// A call, and what it meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// A new report.
    Submit,
    /// Feedback that makes an older one needless.
    SubmitNewer,
    /// A report whose scope a job holds that is in no set.
    SubmitAfterStray,
    /// Two jobs that are due.
    Claim,
    /// A job whose last attempt gave way.
    ClaimAgain,
    /// A job that is too old.
    ClaimTooOld,
    /// A job whose record cannot be read.
    ClaimUnreadable,
    /// A delivery whose report is too old.
    ClaimToFetch,
    /// A comment that a newer commit made needless, and one that is next.
    ClaimNeedless,
    Keep,
    KeepCheckpoint,
    GoWithoutReport,
    Renew,
    Finish,
    FinishWithReport,
    Retry,
    RetryTooOld,
    RetryCancelled,
    Release,
    Bury,
    Grade,
    OpenComment,
    CloseComment,
    CloseNoComment,
    Reap,
    ReapPoison,
    Cancel,
    Revive,
    Sweep,
}

impl Call {
    pub(super) const ALL: [Self; 29] = [
        Self::Submit,
        Self::SubmitNewer,
        Self::SubmitAfterStray,
        Self::Claim,
        Self::ClaimAgain,
        Self::ClaimTooOld,
        Self::ClaimUnreadable,
        Self::ClaimToFetch,
        Self::ClaimNeedless,
        Self::Keep,
        Self::KeepCheckpoint,
        Self::GoWithoutReport,
        Self::Renew,
        Self::Finish,
        Self::FinishWithReport,
        Self::Retry,
        Self::RetryTooOld,
        Self::RetryCancelled,
        Self::Release,
        Self::Bury,
        Self::Grade,
        Self::OpenComment,
        Self::CloseComment,
        Self::CloseNoComment,
        Self::Reap,
        Self::ReapPoison,
        Self::Cancel,
        Self::Revive,
        Self::Sweep,
    ];

    /// How its jobs end when whoever works on them only succeeds.
    pub(super) fn ends_as(self) -> &'static [State] {
        match self {
            Self::ClaimTooOld | Self::ClaimUnreadable | Self::RetryTooOld => &[State::Dead],
            Self::RetryCancelled => &[State::Cancelled],
            Self::SubmitNewer | Self::ClaimNeedless => &[State::Succeeded, State::Cancelled],
            Self::SubmitAfterStray => &[State::Succeeded, State::Dead],
            // Taken before the call, they stay dead; they succeed where nothing came of it.
            Self::Bury | Self::ReapPoison | Self::Sweep | Self::Revive => {
                &[State::Dead, State::Succeeded]
            }
            Self::Cancel => &[State::Cancelled, State::Succeeded],
            _ => &[State::Succeeded],
        }
    }

    /// How a running job is put back or ended by it, if it is that.
    pub(super) fn settlement(self) -> Option<Settlement> {
        Some(match self {
            Self::Retry | Self::RetryTooOld | Self::RetryCancelled => Settlement::Retry {
                delay: LONG,
                reason: "503".to_owned(),
            },
            Self::Release => Settlement::Release {
                reason: "it stops".to_owned(),
            },
            Self::Bury => Settlement::Bury {
                reason: "422".to_owned(),
            },
            Self::Grade => Settlement::Grade(Grade {
                passed: 1,
                total: 2,
            }),
            _ => return None,
        })
    }
}
