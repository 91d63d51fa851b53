//! A group whose secret keys are known, and commands of its members.

use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::group::{Charter, Group, Member};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, Signer};
use synchronicity_verify::recipe;
use synchronicity_verify::request::{
    BuildRequest, Environment, Features, Limits, Lock, LockGrade, Products, Source, Toolchain,
};

const LOCK: &[u8] = b"version = 4\n";

/// The group of a test, with its command keys in the group's order of members.
pub(crate) struct Company {
    pub(crate) group: Group,
    pub(crate) keys: Vec<CommandKey>,
}

impl Company {
    pub(crate) fn of(size: u8) -> Company {
        Company::listening_on(&vec![1; usize::from(size)])
    }

    /// A member for each port of this machine.
    pub(crate) fn listening_on(ports: &[u16]) -> Company {
        let origin = "synchronicity.example/engine";
        let member = |(index, port): (usize, &u16)| {
            let name = format!("builder-{index}");
            let cosigner =
                Signer::from_seed(&format!("{origin}/{name}"), KeyKind::Cosigner, &secret("cosigner", index));
            Member {
                consensus: CommandKey::from_seed(secret("consensus", index)).id().0,
                command: CommandKey::from_seed(secret("command", index)).id(),
                cosigner: cosigner.unwrap().verifier_key().clone(),
                attestation: CommandKey::from_seed(secret("attestation", index)).id().0,
                address: format!("127.0.0.1:{port}"),
                absent: false,
                name,
            }
        };
        let charter = Charter {
            origin: origin.to_owned(),
            epoch: 0,
            log_key: Signer::from_seed(origin, KeyKind::Log, &secret("log", 0)).unwrap().verifier_key().clone(),
            threshold: u16::try_from(ports.len()).unwrap() / 2 + 1,
            commit_window_ms: 600_000,
            reveal_window_ms: 60_000,
            containment: Vec::new(),
            overrides: Vec::new(),
            members: ports.iter().enumerate().map(member).collect(),
        };
        let group = Group::new(charter).unwrap();
        let key = |member: &Member| {
            let mut keys = (0..ports.len()).map(|index| CommandKey::from_seed(secret("command", index)));
            keys.find(|key| key.id() == member.command).unwrap()
        };
        Company { keys: group.members().iter().map(key).collect(), group }
    }

    /// A submission by the member at `place` that no other call gives.
    pub(crate) fn submission(&self, place: usize, number: usize) -> Command {
        let action =
            Action::Submit { request: request(&format!("tool-{place}-{number}")), lock: LOCK.to_vec(), round: 0 };
        Command::sign(&self.keys[place], &self.group, action).unwrap()
    }
}

pub(crate) fn secret(purpose: &str, index: usize) -> [u8; 32] {
    Digest::tagged("engine test", &[purpose.as_bytes(), &index.to_be_bytes()]).0
}

fn request(name: &str) -> BuildRequest {
    BuildRequest {
        schema: 1,
        source: Source::Registry {
            name: name.parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            checksum: Digest::of(name.as_bytes()),
        },
        lock: Lock { grade: LockGrade::Published, sha256: Digest::of(LOCK) },
        toolchain: Toolchain {
            release: "1.95.0".into(),
            commit: "0123456789abcdef0123456789abcdef01234567".into(),
            host: "x86_64-unknown-linux-gnu".into(),
        },
        environment: Environment::Image { layer: Digest::of(b"layer") },
        target: "x86_64-unknown-linux-gnu".into(),
        profile: "release".into(),
        features: Features { default: true, all: false, named: Vec::new() },
        products: Products::Binaries,
        env: recipe::env(),
        rustflags: recipe::rustflags(),
        limits: Limits {
            memory_bytes: 1 << 30,
            time_seconds: 600,
            disk_bytes: 1 << 30,
            processes: 512,
            transcript_bytes: 1 << 20,
            jobs: 2,
        },
    }
}
