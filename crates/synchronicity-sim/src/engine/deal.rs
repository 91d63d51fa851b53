//! Who is in the group of a seed: keys, roles, and whose engine is hostile.

use std::collections::BTreeMap;

use super::mask::{self, Mask};
use super::plan;
use crate::dice::Dice;
use crate::founding::{self, Founding};
use crate::role::{self, Role};

/// Of so many runs one is without a power cut, so that what members have in memory gets old too.
const SPARED: usize = 3;

pub(super) struct Deal {
    pub(super) seed: u64,
    pub(super) founding: Founding,
    pub(super) roles: Vec<Role>,
    pub(super) masks: BTreeMap<usize, Mask>,
    pub(super) power_is_cut: bool,
    /// The first line of the trace.
    pub(super) title: String,
}

impl Deal {
    /// What a seed deals, and the dice for what comes then.
    pub(super) fn new(seed: u64, members: Option<usize>) -> (Deal, Dice) {
        let mut dice = Dice::new(seed);
        // Rolled in any case, so that the rest does not depend on who says how many there are.
        let rolled = founding::size(&mut dice);
        let members = members.unwrap_or(rolled);
        let threshold = (members / 2 + 1) as u16;
        let roles = role::deal(members, threshold, &mut dice);
        let founding = Founding::new(seed, members, threshold, threshold);
        let masks = mask::deal(&roles, &mut dice);
        let power_is_cut = !dice.once_in(SPARED);
        let name = |(member, role): (usize, &Role)| match masks.get(&member) {
            Some(mask) => format!("{role}/{mask}"),
            None => role.to_string(),
        };
        let names: Vec<String> = roles.iter().enumerate().map(name).collect();
        let title = plan::title(&format!("seed {seed}: {members} members, threshold {threshold}: {}", names.join(" ")));
        (Deal { seed, founding, roles, masks, power_is_cut, title }, dice)
    }
}

#[cfg(test)]
mod tests;
