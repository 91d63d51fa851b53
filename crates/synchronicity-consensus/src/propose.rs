//! What a leader puts into a block, and when.
//!
//! A leader waits until a command can go in or the heartbeat has passed, so that a command is proposed at once and an
//! idle group costs one small block per heartbeat. It claims the state that it has executed, and it screens commands
//! against that state only: nothing is executed before it is final.

use std::sync::Arc;
use std::time::Duration;

use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_cryptography::Digested;
use commonware_cryptography::Digestible;
use commonware_macros::select;
use commonware_runtime::Clock;
use futures::StreamExt;
use synchronicity_core::machine::Executed;

use crate::block::{Block, Claim};
use crate::checked::{Ids, Signed};
use crate::executor::Executor;
use crate::local::{Local, unix_ms};

/// How many blocks that are not executed yet are looked through for commands. Beyond it a leader proposes an empty
/// block: a member that walks far back stalls the group.
pub(crate) const UNEXECUTED_BLOCKS_MAX: u64 = 64;

/// Pause between two blocks of one leader, for each member of the group: a group goes through a hundred views a second at
/// most. Each costs every member two votes and two certificates, and what a link's quota does not let through is lost
/// (`network::quotas`): a leader that is faster loses its own block, and the view then lasts until it is given up.
const PAUSE_PER_MEMBER: Duration = Duration::from_millis(10);

/// How far behind the final blocks a member may be and still lead.
const LAG_MAX: u64 = 8;

/// A block upon the first block of `ancestry`, or `None` when this member should not lead now.
pub(crate) async fn propose<E: Clock, X: Executor>(
    clock: &E,
    local: &Local<X>,
    mut ancestry: impl Ancestry<Block>,
) -> Option<Block> {
    let final_height = local.sightings.final_height().unwrap_or(0);
    if final_height > local.executor.executed().height + LAG_MAX {
        tracing::debug!(final_height, "still catching up: leaving this view to the next leader");
        return None;
    }
    let parent = ancestry.next().await?;
    // A claim never goes back, so whoever leads must have executed what the parent claims.
    local.until_executed(parent.inner().claim.height).await;
    let ancestors = unexecuted(local, &parent, ancestry).await;

    let deadline = clock.current() + local.pace.heartbeat;
    pause(clock, local).await;
    let mut news = local.news();
    loop {
        news.borrow_and_update();
        let due = clock.current() >= deadline;
        let found = match &ancestors {
            Some(ids) => local.admissible(ids),
            None => Some((local.executor.executed(), Vec::new())),
        };
        match found {
            Some((executed, commands)) if due || !commands.is_empty() => {
                local.proposes(clock.current());
                return build(unix_ms(local.now()), &parent, &executed, commands);
            }
            Some(_) => select! {
                _ = news.changed() => {},
                _ = clock.sleep_until(deadline) => {},
            },
            // A block was executed in between: each time around it is a later one.
            None => {}
        }
    }
}

/// Waits until this member's last block was long enough ago.
async fn pause<E: Clock, X: Executor>(clock: &E, local: &Local<X>) {
    let members = u32::try_from(local.group.members().len()).unwrap_or(u32::MAX);
    let pause = PAUSE_PER_MEMBER.saturating_mul(members);
    if let Some(due) = local.last_proposal().and_then(|last| last.checked_add(pause)) {
        clock.sleep_until(due.min(clock.current() + pause)).await;
    }
}

fn build(now_ms: u64, parent: &Digested<Block>, executed: &Executed, commands: Vec<Arc<Signed>>) -> Option<Block> {
    let (digest, parent) = (parent.digest(), parent.inner());
    if executed.height > parent.height {
        // Something later than the parent is final: this view is over.
        return None;
    }
    Some(Block {
        parent: digest,
        height: parent.height.checked_add(1)?,
        time_ms: now_ms.max(parent.time_ms.checked_add(1)?),
        claim: Claim::from(executed),
        commands,
    })
}

/// Ids of the commands in `parent` and before it that are not executed here. `None` if there are too many such blocks.
pub(crate) async fn unexecuted<X: Executor>(
    local: &Local<X>,
    parent: &Digested<Block>,
    mut before: impl Ancestry<Block>,
) -> Option<Ids> {
    let executed = local.executor.executed().height;
    if parent.inner().height.saturating_sub(executed) > UNEXECUTED_BLOCKS_MAX {
        return None;
    }
    let mut ids = Ids::new();
    let mut next = Some(parent.clone());
    while let Some(block) = next {
        let block = block.inner();
        if block.height <= executed {
            break;
        }
        ids.extend(block.commands.iter().map(|command| command.id()));
        if block.height - 1 <= executed {
            break;
        }
        next = before.next().await;
    }
    Some(ids)
}

#[cfg(test)]
mod tests;
