//! A group whose keys are known, a machine, and short ways to say what a member does.

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::group::{Charter, Group, Member};
use synchronicity_core::machine::{Applied, Machine};
use synchronicity_core::rejection::Rejection;
pub(crate) use synchronicity_samples::{LOCK, request};
use synchronicity_verify::commitment::commitment;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::merkle;
use synchronicity_verify::note::{KeyKind, Signer};
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult};

pub(crate) const COMMIT_WINDOW_MS: u64 = 5_000;
pub(crate) const REVEAL_WINDOW_MS: u64 = 1_000;

/// Time between blocks where a test says nothing else: far below both windows.
const STEP_MS: u64 = 1;

pub(crate) struct Stage {
    pub(crate) group: Group,
    pub(crate) keys: Vec<CommandKey>,
    pub(crate) machine: Machine,
    pub(crate) blocks: Vec<OrderedBlock>,
    /// Every entry that the machine handed out.
    pub(crate) entries: Vec<Vec<u8>>,
}

impl Stage {
    /// A group of `members` with the smallest threshold that is a majority.
    pub(crate) fn of(members: u8) -> Stage {
        Stage::with_threshold(members, u16::from(members) / 2 + 1)
    }

    pub(crate) fn with_threshold(members: u8, threshold: u16) -> Stage {
        Stage::of_group(Group::new(charter(members, threshold)).unwrap())
    }

    /// A group of a charter like [`charter`]'s.
    pub(crate) fn of_group(group: Group) -> Stage {
        let members = group.members().len() as u8;
        let keys = group.members().iter().map(|member| {
            let mut seeds = (0..members).map(|index| CommandKey::from_seed(seed(b"command", index)));
            seeds.find(|key| key.id() == member.command).unwrap()
        });
        let keys = keys.collect();
        Stage { machine: Machine::new(group.clone()), group, keys, blocks: Vec::new(), entries: Vec::new() }
    }

    pub(crate) fn builder(&self, member: usize) -> BuilderId {
        self.keys[member].id()
    }

    pub(crate) fn sign(&self, member: usize, action: Action) -> Command {
        Command::sign(&self.keys[member], &self.group, action).unwrap()
    }

    /// The next block, a little later than the last, applied.
    pub(crate) fn block(&mut self, commands: Vec<Command>) -> Applied {
        self.block_at(self.machine.executed().time_ms + STEP_MS, commands)
    }

    pub(crate) fn block_at(&mut self, time_ms: u64, commands: Vec<Command>) -> Applied {
        let height = self.machine.executed().height + 1;
        let block = OrderedBlock { height, time_ms, commands };
        let applied = self.machine.apply(&block).unwrap();
        self.blocks.push(block);
        self.entries.extend(applied.logged.iter().map(|logged| logged.entry.clone()));
        applied
    }

    /// One command in a block of its own: accepted, or why not.
    pub(crate) fn act(&mut self, member: usize, action: Action) -> Result<(), Rejection> {
        let command = self.sign(member, action);
        let screened = self.machine.screen(&command);
        let applied = self.block(vec![command]);
        let outcome = match applied.rejected.as_slice() {
            [] => Ok(()),
            [(_, rejection)] => Err(*rejection),
            more => panic!("one command, {} rejections", more.len()),
        };
        assert_eq!(screened, outcome, "the screen and the machine differ");
        outcome
    }

    pub(crate) fn open(&mut self, request: &BuildRequest) -> RequestId {
        self.act(0, submit(request, 0)).unwrap();
        request.id()
    }

    pub(crate) fn commit(&mut self, member: usize, id: RequestId, result: &BuildResult) -> Result<(), Rejection> {
        self.act(member, commit(self.builder(member), id, 0, result))
    }

    pub(crate) fn reveal(&mut self, member: usize, id: RequestId, result: &BuildResult) -> Result<(), Rejection> {
        self.act(member, reveal(self.builder(member), id, 0, result))
    }

