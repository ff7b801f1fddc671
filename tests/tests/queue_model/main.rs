//! Random sequences of transitions, against a real Redis and against the pure
//! table; after each step the whole state must be the same.

#![cfg(test)]

mod compare;
mod model;
mod pair;
mod steps;

use hookme_shared::job::{JobId, Stage, State};
use hookme_shared::transition::{Event, Outcome};
use proptest::prelude::*;

use model::Model;
use pair::Pair;
use steps::step;

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn random_sequences_leave_redis_as_the_table_says(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.25)), 1..120)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new().await;
            for (step, again) in &steps {
                pair.take(step, *again).await;
                pair.compare().await;
            }
        });
    }
}

#[test]
fn the_model_reaches_every_state_and_stage() {
    // The sequences above would prove little if they never got anywhere.
    let mut model = Model {
        now_ms: 1,
        ..Model::default()
    };
    let id = JobId::random();
    model.submit(id, "o/r", 0);
    assert_eq!(model.claim("n", 1, false, 0), [id]);
    let fence = model.jobs[&id].life.fence.clone().unwrap();
    assert_eq!(model.keep(id, &fence), Some(1));
    assert_eq!(model.jobs[&id].stage, Stage::Deliver);
    assert_eq!(model.settle(id, &Event::Bury(fence), 0), Outcome::Done);
    assert_eq!(model.revive(id), model::Revived::Done);
    assert_eq!(model.cancel(id), Outcome::Done);
    assert_eq!(model.jobs[&id].life.state, State::Cancelled);
}
