//! Groups, requests and entries for tests.

use std::fs;
use std::path::Path;

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::group::{Charter, Group};
use synchronicity_node::artifact_store::retention::Keeping;
use synchronicity_node::config::{Config, Sandbox};
use synchronicity_node::devnet::ports;
use synchronicity_node::folder::Folder;
use synchronicity_node::keys::{Keys, Seed};
pub(crate) use synchronicity_samples::LOCK;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, Signer};
use synchronicity_verify::request::{BuildRequest, Source};

/// A group and all of its secrets.
pub(crate) struct World {
    pub(crate) group: Group,
    /// By the position of the member in the group.
    pub(crate) keys: Vec<Keys>,
    pub(crate) log_key: Seed,
}

impl World {
    pub(crate) fn of(members: usize) -> World {
        World::named("example.org/test", members)
    }

    pub(crate) fn named(origin: &str, members: usize) -> World {
        let log_key = Seed::generate().unwrap();
        let log = Signer::from_seed(origin, KeyKind::Log, log_key.expose()).unwrap();
        let keys: Vec<Keys> = (0..members).map(|_| keys()).collect();
        let member = |(index, keys): (usize, &Keys)| {
            keys.member(&format!("builder-{index:02}"), &format!("127.0.0.1:{}", free_port())).unwrap()
        };
        let charter = Charter {
            origin: origin.to_owned(),
            epoch: 0,
            log_key: log.verifier_key().clone(),
            threshold: u16::try_from(members / 2 + 1).unwrap(),
            commit_window_ms: 600_000,
            reveal_window_ms: 15_000,
            containment: Vec::new(),
            overrides: Vec::new(),
            members: keys.iter().enumerate().map(member).collect(),
        };
        World { group: Group::new(charter).unwrap(), keys, log_key }
    }

    /// Makes the folder of a member: everything that `init` and the founder give it.
    pub(crate) fn settle(&self, member: usize, dir: &Path, http: u16) -> (Folder, Config) {
        let (folder, keys) = (Folder::at(dir), &self.keys[member]);
        let about = &self.group.members()[member];
        keys.consensus.write(&folder.keys().join("consensus.key")).unwrap();
        keys.command.write(&folder.keys().join("command.key")).unwrap();
        keys.cosigner.write(&folder.keys().join("cosigner.key")).unwrap();
        keys.attestation.write(&folder.keys().join("attestation.key")).unwrap();
        self.log_key.write(&folder.keys().join("log.key")).unwrap();
        fs::write(folder.group(), self.group.to_text()).unwrap();
        let config = Config {
            name: about.name.clone(),
            listen: about.address.clone(),
            http: format!("127.0.0.1:{http}"),
            sandbox: Sandbox::Auto,
            public_url: None,
            clock_skew_ms_max: 5_000,
            recosign_seconds: 3_600,
            witness_name: None,
            survey: None,
            artifacts: Keeping::default(),
            witnessed_log: Vec::new(),
            outside_witness: Vec::new(),
            webhook: Vec::new(),
        };
        config.write(&folder.config()).unwrap();
        (folder, config)
    }

    pub(crate) fn command_key(&self, member: usize) -> CommandKey {
        CommandKey::from_seed(*self.keys[member].command.expose())
    }

    pub(crate) fn log_signer(&self) -> Signer {
        Signer::from_seed(self.group.origin(), KeyKind::Log, self.log_key.expose()).unwrap()
    }

    /// A block in which the first member asks for the `number`th request.
    pub(crate) fn submission(&self, height: u64, number: u64) -> OrderedBlock {
        let action = Action::Submit { request: request(number), lock: LOCK.to_vec(), round: 0 };
        let command = Command::sign(&self.command_key(0), &self.group, action).unwrap();
        OrderedBlock { height, time_ms: height * 1000, commands: vec![command] }
    }

    /// A block at the moment at which the window for commitments to a submission at height 1 ends.
    pub(crate) fn deadline(&self, height: u64) -> OrderedBlock {
        OrderedBlock { height, time_ms: 1000 + self.group.commit_window_ms(), commands: Vec::new() }
    }

    pub(crate) fn empty(&self, height: u64) -> OrderedBlock {
        OrderedBlock { height, time_ms: height * 1000, commands: Vec::new() }
    }
}

/// The program itself: a comparison of artifacts is a process of it.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_synchronicity-node");

/// Requests of different numbers differ.
pub(crate) fn request(number: u64) -> BuildRequest {
    let sample = synchronicity_samples::request("hexyl");
    let Source::Registry { name, .. } = sample.source else { panic!("a sample is of the registry") };
    let version = format!("0.{number}.0").parse().unwrap();
    BuildRequest { source: Source::Registry { name, version, checksum: Digest::of(&number.to_be_bytes()) }, ..sample }
}

/// Nobody else listens there at this moment.
pub(crate) fn free_port() -> u16 {
    ports::free(1).unwrap()[0]
}

fn keys() -> Keys {
    let seed = || Seed::generate().unwrap();
    Keys { consensus: seed(), command: seed(), cosigner: seed(), attestation: seed() }
}
