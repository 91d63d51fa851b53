//! The state of the group: what the ordered blocks so far amount to.
//!
//! [`Machine::apply`] is the only way that it changes, and block time the only time there is. The same blocks give
//! the same machine everywhere; a block that was applied changes nothing when it comes again; and a block with no
//! effect need not be kept: [`Machine::skip_to`] stands for any number of them.

use std::collections::{BTreeMap, BTreeSet};

use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::merkle::EMPTY_ROOT;
use thiserror::Error;

use crate::block::OrderedBlock;
use crate::command::{Action, Command};
use crate::group::Group;
use crate::log::{Log, Logged};
use crate::membership::Succession;
use crate::open::NOTHING_OPEN;
use crate::rejection::Rejection;
use crate::round::{Phase, Round};

/// Most rounds that are open at once, over all members.
pub const MAX_OPEN_ROUNDS: usize = 256;

/// Most rounds that are open at once for one submitter.
pub const MAX_OPEN_ROUNDS_PER_AUTHOR: usize = 64;

/// How much later than a deadline the first block after it may be, in milliseconds of block time, before the group counts
/// as halted in between. A group that is up makes a block every few seconds, commands or not.
pub const HALT_MS: u64 = 15_000;

/// The folded state. Two machines that applied the same blocks are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    pub(crate) group: Group,
    pub(crate) height: u64,
    pub(crate) time_ms: u64,
    pub(crate) rounds: BTreeMap<RequestId, Round>,
    pub(crate) open: BTreeSet<RequestId>,
    pub(crate) log: Log,
    pub(crate) succession: Succession,
    /// The state with which the epoch began.
    pub(crate) begun: Executed,
    /// See [`Machine::open_digest`].
    pub(crate) open_digest: Digest,
}

/// How far a machine is, and what its log says there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Height of the last block; 0 before the first.
    pub height: u64,
    /// Its time in milliseconds; 0 before the first.
    pub time_ms: u64,
    /// Entries in the log.
    pub log_size: u64,
    /// Merkle root of the log.
    pub log_root: Digest,
    /// Digest of what the log does not say: see [`crate::open`].
    pub open: Digest,
}

impl Executed {
    /// Before the first block of the first epoch.
    pub const NOTHING: Executed =
        Executed { height: 0, time_ms: 0, log_size: 0, log_root: EMPTY_ROOT, open: NOTHING_OPEN };
}

/// What one block did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Whether anything but height and time is different now. A node persists the blocks for which this holds.
    pub changed: bool,
    /// The entries that the block appended to the log, in order. The machine does not keep them.
    pub logged: Vec<Logged>,
    /// Ids of the commands that counted for nothing, with the reason, in block order.
    pub rejected: Vec<(Digest, Rejection)>,
}

/// Why a block, or a run of blocks without effect, cannot follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// Blocks are missing in between.
    #[error("block {offered} cannot follow block {executed}: deliver the blocks in between first")]
    Gap {
        /// Height of the machine.
        executed: u64,
        /// Height of the block.
        offered: u64,
    },
    /// Block time stands still or runs backwards.
    #[error("block time {offered} ms is not later than {executed} ms: the engine must not order such a block")]
    Time {
        /// Time of the machine.
        executed: u64,
        /// Time of the block.
        offered: u64,
    },
    /// The block is behind the last one of the epoch.
    #[error("the epoch is over: its next block is one of the next epoch")]
    EpochOver,
    /// Skipped blocks cannot have been without effect: a deadline passed within them.
    #[error("a deadline passed before {offered} ms: those blocks had an effect and must be replayed")]
    SkippedDeadline {
        /// Time to which was to be skipped.
        offered: u64,
    },
}

/// What one command did to the state.
pub(crate) enum Step {
    Taken,
    /// Refused, yet kept as evidence.
    Noted(Rejection),
    Refused(Rejection),
}

impl Machine {
    /// The machine before the first block.
    pub fn new(group: Group) -> Machine {
        Machine {
            group,
            height: 0,
            time_ms: 0,
            rounds: BTreeMap::new(),
            open: BTreeSet::new(),
            log: Log::default(),
            begun: Executed::NOTHING,
            open_digest: NOTHING_OPEN,
            succession: Succession::default(),
        }
    }

