//! Random sequences of what clients, workers and time do to two pull requests, with
//! several claims in hand at once. [`judge`] says what must hold after each step.
//!
//! Workers are as they should be, but each may stall between any two of its calls, and
//! then wake up late or never.

mod crew;
mod judge;
mod work;

use proptest::prelude::*;

use crew::Crew;

/// So many rounds, each of a third of a lease, are enough to end whatever is live.
const ROUNDS_MAX: u32 = 40;

#[derive(Debug, Clone)]
enum Step {
    Submit {
        pull_request: usize,
        commit: u32,
        /// The first half of the job's id, which decides its place among those due at once.
        salt: u64,
    },
    Claim {
        wanted: usize,
        turn: u32,
        worker: u8,
    },
    /// A worker goes on by so many calls, all but the last of which turn out for the
    /// best, as the last does with a chance of 0.
    Act {
        hand: usize,
        calls: u8,
        chance: u8,
    },
    /// A worker renews the lease of what it has in hand no more.
    Stall {
        hand: usize,
    },
    Cancel {
        job: usize,
    },
    Revive {
        job: usize,
    },
    Reap,
    Wait {
        ms: u64,
    },
    /// Reaps at the usual pace until every lease that nobody renews is over.
    Lapse,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![Just(1_u64), Just(700), Just(3_000), Just(31_000)];
    let chance = prop_oneof![5 => Just(0_u8), 2 => Just(3), 3 => 1_u8..6];
    let calls = prop_oneof![1 => Just(1_u8), 1 => 2_u8..6];
    let pull_request = prop_oneof![3 => Just(0_usize), 1 => Just(1)];
    let wanted = prop_oneof![3 => Just(1_usize), 1 => Just(3)];
    prop_oneof![
        3 => (pull_request, 0_u32..4, any::<u64>())
            .prop_map(|(pull_request, commit, salt)| Step::Submit { pull_request, commit, salt }),
        7 => (wanted, 0_u32..9, 0_u8..3)
            .prop_map(|(wanted, turn, worker)| Step::Claim { wanted, turn, worker }),
        14 => (any::<usize>(), calls, chance)
            .prop_map(|(hand, calls, chance)| Step::Act { hand, calls, chance }),
        1 => any::<usize>().prop_map(|hand| Step::Stall { hand }),
        1 => any::<usize>().prop_map(|job| Step::Cancel { job }),
        2 => any::<usize>().prop_map(|job| Step::Revive { job }),
        1 => Just(Step::Reap),
        4 => wait.prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Lapse),
    ]
}

async fn play(steps: &[Step]) {
    let mut crew = Crew::new().await;
    for step in steps {
        crew.take(step).await;
        crew.judge().await;
    }
    crew.give_up_all();
    for _ in 0..ROUNDS_MAX {
        if !crew.has_live() {
            break;
        }
        crew.round().await;
        crew.judge().await;
    }
    crew.judge_end().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_comment_exists_once_and_in_its_turn_and_nothing_gets_stuck(
        steps in prop::collection::vec(step(), 1..200)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(&steps));
    }
}
