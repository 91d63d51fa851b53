//! A member that keeps its group busy: a real engine over real sockets, and behind it a machine in memory that builds
//! nothing, does at once what it owes, and always has requests open.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use synchronicity_consensus::{EngineConfig, ExecuteError, Executor, Handle, Peer};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::duties::{Duty, duties};
use synchronicity_core::group::{Group, Member};
use synchronicity_core::journal::{Journal, Sealed};
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_core::rejection::Rejection;
use synchronicity_node::cosign::{Cosignatures, Statement};
use synchronicity_node::recosign;
use synchronicity_rebuild::sandbox::Finished;
use synchronicity_rebuild::scripted::Script;
use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, Signer};
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::{BuildResult, Failure};
use tokio::task::JoinHandle;

use crate::world::{LOCK, World, request};

/// Requests without a verdict at a time. Beside builds that take no time these are commands for every block.
const OPEN: u64 = 32;

/// More than a test has time for.
const REQUESTS: u64 = 4_000;

/// Between two looks at what is owed.
const TICK: Duration = Duration::from_millis(5);

/// The member, until it is dropped.
pub(crate) struct Busy {
    chain: Handle,
    task: JoinHandle<()>,
    _storage: tempfile::TempDir,
}

/// Starts it in place of a node. The others have [`script`].
pub(crate) fn start(world: &World, member: usize, script: Script) -> Busy {
    let (group, storage) = (Arc::new(world.group.clone()), tempfile::tempdir().unwrap());
    let (keys, me) = (&world.keys[member], &group.members()[member]);
    let peer = |member: &Member| Peer { key: member.consensus, address: member.address.parse().unwrap() };
    let engine = EngineConfig {
        namespace: group.id(),
        seed: *keys.consensus.expose(),
        members: group.members().iter().map(peer).collect(),
        listen: me.address.parse().unwrap(),
        storage: storage.path().join("chain"),
        heartbeat: Duration::from_secs(2),
        max_clock_skew: Duration::from_secs(5),
        vouched: false,
        floor: None,
    };
    let memory = Memory { machine: Arc::new(Mutex::new(Machine::new(world.group.clone()))), group: group.clone() };
    let chain = synchronicity_consensus::start(engine, memory.clone()).unwrap();
    let cosigner = Signer::from_seed(me.cosigner.name(), KeyKind::Cosigner, keys.cosigner.expose()).unwrap();
    let work = Work {
        member,
        memory,
        chain: chain.clone(),
        key: world.command_key(member),
        cosigner,
        cosignatures: Cosignatures::new(group),
        journal: Journal::new(),
        script,
        submitted: 0,
        said: BTreeSet::new(),
    };
    Busy { chain, task: tokio::spawn(work.run()), _storage: storage }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.task.abort();
        self.chain.shutdown();
    }
}

/// What its requests come to at the other members: nothing compiles.
pub(crate) fn script(mut script: Script) -> Script {
    for number in 0..REQUESTS {
        let purl = numbered(&script, number).source.purl();
        script = script.with(&purl, "hexyl", b"");
        script.builds.get_mut(&purl).unwrap().ends = Finished::Failed;
    }
    script
}

fn numbered(script: &Script, number: u64) -> BuildRequest {
    BuildRequest { toolchain: script.toolchain.clone(), environment: script.environment, ..request(number) }
}

/// The machine, as the engine sees it.
#[derive(Clone)]
struct Memory {
    group: Arc<Group>,
    machine: Arc<Mutex<Machine>>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }
}

impl Executor for Memory {
    fn executed(&self) -> Executed {
        self.lock().executed()
    }

    fn begun(&self) -> Executed {
        self.lock().begun()
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        self.lock().screen(command)
    }

    fn group(&self) -> &Group {
        &self.group
    }

    async fn execute(&self, block: OrderedBlock) -> Result<(), ExecuteError> {
        let mut machine = self.lock();
        if block.height > machine.executed().height {
            machine.apply(&block).unwrap();
        }
        Ok(())
    }
}

/// What it does.
struct Work {
    /// Its place in the group.
    member: usize,
    memory: Memory,
    chain: Handle,
    key: CommandKey,
    cosigner: Signer,
    cosignatures: Cosignatures,
    journal: Journal,
    script: Script,
    submitted: u64,
    /// Commands that the engine has taken: it repeats them itself.
    said: BTreeSet<Digest>,
}

impl Work {
    async fn run(mut self) {
        loop {
            self.submit();
            self.attend();
            tokio::time::sleep(TICK).await;
        }
    }

    fn submit(&mut self) {
        // Nobody else asks for anything, so the log has an entry for each of its requests that is over.
        let concluded = self.memory.lock().log().size();
        while self.submitted < concluded + OPEN {
            let request = numbered(&self.script, self.submitted);
            if !self.say(Action::Submit { request, lock: LOCK.to_vec(), round: 0 }) {
                return;
            }
            self.submitted += 1;
        }
    }

    fn attend(&mut self) {
        let owed = {
            let machine = self.memory.lock();
            self.journal.prune(&machine);
            duties(&machine, &self.journal, self.key.id())
        };
        for duty in owed {
            match duty {
                Duty::Build { request, round } => {
                    let sealed = Sealed { result: BuildResult::Failed(Failure::Compile), nonce: request.0.0 };
                    self.journal.seal(request, round, sealed).unwrap();
                }
                Duty::Commit { request, round, commitment } => {
                    self.say(Action::Commit { request, round, commitment });
                }
                Duty::Reveal { request, round, result, nonce } => {
                    self.say(Action::Reveal { request, round, result, nonce });
                }
                Duty::Cosign { size, root } => self.cosign((size, root)),
            }
        }
    }

    /// Whether the engine has taken it, now or before.
    fn say(&mut self, action: Action) -> bool {
        let command = Command::sign(&self.key, &self.memory.group, action).unwrap();
        let id = command.id();
        self.said.contains(&id) || (self.chain.submit(command).is_ok() && self.said.insert(id))
    }

    fn cosign(&mut self, statement: Statement) {
        self.journal.cosign(statement.0, statement.1).unwrap();
        let text = self.cosignatures.text(&statement);
        let line = cosignature::cosign(&self.cosigner, &text, recosign::now().as_secs()).unwrap();
        self.cosignatures.add_own(statement, self.member, line);
        let message = self.cosignatures.answer(&statement).unwrap();
        self.cosignatures.forget_below(statement.0);
        // What is not told now is overtaken by the next one.
        let _ = self.chain.broadcast(message);
    }
}
