//! Opens its seal while others may still seal, so that they could copy the result.

use crate::honest::{self, Deed, Seat};

pub(super) fn act(seat: &mut Seat<'_>) -> Vec<Deed> {
    let mut deeds = honest::act(seat);
    deeds.extend(honest::open_now(seat));
    deeds
}
