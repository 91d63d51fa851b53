//! Builds nothing: takes somebody's seal for its own, and later somebody's opening.

use synchronicity_core::command::Action;
use synchronicity_core::round::Phase;

use crate::honest::{Deed, Seat};

pub(super) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for (id, round) in seat.machine.open_rounds() {
        let (request, number) = (*id, round.number());
        let others: Vec<_> = round.members().filter(|(builder, _)| **builder != seat.me).collect();
        let mine = round.member(&seat.me).and_then(|member| member.commitment());
        match (round.phase(), mine) {
            (Phase::Committing { .. }, None) => {
                let seals: Vec<_> = others.iter().filter_map(|(_, member)| member.commitment()).collect();
                if let Some(commitment) = seat.dice.pick(&seals) {
                    deeds.push(Deed::Say(Action::Commit { request, round: number, commitment: **commitment }));
                }
            }
            (Phase::Revealing { .. }, Some(mine)) => {
                let original = others.iter().find(|(_, member)| member.commitment() == Some(mine));
                if let Some((builder, member)) = original
                    && let (Some(opening), Some(result)) = (member.opening(), round.result(builder))
                {
                    let (result, nonce) = (result.clone(), opening.nonce);
                    deeds.push(Deed::Say(Action::Reveal { request, round: number, result, nonce }));
                }
            }
            _ => {}
        }
    }
    deeds
}
