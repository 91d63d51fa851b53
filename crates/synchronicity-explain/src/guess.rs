//! From a difference to its likely cause: first by what is known of the builds, then by order, then by looks.

use crate::cause::{Cause, Certainty};
use crate::facts::Facts;
use crate::spot::Spot;
use crate::{known, looks, order};

/// A cause and the reason to think of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guess {
    pub(crate) cause: Cause,
    pub(crate) certainty: Certainty,
    pub(crate) why: String,
}

impl Guess {
    pub(crate) fn new(cause: Cause, certainty: Certainty, why: impl Into<String>) -> Self {
        Self { cause, certainty, why: why.into() }
    }
}

/// The likeliest cause of a difference in text.
pub(crate) fn of_text(spot: &Spot<'_>, facts: &Facts) -> Guess {
    known::value(spot, facts)
        .or_else(|| order::reordered(spot, facts))
        .or_else(|| known::number(spot, facts))
        .or_else(|| looks::like(spot))
        .unwrap_or_else(|| Guess::new(Cause::Unknown, Certainty::Possible, "another text"))
}

/// The likeliest cause of a difference in bytes that are no text: numbers in code and tables.
pub(crate) fn of_bytes(spot: &Spot<'_>, facts: &Facts) -> Guess {
    // Tables of offsets behind a longer string look like anything, also like themselves in another order.
    if let Some(guess) = known::binary(spot, facts) {
        return guess;
    }
    let (first, second) = (spot.first.core(), spot.second.core());
    let differing = first.iter().zip(second).filter(|(a, b)| a != b).count();
    // Random bytes agree in one place of 256.
    if first.len() == second.len() && first.len() >= 4 && differing * 10 >= first.len() * 9 {
        return Guess::new(Cause::Random, Certainty::Possible, "other bytes without any likeness");
    }
    Guess::new(Cause::Unknown, Certainty::Possible, "other bytes")
}
