//! What comparing one artifact collects: differences, and what only follows from them.

use std::collections::BTreeSet;

use crate::align::{self, Region};
use crate::budget::Budget;
use crate::cause::{Cause, Certainty};
use crate::facts::Facts;
use crate::guess::{self, Guess};
use crate::spot::{Spot, is_printable};
use crate::{escape, guilty, moved, order};

/// How near to the origin of a difference a part of a file is: what is written by hand before what is made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Strings, and what a program's author wrote otherwise.
    Text,
    /// Names and order of the parts themselves.
    Shape,
    /// Numbers and tables.
    Bytes,
    /// Machine code.
    Code,
    /// Debug information, and names of symbols with hashes in them.
    Names,
}

/// A difference on its way to the report.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) weight: Weight,
    pub(crate) member: Option<String>,
    pub(crate) section: String,
    /// Where in the section: in the first and in the second.
    pub(crate) offset: [u64; 2],
    /// Where the text with the difference begins in the first.
    pub(crate) run: u64,
    pub(crate) first: String,
    pub(crate) second: String,
    pub(crate) guess: Guess,
    pub(crate) symbol: Option<String>,
    pub(crate) line: Option<String>,
    pub(crate) guilty: Option<String>,
}

/// All of one artifact.
#[derive(Debug)]
pub(crate) struct Findings<'f> {
    pub(crate) facts: &'f Facts,
    pub(crate) list: Vec<Found>,
    /// Parts that differ only because something else does.
    pub(crate) consequences: BTreeSet<String>,
    /// How many differences were seen and not kept.
    pub(crate) dropped: usize,
    /// Whether limits ended the search early.
    pub(crate) cut_short: bool,
    pub(crate) budget: Budget,
}

/// The most differences of one part that are looked at: among tables of addresses a text must still be found.
const REGIONS_MAX: usize = 50_000;
/// The most of a part that are kept, of texts and of numbers.
const TEXTS_MAX: usize = 256;
const NUMBERS_MAX: usize = 64;
/// The most of a whole artifact: each holds two excerpts.
pub(crate) const FOUND_MAX: usize = 4096;
/// The most names of parts that only follow: each can be as long as a name may be.
const CONSEQUENCES_MAX: usize = 1024;

impl<'f> Findings<'f> {
    pub(crate) fn new(facts: &'f Facts, budget: Budget) -> Self {
        Self { facts, list: Vec::new(), consequences: BTreeSet::new(), dropped: 0, cut_short: false, budget }
    }

    /// Compares two parts that belong together. Differences in text count as text only where `texts` says that the part
    /// is written for people; elsewhere printable bytes mean nothing.
    pub(crate) fn part(&mut self, part: &Part<'_>, first: &[u8], second: &[u8]) {
        let most = if part.texts { REGIONS_MAX } else { NUMBERS_MAX };
        let (regions, whole) = align::regions(first, second, most, &mut self.budget);
        // Code behind a string that grew differs everywhere: a few places of it are enough.
        self.cut_short |= !whole && (part.texts || self.budget.is_spent());
        let regions = if part.texts {
            let regions = moved::pair(first, second, regions, &mut self.budget);
            order::joined(first, second, regions, &mut self.budget)
        } else {
            regions
        };
        let whole_regions = |region: &Region| vec![region.clone()];
        let pieces = |region| if part.texts { pieces(first, second, region) } else { whole_regions(region) };
        let (mut texts, mut numbers) = (0, 0);
        for region in regions.iter().flat_map(pieces) {
            let spot = Spot::new(first, second, &region);
            let is_text = part.texts && spot.is_text();
            let (count, most) = if is_text { (&mut texts, TEXTS_MAX) } else { (&mut numbers, NUMBERS_MAX) };
            *count += 1;
            if *count > most || self.list.len() >= FOUND_MAX {
                self.dropped += 1;
            } else if part.only_text && !is_text {
                self.consequence(part.section);
            } else {
                self.add(part, &spot, is_text);
            }
        }
    }

    /// Takes `bytes` of the budget; where they are not there, the search is cut short.
    pub(crate) fn may_look(&mut self, bytes: usize) -> bool {
        let enough = self.budget.take(bytes);
        self.cut_short |= !enough;
        enough
    }

