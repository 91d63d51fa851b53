//! Whether this member votes for a block.
//!
//! The answer is no only for what can never be right. What may still become right, or cannot be judged yet, is waited
//! for: the engine gives up by itself when the view is over. A block decodes only if every command in it verifies, so
//! signatures are checked before this is asked.

use std::future::pending;
use std::time::Duration;

use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_cryptography::Digested;
use commonware_macros::select;
use commonware_runtime::Clock;
use futures::StreamExt;

use crate::block::{Block, Claim};
use crate::executor::Executor;
use crate::local::{Local, unix_ms};
use crate::offence::Conduct;
use crate::past::Recollection;
use crate::propose::{UNEXECUTED_BLOCKS_MAX, unexecuted};
use crate::sightings::{Key, hex};

/// How long a final block may take from being folded to being durable before a leader is blamed for it.
const SETTLING: Duration = Duration::from_secs(1);

/// Bytes of commands that the present state refuses, in a block that claims an earlier one, up to which it is voted for.
const REFUSED_BYTES_MAX: usize = 64 * 1024;

/// Judges the first block of `ancestry`, a proposal of `leader`; the second is its parent.
pub(crate) async fn verify<E: Clock, X: Executor>(
    clock: &E,
    local: &Local<X>,
    leader: Key,
    mut ancestry: impl Ancestry<Block>,
) -> bool {
    let block = ancestry.next().await;
    // A parent that does not come may be final for everybody else.
    local.miss(local.executor.executed().height.saturating_add(1));
    let (Some(block), Some(parent)) = (block, ancestry.next().await) else {
        return pending().await;
    };
    if let Err(flaw) = against_parent(block.inner(), parent.inner()) {
        return refuse(local, leader, block.inner(), flaw);
    }
    near_own_clock(clock, local, leader, block.inner(), parent.inner()).await;
    if let Err(flaw) = against_own_state(local, block.inner(), parent.inner()).await {
        return refuse(local, leader, block.inner(), flaw);
    }
    if let Err(flaw) = commands(clock, local, block.inner(), &parent, ancestry).await {
        return refuse(local, leader, block.inner(), flaw);
    }
    true
}

/// No vote for what can never be right; whoever proposed it, it was no accident.
fn refuse<X: Executor>(local: &Local<X>, leader: Key, block: &Block, flaw: &'static str) -> bool {
    tracing::warn!(height = block.height, leader = %hex(&leader), flaw, "refusing a proposal");
    if leader != local.key {
        local.sightings.offended(leader, Conduct::FalseProposal(flaw));
    }
    false
}

/// What two adjacent blocks show without any knowledge of the state.
fn against_parent(block: &Block, parent: &Block) -> Result<(), &'static str> {
    if block.time_ms <= parent.time_ms {
        return Err("its time is not later than its parent's");
    }
    if block.claim.height > parent.height {
        return Err("it claims the state after a block that is not its ancestor");
    }
    if block.claim.height < parent.claim.height || block.claim.log_size < parent.claim.log_size {
        return Err("it claims an older state than its parent");
    }
    if block.claim.height == parent.claim.height && block.claim != parent.claim {
        return Err("it claims another state than its parent at the same height");
    }
    Ok(())
}

/// Resolves when the block's time is within the bound of the local clock; never if it is too far in the past, which no
/// waiting mends. Clocks differ, so this is never a reason to call a block invalid.
async fn near_own_clock<E: Clock, X: Executor>(
    clock: &E,
    local: &Local<X>,
    leader: Key,
    block: &Block,
    parent: &Block,
) {
    let now = unix_ms(local.now());
    let skew = u64::try_from(local.pace.max_clock_skew.as_millis()).unwrap_or(u64::MAX);
    // One millisecond after the parent is what a leader writes whose clock is behind: it says nothing about clocks.
    if leader != local.key && block.time_ms > parent.time_ms.saturating_add(1) {
        local.sightings.proposed(leader, block.time_ms, now);
    }
    if block.time_ms.saturating_add(skew) < now {
        tracing::debug!(leader = %hex(&leader), behind_ms = now - block.time_ms, "a proposal too old to vote for");
        return pending().await;
    }
    if let Some(early) = block.time_ms.checked_sub(now.saturating_add(skew))
        && early > 0
    {
        tracing::debug!(leader = %hex(&leader), early_ms = early, "a proposal from the future: waiting");
        match clock.current().checked_add(Duration::from_millis(early)) {
            Some(due) => clock.sleep_until(due).await,
            None => pending().await,
        }
    }
}

/// Compares the claim with what was executed here, once it was.
async fn against_own_state<X: Executor>(local: &Local<X>, block: &Block, parent: &Block) -> Result<(), &'static str> {
    match local.outcome(block.claim.height).await {
        Recollection::Known(own) if own == block.claim => Ok(()),
        Recollection::Known(_) => {
            Err("it claims a state that this member did not come to by executing the same blocks")
        }
        // The parent's claim was voted for by a quorum, of which an honest majority had executed it.
        _ if block.claim == parent.claim => Ok(()),
        _ => pending().await,
    }
}

/// Refuses a command that an ancestor holds, and, where this member stays at the very state that the leader claims, one
/// that this state does not take. At any later state an honest leader's choice can no longer be judged.
async fn commands<E: Clock, X: Executor>(
    clock: &E,
    local: &Local<X>,
    block: &Block,
    parent: &Digested<Block>,
    before: impl Ancestry<Block>,
) -> Result<(), &'static str> {
    if block.commands.is_empty() {
        return Ok(());
    }
    local.until_executed(parent.inner().height.saturating_sub(UNEXECUTED_BLOCKS_MAX)).await;
    let ancestors = unexecuted(local, parent, before).await.unwrap_or_default();
    if block.commands.iter().any(|c| ancestors.contains(&c.id())) {
        return Err("it repeats a command of an ancestor");
    }
    if !refused_at_claim(local, block) {
        return at_a_later_state(local, block).await;
    }
    // A node may fold a block before the fold is durable, here or at the leader: then commands were screened against a
    // state that is one block ahead of the claimed one, and the next moment shows it.
    select! {
        () = local.until_executed(block.claim.height.saturating_add(1)) => at_a_later_state(local, block).await,
        () = clock.sleep(SETTLING) => match refused_at_claim(local, block) {
            true => Err("it orders a command that the state it claims does not take"),
            false => at_a_later_state(local, block).await,
        },
    }
}

/// What an honest leader chose at an earlier state may be refused by now, and that is no flaw. Much of it is no accident:
/// a leader that claims an old state on purpose could fill every disk with old commands. No vote, so a later leader
/// with a newer state has its turn.
async fn at_a_later_state<X: Executor>(local: &Local<X>, block: &Block) -> Result<(), &'static str> {
    let refused = block.commands.iter().filter(|c| local.executor.screen(c).is_err());
    let bytes: usize = refused.map(|c| c.bytes().len()).sum();
    if bytes > REFUSED_BYTES_MAX {
        tracing::warn!(height = block.height, bytes, "not voting for a block full of commands that count for nothing");
        return pending().await;
    }
    Ok(())
}

fn refused_at_claim<X: Executor>(local: &Local<X>, block: &Block) -> bool {
    let refused = block.commands.iter().any(|c| local.executor.screen(c).is_err());
    refused && Claim::from(&local.executor.executed()) == block.claim
}

#[cfg(test)]
mod tests;