    /// Applies the next block. A block at or below the current height was applied already and changes nothing.
    ///
    /// # Errors
    /// [`ApplyError::Gap`], [`ApplyError::Time`] and [`ApplyError::EpochOver`]; the machine is unchanged then.
    pub fn apply(&mut self, block: &OrderedBlock) -> Result<Applied, ApplyError> {
        if block.height <= self.height {
            return Ok(Applied::default());
        }
        if block.height - 1 != self.height {
            return Err(ApplyError::Gap { executed: self.height, offered: block.height });
        }
        if block.time_ms <= self.time_ms {
            return Err(ApplyError::Time { executed: self.time_ms, offered: block.time_ms });
        }
        if self.closed().is_some() {
            return Err(ApplyError::EpochOver);
        }
        (self.height, self.time_ms) = (block.height, block.time_ms);
        let mut applied = Applied::default();
        // Before the commands: what arrives in the block that passes a deadline is late.
        self.pass_deadlines(&mut applied);
        for command in &block.commands {
            match self.take(command, &mut applied) {
                Step::Taken => applied.changed = true,
                Step::Noted(rejection) => {
                    applied.changed = true;
                    applied.rejected.push((command.id(), rejection));
                }
                Step::Refused(rejection) => applied.rejected.push((command.id(), rejection)),
            }
        }
        self.close_epoch(&mut applied);
        if applied.changed {
            self.note_open();
        }
        Ok(applied)
    }

    /// Moves on to a height whose blocks, from the current one on, are known to have changed nothing.
    ///
    /// A node persists the blocks for which [`Applied::changed`] held and the height and time of the last one. After
    /// a restart it skips to just below each of them, applies it, and skips to the last height: an equal machine.
    ///
    /// # Errors
    /// [`ApplyError::Gap`] for a height below the current one, [`ApplyError::Time`] for a time before the current one,
    /// [`ApplyError::SkippedDeadline`] where one of the blocks must have had an effect, [`ApplyError::EpochOver`] behind the
    /// last block of an epoch.
    pub fn skip_to(&mut self, height: u64, time_ms: u64) -> Result<(), ApplyError> {
        if height < self.height {
            return Err(ApplyError::Gap { executed: self.height, offered: height });
        }
        if time_ms < self.time_ms {
            return Err(ApplyError::Time { executed: self.time_ms, offered: time_ms });
        }
        if self.closed().is_some() && height > self.height {
            return Err(ApplyError::EpochOver);
        }
        if self.open.iter().any(|id| self.deadline_passed(id, time_ms)) {
            return Err(ApplyError::SkippedDeadline { offered: time_ms });
        }
        (self.height, self.time_ms) = (height, time_ms);
        Ok(())
    }

    /// Applies an effective block: the blocks before it, if there are any, are known to have changed nothing. Behind the last
    /// one of an epoch it is of the next, which has begun then.
    ///
    /// # Errors
    /// As [`Machine::apply`] and [`Machine::skip_to`].
    pub fn apply_effective(&mut self, block: &OrderedBlock) -> Result<Applied, ApplyError> {
        if block.height > self.height {
            self.begin_epoch();
        }
        self.skip_to(block.height.saturating_sub(1), self.time_ms)?;
        self.apply(block)
    }

