//! The machine at some height, without the blocks that lead there.
//!
//! When an epoch ends no round is open, and the log says all that the next one depends on: the attempts at each request,
//! and which of their verdicts stand. So the log up to the entry that ended an epoch is a snapshot whose root a quorum of
//! that epoch has signed, and whoever joins later replays no block. Anywhere else the [open state](crate::open) says the rest.
//!
//! A machine that was resumed goes on as the one that executed every block does. It does not know what nothing depends on:
//! who submitted a request that has its verdict; and what dissenters got only if somebody kept it
//! ([`Resuming::recall`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::replay::{Replay, ReplayError};
use synchronicity_verify::result::BuildResult;
use thiserror::Error;

use crate::group::Group;
use crate::log::Log;
use crate::machine::{Executed, Machine};
use crate::open::{self, NOTHING_OPEN, OpenState, OpenStateError};
use crate::round::{Participation, Phase, Round};

/// Reads a log up to the end of an epoch, entry by entry.
#[derive(Debug, Default)]
pub struct Resuming {
    replay: Replay,
    rounds: BTreeMap<RequestId, Round>,
    last: Option<Leaf>,
    /// The group of the latest epoch of which the log shows the beginning, and that.
    begun: Option<(Digest, Executed)>,
}

/// Why a log does not lead to a state of this group.
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
    /// At its end another group is in force.
    #[error("the group that is in force there is {found}, not {wanted}: use the group file of that epoch")]
    OtherGroup {
        /// The group that the log names.
        found: Digest,
        /// The group at hand.
        wanted: Digest,
    },
    /// The state is to be of a block before one that the log holds an entry of.
    #[error("the log has an entry of block {logged}, which block {height} is not behind")]
    Behind {
        /// Height of the last entry's block.
        logged: u64,
        /// The height at hand.
        height: u64,
    },
    /// The log is not the one of the state that is to be.
    #[error("{} entries with the root {} are wanted, and these are {} with the root {}", .wanted.0, .wanted.1, .found.0, .found.1)]
    OtherLog {
        /// Size and root of the log that was read.
        found: (u64, Digest),
        /// Those of the state.
        wanted: (u64, Digest),
    },
    /// The open state is none of this group.
    #[error(transparent)]
    Open(#[from] OpenStateError),
    /// It is one, and not the one of the state that is to be.
    #[error("the open state is one of this group, and not the one after block {0}")]
    OtherOpen(u64),
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
        if let Leaf::Membership(entry) = &leaf {
            let (log_size, log_root) = (self.replay.size(), self.replay.root());
            let (height, time_ms) = (entry.height, entry.time_ms);
            self.begun = Some((entry.next_group, Executed { height, time_ms, log_size, log_root, open: NOTHING_OPEN }));
        }
        Ok(self.last.insert(leaf))
    }

    /// Takes a result that the latest entry of a request has the digest of and nothing else: builders revealed it, and it
    /// is not what the group agreed on. Any other result is left; so whoever kept it need not be trusted.
    pub fn recall(&mut self, request: &RequestId, result: BuildResult) {
        let Some(round) = self.rounds.get_mut(request) else { return };
        let digest = result.digest();
        let mut openings = round.members.values().filter_map(|member| member.opening.as_ref());
        if openings.any(|opening| opening.result == digest) {
            round.results.insert(digest, Arc::new(result));
        }
    }

    /// The log as far as it was read.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// The state with which the latest epoch began of which the log shows the beginning.
    pub fn begun(&self) -> Executed {
        self.begun.map_or(Executed::NOTHING, |(_, begun)| begun)
    }

    /// The machine that begins the epoch of this group.
    ///
    /// # Errors
    /// [`ResumeError::NoBoundary`] and [`ResumeError::OtherGroup`].
    pub fn finish(self, group: Group) -> Result<Machine, ResumeError> {
        if !matches!(self.last, Some(Leaf::Membership(_))) {
            return Err(ResumeError::NoBoundary);
        }
        self.machine(group)
    }

    /// The machine that is in the state `executed`, whose log is what was read and whose open state these bytes are.
    ///
    /// # Errors
    /// [`ResumeError`], but for [`ResumeError::Entry`] and [`ResumeError::NoBoundary`].
    pub fn finish_at(self, group: Group, executed: &Executed, open: &[u8]) -> Result<Machine, ResumeError> {
        let Executed { height, time_ms, .. } = *executed;
        let (found, wanted) = ((self.replay.size(), self.replay.root()), (executed.log_size, executed.log_root));
        if found != wanted {
            return Err(ResumeError::OtherLog { found, wanted });
        }
        let (logged, logged_ms) = match &self.last {
            Some(Leaf::Build(entry)) => (entry.height, entry.time_ms),
            Some(Leaf::Membership(entry)) => (entry.height, entry.time_ms),
            None => (0, 0),
        };
        if height < logged || time_ms < logged_ms || (height == logged) != (time_ms == logged_ms) {
            return Err(ResumeError::Behind { logged, height });
        }
        let mut machine = self.machine(group)?;
        let OpenState { rounds, succession } = open::read(open, &machine.group)?;
        (machine.height, machine.time_ms, machine.succession) = (height, time_ms, succession);
        for (request, round) in rounds {
            if machine.next_round(&request) != Some(round.number) {
                return Err(OpenStateError::Impossible("a round is open that cannot follow those in the log").into());
            }
            if round.deadline_ms().is_none_or(|deadline_ms| deadline_ms <= time_ms) {
                return Err(OpenStateError::Impossible("a deadline has passed").into());
            }
            machine.rounds.insert(request, round);
            machine.open.insert(request);
        }
        if machine.open_state() != open {
            return Err(OpenStateError::Malformed("not the canonical encoding".into()).into());
        }
        machine.note_open();
        if machine.executed() != *executed {
            return Err(ResumeError::OtherOpen(height));
        }
        Ok(machine)
    }

    /// The machine at the end of the log, with nothing open.
    fn machine(self, group: Group) -> Result<Machine, ResumeError> {
        let (in_force, begun) = match (self.begun, &self.last) {
            (Some(begun), _) => begun,
            (None, Some(Leaf::Build(entry))) => (entry.group, Executed::NOTHING),
            (None, _) => (group.id(), Executed::NOTHING),
        };
        if in_force != group.id() {
            return Err(ResumeError::OtherGroup { found: in_force, wanted: group.id() });
        }
        let mut machine = Machine::new(group);
        (machine.height, machine.time_ms) = (begun.height, begun.time_ms);
        machine.rounds = self.rounds;
        machine.log = Log::of_replay(&self.replay);
        machine.begun = begun;
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
        (member.builder, Box::new(did))
    });
    let results = entry.agreed.iter().map(|result| (result.digest(), Arc::new(result.clone())));
    Round {
        request: entry.request.clone(),
        lock: [].into(),
        number: entry.round,
        author: None,
        phase: Phase::Concluded { index, verdict: entry.verdict },
        members: members.collect(),
        results: results.collect(),
    }
}
