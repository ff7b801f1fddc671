//! The two ways of counting in time: a sliding window, and one that is fixed.

use std::collections::VecDeque;

/// What was spent within the last span, exactly: something of the moment `t` counts
/// up to, and not at, `t + span`.
#[derive(Debug, Default)]
pub(super) struct SlidingWindow {
    spent: VecDeque<(u64, u32)>,
    sum: u64,
}

impl SlidingWindow {
    /// Whether `cost` more stays within `max`.
    pub(super) fn has_room(&mut self, now_ms: u64, span_ms: u64, cost: u32, max: u32) -> bool {
        while let Some((at_ms, cost)) = self.spent.front().copied() {
            if at_ms.saturating_add(span_ms) > now_ms {
                break;
            }
            self.spent.pop_front();
            self.sum -= u64::from(cost);
        }
        self.sum + u64::from(cost) <= u64::from(max)
    }

    pub(super) fn add(&mut self, now_ms: u64, cost: u32) {
        self.spent.push_back((now_ms, cost));
        self.sum += u64::from(cost);
    }
}

/// What was spent since the window's first request; at its end it begins anew.
#[derive(Debug, Default)]
pub(super) struct FixedWindow {
    end_ms: u64,
    used: u64,
}

impl FixedWindow {
    /// What is used, and when that is forgotten. Before the first request the end
    /// is what it would be if the request came now.
    pub(super) fn used_until(&self, now_ms: u64, span_ms: u64) -> (u64, u64) {
        if now_ms < self.end_ms {
            (self.used, self.end_ms)
        } else {
            (0, now_ms.saturating_add(span_ms))
        }
    }

    pub(super) fn add(&mut self, now_ms: u64, span_ms: u64, cost: u32) {
        let (used, end_ms) = self.used_until(now_ms, span_ms);
        (self.used, self.end_ms) = (used + u64::from(cost), end_ms);
    }
}
