//! Where two byte strings differ, when one may be longer: a changed string moves everything behind it.
//!
//! Greedy: from a difference on, the nearest place is sought at which both sides agree again for a while, first
//! without a shift and then with one, in windows that grow. The work is bounded by the budget, not by the input.

use std::collections::HashMap;
use std::ops::Range;

use crate::budget::Budget;
use crate::spot::is_printable;

/// One place where the two differ: what stands there in each. At most one of the two is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) first: Range<usize>,
    pub(crate) second: Range<usize>,
}

/// Both sides agree again when this many bytes are equal.
const AGREEMENT: usize = 12;
/// What is looked up at once when a shift is sought.
const GRAM: usize = 8;
/// How far a shift is sought, in bytes; each window a try.
const WINDOWS: [usize; 5] = [64, 512, 4096, 32 << 10, 256 << 10];
/// Differences that are nearer than this are one: fragments of a list in another order belong together.
const GAP: usize = 24;

/// The differences of `first` and `second`, in order, at most `most` of them; whether that is all. What is not looked
/// at any more is no difference in the list.
pub(crate) fn regions(first: &[u8], second: &[u8], most: usize, budget: &mut Budget) -> (Vec<Region>, bool) {
    let mut found: Vec<Region> = Vec::new();
    let (mut i, mut j) = (0, 0);
    loop {
        let equal = common_prefix(&first[i..], &second[j..]);
        (i, j) = (i + equal, j + equal);
        if i == first.len() && j == second.len() {
            return (found, true);
        }
        let (di, dj) = resume(&first[i..], &second[j..], budget);
        // With nothing to resume at, all the rest is the difference, but for what both end with.
        let region = Region { first: i..i + di, second: j..j + dj };
        (i, j) = (region.first.end, region.second.end);
        let is_full = found.len() == most;
        match found.last_mut() {
            Some(last)
                if between(first, &last.first, &region.first) && between(second, &last.second, &region.second) =>
            {
                (last.first.end, last.second.end) = (region.first.end, region.second.end);
            }
            _ if is_full => return (found, false),
            _ => found.push(region),
        }
        if budget.is_spent() && !(i == first.len() && j == second.len()) {
            return (found, false);
        }
    }
}

/// Whether two differences are one: what is between them is short, and no more than a line.
fn between(bytes: &[u8], before: &Range<usize>, after: &Range<usize>) -> bool {
    let gap = &bytes[before.end..after.start];
    gap.len() < GAP && (gap.len() < 4 || gap.iter().all(|byte| is_printable(*byte)))
}

/// By how much to advance on each side until both agree again.
fn resume(first: &[u8], second: &[u8], budget: &mut Budget) -> (usize, usize) {
    for window in WINDOWS {
        let (a, b) = (&first[..window.min(first.len())], &second[..window.min(second.len())]);
        if !budget.take(a.len() + b.len()) {
            break;
        }
        let straight = (1..a.len().min(b.len())).find(|&d| agree(&first[d..], &second[d..]));
        let shifted = shifted(first, second, a.len(), b.len());
        match (straight, shifted) {
            // Most changes keep the length; a shift must be clearly nearer.
            (Some(d), Some((di, dj))) if di + dj >= d => return (d, d),
            (_, Some(found)) => return found,
            (Some(d), None) => return (d, d),
            (None, None) => {}
        }
    }
    let rest = |bytes: &[u8]| bytes.len();
    let equal = common_suffix(first, second);
    (rest(first) - equal, rest(second) - equal)
}

/// The nearest pair of places, not equally far, at which both sides agree.
fn shifted(first: &[u8], second: &[u8], reach_first: usize, reach_second: usize) -> Option<(usize, usize)> {
    let gram = |bytes: &[u8], at: usize| bytes.get(at..at + GRAM).and_then(|gram| <[u8; GRAM]>::try_from(gram).ok());
    let mut places: HashMap<[u8; GRAM], usize> = HashMap::new();
    for at in 0..reach_first {
        let Some(gram) = gram(first, at) else { break };
        places.entry(gram).or_insert(at);
    }
    let mut nearest: Option<(usize, usize)> = None;
    for at in 0..reach_second {
        if nearest.is_some_and(|(di, dj)| at >= di + dj) {
            break;
        }
        let Some(gram) = gram(second, at) else { break };
        let Some(&place) = places.get(&gram) else { continue };
        let nearer = nearest.is_none_or(|(di, dj)| place + at < di + dj);
        if nearer && agree(&first[place..], &second[at..]) {
            nearest = Some((place, at));
        }
    }
    nearest
}

fn agree(first: &[u8], second: &[u8]) -> bool {
    // The very end agrees too, however short.
    let wanted = AGREEMENT.min(first.len().max(second.len()));
    first.len() >= wanted && second.len() >= wanted && first[..wanted] == second[..wanted]
}

pub(crate) fn common_prefix(first: &[u8], second: &[u8]) -> usize {
    const STEP: usize = 256;
    let blocks = first.chunks_exact(STEP).zip(second.chunks_exact(STEP)).take_while(|(a, b)| a == b).count();
    let rest = first[blocks * STEP..].iter().zip(&second[blocks * STEP..]).take_while(|(a, b)| a == b).count();
    blocks * STEP + rest
}

pub(crate) fn common_suffix(first: &[u8], second: &[u8]) -> usize {
    first.iter().rev().zip(second.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(first: &[u8], second: &[u8]) -> Vec<Region> {
        let (regions, whole) = regions(first, second, usize::MAX, &mut Budget::new(1 << 30));
        assert!(whole);
        regions
    }

    #[test]
    fn a_string_that_grew_is_one_difference_and_what_it_moved_is_none() {
        let rest: Vec<u8> = (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let first = [b"built on alpha, ok; ".as_slice(), &rest].concat();
        let second = [b"built on a-much-longer-name, ok; ".as_slice(), &rest].concat();
        let found = all(&first, &second);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(&first[found[0].first.clone()], b"lpha");
        assert_eq!(&second[found[0].second.clone()], b"-much-longer-name");
    }

    #[test]
    fn a_change_of_equal_length_stays_where_it_is() {
        let first = vec![7; 5000];
        let mut second = first.clone();
        second[2500] = 8;
        assert_eq!(all(&first, &second), [Region { first: 2500..2501, second: 2500..2501 }]);
    }

    #[test]
    fn a_spent_budget_and_too_many_differences_end_the_search_and_say_so() {
        let (first, second) = (vec![1; 1 << 20], vec![2; 1 << 20]);
        let (found, _) = regions(&first, &second, 10, &mut Budget::new(1000));
        assert_eq!(found.len(), 1, "all the rest is one difference");
        let alternating: Vec<u8> = (0..100_000).map(|n| u8::from(n % 100 == 0)).collect();
        let (found, whole) = regions(&alternating, &vec![0; 100_000], 10, &mut Budget::new(1 << 30));
        assert_eq!((found.len(), whole), (10, false));
    }

    proptest! {
        #[test]
        fn the_differences_and_what_is_between_them_make_both_sides(
            first in proptest::collection::vec(0..4_u8, 0..300),
            second in proptest::collection::vec(0..4_u8, 0..300),
        ) {
            let (mut i, mut j) = (0, 0);
            for region in all(&first, &second) {
                prop_assert_eq!(&first[i..region.first.start], &second[j..region.second.start]);
                prop_assert!(!region.first.is_empty() || !region.second.is_empty());
                (i, j) = (region.first.end, region.second.end);
            }
            prop_assert_eq!(&first[i..], &second[j..]);
        }
    }
}
