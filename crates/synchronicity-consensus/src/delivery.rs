//! Final blocks on their way to the executor: in order, and acknowledged only when their effects are durable.

use std::num::NonZeroU64;
use std::sync::Arc;

use commonware_actor::Feedback;
use commonware_consensus::marshal::Update;
use commonware_consensus::marshal::core::Mailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Height;
use commonware_consensus::{Heightable, Reporter};
use commonware_cryptography::Digested;
use commonware_utils::Acknowledgement;
use commonware_utils::acknowledgement::Exact;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::block::Block;
use crate::executor::{ExecuteError, Executor};
use crate::local::Local;
use crate::sightings::Sightings;
use crate::storage;

/// How many final blocks are handed over before the first of them is acknowledged.
pub(crate) const UNACKNOWLEDGED_MAX: usize = 64;

/// Why final blocks can no longer be delivered. Each is fatal for the engine.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum DeliveryError {
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(
        "the node's state ends at block {executed} and block {missing} is not in the chain's folder any more: take up a \
         state that the group has signed (`group join`), or restore both from the same moment"
    )]
    Missing { executed: u64, missing: u64 },
    #[error(
        "the node's state is at block {executed} and the chain's folder only at block {processed}: the folder was lost or is \
         an older copy, and a member that forgets how it voted must not vote. Take up a state that the group has signed \
         (`group join`): the others then tell what this member has voted"
    )]
    ChainBehind { executed: u64, processed: u64 },
    #[error("executing block {height} left the node's state at block {executed}: this is a defect of the node")]
    NotExecuted { height: u64, executed: u64 },
}

/// The end of the engine that reports final blocks. The channel has room for every block that may be unacknowledged,
/// so it is full only if the engine breaks its own limit.
#[derive(Clone)]
pub(crate) struct Outlet {
    blocks: mpsc::Sender<(Digested<Block>, Exact)>,
    sightings: Arc<Sightings>,
}

/// The end from which blocks are executed.
pub(crate) struct Deliveries(mpsc::Receiver<(Digested<Block>, Exact)>);

pub(crate) fn channel(sightings: Arc<Sightings>) -> (Outlet, Deliveries) {
    let (blocks, deliveries) = mpsc::channel(2 * UNACKNOWLEDGED_MAX);
    (Outlet { blocks, sightings }, Deliveries(deliveries))
}

impl Reporter for Outlet {
    type Activity = Update<Block>;

    fn report(&mut self, update: Self::Activity) -> Feedback {
        match update {
            Update::Tip(_, height, _) => {
                self.sightings.finalized(height.get());
                Feedback::Ok
            }
            Update::Block(block, acknowledgement) => {
                self.sightings.finalized(block.height().get());
                // A refused block drops its acknowledgement, which stops the engine: it is never lost silently.
                match self.blocks.try_send((block, acknowledgement)) {
                    Ok(()) => Feedback::Ok,
                    Err(_) => Feedback::Closed,
                }
            }
        }
    }
}

/// Refuses a chain that does not know blocks which this node has executed. To be asked before the first vote. `floor` is the
/// height of the block with which the chain begins here, whether the chain has it yet or not.
pub(crate) async fn not_behind<X: Executor>(
    local: &Local<X>,
    chain: &Mailbox<Scheme, Standard<Block>>,
    floor: u64,
) -> Result<(), DeliveryError> {
    let executed = local.executor.executed().height;
    let processed = chain.get_processed().await.map_or(0, |processed| processed.height().get());
    let processed = processed.max(floor.saturating_sub(1));
    // A block is executed before it is acknowledged, so the state is ahead by a few blocks after a crash.
    match executed > processed.saturating_add(UNACKNOWLEDGED_MAX as u64) {
        true => Err(DeliveryError::ChainBehind { executed, processed }),
        false => Ok(()),
    }
}

impl Deliveries {
    /// Executes blocks until the engine ends, which closes the channel, or until one cannot be executed. What the chain
    /// was told to be executed, and the node does not remember, comes first: a member that lags cannot vote, so the
    /// next final block may never come before.
    ///
    /// The chain keeps `kept` blocks behind the executed ones. What was executed is durable in the node, so this member needs
    /// none of them: they are for others, and for a state that is restored from a backup.
    pub(crate) async fn run<X: Executor>(
        mut self,
        local: &Local<X>,
        chain: &Mailbox<Scheme, Standard<Block>>,
        kept: NonZeroU64,
    ) -> Result<(), DeliveryError> {
        if let Some(processed) = chain.get_processed().await {
            catch_up(local, chain, processed.height().get().saturating_add(1)).await?;
        }
        let mut pruned = 0;
        while let Some(first) = self.0.recv().await {
            let mut handed_over = vec![first];
            while handed_over.len() < UNACKNOWLEDGED_MAX
                && let Ok(next) = self.0.try_recv()
            {
                handed_over.push(next);
            }
            let (blocks, acknowledgements): (Vec<_>, Vec<_>) = handed_over.into_iter().unzip();
            let blocks: Vec<&Block> = blocks.iter().map(Digested::inner).collect();
            catch_up(local, chain, blocks[0].height).await?;
            execute(local, &blocks, acknowledgements).await?;
            let below = local.executor.executed().height.saturating_sub(kept.get());
            // A section goes as a whole, so there is nothing to ask for in between.
            let section = below / storage::section(kept).get();
            if section > pruned {
                chain.prune(Height::new(below));
                pruned = section;
            }
        }
        Ok(())
    }
}

/// Executes what lies between the node's state and the block at `height`. The chain remembers how far it was
/// acknowledged; where the node's own state is older, as after a restored backup, the blocks between are read again.
async fn catch_up<X: Executor>(
    local: &Local<X>,
    chain: &Mailbox<Scheme, Standard<Block>>,
    height: u64,
) -> Result<(), DeliveryError> {
    loop {
        let executed = local.executor.executed().height;
        let missing = executed.saturating_add(1);
        if missing >= height {
            return Ok(());
        }
        let Some(block) = chain.get_block(Height::new(missing)).await else {
            return Err(DeliveryError::Missing { executed, missing });
        };
        execute(local, &[block.inner()], Vec::new()).await?;
    }
}

/// Executes blocks that follow each other, as many at a time as the node likes, and acknowledges each when it is durable.
async fn execute<X: Executor>(
    local: &Local<X>,
    mut blocks: &[&Block],
    acknowledgements: Vec<Exact>,
) -> Result<(), DeliveryError> {
    let mut acknowledgements = acknowledgements.into_iter();
    while let Some(first) = blocks.first() {
        let known = blocks.iter().take_while(|block| block.height <= local.executor.executed().height).count();
        let done = if known > 0 { known } else { execute_some(local, first.height, blocks).await? };
        acknowledgements.by_ref().take(done).for_each(Acknowledgement::acknowledge);
        blocks = &blocks[done..];
    }
    Ok(())
}

/// Executes at least the first of `blocks`; how many of them.
async fn execute_some<X: Executor>(local: &Local<X>, first: u64, blocks: &[&Block]) -> Result<usize, DeliveryError> {
    let states = local.executor.execute_run(blocks.iter().map(|block| block.to_ordered()).collect()).await?;
    let executed = local.executor.executed().height;
    if states.is_empty() {
        return Err(DeliveryError::NotExecuted { height: first, executed });
    }
    for (block, state) in blocks.iter().zip(&states) {
        if state.height != block.height || executed < block.height {
            return Err(DeliveryError::NotExecuted { height: block.height, executed });
        }
        local.executed(state, &block.commands);
    }
    Ok(states.len().min(blocks.len()))
}
