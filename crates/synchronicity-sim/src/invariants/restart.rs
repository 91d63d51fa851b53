//! A restart loses nothing that was ordered, and what is delivered again adds nothing.

use synchronicity_core::machine::Machine;

use super::require;
use crate::event::Event;
use crate::world::World;

/// A node that starts again has the very machine that all blocks up to its height make, and no block or restart was
/// ever refused.
pub(super) fn invariant_a_restart_restores(world: &World) -> Result<(), String> {
    let Some(node) = world.touched() else { return Ok(()) };
    require(node.broken.is_none(), || format!("member {} cannot go on: {:?}", node.member, node.broken))?;
    let (Some(Event::Restart { .. }), Some(machine)) = (&world.last, &node.machine) else { return Ok(()) };
    let mut folded = Machine::new(world.founding.group.clone());
    for block in world.chain.iter().take(node.reached().0 as usize) {
        folded.apply(block).map_err(|error| error.to_string())?;
        folded.begin_epoch();
    }
    require(*machine == folded, || format!("member {} came back with another state", node.member))
}

/// A block that a node has applied does nothing when it comes again.
pub(super) fn invariant_redelivery_changes_nothing(world: &World) -> Result<(), String> {
    let Some(node) = world.touched() else { return Ok(()) };
    require(!node.disturbed, || format!("a block that came again changed member {}", node.member))
}
