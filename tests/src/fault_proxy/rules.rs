//! Which commands lose their request or their reply.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lock::lock;

/// What is lost of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The command never reaches Redis.
    Request,
    /// The command runs, and nobody learns its reply.
    Reply,
}

/// Says of a command's words whether a rule is meant for it.
pub(super) type Predicate = Box<dyn FnMut(&[Vec<u8>]) -> bool + Send>;

/// A rule that still has losses to hand out.
struct Rule {
    loss: Loss,
    times: usize,
    predicate: Predicate,
}

impl Rule {
    fn judge(&mut self, words: &[Vec<u8>]) -> Option<Loss> {
        let meant = self.times > 0 && (self.predicate)(words);
        self.times -= usize::from(meant);
        meant.then_some(self.loss)
    }
}

/// The rules and the counters of all connections.
#[derive(Default)]
pub(super) struct Rules {
    active: Mutex<Vec<Rule>>,
    seen: Mutex<HashMap<String, usize>>,
    replies: AtomicUsize,
    dropped: AtomicUsize,
}

impl Rules {
    pub(super) fn add(&self, loss: Loss, times: usize, predicate: Predicate) {
        lock(&self.active).push(Rule {
            loss,
            times,
            predicate,
        });
    }

    pub(super) fn clear(&self) {
        lock(&self.active).clear();
    }

    /// What the command with these words loses. The first rule that is meant for
    /// it decides, and has one loss less to hand out.
    pub(super) fn judge(&self, words: &[Vec<u8>]) -> Option<Loss> {
        let name = words.first()?;
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        *lock(&self.seen).entry(name).or_default() += 1;
        let mut rules = lock(&self.active);
        rules.iter_mut().find_map(|rule| rule.judge(words))
    }

    pub(super) fn count_reply(&self) {
        self.replies.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_drop(&self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn commands(&self) -> usize {
        lock(&self.seen).values().sum()
    }

    pub(super) fn commands_named(&self, name: &str) -> usize {
        lock(&self.seen)
            .get(&name.to_ascii_uppercase())
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn replies(&self) -> usize {
        self.replies.load(Ordering::Relaxed)
    }

    pub(super) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }
}
