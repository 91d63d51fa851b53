//! Seals one result and opens another, or the same with another nonce; sometimes the true one after all.

use synchronicity_core::command::Action;

use crate::crates;
use crate::honest::{self, Deed, Seat};

pub(super) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for deed in honest::act(seat) {
        let Deed::Say(Action::Reveal { request, round, result, nonce }) = deed else {
            deeds.push(deed);
            continue;
        };
        if let Some(open) = seat.machine.round(&request) {
            let changed = crates::lie(open.request(), b"changed");
            deeds.push(Deed::Say(Action::Reveal { request, round, result: changed, nonce }));
        }
        let other_nonce = seat.dice.bytes();
        deeds.push(Deed::Say(Action::Reveal { request, round, result: result.clone(), nonce: other_nonce }));
        if seat.dice.once_in(3) {
            deeds.push(Deed::Say(Action::Reveal { request, round, result, nonce }));
        }
    }
    deeds
}
