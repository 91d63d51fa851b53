//! A node's folder behind many commands, as its own parts would have written it: group, keys, database and log.

use std::path::Path;

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::machine::Machine;
use synchronicity_node::folder::Folder;
use synchronicity_node::publish::PublishedLog;
use synchronicity_node::store::{Position, Progress, Snapshot, Store};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::commitment::commitment;
use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer};
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult};

use crate::made::Hasty;
use crate::world::{LOCK, World, request};

/// Rounds that are under way at the same time.
const AT_A_TIME: u64 = 16;

const NONCE: [u8; 32] = [7; 32];

/// A group at work without engine and builds.
pub(crate) struct History {
    world: World,
    keys: Vec<CommandKey>,
    machine: Machine,
    store: Store,
    log: PublishedLog<Hasty>,
    requests: u64,
    pub(crate) commands: u64,
    pub(crate) folder: Folder,
}

impl History {
    pub(crate) fn begin(dir: &Path) -> History {
        let world = World::of(4);
        let (folder, _) = world.settle(0, dir, 1);
        let keys = (0..4).map(|member| world.command_key(member)).collect();
        let machine = Machine::new(world.group.clone());
        let store = Store::open(&folder.state(), &world.group).unwrap();
        let log = PublishedLog::open(&folder.log(), Hasty).unwrap();
        History { world, keys, machine, store, log, requests: 0, commands: 0, folder }
    }

    /// Entries in the log.
    pub(crate) fn verdicts(&self) -> u64 {
        self.machine.log().size()
    }

    /// Goes on until so many commands were ordered.
    pub(crate) fn reach(&mut self, commands: u64) {
        while self.commands < commands {
            let requests: Vec<BuildRequest> = (self.requests..self.requests + AT_A_TIME).map(request).collect();
            self.requests += AT_A_TIME;
            let submit =
                |request: &BuildRequest| Action::Submit { request: request.clone(), lock: LOCK.to_vec(), round: 0 };
            let submissions = requests.iter().enumerate().map(|(number, request)| (number % 4, submit(request)));
            self.order(submissions.collect());
            let everybody = || requests.iter().flat_map(|request| (0..4).map(move |member| (member, request.id())));
            let seal = |(member, request): (usize, _)| {
                let commitment = commitment(&request, &self.keys[member].id(), &result(&request).digest(), &NONCE);
                (member, Action::Commit { request, round: 0, commitment })
            };
            self.order(everybody().map(seal).collect());
            let open = |(member, request)| {
                (member, Action::Reveal { request, round: 0, result: result(&request), nonce: NONCE })
            };
            self.order(everybody().map(open).collect());
            assert_eq!(self.verdicts(), self.requests, "every round has its verdict");
            self.publish();
        }
    }

    fn order(&mut self, said: Vec<(usize, Action)>) {
        let sign = |(member, action)| Command::sign(&self.keys[member], &self.world.group, action).unwrap();
        let commands: Vec<Command> = said.into_iter().map(sign).collect();
        self.commands += commands.len() as u64;
        let height = self.machine.executed().height + 1;
        let block = OrderedBlock { height, time_ms: height * 1000, commands };
        let applied = self.machine.apply(&block).unwrap();
        assert!(applied.rejected.is_empty(), "{:?}", applied.rejected);
        for logged in applied.logged {
            self.log.append(logged.index, &[logged.entry]).unwrap();
        }
        let position = Position { height, time_ms: block.time_ms };
        let (machine, log) = (&self.machine, &self.log);
        self.store.record(&Progress::to(position, &[&block]), || Snapshot::of(machine), || log.size()).unwrap();
    }

    fn publish(&mut self) {
        let (group, log) = (&self.world.group, self.machine.log());
        let checkpoint = Checkpoint { origin: group.origin().to_owned(), size: log.size(), root: log.root() };
        let (text, time_s) = (checkpoint.to_string(), self.machine.executed().time_ms / 1000);
        let cosign = |(member, keys): (&synchronicity_core::group::Member, &synchronicity_node::keys::Keys)| {
            let signer = Signer::from_seed(member.cosigner.name(), KeyKind::Cosigner, keys.cosigner.expose()).unwrap();
            cosignature::cosign(&signer, &text, time_s).unwrap()
        };
        let cosignatures = group.members().iter().zip(&self.world.keys).map(cosign);
        let line = note::sign(&self.world.log_signer(), &text).unwrap();
        let signatures = std::iter::once(line).chain(cosignatures).collect();
        self.log.publish(SignedNote { text: text.clone(), signatures }).unwrap();
    }
}

/// What every builder gets: of each crate another file, as it is with real ones.
fn result(request: &RequestId) -> BuildResult {
    let artifact = Artifact { name: "tool".to_owned().try_into().unwrap(), size: 7, sha256: Digest::of(&request.0.0) };
    BuildResult::Built(Artifacts::new(vec![artifact]).unwrap())
}
