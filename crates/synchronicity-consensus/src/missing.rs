//! Asks the other members for what this one waits to execute.
//!
//! A certificate that makes a block final is sent to those who are awake. Whoever sleeps through it learns of it from a
//! later one; but while more members than the group can spare wait for a block that only the others know to be final,
//! there may be no later one, and the group would stand still. So a wait that lasts is also a question.

use std::time::Duration;

use commonware_consensus::types::Height;
use commonware_cryptography::ed25519::PublicKey;
use commonware_runtime::Clock;
use commonware_utils::vec::NonEmptyVec;

use crate::chain::Chain;
use crate::executor::Executor;
use crate::local::Local;

/// Until a wait is a question, and until the question is asked again: most waits are over long before.
const PATIENCE: Duration = Duration::from_secs(1);

/// Blocks beyond the last executed one that are asked for at once. Only a block with a certificate of its own is
/// answered for, and it brings those before it; what a hostile leader claims beyond these must not hide the next one.
const HEIGHTS_MAX: u64 = 8;

/// Runs until the engine ends. `others` are asked all at once: an answer proves itself, and nobody's silence counts.
pub(crate) async fn ask<E: Clock, X: Executor>(clock: &E, local: &Local<X>, chain: &Chain, others: Vec<PublicKey>) {
    let Ok(others) = NonEmptyVec::try_from(others) else {
        return std::future::pending().await;
    };
    let mut awaited = local.awaited();
    loop {
        let (height, executed) = (*awaited.borrow_and_update(), local.executor.executed().height);
        if height <= executed {
            // The sender lives as long as `local`, so this is no end.
            let _ = awaited.changed().await;
            continue;
        }
        clock.sleep(PATIENCE).await;
        if local.executor.executed().height > executed {
            continue;
        }
        tracing::debug!(height, executed, "asking for the proof that a block is final");
        for height in executed + 1..=height.min(executed + HEIGHTS_MAX) {
            chain.hint_finalized(Height::new(height), others.clone());
        }
    }
}
