//! Hostile members: one file for each rule that one of them breaks.
//!
//! They hold a member's keys and say what they like, but they cannot forge: whatever they send is signed as
//! themselves, or was signed by its author before.

mod changer;
mod copier;
mod eager;
mod equivocator;
mod flooder;
mod liar;
mod replayer;
mod withholder;

use crate::honest::{self, Deed, Seat};
use crate::role::Role;

/// What a member does now, by its role.
pub(crate) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    match seat.role {
        // A forgetter behaves; it is the crash that takes its journal.
        Role::Honest | Role::Forgetter => honest::act(seat),
        Role::Copier => copier::act(seat),
        Role::Eager => eager::act(seat),
        Role::Changer => changer::act(seat),
        Role::Equivocator => equivocator::act(seat),
        Role::Flooder => flooder::act(seat),
        Role::Withholder => withholder::act(seat),
        Role::Replayer => replayer::act(seat),
        Role::Liar => liar::act(seat),
        Role::Colluder => liar::collude(seat),
    }
}
