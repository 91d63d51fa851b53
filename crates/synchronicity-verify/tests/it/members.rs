//! A group whose members change twice, with known keys; what its log and its succession file hold.

use ed25519_dalek::{Signer as _, SigningKey};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, MemberRecord};
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::map::PrefixMap;
use synchronicity_verify::membership::{
    Approval, MEMBERSHIP_SCHEMA, Member, Membership, MembershipEntry, Voter, approval_message,
};
use synchronicity_verify::merkle::{inclusion_proof, leaf_hash, root};
use synchronicity_verify::note::{self, SignedNote};
use synchronicity_verify::proof::Proof;
use synchronicity_verify::succession::Succession;

use crate::sample::{self, ORIGIN, TIME_S, cosigner, log_signer};

/// A group of builders in one epoch: the members' numbers, and the threshold.
pub(crate) struct Epoch {
    pub(crate) number: u64,
    pub(crate) members: &'static [usize],
    pub(crate) threshold: u16,
}

/// Four; a fifth joins; the first leaves.
pub(crate) const EPOCHS: [Epoch; 3] = [
    Epoch { number: 0, members: &[0, 1, 2, 3], threshold: 3 },
    Epoch { number: 1, members: &[0, 1, 2, 3, 4], threshold: 3 },
    Epoch { number: 2, members: &[1, 2, 3, 4], threshold: 3 },
];

impl Epoch {
    pub(crate) fn group(&self) -> Digest {
        Digest::of(format!("the group of epoch {}", self.number).as_bytes())
    }

    pub(crate) fn membership(&self) -> Membership {
        let members = self.members.iter().map(|number| member(*number)).collect();
        Membership { epoch: self.number, threshold: self.threshold, members }
    }

    /// The last entry of this epoch, with the approvals of these members.
    pub(crate) fn end(&self, next: &Epoch, approving: &[usize]) -> MembershipEntry {
        let membership = next.membership();
        let voter = |number: &usize| Voter {
            builder: builder(*number),
            name: cosigner(*number).verifier_key().name().to_owned(),
            absent: false,
            approval: approving.contains(number).then(|| approval(&self.group(), *number, &membership.digest())),
        };
        let mut members: Vec<Voter> = self.members.iter().map(voter).collect();
        members.sort_by_key(|voter| voter.builder);
        MembershipEntry {
            schema: MEMBERSHIP_SCHEMA,
            group: self.group(),
            epoch: self.number,
            height: 100 * (self.number + 1),
            time_ms: TIME_S * 1000 + 100 * (self.number + 1),
            next: membership,
            next_group: next.group(),
            threshold: self.threshold,
            members,
            map_root: PrefixMap::new().root(),
        }
    }

    /// An entry of this epoch in which nobody revealed anything, in a block after its beginning.
    pub(crate) fn idle(&self) -> Entry {
        let mut entry = sample::entry(3, &[None, None, None, None]);
        (entry.group, entry.epoch, entry.threshold) = (self.group(), self.number, self.threshold);
        (entry.height, entry.time_ms) = (100 * self.number + 50, TIME_S * 1000 + 100 * self.number + 50);
        entry.round = self.number as u32;
        let record = |number: &usize| MemberRecord {
            builder: builder(*number),
            name: cosigner(*number).verifier_key().name().to_owned(),
            commitment: None,
            opening: None,
            attestation: None,
        };
        entry.members = self.members.iter().map(record).collect();
        entry.members.sort_by_key(|member| member.builder);
        entry
    }
}

fn command_key(number: usize) -> SigningKey {
    SigningKey::from_bytes(&Digest::of(format!("command {number}").as_bytes()).0)
}

fn public(purpose: &str, number: usize) -> [u8; 32] {
    SigningKey::from_bytes(&Digest::of(format!("{purpose} {number}").as_bytes()).0).verifying_key().to_bytes()
}

pub(crate) fn builder(number: usize) -> BuilderId {
    BuilderId(command_key(number).verifying_key().to_bytes())
}

pub(crate) fn member(number: usize) -> Member {
    Member {
        name: format!("builder-{number}"),
        consensus: public("consensus", number),
        builder: builder(number),
        cosigner: cosigner(number).verifier_key().clone(),
        attestation: public("attestation", number),
        address: format!("192.0.2.{number}:4800"),
        absent: false,
    }
}

pub(crate) fn approval(group: &Digest, number: usize, membership: &Digest) -> Approval {
    let message = approval_message(group, &builder(number), membership);
    Approval(command_key(number).sign(&message).to_bytes())
}

/// The log of all three epochs, the roots of the map stated: in each an idle entry, and the ends of the first two.
pub(crate) fn log() -> Vec<Leaf> {
    let [first, second, third] = &EPOCHS;
    let mut log = vec![
        Leaf::Build(first.idle()),
        Leaf::Membership(first.end(second, &[0, 1, 2])),
        Leaf::Build(second.idle()),
        Leaf::Membership(second.end(third, &[1, 2, 3, 4])),
        Leaf::Build(third.idle()),
    ];
    state_roots(&mut log);
    log
}

pub(crate) fn state_roots(log: &mut [Leaf]) {
    let mut map = PrefixMap::new();
    for (index, leaf) in log.iter_mut().enumerate() {
        leaf.keys().into_iter().for_each(|key| map.insert(key, index as u64));
        leaf.state_map_root(map.root());
    }
}

/// The proof of the entry at `index` in the log that ends with it, cosigned by these members.
pub(crate) fn step(log: &[Leaf], index: usize, cosigners: &[usize]) -> Proof {
    step_in(&log[..=index], index, cosigners)
}

/// The same in all of this log.
pub(crate) fn step_in(log: &[Leaf], index: usize, cosigners: &[usize]) -> Proof {
    let size = log.len() as u64;
    let leaves: Vec<Digest> = log.iter().map(|leaf| leaf_hash(&leaf.to_bytes())).collect();
    let text = Checkpoint { origin: ORIGIN.to_owned(), size, root: root(&leaves) }.to_string();
    let mut signatures = vec![note::sign(&log_signer(), &text).unwrap()];
    signatures.extend(cosigners.iter().map(|number| cosign(&cosigner(*number), &text, TIME_S).unwrap()));
    Proof {
        entry: log[index].to_bytes(),
        index: index as u64,
        path: inclusion_proof(&leaves, size, index as u64).unwrap(),
        checkpoint: SignedNote { text, signatures },
    }
}

/// Both steps, as the members in force signed them.
pub(crate) fn succession() -> Succession {
    let log = log();
    Succession { steps: vec![step(&log, 1, &[0, 1, 2]), step(&log, 3, &[1, 2, 3, 4])] }
}