    /// Every member commits and reveals the result given for it.
    pub(crate) fn conclude(&mut self, request: &BuildRequest, results: &[BuildResult]) -> Entry {
        let id = self.open(request);
        for (member, result) in results.iter().enumerate() {
            self.commit(member, id, result).unwrap();
        }
        for (member, result) in results.iter().enumerate() {
            self.reveal(member, id, result).unwrap();
        }
        self.last_entry()
    }

    /// Lets block time pass the present deadline of a round, with an empty block.
    pub(crate) fn pass_deadline(&mut self, id: RequestId) -> Applied {
        let deadline_ms = self.machine.round(&id).unwrap().deadline_ms().unwrap();
        self.block_at(deadline_ms, Vec::new())
    }

    /// The leaf hashes of the log.
    pub(crate) fn leaves(&self) -> Vec<Digest> {
        self.entries.iter().map(|entry| merkle::leaf_hash(entry)).collect()
    }

    /// The newest entry of the log, as it is.
    pub(crate) fn last_bytes(&self) -> &[u8] {
        assert_eq!(self.machine.log().size(), self.entries.len() as u64);
        self.entries.last().unwrap()
    }

    /// The newest entry of the log, read by the strict reader that a client uses.
    pub(crate) fn last_entry(&self) -> Entry {
        Entry::from_bytes(self.last_bytes()).unwrap()
    }
}

/// Which entries a block logged.
pub(crate) fn indices(applied: &Applied) -> Vec<u64> {
    applied.logged.iter().map(|logged| logged.index).collect()
}

pub(crate) fn charter(members: u8, threshold: u16) -> Charter {
    let origin = "synchronicity.example/rehearsal";
    let cosigner = |name: &str, index: u8| {
        let name = format!("{origin}/{name}");
        Signer::from_seed(&name, KeyKind::Cosigner, &seed(b"cosigner", index)).unwrap().verifier_key().clone()
    };
    let member = |index: u8| {
        let name = format!("builder-{index:02}");
        Member {
            consensus: CommandKey::from_seed(seed(b"consensus", index)).id().0,
            command: CommandKey::from_seed(seed(b"command", index)).id(),
            cosigner: cosigner(&name, index),
            attestation: CommandKey::from_seed(seed(b"attestation", index)).id().0,
            address: format!("127.0.0.1:{}", 4000 + u16::from(index)),
            absent: false,
            name,
        }
    };
    Charter {
        origin: origin.to_owned(),
        epoch: 0,
        log_key: Signer::from_seed(origin, KeyKind::Log, &seed(b"log", 0)).unwrap().verifier_key().clone(),
        threshold,
        commit_window_ms: COMMIT_WINDOW_MS,
        reveal_window_ms: REVEAL_WINDOW_MS,
        containment: Vec::new(),
        overrides: Vec::new(),
        members: (0..members).map(member).collect(),
    }
}

/// A build whose one artifact has this content.
pub(crate) fn built(content: &str) -> BuildResult {
    let artifact =
        Artifact { name: "tool".parse().unwrap(), size: content.len() as u64, sha256: Digest::of(content.as_bytes()) };
    BuildResult::Built(Artifacts::new(vec![artifact]).unwrap())
}

pub(crate) fn submit(request: &BuildRequest, round: u32) -> Action {
    Action::Submit { request: request.clone(), lock: LOCK.to_vec(), round }
}

pub(crate) fn commit(builder: BuilderId, request: RequestId, round: u32, result: &BuildResult) -> Action {
    let commitment = commitment(&request, &builder, &result.digest(), &nonce(builder));
    Action::Commit { request, round, commitment }
}

pub(crate) fn reveal(builder: BuilderId, request: RequestId, round: u32, result: &BuildResult) -> Action {
    Action::Reveal { request, round, result: result.clone(), nonce: nonce(builder) }
}

/// The nonce that a builder uses on this stage, where nobody guesses.
pub(crate) fn nonce(builder: BuilderId) -> [u8; 32] {
    Digest::tagged("stage/nonce", &[&builder.0]).0
}

fn seed(purpose: &[u8], index: u8) -> [u8; 32] {
    Digest::tagged("stage/seed", &[purpose, &[index]]).0
}
