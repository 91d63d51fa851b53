//! Asks the other members for what this one waits to execute.
//!
//! A certificate that makes a block final is sent once, to those who are awake. Whoever sleeps through it learns of it
//! from the next one; but while more members than the group can spare wait for a block that only the others know to be
//! final, there is no next one, and the group would stand still for ever. So a wait is also a question.

use std::time::Duration;

use commonware_consensus::types::Height;
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_runtime::Clock;
use commonware_utils::vec::NonEmptyVec;

use crate::chain::Chain;
use crate::executor::Executor;
use crate::local::Local;

/// Until the question is asked again: whoever knows the answer may have been away.
const AGAIN: Duration = Duration::from_secs(2);

/// Runs until the engine ends. `others` are asked all at once: an answer proves itself, and nobody's silence counts.
pub(crate) async fn ask<E: Clock, X: Executor>(clock: &E, local: &Local<X>, chain: &Chain, others: Vec<PublicKey>) {
    let Ok(others) = NonEmptyVec::try_from(others) else {
        return std::future::pending().await;
    };
    let mut awaited = local.awaited();
    loop {
        let height = *awaited.borrow_and_update();
        if height <= local.executor.executed().height {
            // The sender lives as long as `local`, so this is no end.
            let _ = awaited.changed().await;
            continue;
        }
        tracing::debug!(height, "asking for the proof that a block is final");
        chain.hint_finalized(Height::new(height), others.clone());
        select! {
            _ = awaited.changed() => {},
            _ = clock.sleep(AGAIN) => {},
        }
    }
}
