//! Seals in every round and never opens, to make the others wait.

use synchronicity_core::command::Action;

use crate::honest::{self, Deed, Seat};

pub(super) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let mut deeds = honest::act(seat);
    deeds.retain(|deed| !matches!(deed, Deed::Say(Action::Reveal { .. })));
    deeds
}