    /// A part that differs only because something else does.
    pub(crate) fn consequence(&mut self, name: &str) {
        if self.consequences.len() < CONSEQUENCES_MAX {
            self.consequences.insert(name.to_owned());
        } else if !self.consequences.contains(name) {
            self.cut_short = true;
        }
    }

    fn add(&mut self, part: &Part<'_>, spot: &Spot<'_>, is_text: bool) {
        let moved = is_text && self.is_elsewhere(spot);
        let guess = match is_text {
            true if moved => Guess::new(Cause::IterationOrder, Certainty::Possible, "the same text in another place"),
            true => guess::of_text(spot, self.facts),
            false => guess::of_bytes(spot, self.facts),
        };
        let shown = |side: &crate::spot::Side<'_>| {
            if is_text {
                escape::excerpt(side.text(), side.core_in_text(), true)
            } else {
                escape::excerpt(side.whole, side.core.clone(), false)
            }
        };
        let guilty = is_text.then(|| guilty::by_path(spot, self.facts)).flatten();
        self.list.push(Found {
            weight: if is_text && !moved { part.weight } else { part.weight.max(Weight::Bytes) },
            member: part.member.map(str::to_owned),
            section: part.section.to_owned(),
            offset: [spot.first.core.start as u64, spot.second.core.start as u64],
            run: spot.first.run_start() as u64,
            first: shown(&spot.first),
            second: shown(&spot.second),
            guess,
            symbol: None,
            line: None,
            guilty,
        });
    }

    /// Whether a text that only one side has here is elsewhere in the other: linkers put constants in an order of theirs.
    fn is_elsewhere(&mut self, spot: &Spot<'_>) -> bool {
        const TEXT_BYTES_MIN: usize = 8;
        let (core, other) = match (spot.first.core(), spot.second.core()) {
            ([], core) => (core, spot.first.whole),
            (core, []) => (core, spot.second.whole),
            _ => return false,
        };
        core.len() >= TEXT_BYTES_MIN && self.budget.take(other.len()) && memchr::memmem::find(other, core).is_some()
    }

    /// A difference of shape rather than of content.
    pub(crate) fn shape(&mut self, member: Option<&str>, section: &str, first: &str, second: &str, guess: Guess) {
        if self.list.len() >= FOUND_MAX {
            self.cut_short = true;
            return;
        }
        self.list.push(Found {
            weight: Weight::Shape,
            member: member.map(str::to_owned),
            section: section.to_owned(),
            offset: [0, 0],
            run: 0,
            first: escape::text(first.as_bytes()),
            second: escape::text(second.as_bytes()),
            guess,
            symbol: None,
            line: None,
            guilty: None,
        });
    }
}

/// Parts the text at the beginning and at the end of a difference from the numbers between: behind a string that grew
/// there are often tables of addresses, which differ as well.
fn pieces(first: &[u8], second: &[u8], region: &Region) -> Vec<Region> {
    let (a, b) = (&first[region.first.clone()], &second[region.second.clone()]);
    let printable = |byte: &&u8| is_printable(**byte);
    let heads = (a.iter().take_while(printable).count(), b.iter().take_while(printable).count());
    if heads == (a.len(), b.len()) {
        return vec![region.clone()];
    }
    let tails = (
        a[heads.0..].iter().rev().take_while(printable).count(),
        b[heads.1..].iter().rev().take_while(printable).count(),
    );
    let (Region { first: a, second: b }, (h, i), (t, u)) = (region.clone(), heads, tails);
    let head = Region { first: a.start..a.start + h, second: b.start..b.start + i };
    let middle = Region { first: head.first.end..a.end - t, second: head.second.end..b.end - u };
    let tail = Region { first: middle.first.end..a.end, second: middle.second.end..b.end };
    let is_there = |piece: &Region| !piece.first.is_empty() || !piece.second.is_empty();
    [head, middle, tail].into_iter().filter(is_there).collect()
}

/// A part of an artifact: what it is called, and how to read it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'p> {
    pub(crate) member: Option<&'p str>,
    pub(crate) section: &'p str,
    pub(crate) weight: Weight,
    /// Whether printable bytes in it are text.
    pub(crate) texts: bool,
    /// Whether differences that are no text only follow from others.
    pub(crate) only_text: bool,
}
