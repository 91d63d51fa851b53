//! State has limits that no member can push.

use std::collections::BTreeMap;

use synchronicity_core::machine::{MAX_OPEN_ROUNDS, MAX_OPEN_ROUNDS_PER_AUTHOR};

use super::require;
use crate::world::World;

/// Open rounds, open rounds of one author, and what a journal keeps, stay below their limits.
pub(super) fn invariant_state_is_bounded(world: &World) -> Result<(), String> {
    let Some(node) = world.touched() else { return Ok(()) };
    let Some(machine) = &node.machine else { return Ok(()) };
    let mut by_author = BTreeMap::new();
    for (_, round) in machine.open_rounds() {
        *by_author.entry(round.author()).or_insert(0_usize) += 1;
    }
    let open: usize = by_author.values().sum();
    require(open <= MAX_OPEN_ROUNDS, || format!("{open} rounds are open"))?;
    let most = by_author.values().copied().max().unwrap_or(0);
    require(most <= MAX_OPEN_ROUNDS_PER_AUTHOR, || format!("one author has {most} rounds open"))?;
    // A seal outlives its round until the next time its builder looks at its duties, or never.
    let seals = node.journal.seals().count();
    require(seals <= MAX_OPEN_ROUNDS, || format!("the journal of member {} keeps {seals} seals", node.member))?;
    let acted = matches!(world.last, Some(crate::event::Event::Act { .. }));
    require(!acted || !node.role.is_honest() || seals <= open, || {
        format!("the journal of member {} keeps {seals} seals for {open} open rounds", node.member)
    })
}