    /// The machine that effective blocks, with blocks without effect in between, lead to.
    ///
    /// # Errors
    /// As [`Machine::apply`] and [`Machine::skip_to`]: the blocks are not the effective blocks of one chain up to
    /// `height` and `time_ms`.
    pub fn restore<'a>(
        group: Group,
        effective: impl IntoIterator<Item = &'a OrderedBlock>,
        height: u64,
        time_ms: u64,
    ) -> Result<Machine, ApplyError> {
        let mut machine = Machine::new(group);
        for block in effective {
            machine.apply_effective(block)?;
        }
        if height > machine.height {
            machine.begin_epoch();
        }
        machine.skip_to(height, time_ms)?;
        Ok(machine)
    }

    /// What [`Machine::apply`] would say to this command in a block of the current time, without doing it: for the
    /// mempool and the proposer.
    ///
    /// # Errors
    /// The [`Rejection`]; see [`Rejection::may_pass_later`].
    pub fn screen(&self, command: &Command) -> Result<(), Rejection> {
        if command.group() != self.group.id() {
            return Err(Rejection::OtherGroup);
        }
        if self.closed().is_some() {
            return Err(Rejection::EpochOver);
        }
        let author = command.author();
        match command.action() {
            Action::Submit { request, round, .. } => self.may_submit(author, request, *round),
            Action::Commit { request, round, commitment } => self.may_commit(author, request, *round, commitment),
            Action::Reveal { request, round, result, nonce } => {
                self.may_reveal(author, request, *round, &result.digest(), nonce)
            }
            Action::Propose { membership } => self.may_propose(author, membership),
            Action::Approve { membership } => self.may_approve(author, membership),
        }
    }

    /// How far this machine is.
    pub fn executed(&self) -> Executed {
        let (log_size, log_root) = (self.log.size(), self.log.root());
        Executed { height: self.height, time_ms: self.time_ms, log_size, log_root, open: self.open_digest }
    }

    /// The state with which the present epoch began; all zero in the first one.
    pub fn begun(&self) -> Executed {
        self.begun
    }

    /// The group whose blocks it applies.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The latest round of a request.
    pub fn round(&self, request: &RequestId) -> Option<&Round> {
        self.rounds.get(request)
    }

    /// The latest round of every request that was ever submitted, in order of request id.
    pub fn rounds(&self) -> impl Iterator<Item = (&RequestId, &Round)> {
        self.rounds.iter()
    }

    /// The rounds without a verdict, at most [`MAX_OPEN_ROUNDS`], in order of request id.
    pub fn open_rounds(&self) -> impl Iterator<Item = (&RequestId, &Round)> {
        self.open.iter().filter_map(|id| self.rounds.get_key_value(id))
    }

    /// The `Cargo.lock` of an open round. It is forgotten with the verdict: the chain still has it.
    pub fn lock(&self, request: &RequestId) -> Option<&[u8]> {
        let round = self.rounds.get(request).filter(|round| round.is_open())?;
        Some(&round.lock)
    }

    /// The number that a submission of this request must carry now: 0 for a new request, one more after an
    /// round without agreement, `None` while a round is open and after a verdict that is final.
    pub fn next_round(&self, request: &RequestId) -> Option<u32> {
        match self.rounds.get(request) {
            None => Some(0),
            Some(round) => match round.phase {
                Phase::Concluded { verdict, .. } if !verdict.is_final() => round.number.checked_add(1),
                _ => None,
            },
        }
    }

    /// The transparency log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    fn take(&mut self, command: &Command, applied: &mut Applied) -> Step {
        let refused = self.screen(command).err();
        let author = command.author();
        match (command.action(), refused) {
            (Action::Commit { request, commitment, .. }, Some(rejection @ Rejection::Equivocation)) => {
                match self.note_equivocation(author, request, commitment) {
                    true => Step::Noted(rejection),
                    false => Step::Refused(rejection),
                }
            }
            (_, Some(rejection)) => Step::Refused(rejection),
            (Action::Submit { request, lock, round }, None) => {
                self.submit(author, request, lock, *round);
                Step::Taken
            }
            (Action::Commit { request, commitment, .. }, None) => {
                self.commit(author, request, *commitment);
                Step::Taken
            }
            (Action::Reveal { request, result, nonce, .. }, None) => {
                self.reveal(author, request, result, nonce, command.id(), applied);
                Step::Taken
            }
            (Action::Propose { membership }, None) => {
                self.propose(author, membership);
                Step::Taken
            }
            (Action::Approve { membership }, None) => {
                self.approve(author, membership, command.signature());
                Step::Taken
            }
        }
    }

    fn pass_deadlines(&mut self, applied: &mut Applied) {
        let due: Vec<RequestId> =
            self.open.iter().filter(|id| self.deadline_passed(id, self.time_ms)).copied().collect();
        for id in due {
            applied.changed = true;
            let round = &self.rounds[&id];
            match round.phase {
                // Nobody could be in time while nothing was ordered: what waits to be ordered gets its window again.
                _ if self.deadline_passed(&id, self.time_ms.saturating_sub(HALT_MS)) => self.extend(&id),
                Phase::Committing { .. } if !round.nobody_committed() => self.begin_reveals(&id),
                _ => self.conclude(&id, applied),
            }
        }
    }

    fn extend(&mut self, id: &RequestId) {
        let (now_ms, commit_ms, reveal_ms) =
            (self.time_ms, self.group.commit_window_ms(), self.group.reveal_window_ms());
        match &mut self.round_mut(id).phase {
            Phase::Committing { deadline_ms } => *deadline_ms = now_ms.saturating_add(commit_ms),
            Phase::Revealing { deadline_ms } => *deadline_ms = now_ms.saturating_add(reveal_ms),
            Phase::Concluded { .. } => {}
        }
    }

    fn deadline_passed(&self, id: &RequestId, time_ms: u64) -> bool {
        self.rounds[id].deadline_ms().is_some_and(|deadline_ms| deadline_ms <= time_ms)
    }

    /// The round that a commitment or reveal speaks of, if it is open.
    pub(crate) fn open_round(&self, request: &RequestId, number: u32) -> Result<&Round, Rejection> {
        let round = self.rounds.get(request).ok_or(Rejection::UnknownRequest)?;
        if number < round.number || (number == round.number && !round.is_open()) {
            return Err(Rejection::RoundOver);
        }
        if number > round.number {
            let expected = match round.is_open() {
                true => round.number,
                false => round.number.saturating_add(1),
            };
            return Err(Rejection::RoundAhead { expected });
        }
        Ok(round)
    }

    /// For what may be called only after a check that the round is there.
    pub(crate) fn round_mut(&mut self, request: &RequestId) -> &mut Round {
        self.rounds.get_mut(request).expect("the screen found this round in the same step")
    }

    pub(crate) fn open_rounds_of(&self, author: &BuilderId) -> usize {
        self.open_rounds().filter(|(_, round)| round.author == Some(*author)).count()
    }
}
