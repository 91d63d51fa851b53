//! Recognises the same things in another order.

use std::collections::{BTreeSet, VecDeque};

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
/// At most so many neighbouring differences are joined, with no more than this between two, in bytes.
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

/// A difference that later ones may complete, and how often each byte had come more in the first side before it.
struct Pending {
    region: Region,
    surplus: [i32; 256],
}

/// The same regions, where neighbours that hold the same bytes only together are one: where a list in another order kept
/// some entries side by side, both sides agree for a while, and neither half of the rest says anything alone. Each byte is
/// read once, and only runs of text are joined.
pub(crate) fn joined(first: &[u8], second: &[u8], regions: Vec<Region>, budget: &mut Budget) -> Vec<Region> {
    let is_text = |bytes: &[u8]| bytes.iter().all(|byte| is_printable(*byte));
    let mut kept: Vec<Region> = Vec::with_capacity(regions.len());
    let mut pending: VecDeque<Pending> = VecDeque::new();
    let mut surplus = [0_i32; 256];
    for region in regions {
        // What is between is the same on both sides.
        let between = pending.back().map_or(&[][..], |last| &first[last.region.first.end..region.first.start]);
        let (a, b) = (&first[region.first.clone()], &second[region.second.clone()]);
        let length = a.len() + b.len();
        let alone = length > CORE_BYTES_MAX || !budget.take(length) || !is_text(a) || !is_text(b);
        if alone || between.len() > BETWEEN_MAX || !is_text(between) {
            kept.extend(pending.drain(..).map(|it| it.region));
        }
        if alone {
            kept.push(region);
            continue;
        }
        if pending.len() == TOGETHER_MAX {
            kept.extend(pending.pop_front().map(|it| it.region));
        }
        let end = (region.first.end, region.second.end);
        pending.push_back(Pending { region, surplus });
        a.iter().for_each(|byte| surplus[usize::from(*byte)] += 1);
        b.iter().for_each(|byte| surplus[usize::from(*byte)] -= 1);
        let balances = |it: &Pending| it.surplus == surplus && end.0 - it.region.first.start <= CORE_BYTES_MAX;
        if let Some(begun) = pending.iter().position(balances)
            && begun + 1 < pending.len()
        {
            let Region { first, second } = pending[begun].region.clone();
            kept.extend(pending.drain(..).take(begun).map(|it| it.region));
            kept.push(Region { first: first.start..end.0, second: second.start..end.1 });
        }
    }
    kept.extend(pending.into_iter().map(|it| it.region));
    kept
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
