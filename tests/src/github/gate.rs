//! The gate before every answer: limits, the clock, and the headers that tell of
//! both.
//!
//! Without limits it lets everybody through and takes no lock.

use std::sync::Mutex;

use hyper::header::{DATE, HeaderMap, HeaderValue};

use super::access::Caller;
use super::answer::Answer;
use super::clock::Clock;
use super::date::http_date;
use super::limiter::{Allowance, Ask, Limiter, Limits, Refusal, Ticket, Verdict};
use super::refusal::RefusalStyle;
use crate::lock::lock;

const HOUR_SECONDS: u64 = 3_600;

/// Who comes in, and what is written on the way out.
#[derive(Debug)]
pub(super) struct Gate {
    limiter: Option<Mutex<Limiter>>,
    clock: Clock,
    style: Mutex<RefusalStyle>,
    /// Whether answers say anything of limits where there are none.
    tells_plenty: bool,
    /// The end of the hour in which it was made, for those who meet no limits.
    reset_seconds: u64,
}

/// What the headers say of the allowance.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rates {
    /// Everything is granted: always the same.
    Plenty {
        /// The end of the hour, in seconds since 1970.
        reset: u64,
        /// Whether it is the allowance of a token.
        token: bool,
    },
    /// What the limiter counted.
    Counted(Allowance),
    /// Nothing.
    Silent,
}

/// A request that was let in, until it has been answered.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    gate: &'a Gate,
    ticket: Option<Ticket>,
    pub(super) rates: Rates,
}

impl Gate {
    pub(super) fn new(limits: Option<Limits>, clock: Clock, tells_plenty: bool) -> Self {
        Self {
            tells_plenty,
            limiter: limits.map(|limits| Mutex::new(Limiter::new(limits))),
            reset_seconds: clock.now_ms() / 1_000 + HOUR_SECONDS,
            clock,
            style: Mutex::default(),
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(super) fn set_style(&self, style: RefusalStyle) {
        *lock(&self.style) = style;
    }

    /// What the limiter answers, or nothing if there is none.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Limiter) -> T) -> Option<T> {
        self.limiter
            .as_ref()
            .map(|limiter| question(&lock(limiter)))
    }

    /// Lets a request in, or refuses it.
    pub(super) fn enter(
        &self,
        caller: Caller,
        ask: Ask,
    ) -> Result<Admission<'_>, Box<(Answer, Rates)>> {
        let Some(limiter) = &self.limiter else {
            let plenty = Rates::Plenty {
                reset: self.reset_seconds(),
                token: true,
            };
            let rates = if self.tells_plenty {
                plenty
            } else {
                Rates::Silent
            };
            return Ok(Admission {
                gate: self,
                ticket: None,
                rates,
            });
        };
        let mut limiter = lock(limiter);
        // Under the lock, so that time never goes back from one question to the next.
        let now_ms = self.clock.now_ms();
        match limiter.begin(now_ms, caller.identity(), ask) {
            Verdict::Served(ticket, allowance) => {
                let rates = Rates::Counted(allowance);
                Ok(Admission {
                    gate: self,
                    ticket: Some(ticket),
                    rates,
                })
            }
            Verdict::Refused {
                refusal,
                allowance,
                retry_after_seconds,
            } => {
                drop(limiter);
                let style = *lock(&self.style);
                let what = (refusal, ask.budget);
                let answer = style.answer(what, caller, now_ms, retry_after_seconds);
                let silent = refusal != Refusal::Primary && !style.with_allowance;
                let rates = if silent {
                    Rates::Silent
                } else {
                    Rates::Counted(allowance)
                };
                Err(Box::new((answer, rates)))
            }
        }
    }

    /// Writes the date where the stand-in's time is not the real one.
    pub(super) fn date(&self, headers: &mut HeaderMap) {
        if self.clock.is_plain() {
            return;
        }
        if let Ok(date) = HeaderValue::from_str(&http_date(self.clock.now_ms() / 1_000)) {
            headers.insert(DATE, date);
        }
    }

    fn reset_seconds(&self) -> u64 {
        if self.clock.is_plain() {
            return self.reset_seconds;
        }
        // A test may set the clock to any hour; the end is that of the current one.
        (self.clock.now_ms() / 1_000 / HOUR_SECONDS + 1) * HOUR_SECONDS
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if let (Some(limiter), Some(ticket)) = (&self.gate.limiter, self.ticket.take()) {
            lock(limiter).answered(ticket);
        }
    }
}
