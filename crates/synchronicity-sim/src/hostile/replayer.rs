//! Sends again what anybody ever sent, its own commands and those of others.

use crate::honest::{self, Deed, Seat};

pub(super) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let mut deeds = honest::act(seat);
    for _ in 0..4 {
        let heard = match seat.dice.pick(seat.chain) {
            Some(block) if !block.commands.is_empty() => &block.commands,
            _ => seat.waiting,
        };
        deeds.extend(seat.dice.pick(heard).cloned().map(Deed::Repeat));
    }
    deeds
}
