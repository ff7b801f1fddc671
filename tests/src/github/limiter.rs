//! GitHub's limits as rules: who is served, who is refused, and what was impolite.
//!
//! It reads no clock and opens no socket: each question carries its time, so a test
//! can drive hours of traffic through it in milliseconds. The stand-in asks it for
//! every request. What refusals look like is not decided here.
//!
//! The allowance of an hour is a fixed window per identity and budget that begins
//! with its first request. The secondary limits are exact sliding windows. A refusal
//! begins a pause; whoever asks in it is refused again. What was refused costs
//! nothing, and a 304 costs a point of the minute only.
//!
//! Source: GitHub's documentation, "Rate limits for the REST API" and "Best practices
//! for using the REST API".

mod account;
mod limits;
mod pause;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashMap;

use account::Account;
pub use limits::{Ask, Budget, Identity, Kind, Limits};

/// How often each rule was broken. All zero is a polite client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Broken {
    /// Asked for more than the hour's allowance.
    pub primary: u64,
    /// Asked for more than a minute's points.
    pub points_per_minute: u64,
    /// Asked for more at once than may be answered at once.
    pub concurrent: u64,
    /// Created more in a minute than is allowed.
    pub content_per_minute: u64,
    /// Created more in an hour than is allowed.
    pub content_per_hour: u64,
    /// Asked although a refusal was in force.
    pub during_pause: u64,
    /// Asked, after a pause, before the first request had been answered. These are
    /// served.
    pub beside_probe: u64,
    /// Wrote less than a sixtieth of a minute after the last write began. These are
    /// served.
    pub writes_too_close: u64,
}

impl Broken {
    /// Each counter with its name.
    #[must_use]
    pub fn rules(&self) -> [(&'static str, u64); 8] {
        [
            ("primary", self.primary),
            ("points_per_minute", self.points_per_minute),
            ("concurrent", self.concurrent),
            ("content_per_minute", self.content_per_minute),
            ("content_per_hour", self.content_per_hour),
            ("during_pause", self.during_pause),
            ("beside_probe", self.beside_probe),
            ("writes_too_close", self.writes_too_close),
        ]
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.rules().iter().map(|(_, count)| count).sum()
    }
}

/// Which of GitHub's limits refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The hour's allowance is used up.
    Primary,
    /// Too much in a short time; everything is refused for a while.
    Secondary,
    /// Too much content in a short time; only content is refused for a while.
    Content,
}

/// What an identity has left of its hour, as GitHub's headers say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// What it is an allowance of.
    pub budget: Budget,
    /// What the hour grants.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// What is gone of it.
    pub used: u64,
    /// When it is whole again, in milliseconds since 1970.
    pub reset_ms: u64,
}

/// A request that is being answered; [`Limiter::answered`] wants it back.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    identity: Identity,
    number: u64,
}

/// The limiter's answer. The allowance is what is left after it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The request is being answered.
    Served(Ticket, Allowance),
    /// The request is refused; it is over.
    Refused {
        /// By which limit.
        refusal: Refusal,
        /// What is left of the hour.
        allowance: Allowance,
        /// What `Retry-After` says. None for the primary limit, whose end stands in
        /// the allowance.
        retry_after_seconds: Option<u64>,
    },
}

/// All identities and what they have asked for.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    accounts: HashMap<Identity, Account>,
    broken: Broken,
    served: u64,
    refused: u64,
}

impl Limiter {
    /// A limiter that has seen nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (accounts, broken) = (HashMap::new(), Broken::default());
        Self {
            limits,
            accounts,
            broken,
            served: 0,
            refused: 0,
        }
    }

    /// Judges a request that begins now. `now_ms` never falls from one call to the
    /// next; should it, windows end too late and never too early.
    pub fn begin(&mut self, now_ms: u64, identity: Identity, ask: Ask) -> Verdict {
        let (limits, broken) = (&self.limits, &mut self.broken);
        let account = self.accounts.entry(identity).or_default();
        if account.write_comes_too_close(now_ms, ask, limits) {
            broken.writes_too_close += 1;
        }
        let judged = account.judge(now_ms, ask, (identity, limits), broken);
        let number = self.served;
        if judged.is_ok() {
            self.served += 1;
            broken.beside_probe += u64::from(account.serve(now_ms, ask, number, limits));
        } else {
            self.refused += 1;
        }
        let hourly = limits.hourly(identity, ask.budget);
        let allowance = account.allowance(now_ms, ask.budget, hourly, limits.hour_ms);
        match judged {
            Ok(()) => Verdict::Served(Ticket { identity, number }, allowance),
            Err((scope, until_ms)) => {
                let refusal = scope.refusal();
                let seconds = until_ms.saturating_sub(now_ms).div_ceil(1_000).max(1);
                let retry_after_seconds = (refusal != Refusal::Primary).then_some(seconds);
                Verdict::Refused {
                    refusal,
                    allowance,
                    retry_after_seconds,
                }
            }
        }
    }

    /// The request of this ticket has been answered, or nobody waits for it now.
    #[expect(clippy::needless_pass_by_value, reason = "a request is answered once")]
    pub fn answered(&mut self, ticket: Ticket) {
        if let Some(account) = self.accounts.get_mut(&ticket.identity) {
            account.answered(ticket.number);
        }
    }

    /// How often each rule was broken.
    #[must_use]
    pub fn broken(&self) -> Broken {
        self.broken
    }

    /// How many requests were served.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.served
    }

    /// How many requests were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// What all identities together have used of this budget, in all hours.
    #[must_use]
    pub fn spent(&self, budget: Budget) -> u64 {
        self.accounts
            .values()
            .map(|account| account.spent(budget))
            .sum()
    }

    /// What this identity has used of this budget, in all hours.
    #[must_use]
    pub fn spent_by(&self, identity: Identity, budget: Budget) -> u64 {
        let account = self.accounts.get(&identity);
        account.map_or(0, |account| account.spent(budget))
    }
}
