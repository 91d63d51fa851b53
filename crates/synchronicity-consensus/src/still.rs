//! For tests of one decision: a member whose executed state is whatever the test says.

use std::future::{Future, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use commonware_consensus::types::Height;
use commonware_consensus::{Block as _, Heightable};
use commonware_cryptography::{Digested, Digestible};
use commonware_runtime::{Clock, Supervisor, deterministic};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::Executed;
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::digest::Digest;

use crate::block::{Block, Claim};
use crate::checked::Signed;
use crate::company::Company;
use crate::executor::{ExecuteError, Executor};
use crate::local::{Local, Pace};
use crate::sightings::Sightings;

pub(crate) const HEARTBEAT: Duration = Duration::from_secs(2);
pub(crate) const SKEW: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Still {
    group: Group,
    executed: Arc<Mutex<Executed>>,
    refuses: Arc<Mutex<Vec<Digest>>>,
}

impl Executor for Still {
    fn executed(&self) -> Executed {
        *self.executed.lock().unwrap()
    }

    fn begun(&self) -> Executed {
        Executed::NOTHING
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        let refused = self.refuses.lock().unwrap().contains(&command.id());
        if refused { Err(Rejection::TooEarly) } else { Ok(()) }
    }

    fn group(&self) -> &Group {
        &self.group
    }

    fn execute(&self, _: OrderedBlock) -> impl Future<Output = Result<(), ExecuteError>> + Send {
        ready(Ok(()))
    }
}

/// The state after the block at `height`, by the rule of these tests.
pub(crate) fn executed(height: u64) -> Executed {
    let digest = Digest([height as u8; 32]);
    Executed { height, time_ms: height, log_size: height, log_root: digest, open: digest }
}

/// Member 0 of a company, at `height`, with the runtime's clock.
pub(crate) fn local(context: &deterministic::Context, company: &Company, height: u64) -> Local<Still> {
    let still = Still {
        group: company.group.clone(),
        executed: Arc::new(Mutex::new(executed(height))),
        refuses: Arc::default(),
    };
    let pace = Pace { heartbeat: HEARTBEAT, max_clock_skew: SKEW };
    let sightings = Arc::new(Sightings::new(HEARTBEAT, tokio::sync::mpsc::channel(1).0));
    let member = &company.group.members()[0];
    let clock = context.child("clock");
    Local::new(still, (member.consensus, member.command), (pace, Box::new(move || clock.current())), sightings)
}

/// Moves the member on, with the block that `commands` were in.
pub(crate) fn advance(local: &Local<Still>, to: Executed, commands: &[Arc<Signed>]) {
    execute(local, to);
    local.executed(&to, commands);
}

/// Moves the state on; the member takes note of it a moment later.
pub(crate) fn execute(local: &Local<Still>, to: Executed) {
    *local.executor.executed.lock().unwrap() = to;
}

/// Lets the state refuse one more command.
pub(crate) fn refuse(local: &Local<Still>, command: &Command) {
    local.executor.refuses.lock().unwrap().push(command.id());
}

/// A block upon `parent` that claims the state after `claimed`.
pub(crate) fn child(parent: &Digested<Block>, time_ms: u64, claimed: u64, commands: &[Command]) -> Digested<Block> {
    digested(Block {
        parent: parent.digest(),
        height: parent.height().get() + 1,
        time_ms,
        claim: Claim::from(&executed(claimed)),
        commands: commands.iter().cloned().map(Signed::new).collect(),
    })
}

/// A block at `height` whose ancestors nobody asks for.
pub(crate) fn root(height: u64, time_ms: u64, claimed: u64) -> Digested<Block> {
    let genesis = Block::genesis(Digest([0; 32]), &Executed::NOTHING);
    digested(Block { height, time_ms, claim: Claim::from(&executed(claimed)), parent: genesis.parent(), ..genesis })
}

fn digested(block: Block) -> Digested<Block> {
    let digest = block.digest();
    assert_eq!(block.height(), Height::new(block.height));
    Digested::precomputed(block, digest)
}
