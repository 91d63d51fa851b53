//! Submits without end: new requests, requests that are being rebuilt, rounds that have not come.

use synchronicity_core::command::Action;
use synchronicity_core::machine::MAX_OPEN_ROUNDS_PER_AUTHOR;

use crate::crates::{self, FLOOD, LOCK};
use crate::honest::{self, Deed, Seat};

pub(super) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let mut deeds = honest::act(seat);
    if seat.calm {
        return deeds;
    }
    // Mostly a trickle; now and then more than one member may have open.
    let wave = if seat.dice.once_in(40) { MAX_OPEN_ROUNDS_PER_AUTHOR + 6 } else { seat.dice.below(3) };
    for _ in 0..wave {
        let request = crates::request(&format!("{FLOOD}{:08x}", seat.dice.roll() as u32));
        deeds.push(Deed::Say(Action::Submit { request, lock: LOCK.to_vec(), round: 0 }));
    }
    let known: Vec<_> = seat.machine.rounds().map(|(_, round)| round.request()).collect();
    if let Some(request) = seat.dice.pick(&known) {
        let request = (*request).clone();
        let round = seat.dice.below(4) as u32;
        deeds.push(Deed::Say(Action::Submit { request, lock: LOCK.to_vec(), round }));
    }
    deeds
}
