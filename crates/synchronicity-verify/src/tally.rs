//! The tally: from what builders revealed to a verdict. The one rule for the state machine and for everybody who
//! recounts an entry.

use alloc::collections::BTreeMap;
use core::fmt;

use minicbor::{Decode, Encode};

use crate::digest::Digest;
use crate::identity::BuilderId;
use crate::result::BuildResult;

/// What a group found out about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Verdict {
    /// At least threshold builders got the same artifacts: the only verdict that is evidence.
    #[n(0)]
    Reproduced,
    /// At least threshold builders revealed, and no result has threshold builders behind it.
    #[n(1)]
    Diverged,
    /// At least threshold builders failed in the same named way.
    #[n(2)]
    Unbuildable,
    /// Fewer than threshold builders revealed anything.
    #[n(3)]
    Inconclusive,
}

/// A recount of revealed results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many identical results make a verdict.
    pub threshold: u16,
    /// How many builders revealed.
    pub reveals: usize,
    /// How many builders stand behind the result with the most of them.
    pub largest: usize,
    /// Digest of the result with at least threshold builders behind it, and more than any other result has.
    pub agreed: Option<Digest>,
}

/// Counts the revealed result digests. A builder that occurs again counts once, with the first result listed.
pub fn tally(threshold: u16, reveals: &[(BuilderId, Digest)]) -> Tally {
    let mut by_builder = BTreeMap::new();
    for (builder, result) in reveals {
        by_builder.entry(*builder).or_insert(*result);
    }
    let mut counts: BTreeMap<Digest, usize> = BTreeMap::new();
    for result in by_builder.values() {
        *counts.entry(*result).or_default() += 1;
    }
    let largest = counts.values().copied().max().unwrap_or(0);
    let mut leaders = counts.iter().filter(|(_, count)| **count == largest).map(|(result, _)| *result);
    // A threshold of zero would let an empty set agree; a tie has no winner, whatever the threshold.
    let agreed = match (leaders.next(), leaders.next()) {
        (Some(result), None) if threshold > 0 && largest >= usize::from(threshold) => Some(result),
        _ => None,
    };
    Tally { threshold, reveals: by_builder.len(), largest, agreed }
}

impl Tally {
    /// The verdict, given the result that [`Tally::agreed`] is the digest of.
    ///
    /// `None` if `agreed` is not that result, or is missing, or is given although nothing was agreed.
    pub fn verdict(&self, agreed: Option<&BuildResult>) -> Option<Verdict> {
        if self.agreed != agreed.map(BuildResult::digest) {
            return None;
        }
        Some(match agreed {
            Some(BuildResult::Built(_)) => Verdict::Reproduced,
            Some(BuildResult::Failed(_)) => Verdict::Unbuildable,
            None if self.reveals >= usize::from(self.threshold) => Verdict::Diverged,
            None => Verdict::Inconclusive,
        })
    }
}

impl Verdict {
    /// Every verdict, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Reproduced, Self::Diverged, Self::Unbuildable, Self::Inconclusive];

    /// The verdict with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == name)
    }

    /// The verdict's name, as entries, status documents and command lines spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Diverged => "diverged",
            Self::Unbuildable => "unbuildable",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Whether the verdict is final for its request. One that is not lets the request be submitted again: nothing was
    /// agreed on, perhaps only because a liar met an honest member that was slow.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Reproduced | Self::Unbuildable)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
