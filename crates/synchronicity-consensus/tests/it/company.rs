//! A group whose secret keys are known, and commands of its members.

use std::ops::Range;

use synchronicity_core::command::{Action, Command, CommandKey};
use synchronicity_core::group::{Charter, Group, Member};
use synchronicity_samples::{LOCK, request};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, Signer};

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
        Command::sign(&self.keys[place], &self.group, asks_for(place, number)).unwrap()
    }

    /// Such submissions, signed together.
    pub(crate) fn batch(&self, place: usize, numbers: Range<usize>) -> Vec<Command> {
        let actions = numbers.map(|number| asks_for(place, number)).collect();
        Command::sign_all(&self.keys[place], &self.group, actions).unwrap()
    }
}

fn asks_for(place: usize, number: usize) -> Action {
    Action::Submit { request: request(&format!("tool-{place}-{number}")), lock: LOCK.to_vec(), round: 0 }
}

pub(crate) fn secret(purpose: &str, index: usize) -> [u8; 32] {
    Digest::tagged("engine test", &[purpose.as_bytes(), &index.to_be_bytes()]).0
}
