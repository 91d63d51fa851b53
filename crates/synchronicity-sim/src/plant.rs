//! Bugs that can be planted, one for each invariant, to see the invariant fail.
//!
//! They sit in the simulator, where it wraps the core: a feed that leaves something out, a node that forgets, an actor
//! that skips a check. The core itself has no switch.

use core::str::FromStr;

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command};
use synchronicity_core::machine::Machine;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict, tally};

/// What is wrong in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Member 0 loses the first command of every block before it applies it.
    LosesACommand,
    /// Honest nodes lose their newest effective block in a crash, and believe to have it.
    LosesABlock,
    /// Whoever cosigns names a root that nobody computed.
    CosignsAnyRoot,
    /// Honest nodes sign a second root for each size.
    CosignsTwice,
    /// Honest nodes lose their journal in a crash.
    ForgetsTheJournal,
    /// Honest nodes open their seal as soon as it has left.
    RevealsEarly,
    /// Honest nodes keep the seals of rounds that are over.
    NeverPrunes,
    /// The machines are told a threshold that is one lower than the founders'.
    LowersTheThreshold,
    /// An entry lets a copied commitment open, as if the builder's identity were not in it.
    CountsCopies,
    /// An entry claims what its openings do not say.
    ClaimsReproduced,
    /// Every machine sees the commands of a block in the opposite order.
    ReversesBlocks,
    /// Every machine sees times that run eight times as fast as those that were ordered.
    HurriesTime,
    /// A block that comes again is taken for the next one.
    AppliesAgain,
    /// An inconclusive entry is shown as one that stands.
    FinalTooSoon,
    /// Cosignatures never arrive.
    LosesCosignatures,
    /// Block time almost stands still once the faults are over.
    StallsTime,
    /// Every machine loses the first submission of every second block, as if it had not been ordered.
    DropsARound,
    /// Honest nodes build nothing of which a round has ended without agreement.
    BuildsOnceOnly,
    /// The machine that every block reaches at once panics at a block.
    Panics,
}

/// All of them.
pub const PLANTS: [Plant; 19] = [
    Plant::LosesACommand,
    Plant::LosesABlock,
    Plant::CosignsAnyRoot,
    Plant::CosignsTwice,
    Plant::ForgetsTheJournal,
    Plant::RevealsEarly,
    Plant::NeverPrunes,
    Plant::LowersTheThreshold,
    Plant::CountsCopies,
    Plant::ClaimsReproduced,
    Plant::ReversesBlocks,
    Plant::HurriesTime,
    Plant::AppliesAgain,
    Plant::FinalTooSoon,
    Plant::LosesCosignatures,
    Plant::StallsTime,
    Plant::DropsARound,
    Plant::BuildsOnceOnly,
    Plant::Panics,
];

/// The words that name them where somebody plants one by hand.
impl FromStr for Plant {
    type Err = String;

    fn from_str(text: &str) -> Result<Plant, String> {
        let named = PLANTS.into_iter().find(|plant| format!("{plant:?}") == text);
        named.ok_or_else(|| format!("there are {PLANTS:?}"))
    }
}

/// Where [`Plant::Panics`] does.
const PANICS_AT: u64 = 12;

/// The block as this member gets to see it, or, without a member, as the machine that every block reaches at once.
pub fn block(plant: Option<Plant>, member: Option<usize>, block: &OrderedBlock) -> OrderedBlock {
    let mut seen = block.clone();
    match plant {
        Some(Plant::LosesACommand) if member == Some(0) && !seen.commands.is_empty() => {
            seen.commands.remove(0);
        }
        Some(Plant::DropsARound) if block.height.is_multiple_of(2) => drop_a_round(&mut seen),
        Some(Plant::Panics) if member.is_none() => {
            assert!(block.height < PANICS_AT, "a planted panic at block {PANICS_AT}");
        }
        Some(Plant::ReversesBlocks) => seen.commands.reverse(),
        Some(Plant::HurriesTime) => seen.time_ms *= 8,
        _ => {}
    }
    seen
}

fn drop_a_round(block: &mut OrderedBlock) {
    let is_submission = |command: &Command| matches!(command.action(), Action::Submit { .. });
    if let Some(first) = block.commands.iter().position(is_submission) {
        block.commands.remove(first);
    }
}

/// A block that comes again, as the node gets to see it.
pub fn again(plant: Option<Plant>, machine: &Machine, block: &OrderedBlock) -> OrderedBlock {
    let mut seen = block.clone();
    if plant == Some(Plant::AppliesAgain) {
        let executed = machine.executed();
        (seen.height, seen.time_ms) = (executed.height + 1, executed.time_ms + 1);
    }
    seen
}

/// The root that a cosigner puts its name to.
pub fn root(plant: Option<Plant>, root: Digest) -> Digest {
    match plant {
        Some(Plant::CosignsAnyRoot) => Digest::of(b"nobody computed this"),
        _ => root,
    }
}

/// The entry as a node shows it to others.
pub fn entry(plant: Option<Plant>, mut entry: Entry) -> Entry {
    match plant {
        Some(Plant::CountsCopies) => open_copies(&mut entry),
        Some(Plant::ClaimsReproduced) => claim(&mut entry),
        Some(Plant::FinalTooSoon) if entry.verdict == Verdict::Inconclusive => entry.verdict = Verdict::Unbuildable,
        _ => {}
    }
    entry
}

fn open_copies(entry: &mut Entry) {
    let originals = entry.members.clone();
    for member in &mut entry.members {
        let original = originals.iter().find(|other| {
            other.builder != member.builder && other.commitment == member.commitment && other.opening.is_some()
        });
        if let (None, Some(original)) = (member.opening, original) {
            (member.opening, member.attestation) = (original.opening, original.attestation);
        }
    }
}

/// Turns whatever was revealed most often into the agreed result, however few revealed it.
fn claim(entry: &mut Entry) {
    let reveals: Vec<_> =
        entry.members.iter().filter_map(|member| Some((member.builder, member.opening?.result))).collect();
    let most = tally(1, &reveals).agreed;
    let builder = reveals.iter().find(|(_, result)| Some(*result) == most).map(|(builder, _)| *builder);
    if let Some(builder) = builder {
        entry.agreed = Some(crate::crates::build(&entry.request, &builder));
        entry.verdict = Verdict::Reproduced;
    }
}
