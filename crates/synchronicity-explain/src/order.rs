//! Recognises the same things in another order.

use std::collections::BTreeSet;

use crate::align::Region;
use crate::budget::Budget;
use crate::cause::{Cause, Certainty};
use crate::facts::Facts;
use crate::guess::Guess;
use crate::spot::{Side, Spot, is_printable};

/// Longer differences are not taken apart.
const CORE_BYTES_MAX: usize = 64 << 10;
/// Fewer bytes are in another order by chance.
const BYTES_MIN: usize = 8;
/// At most so many neighbouring differences are tried together, with no more than this between two, in bytes.
const TOGETHER_MAX: usize = 32;
const BETWEEN_MAX: usize = 256;

/// Words in another order: those of a list of files, or of anything else.
pub(crate) fn reordered(spot: &Spot<'_>, facts: &Facts) -> Option<Guess> {
    let (first, second) = (words(&spot.first)?, words(&spot.second)?);
    let sorted = |words: &[&[u8]]| -> Vec<Vec<u8>> {
        let mut words: Vec<_> = words.iter().map(|word| word.to_vec()).collect();
        words.sort();
        words
    };
    let distinct: BTreeSet<_> = first.iter().collect();
    if distinct.len() < 2 || first == second || sorted(&first) != sorted(&second) {
        return permuted(spot);
    }
    let files: BTreeSet<&[u8]> = facts.files.iter().map(String::as_bytes).collect();
    let share = |of: &dyn Fn(&[u8]) -> bool| distinct.iter().filter(|word| of(word)).count() * 2 > distinct.len();
    let name = |word: &[u8]| word.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
    if share(&|word| files.contains(name(word).as_slice())) {
        return Some(Guess::new(Cause::FileOrder, Certainty::Known, "names of the source's files in another order"));
    }
    if share(&looks_like_a_file) {
        return Some(Guess::new(Cause::FileOrder, Certainty::Likely, "names of files in another order"));
    }
    Some(Guess::new(Cause::IterationOrder, Certainty::Likely, "the same words in another order"))
}

/// The same bytes in another order: Rust's strings stand in a row without anything between them.
fn permuted(spot: &Spot<'_>) -> Option<Guess> {
    let (first, second) = (spot.first.core(), spot.second.core());
    if first.len() != second.len() || !(BYTES_MIN..=CORE_BYTES_MAX).contains(&first.len()) {
        return None;
    }
    let counted = |bytes: &[u8]| {
        let mut counts = [0_u32; 256];
        bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
        counts
    };
    let counts = counted(first);
    // A few values only, as in a bitmap, have equal counts by chance.
    let enough = counts.iter().filter(|count| **count > 0).count() >= 5;
    (enough && counts == counted(second))
        .then(|| Guess::new(Cause::IterationOrder, Certainty::Likely, "the same bytes in another order"))
}

/// The same regions, where neighbours that hold the same bytes only together are one: where a list in another order kept
/// some entries side by side, both sides agree for a while, and neither half of the rest says anything alone.
pub(crate) fn joined(first: &[u8], second: &[u8], regions: Vec<Region>, budget: &mut Budget) -> Vec<Region> {
    let mut kept: Vec<Region> = Vec::with_capacity(regions.len());
    let mut at = 0;
    while at < regions.len() {
        let last = balanced(first, second, &regions[at..], budget).map_or(at, |more| at + more);
        let (Region { first: a, second: b }, end) = (&regions[at], &regions[last]);
        kept.push(Region { first: a.start..end.first.end, second: b.start..end.second.end });
        at = last + 1;
    }
    kept
}

/// How many more regions the first needs so that both sides have the same bytes in one run of text; none if it needs
/// none, or nothing helps.
fn balanced(first: &[u8], second: &[u8], regions: &[Region], budget: &mut Budget) -> Option<usize> {
    let mut more_in_first = [0_i32; 256];
    let mut before: Option<&Region> = None;
    for (place, region) in regions.iter().take(TOGETHER_MAX).enumerate() {
        // What is between is the same on both sides.
        let between = before.map_or(&[][..], |before| &first[before.first.end..region.first.start]);
        let (a, b) = (&first[region.first.clone()], &second[region.second.clone()]);
        let length = between.len() + a.len() + b.len();
        if between.len() > BETWEEN_MAX || length > CORE_BYTES_MAX || !budget.take(length) {
            return None;
        }
        if ![between, a, b].into_iter().flatten().all(|byte| is_printable(*byte)) {
            return None;
        }
        a.iter().for_each(|byte| more_in_first[usize::from(*byte)] += 1);
        b.iter().for_each(|byte| more_in_first[usize::from(*byte)] -= 1);
        if more_in_first.iter().all(|count| *count == 0) {
            return (place > 0).then_some(place);
        }
        before = Some(region);
    }
    None
}

/// The words that the difference touches, whole.
fn words<'a>(side: &Side<'a>) -> Option<Vec<&'a [u8]>> {
    if side.core.len() > CORE_BYTES_MAX {
        return None;
    }
    let (text, core) = (side.text(), side.core_in_text());
    let start = text[..core.start].iter().rposition(|byte| !in_a_word(*byte)).map_or(0, |at| at + 1);
    let end = text[core.end..].iter().position(|byte| !in_a_word(*byte)).map_or(text.len(), |at| core.end + at);
    Some(text[start..end].split(|byte| !in_a_word(*byte)).filter(|word| !word.is_empty()).collect())
}

fn in_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./".contains(&byte)
}

fn looks_like_a_file(word: &[u8]) -> bool {
    let Some(dot) = word.iter().rposition(|byte| *byte == b'.') else { return word.contains(&b'/') };
    let extension = &word[dot + 1..];
    (1..=5).contains(&extension.len()) && extension.iter().any(u8::is_ascii_alphabetic)
}
