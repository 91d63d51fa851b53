//! The machine with which an epoch begins, from the log alone.
//!
//! When an epoch ends no round is open, and the log says all that the next one depends on: the attempts at each request,
//! and which of their verdicts stand. So the log up to the entry that ended an epoch is a snapshot whose root a quorum of
//! that epoch has signed, and whoever joins later replays no block.

use std::collections::BTreeMap;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::replay::{Replay, ReplayError};
use thiserror::Error;

use crate::group::Group;
use crate::log::Log;
use crate::machine::Machine;
use crate::round::{Participation, Phase, Round};

/// Reads a log up to the end of an epoch, entry by entry.
#[derive(Debug, Default)]
pub struct Resuming {
    replay: Replay,
    rounds: BTreeMap<RequestId, Round>,
    last: Option<Leaf>,
}

/// Why a log does not lead to the beginning of an epoch of this group.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResumeError {
    /// An entry that an honest group would not have logged there.
    #[error("entry {index} of the log: {error}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong with it.
        error: ReplayError,
    },
    /// The last entry is not the one that ends an epoch.
    #[error("the log does not end with a change of membership: no epoch begins there")]
    NoBoundary,
    /// It ends an epoch after which another group follows.
    #[error("the group whose epoch begins there is {found}, not {wanted}: use the group file of that epoch")]
    OtherGroup {
        /// The group that the log names.
        found: Digest,
        /// The group at hand.
        wanted: Digest,
    },
}

impl Resuming {
    /// At the beginning of the log.
    pub fn new() -> Resuming {
        Resuming::default()
    }

    /// Takes the next entry, and gives it back, read.
    ///
    /// # Errors
    /// [`ResumeError::Entry`]; nothing is changed then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<&Leaf, ResumeError> {
        let index = self.replay.size();
        let leaf = self.replay.append(bytes).map_err(|error| ResumeError::Entry { index, error })?;
        if let Leaf::Build(entry) = &leaf {
            self.rounds.insert(entry.request.id(), concluded(entry, index));
        }
        Ok(self.last.insert(leaf))
    }

    /// The log as far as it was read.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// The machine that begins the epoch of this group.
    ///
    /// # Errors
    /// [`ResumeError::NoBoundary`] and [`ResumeError::OtherGroup`].
    pub fn finish(self, group: Group) -> Result<Machine, ResumeError> {
        let Some(Leaf::Membership(boundary)) = &self.last else { return Err(ResumeError::NoBoundary) };
        if boundary.next_group != group.id() {
            return Err(ResumeError::OtherGroup { found: boundary.next_group, wanted: group.id() });
        }
        let mut machine = Machine::new(group);
        (machine.height, machine.time_ms) = (boundary.height, boundary.time_ms);
        machine.rounds = self.rounds;
        machine.log = Log::of_replay(&self.replay);
        machine.begun = machine.executed();
        Ok(machine)
    }
}

/// A round as its entry tells it: without who submitted it, and without results that the group did not agree on.
fn concluded(entry: &Entry, index: u64) -> Round {
    let members = entry.members.iter().map(|member| {
        let did = Participation {
            commitment: member.commitment,
            contradicted: None,
            opening: member.opening,
            attestation: member.attestation,
        };
        (member.builder, did)
    });
    let members: BTreeMap<BuilderId, Participation> = members.collect();
    let results = entry.agreed.iter().map(|result| (result.digest(), result.clone()));
    Round {
        request: entry.request.clone(),
        lock: Vec::new(),
        number: entry.round,
        author: None,
        phase: Phase::Concluded { index, verdict: entry.verdict },
        members,
        results: results.collect(),
    }
}
