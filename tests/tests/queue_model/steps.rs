//! What a sequence is made of.

use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Submit {
        repository: u8,
        delay_ms: u64,
    },
    Claim {
        wanted: usize,
        alone: bool,
        turn: u8,
    },
    Keep {
        claim: usize,
    },
    Renew {
        claim: usize,
    },
    Settle {
        claim: usize,
        how: u8,
        delay_ms: u64,
    },
    Cancel {
        job: usize,
    },
    Revive {
        job: usize,
    },
    Reap {
        jitter: f64,
    },
    Wait {
        ms: u64,
    },
    /// Reaps at the usual pace until every lease that nobody renews is over.
    Lapse {
        jitter: f64,
    },
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let delay = || prop_oneof![Just(0_u64), Just(700), Just(20_000)];
    prop_oneof![
        3 => (0_u8..7, delay()).prop_map(|(repository, delay_ms)| Step::Submit { repository, delay_ms }),
        5 => (1_usize..4, any::<bool>(), any::<u8>()).prop_map(|(wanted, alone, turn)| Step::Claim { wanted, alone, turn }),
        2 => any::<usize>().prop_map(|claim| Step::Keep { claim }),
        1 => any::<usize>().prop_map(|claim| Step::Renew { claim }),
        4 => (any::<usize>(), 0_u8..5, delay()).prop_map(|(claim, how, delay_ms)| Step::Settle { claim, how, delay_ms }),
        1 => any::<usize>().prop_map(|job| Step::Cancel { job }),
        1 => any::<usize>().prop_map(|job| Step::Revive { job }),
        2 => (0.0..1.0).prop_map(|jitter| Step::Reap { jitter }),
        2 => (0.0..1.0).prop_map(|jitter| Step::Lapse { jitter }),
        4 => prop_oneof![Just(1_u64), Just(1_000), Just(1_000), Just(16_000), Just(40_000), Just(130_000)].prop_map(|ms| Step::Wait { ms }),
    ]
}
