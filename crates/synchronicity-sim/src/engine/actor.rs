//! A member's node as its engine sees it.

use std::future::{Future, ready};

use synchronicity_consensus::{ExecuteError, Executor};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::digest::Digest;

use super::mask::Mask;
use super::plant::{self, Plant};
use super::stage::Stage;

/// One member's node.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) stage: Stage,
    pub(super) member: usize,
    pub(super) group: Group,
    pub(super) mask: Option<Mask>,
    pub(super) plant: Option<Plant>,
    /// Whether it is the one member that a plant is about.
    pub(super) is_one: bool,
}

impl Executor for Actor {
    fn executed(&self) -> Executed {
        let executed = self.stage.executed(self.member);
        match self.mask {
            Some(Mask::Pretender) => {
                Executed { log_root: Digest::of(b"a root that the blocks do not give"), ..executed }
            }
            _ => executed,
        }
    }

    fn begun(&self) -> Executed {
        Executed::NOTHING
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        let judge = |machine: &Machine| machine.screen(command);
        self.stage.look(|world| {
            if self.mask == Some(Mask::Censor) && command.author() != world.founding.commands[self.member].id() {
                return Err(Rejection::TooManyOpen);
            }
            let node = &world.nodes[self.member];
            // Whoever is hostile lets everything pass, into its own blocks too.
            if node.role.is_honest() { node.machine.as_ref().map_or(Ok(()), judge) } else { Ok(()) }
        })
    }

    fn group(&self) -> &Group {
        &self.group
    }

    fn execute(&self, block: OrderedBlock) -> impl Future<Output = Result<(), ExecuteError>> + Send {
        let height = block.height;
        let outcome = plant::block(self.plant, self.is_one, block).map(|block| {
            let panics = self.is_one && self.plant == Some(Plant::PanicsAtABlock) && height == plant::AT;
            self.stage.execute(self.member, &block, panics);
        });
        ready(outcome.map_err(|reason| ExecuteError { height, reason }))
    }
}
