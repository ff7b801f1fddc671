//! What is remembered of one identity, and the judgement on its next request.

use super::limits::{Ask, Budget, Identity, Kind, Limits};
use super::pause::{Pauses, Scope};
use super::window::{FixedWindow, SlidingWindow};
use super::{Allowance, Broken};

/// One identity's use of everything that is limited.
#[derive(Debug, Default)]
pub(super) struct Account {
    hours: [FixedWindow; 2],
    points: [SlidingWindow; 2],
    content_minute: SlidingWindow,
    content_hour: SlidingWindow,
    in_flight: u32,
    last_write_ms: Option<u64>,
    pauses: Pauses,
    spent: [u64; 2],
}

impl Account {
    /// Whether `ask` may be served; if not, what it ran into and until when. A rule
    /// that is broken here begins a pause and is counted.
    pub(super) fn judge(
        &mut self,
        now_ms: u64,
        ask: Ask,
        (identity, limits): (Identity, &Limits),
        broken: &mut Broken,
    ) -> Result<(), (Scope, u64)> {
        if let Some(standing) = self.pauses.standing(now_ms, ask) {
            broken.during_pause += 1;
            return Err(standing);
        }
        let Some((scope, rule)) = self.broken_rule(now_ms, ask, identity, limits, broken) else {
            return Ok(());
        };
        *rule += 1;
        let until_ms = match scope {
            Scope::Hour(budget) => {
                self.hours[budget.index()]
                    .used_until(now_ms, limits.hour_ms)
                    .1
            }
            Scope::All | Scope::Content => now_ms.saturating_add(limits.block_ms),
        };
        self.pauses.begin(scope, until_ms);
        Err((scope, until_ms))
    }

    /// The rule that serving `ask` would break, as its counter.
    fn broken_rule<'a>(
        &mut self,
        now_ms: u64,
        ask: Ask,
        identity: Identity,
        limits: &Limits,
        broken: &'a mut Broken,
    ) -> Option<(Scope, &'a mut u64)> {
        let (index, minute_ms) = (ask.budget.index(), limits.minute_ms);
        let (used, _) = self.hours[index].used_until(now_ms, limits.hour_ms);
        // Without an allowance even that is refused which would cost nothing.
        let hourly = u64::from(limits.hourly(identity, ask.budget));
        if used + u64::from(ask.cost.max(1)) > hourly {
            return Some((Scope::Hour(ask.budget), &mut broken.primary));
        }
        if self.in_flight >= limits.concurrent {
            return Some((Scope::All, &mut broken.concurrent));
        }
        let (cost, max) = (ask.kind.points(), limits.points(ask.budget));
        if !self.points[index].has_room(now_ms, minute_ms, cost, max) {
            return Some((Scope::All, &mut broken.points_per_minute));
        }
        if ask.kind != Kind::Content {
            return None;
        }
        let max = limits.content_per_minute;
        if !self.content_minute.has_room(now_ms, minute_ms, 1, max) {
            return Some((Scope::Content, &mut broken.content_per_minute));
        }
        let max = limits.content_per_hour;
        let has_room = self.content_hour.has_room(now_ms, limits.hour_ms, 1, max);
        (!has_room).then_some((Scope::Content, &mut broken.content_per_hour))
    }

    /// Counts a write that begins now; whether it came too soon after the last.
    pub(super) fn write_comes_too_close(&mut self, now_ms: u64, ask: Ask, limits: &Limits) -> bool {
        if ask.kind == Kind::Read {
            return false;
        }
        let last = self.last_write_ms.replace(now_ms);
        last.is_some_and(|last| now_ms.saturating_sub(last) < limits.minute_ms / 60)
    }

    /// Serves a request; whether it came beside a probe.
    pub(super) fn serve(&mut self, now_ms: u64, ask: Ask, number: u64, limits: &Limits) -> bool {
        let index = ask.budget.index();
        self.hours[index].add(now_ms, limits.hour_ms, ask.cost);
        self.spent[index] += u64::from(ask.cost);
        self.points[index].add(now_ms, ask.kind.points());
        if ask.kind == Kind::Content {
            self.content_minute.add(now_ms, 1);
            self.content_hour.add(now_ms, 1);
        }
        self.in_flight += 1;
        self.pauses.pass(ask, number)
    }

    pub(super) fn answered(&mut self, number: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.pauses.answered(number);
    }

    pub(super) fn spent(&self, budget: Budget) -> u64 {
        self.spent[budget.index()]
    }

    /// What the headers say of the hour.
    pub(super) fn allowance(
        &self,
        now_ms: u64,
        budget: Budget,
        limit: u32,
        hour_ms: u64,
    ) -> Allowance {
        let (used, reset_ms) = self.hours[budget.index()].used_until(now_ms, hour_ms);
        let limit = u64::from(limit);
        Allowance {
            budget,
            limit,
            remaining: limit.saturating_sub(used),
            used,
            reset_ms,
        }
    }
}
