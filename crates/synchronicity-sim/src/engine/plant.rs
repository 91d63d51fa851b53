//! Bugs that can be planted in a run over the engine, to see what judges it fail. None sits in the engine itself: they are in
//! the nodes, the disks and the driver around it.

use synchronicity_core::block::OrderedBlock;

/// What is wrong in this run. "One member" is the first whose engine is honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// One member's node cannot execute a block.
    FailsAtABlock,
    /// One member's node panics while it executes a block.
    PanicsAtABlock,
    /// One member is handed another block than the others.
    SwapsABlock,
    /// A block comes whose time is before its parent's.
    TurnsTimeBack,
    /// After the faults no member hands its commands to its engine.
    KeepsCommandsBack,
    /// One member's votes contradict each other, although it counts as honest.
    HidesADoubleVoter,
    /// When a quorum should be missing nobody is gone.
    SparesTheQuorum,
    /// Disks say that they have synced, and have not.
    FeignsSyncs,
}

/// The block at which it happens, for the plants that have one.
pub(super) const AT: u64 = 3;

/// The block as a member's node gets it.
///
/// # Errors
/// Why it cannot be executed.
pub(super) fn block(plant: Option<Plant>, is_one: bool, mut block: OrderedBlock) -> Result<OrderedBlock, String> {
    match plant.filter(|_| block.height == AT) {
        Some(Plant::FailsAtABlock) if is_one => return Err("a planted failure".to_owned()),
        Some(Plant::SwapsABlock) if is_one => block.time_ms += 1,
        Some(Plant::TurnsTimeBack) => block.time_ms = 1,
        _ => {}
    }
    Ok(block)
}
