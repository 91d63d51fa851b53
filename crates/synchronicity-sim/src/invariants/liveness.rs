//! Once the faults stop, the group gets done.

use synchronicity_core::round::Phase;
use synchronicity_verify::entry::Verdict;
use synchronicity_verify::result::BuildResult;

use super::require;
use crate::crates;
use crate::node::Node;
use crate::world::World;

/// No round that was ever opened is still open.
pub(super) fn invariant_every_request_concludes(world: &World) -> Result<(), String> {
    let open: Vec<String> = world.reference.open_rounds().map(|(id, _)| id.to_string()).collect();
    require(open.is_empty(), || format!("still without a verdict: {}", open.join(", ")))
}

/// Every request that honest builders all get the same of ends with that, once it was asked for again in the calm: those that
/// build are reproduced, and the others unbuildable, whoever is hostile and whoever is gone.
pub(super) fn invariant_what_is_reproducible_is_reproduced(world: &World) -> Result<(), String> {
    // With fewer honest builders than must agree no verdict can be demanded: the others may build nothing, or lie.
    if building(world) < usize::from(world.founding.threshold) {
        return Ok(());
    }
    for (id, round) in world.reference.rounds().filter(|(_, round)| crates::is_reproducible(round.request())) {
        let meant = match crates::build(round.request(), &world.founding.commands[0].id()) {
            BuildResult::Built(_) => Verdict::Reproduced,
            BuildResult::Failed(_) => Verdict::Unbuildable,
        };
        let Phase::Concluded { verdict, .. } = round.phase() else { continue };
        require(verdict == meant, || {
            let name = round.request().source.name();
            format!("round {} of {name} ({id}) ended {verdict}, and not {meant}", round.number())
        })?;
    }
    Ok(())
}

/// Honest members of which something is promised.
fn honest(world: &World) -> impl Iterator<Item = &Node> {
    world.nodes.iter().filter(|node| node.role.is_honest() && !world.estranged.contains(&node.member))
}

/// How many of them build for the group as it is now.
fn building(world: &World) -> usize {
    let group = world.reference.group();
    let listed = |node: &&Node| group.member(&world.founding.commands[node.member].id());
    honest(world).filter(|node| listed(node).is_some_and(|listed| !listed.absent)).count()
}

/// A request submitted after the faults gets the verdict that honest builders give it, every node with an honest engine
/// has the same state, and the log that holds the verdict is published.
pub(super) fn invariant_the_group_still_works(world: &World, last_request: &str) -> Result<(), String> {
    let request = crates::request(last_request);
    let mut entries = (0..world.reference.log().size()).rev().filter_map(|index| world.entry(index)?.ok());
    let entry = entries.find(|entry| entry.request == request).ok_or("the last request has no entry")?;
    if building(world) >= usize::from(world.founding.threshold) {
        require(entry.verdict == Verdict::Reproduced, || format!("the last request ended {}", entry.verdict))?;
    }
    for node in world.nodes.iter().filter(|node| !world.estranged.contains(&node.member)) {
        let caught_up = node.machine.as_ref() == Some(&world.reference);
        require(caught_up, || format!("member {} did not catch up", node.member))?;
    }
    let published = world.published.last().map_or(0, |published| published.size);
    if honest(world).count() >= world.founding.group.quorum() {
        let size = world.reference.log().size();
        require(published == size, || format!("published is size {published} of a log of {size}"))?;
    }
    Ok(())
}
