//! What several groups say of a dependency, and what it comes to.

use std::collections::BTreeSet;

use synchronicity_verify::digest::Digest;

use super::Rests;
use super::verdict::Verdict;

/// What one group says of a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vote {
    /// Its name, if it is one of several.
    pub(crate) group: Option<String>,
    pub(crate) verdict: Verdict,
    pub(crate) entry: Option<Rests>,
}

impl Vote {
    /// The archive that the group rebuilt, if it did.
    pub(super) fn rebuilt(&self) -> Option<Digest> {
        let rests = self.entry.as_ref().filter(|_| matches!(self.verdict, Verdict::Reproduced | Verdict::Unpinned));
        rests.map(|rests| rests.source_sha256)
    }
}

/// The verdict of all, where `needed` of them must have rebuilt it, and the entry that it rests on: of the first group
/// that says so.
///
/// One archive rebuilt by enough groups is evidence, whatever the others say. Where it is not, what is wrong goes before
/// what is missing.
pub(super) fn joint(votes: &[Vote], needed: usize) -> (Verdict, Option<Rests>) {
    let archives: BTreeSet<_> = votes.iter().filter_map(Vote::rebuilt).collect();
    let rebuilt = || votes.iter().filter(|vote| vote.rebuilt().is_some());
    let worst = || votes.iter().filter(|vote| vote.rebuilt().is_none()).min_by_key(|vote| vote.verdict);
    let told = |vote: Option<&Vote>, verdict| (verdict, vote.and_then(|vote| vote.entry.clone()));
    match (archives.len(), worst()) {
        // Only where no checksum is stated: which of them is taken, nobody knows.
        (2.., _) => told(rebuilt().next_back(), Verdict::OtherSource),
        (1, _) if rebuilt().count() >= needed => {
            let first = rebuilt().next();
            told(first, first.map_or(Verdict::Absent, |vote| vote.verdict))
        }
        (_, Some(vote)) if vote.verdict == Verdict::OtherSource => told(Some(vote), Verdict::OtherSource),
        (1, _) => told(rebuilt().next(), Verdict::FewGroups),
        (_, worst) => told(worst, worst.map_or(Verdict::Absent, |vote| vote.verdict)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vote(verdict: Verdict, archive: u8) -> Vote {
        let entry = Rests { index: 0, agreeing: 4, members: 4, source_sha256: Digest([archive; 32]) };
        let has_entry = !matches!(verdict, Verdict::Absent | Verdict::Foreign);
        Vote { group: None, verdict, entry: has_entry.then_some(entry) }
    }

    fn of(votes: &[(Verdict, u8)], needed: usize) -> Verdict {
        joint(&votes.iter().map(|(verdict, archive)| vote(*verdict, *archive)).collect::<Vec<_>>(), needed).0
    }

    #[test]
    fn enough_groups_are_evidence_and_of_the_rest_the_worst_is_told() {
        use Verdict::{Absent, Diverged, FewGroups, Foreign, OtherSource, Reproduced, Unbuildable, Unpinned};
        assert_eq!(of(&[(Reproduced, 1), (Reproduced, 1), (Absent, 0)], 2), Reproduced);
        assert_eq!(of(&[(Reproduced, 1), (Diverged, 1), (Reproduced, 1)], 2), Reproduced);
        assert_eq!(of(&[(Reproduced, 1), (OtherSource, 2), (Reproduced, 1)], 2), Reproduced);
        assert_eq!(of(&[(Reproduced, 1), (OtherSource, 2), (Absent, 0)], 2), OtherSource);
        assert_eq!(of(&[(Reproduced, 1), (Diverged, 1), (Absent, 0)], 2), FewGroups);
        assert_eq!(of(&[(Absent, 0), (Unbuildable, 1), (Diverged, 1)], 2), Diverged);
        assert_eq!(of(&[(Absent, 0), (Absent, 0)], 1), Absent);
        assert_eq!(of(&[(Foreign, 0), (Foreign, 0)], 1), Foreign);
        assert_eq!(of(&[(Unpinned, 1), (Unpinned, 1)], 2), Unpinned);
        assert_eq!(of(&[(Unpinned, 1), (Unpinned, 2), (Unpinned, 1)], 2), OtherSource, "nobody knows which it is");
    }

    proptest! {
        #[test]
        fn one_group_alone_is_heard_as_it_is(verdict in prop::sample::select(Verdict::ALL.to_vec()), archive in any::<u8>()) {
            prop_assume!(verdict != Verdict::FewGroups);
            let vote = vote(verdict, archive);
            prop_assert_eq!(joint(std::slice::from_ref(&vote), 1), (verdict, vote.entry));
        }

        #[test]
        fn only_enough_groups_with_one_archive_make_evidence(
            votes in prop::collection::vec((prop::sample::select(Verdict::ALL.to_vec()), 1..3_u8), 1..6), needed in 1..6_usize,
        ) {
            let rebuilt: Vec<_> = votes.iter().filter(|(verdict, _)| matches!(verdict, Verdict::Reproduced | Verdict::Unpinned)).collect();
            if matches!(of(&votes, needed), Verdict::Reproduced | Verdict::Unpinned) {
                prop_assert!(rebuilt.len() >= needed && rebuilt.iter().all(|(_, archive)| *archive == rebuilt[0].1));
            }
        }
    }
}
