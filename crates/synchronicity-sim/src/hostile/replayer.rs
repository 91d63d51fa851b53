//! Sends again what anybody ever sent, its own commands and those of others.

use crate::honest::{self, Deed, Seat};

pub(super) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let mut deeds = honest::act(seat);
    for _ in 0..4 {
        deeds.extend(seat.dice.pick(&seat.overheard).cloned().map(Deed::Repeat));
    }
    deeds
}
