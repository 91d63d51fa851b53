//! Once the faults stop, the group gets done.

use synchronicity_verify::entry::Verdict;

use super::require;
use crate::crates;
use crate::world::World;

/// No round that was ever opened is still open.
pub(super) fn invariant_every_request_concludes(world: &World) -> Result<(), String> {
    let open: Vec<String> = world.reference.open_rounds().map(|(id, _)| id.to_string()).collect();
    require(open.is_empty(), || format!("still without a verdict: {}", open.join(", ")))
}

/// A request submitted after the faults gets the verdict that honest builders give it, every node with an honest engine
/// has the same state, and the log that holds the verdict is published.
pub(super) fn invariant_the_group_still_works(world: &World, last_request: &str) -> Result<(), String> {
    let request = crates::request(last_request);
    let honest = world.nodes.iter().filter(|node| node.role.is_honest()).count();
    let group = world.reference.group();
    let builds = |member: usize| {
        let listed = group.member(&world.founding.commands[member].id());
        listed.is_some_and(|listed| !listed.absent)
    };
    let building = world.nodes.iter().filter(|node| node.role.is_honest() && builds(node.member)).count();
    let mut entries = (0..world.reference.log().size()).rev().filter_map(|index| world.entry(index)?.ok());
    let entry = entries.find(|entry| entry.request == request).ok_or("the last request has no entry")?;
    if building >= usize::from(world.founding.threshold) {
        require(entry.verdict == Verdict::Reproduced, || format!("the last request ended {}", entry.verdict))?;
    }
    for node in world.nodes.iter().filter(|node| !world.estranged.contains(&node.member)) {
        let caught_up = node.machine.as_ref() == Some(&world.reference);
        require(caught_up, || format!("member {} did not catch up", node.member))?;
    }
    let published = world.published.last().map_or(0, |published| published.size);
    if honest >= world.founding.group.quorum() {
        let size = world.reference.log().size();
        require(published == size, || format!("published is size {published} of a log of {size}"))?;
    }
    Ok(())
}
