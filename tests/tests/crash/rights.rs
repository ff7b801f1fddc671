//! A right that is taken away in the middle of a function: the writes before it stay, so
//! whatever they are, each job is in one set afterwards and goes on.

mod call;
mod prepare;
mod scene;

use futures_util::stream::{self, StreamExt};
use hookme_shared::queue::Role;

use self::call::Call;
use self::scene::Scene;

/// What becomes of the call that fails.
#[derive(Debug, Clone, Copy)]
enum Caller {
    /// Sends it again when the right is back.
    Repeats,
    /// Is gone: nobody sends it again.
    IsGone,
}

/// Every right that a program has, as `ACL SETUSER` takes it away.
async fn rights() -> Vec<String> {
    let scene = Scene::new(Call::Claim).await;
    scene.set_user("-@all +fcall +function").await;
    let mut rights = Vec::new();
    for role in [Role::Api, Role::Worker] {
        rights.extend(scene.as_user.missing_rights(role).await.unwrap());
    }
    rights.sort();
    rights.dedup();
    rights
        .iter()
        .map(|right| right.replace('+', "-"))
        .filter(|right| right.starts_with('-'))
        .collect()
}

/// Takes each right away in turn for one call; returns how often it fails without one, and
/// what is wrong then.
async fn without_each(rights: &[String], call: Call) -> (usize, Vec<String>) {
    let (mut failed, mut faults) = (0, Vec::new());
    for right in rights {
        for caller in [Caller::Repeats, Caller::IsGone] {
            let mut scene = Scene::new(call).await;
            scene.set_user(right).await;
            let answer = scene.call().await;
            scene.set_user("+@all").await;
            let Err(error) = answer else { break };
            assert!(error.is_denied(), "{call:?} {right}: {error}");
            failed += 1;
            if let Caller::Repeats = caller {
                scene.call().await.unwrap();
            }
            for fault in scene.faults().await {
                faults.push(format!("{call:?} {right}, the caller {caller:?}: {fault}"));
            }
        }
    }
    (failed, faults)
}

#[tokio::test]
async fn a_right_that_is_missing_in_the_middle_loses_no_job_and_leaves_nothing() {
    let rights = rights().await;
    assert!(rights.len() > 20, "{rights:?}");
    let calls = stream::iter(Call::ALL).map(async |call| {
        let (failed, faults) = without_each(&rights, call).await;
        assert!(failed >= 6, "{call:?} failed {failed} times only");
        faults
    });
    let faults: Vec<_> = calls.buffer_unordered(8).collect().await;
    let faults = faults.concat();
    assert!(
        faults.is_empty(),
        "{}:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
