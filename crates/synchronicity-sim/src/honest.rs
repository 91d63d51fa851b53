//! An honest member: does what `duties` says, in that order, and nothing else.

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command};
use synchronicity_core::duties::{Duty, duties};
use synchronicity_core::journal::{Journal, Sealed};
use synchronicity_core::machine::Machine;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;

use crate::crates;
use crate::dice::Dice;
use crate::plant::Plant;
use crate::role::Role;

/// A member at work: its own state, and its own luck.
pub struct Seat<'a> {
    /// Its machine.
    pub machine: &'a Machine,
    /// Its journal, on disk.
    pub journal: &'a mut Journal,
    /// Who it is.
    pub me: BuilderId,
    /// How it behaves.
    pub role: Role,
    /// Its luck.
    pub dice: &'a mut Dice,
    /// Every ordered block, for whoever misuses what others said.
    pub chain: &'a [OrderedBlock],
    /// Commands that wait to be ordered, for the same.
    pub waiting: &'a [Command],
    /// Whether the faults are over: builds end at once, and nobody submits unasked.
    pub calm: bool,
    /// What is wrong in this run.
    pub plant: Option<Plant>,
}

/// What a member lets out.
pub enum Deed {
    /// A new command.
    Say(Action),
    /// Somebody's command, once more.
    Repeat(Command),
    /// A cosignature of a log of this size and root.
    Cosign(u64, Digest),
}

/// What an honest member does now.
pub fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let me = seat.me;
    let mut deeds = follow(seat, |request| crates::build(request, &me));
    if seat.plant == Some(Plant::RevealsEarly) {
        deeds.extend(open_now(seat));
    }
    deeds
}

/// Does every duty, with `build` in place of the sandbox.
pub fn follow(seat: &mut Seat<'_>, build: impl Fn(&BuildRequest) -> BuildResult) -> Vec<Deed> {
    if seat.plant != Some(Plant::NeverPrunes) {
        seat.journal.prune(seat.machine);
    }
    let owed = duties(seat.machine, seat.journal, seat.me);
    owed.into_iter().filter_map(|duty| perform(seat, duty, &build)).collect()
}

/// Does one duty. A build takes its time, so it may still be going on.
fn perform(seat: &mut Seat<'_>, duty: Duty, build: impl Fn(&BuildRequest) -> BuildResult) -> Option<Deed> {
    match duty {
        Duty::Build { round, .. } if round > 0 && seat.plant == Some(Plant::BuildsOnceOnly) => None,
        Duty::Build { request, round } => {
            if seat.calm || !seat.dice.once_in(3) {
                let result = build(seat.machine.round(&request)?.request());
                let sealed = Sealed { result, nonce: seat.dice.bytes() };
                seat.journal.seal(request, round, sealed).expect("duties asks for a build only without a seal");
            }
            None
        }
        Duty::Commit { request, round, commitment } => {
            // A build that was begun twice, around a crash, ends twice: the journal keeps the first seal.
            if seat.dice.once_in(8) {
                let result = build(seat.machine.round(&request)?.request());
                let again = Sealed { result, nonce: seat.dice.bytes() };
                seat.journal.seal(request, round, again).ok();
            }
            Some(Deed::Say(Action::Commit { request, round, commitment }))
        }
        Duty::Reveal { request, round, result, nonce } => {
            Some(Deed::Say(Action::Reveal { request, round, result, nonce }))
        }
        Duty::Cosign { size, root } => {
            let allowed = seat.journal.cosign(size, root).is_ok();
            allowed.then_some(Deed::Cosign(size, root))
        }
    }
}

/// Reveals for every seal that is on the chain, whether or not others may still seal.
pub fn open_now(seat: &Seat<'_>) -> Vec<Deed> {
    let open = seat.machine.open_rounds().filter_map(|(id, round)| {
        round.member(&seat.me)?.commitment()?;
        let sealed = seat.journal.sealed(id, round.number())?;
        let (result, nonce) = (sealed.result.clone(), sealed.nonce);
        Some(Deed::Say(Action::Reveal { request: *id, round: round.number(), result, nonce }))
    });
    open.collect()
}
