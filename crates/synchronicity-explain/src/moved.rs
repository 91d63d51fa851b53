//! A text that changed and moved as well: linkers that merge equal strings put them in an order that depends on their
//! content. What only one side has here, and what only the other has there, are one difference if they are alike.

use crate::align::{Region, common_prefix, common_suffix};
use crate::budget::Budget;

/// Shorter texts are alike by chance.
const BYTES_MIN: usize = 12;
/// At most so many on each side are compared with each other.
const PIECES_MAX: usize = 64;

/// Ends each text in the sections that linkers merge. What moves within one text is a list in another order.
const END: u8 = 0;

/// The same regions, where those that belong together are one: without what both have at its ends.
pub(crate) fn pair(first: &[u8], second: &[u8], mut regions: Vec<Region>, budget: &mut Budget) -> Vec<Region> {
    let pieces = |has: &dyn Fn(&Region) -> bool| -> Vec<usize> {
        (0..regions.len()).filter(|at| has(&regions[*at])).take(PIECES_MAX).collect()
    };
    let is_text = |bytes: &[u8]| bytes.len() >= BYTES_MIN && bytes.contains(&END);
    let gone = pieces(&|region| region.second.is_empty() && is_text(&first[region.first.clone()]));
    let mut come = pieces(&|region| region.first.is_empty() && is_text(&second[region.second.clone()]));
    let mut merged = Vec::new();
    'gone: for at in gone {
        let before = regions[at].first.clone();
        let mut best: Option<(usize, usize, usize)> = None;
        for (place, other) in come.iter().enumerate() {
            let after = regions[*other].second.clone();
            let (a, b) = (&first[before.clone()], &second[after]);
            if !budget.take(a.len() + b.len()) {
                // What was merged so far has left its place, and is not told twice.
                break 'gone;
            }
            let head = common_prefix(a, b);
            let tail = common_suffix(&a[head..], &b[head..]);
            // What only moved is told as such.
            let is_alike = a != b && (head + tail) * 2 >= a.len().max(b.len());
            if is_alike && best.is_none_or(|(_, head_then, tail_then)| head + tail > head_then + tail_then) {
                best = Some((place, head, tail));
            }
        }
        if let Some((place, head, tail)) = best {
            let other = come.swap_remove(place);
            let after = &regions[other].second;
            let (from, until) = (after.start + head, after.end - tail);
            regions[at] = Region { first: before.start + head..before.end - tail, second: from..until };
            merged.push(other);
        }
    }
    let mut at = 0;
    regions.retain(|_| {
        at += 1;
        !merged.contains(&(at - 1))
    });
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_budget_ends_what_was_merged_is_told_once() {
        let (a, b) = (b"one text that changes here\0", b"one text that changes now.\0");
        let (c, d) = (b"the other text, before it\0", b"the other text, after it.\0");
        let (first, second) = ([&a[..], c].concat(), [&b[..], d].concat());
        let gone = |range: std::ops::Range<usize>| Region { first: range, second: 0..0 };
        let come = |range: std::ops::Range<usize>| Region { first: first.len()..first.len(), second: range };
        let regions = vec![gone(0..a.len()), gone(a.len()..first.len()), come(0..b.len()), come(b.len()..second.len())];
        let count = |bytes| pair(&first, &second, regions.clone(), &mut Budget::new(bytes)).len();
        // Every pair of the first text is compared, and then none of the second.
        let of_one = a.len() + b.len() + a.len() + d.len();
        assert_eq!([0, of_one, 1 << 20].map(count), [4, 3, 2]);
    }
}
