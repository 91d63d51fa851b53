//! The one thing that the chain asks of the node: execute ordered blocks, and say how far that has come.

use std::future::Future;

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::Executed;
use synchronicity_core::rejection::Rejection;
use thiserror::Error;

/// The node's side of the chain. Clones share one state.
///
/// The engine calls from its own threads, never concurrently for [`execute`](Self::execute). Every method except that
/// one must return promptly: votes wait for it.
pub trait Executor: Clone + Send + Sync + 'static {
    /// The state after the last executed block. It never goes back while the engine runs.
    fn executed(&self) -> Executed;

    /// The state with which the epoch of [`group`](Self::group) began, as [`executed`](Self::executed) told it then: zero in
    /// the first one. All members have the same, and it never changes while the engine runs.
    fn begun(&self) -> Executed;

    /// Whether the state as it is would take a command. It may be a block ahead of [`executed`](Self::executed) for as
    /// long as a final block takes to become durable, and never behind it.
    ///
    /// # Errors
    /// The machine's reason for which the command would count for nothing if it were ordered now.
    fn screen(&self, command: &Command) -> Result<(), Rejection>;

    /// The group whose members sign commands and votes.
    fn group(&self) -> &Group;

    /// Executes the next block. Blocks come in order of height without gaps, each at least once: one at or below
    /// [`executed`](Self::executed) changes nothing. Resolves when the effects, together with the height, would survive
    /// a crash, and when `executed` shows them; only then is the block marked as delivered on disk.
    ///
    /// Behind the block that ends the epoch nothing is executed: what the engine then delivers never resolves.
    ///
    /// # Errors
    /// Any error stops the engine for good: a member that cannot keep what was ordered must not vote on.
    fn execute(&self, block: OrderedBlock) -> impl Future<Output = Result<(), ExecuteError>> + Send;

    /// Executes the first of `blocks`, which follow each other, and as many of the others as it likes together with it: a
    /// node that is behind then waits once for its disk, not once for each block. Gives the state after each block that it
    /// executed, in order. What is said about [`execute`](Self::execute) holds for all of them.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    fn execute_run(
        &self,
        blocks: Vec<OrderedBlock>,
    ) -> impl Future<Output = Result<Vec<Executed>, ExecuteError>> + Send {
        async move {
            let Some(first) = blocks.into_iter().next() else { return Ok(Vec::new()) };
            self.execute(first).await?;
            Ok(vec![self.executed()])
        }
    }
}

/// Why an ordered block has no durable effect here. The text is the reason that
/// [`Handle::stopped`](crate::Handle::stopped) then gives.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("block {height} could not be executed: {reason}")]
pub struct ExecuteError {
    /// Height of the block.
    pub height: u64,
    /// What went wrong and what can be done about it.
    pub reason: String,
}
