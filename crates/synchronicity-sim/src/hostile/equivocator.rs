//! Seals twice in one round, to choose later which seal to open.

use synchronicity_core::command::Action;
use synchronicity_core::journal::Sealed;
use synchronicity_core::round::Phase;

use crate::crates;
use crate::honest::{self, Deed, Seat};

pub(super) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let mut deeds = honest::act(seat);
    for (id, round) in seat.machine.open_rounds() {
        if matches!(round.phase(), Phase::Committing { .. }) && seat.dice.once_in(2) {
            let other = Sealed { result: crates::lie(round.request(), b"second"), nonce: seat.dice.bytes() };
            let commitment = other.commitment(id, &seat.me);
            deeds.push(Deed::Say(Action::Commit { request: *id, round: round.number(), commitment }));
        }
    }
    deeds
}
