//! One epoch's chain counts its blocks from its own beginning; the node counts on from the epoch before.
//!
//! The engine knows one chain, whose first block has height 1. The members of an epoch run an engine of their own, with
//! its own folder, its own names for what it signs, and a genesis that says where the epoch before has ended. Everything in
//! this crate has the chain's heights; here they are turned into the node's.

use std::future::Future;

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::Executed;
use synchronicity_core::rejection::Rejection;

use crate::executor::{ExecuteError, Executor};

/// A node's executor, with the heights of its epoch's chain.
#[derive(Clone)]
pub(crate) struct InEpoch<X> {
    inner: X,
    begun: Executed,
}

impl<X: Executor> InEpoch<X> {
    pub(crate) fn new(inner: X) -> Self {
        Self { begun: inner.begun(), inner }
    }

    /// The height, as the node counts, of the block with which the epoch before ended.
    pub(crate) fn first_height(&self) -> u64 {
        self.begun.height
    }
}

impl<X: Executor> Executor for InEpoch<X> {
    fn executed(&self) -> Executed {
        let executed = self.inner.executed();
        Executed { height: executed.height.saturating_sub(self.begun.height), ..executed }
    }

    fn begun(&self) -> Executed {
        self.begun
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        self.inner.screen(command)
    }

    fn group(&self) -> &Group {
        self.inner.group()
    }

    fn execute(&self, mut block: OrderedBlock) -> impl Future<Output = Result<(), ExecuteError>> + Send {
        block.height = block.height.saturating_add(self.begun.height);
        self.inner.execute(block)
    }

    async fn execute_run(&self, mut blocks: Vec<OrderedBlock>) -> Result<Vec<Executed>, ExecuteError> {
        for block in &mut blocks {
            block.height = block.height.saturating_add(self.begun.height);
        }
        let mut states = self.inner.execute_run(blocks).await?;
        for executed in &mut states {
            executed.height = executed.height.saturating_sub(self.begun.height);
        }
        Ok(states)
    }
}
