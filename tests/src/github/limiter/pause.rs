//! The time after a refusal, in which a client should ask for nothing, and its end,
//! at which it should ask for one thing only.

use super::Refusal;
use super::limits::{Ask, Budget, Kind};

/// What a pause holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everything that an identity asks for.
    All,
    /// What is counted against this budget.
    Hour(Budget),
    /// What creates content.
    Content,
}

impl Scope {
    /// Which kind of refusal a request in this pause meets.
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::All => Refusal::Secondary,
            Self::Hour(_) => Refusal::Primary,
            Self::Content => Refusal::Content,
        }
    }

    fn holds(self, ask: Ask) -> bool {
        match self {
            Self::All => true,
            Self::Hour(budget) => ask.budget == budget,
            Self::Content => ask.kind == Kind::Content,
        }
    }
}

#[derive(Debug)]
struct Pause {
    scope: Scope,
    until_ms: u64,
    /// The first request after it, while that is not answered.
    probe: Option<u64>,
}

/// The pauses of one identity, at most one of each scope.
#[derive(Debug, Default)]
pub(super) struct Pauses(Vec<Pause>);

impl Pauses {
    pub(super) fn begin(&mut self, scope: Scope, until_ms: u64) {
        self.0.retain(|pause| pause.scope != scope);
        self.0.push(Pause {
            scope,
            until_ms,
            probe: None,
        });
    }

    /// The pause that holds `ask` back now, and its end.
    pub(super) fn standing(&self, now_ms: u64, ask: Ask) -> Option<(Scope, u64)> {
        let standing = |pause: &&Pause| pause.scope.holds(ask) && now_ms < pause.until_ms;
        self.0
            .iter()
            .find(standing)
            .map(|pause| (pause.scope, pause.until_ms))
    }

    /// Lets a served request pass the pauses that have ended. It is the probe of
    /// those that had none; says whether it came beside another's probe.
    pub(super) fn pass(&mut self, ask: Ask, number: u64) -> bool {
        let mut beside = false;
        for pause in self.0.iter_mut().filter(|pause| pause.scope.holds(ask)) {
            beside |= pause.probe.is_some();
            pause.probe.get_or_insert(number);
        }
        beside
    }

    /// The request `number` was answered: what it was the probe of is over.
    pub(super) fn answered(&mut self, number: u64) {
        self.0.retain(|pause| pause.probe != Some(number));
    }
}
