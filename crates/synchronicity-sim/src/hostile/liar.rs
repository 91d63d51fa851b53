//! Follows the protocol to the letter with hashes of what it did not build: alone, or in agreement with others.

use crate::crates;
use crate::honest::{self, Deed, Seat};

pub(super) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let me = seat.me;
    honest::follow(seat, |request| crates::lie(request, &me.0))
}

pub(super) fn collude(seat: &mut Seat<'_>) -> Vec<Deed> {
    honest::follow(seat, |request| crates::lie(request, b"colluders"))
}
