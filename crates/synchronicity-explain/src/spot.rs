//! One difference in its surroundings: the text that stands around it on both sides.

use std::ops::Range;

use crate::align::Region;

/// How much text before and after a difference is looked at, in bytes.
const AROUND: usize = 256;
/// In a format string of Rust 1.90 and later: here goes an argument.
const PLACE: u8 = 0xc0;

/// A difference within two parts that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Spot<'a> {
    pub(crate) first: Side<'a>,
    pub(crate) second: Side<'a>,
}

/// One side of it.
#[derive(Debug, Clone)]
pub(crate) struct Side<'a> {
    /// The whole part.
    pub(crate) whole: &'a [u8],
    /// What differs.
    pub(crate) core: Range<usize>,
    /// The printable run that contains it.
    run: Range<usize>,
}

impl<'a> Spot<'a> {
    pub(crate) fn new(first: &'a [u8], second: &'a [u8], region: &Region) -> Self {
        let back = slack(first, second, region);
        let moved = |range: &Range<usize>| range.start - back..range.end - back;
        let (a, b) = (moved(&region.first), moved(&region.second));
        Self { first: Side::new(first, a), second: Side::new(second, b) }
    }

    /// Whether people would read it: mostly printable on both sides, in a run that is long enough to be a word.
    pub(crate) fn is_text(&self) -> bool {
        let sides = [&self.first, &self.second];
        let printable = |side: &&Side<'_>| {
            let core = side.core();
            core.iter().filter(|byte| is_printable(**byte)).count() * 4 >= core.len() * 3
        };
        sides.iter().all(printable) && sides.iter().any(|side| !side.core.is_empty() && side.run.len() >= 4)
    }
}

/// By how much an insertion could as well begin earlier: what was put into `/tmp/x` to make `/tmp/home/x` is `home/` or
/// `/home`, and only the second is a folder behind a folder.
fn slack(first: &[u8], second: &[u8], region: &Region) -> usize {
    let (whole, inserted) = match (region.first.is_empty(), region.second.is_empty()) {
        (true, false) => (second, &region.second),
        (false, true) => (first, &region.first),
        _ => return 0,
    };
    let most = region.first.start.min(region.second.start).min(AROUND);
    (0..most).take_while(|back| whole[inserted.start - 1 - back] == whole[inserted.end - 1 - back]).count()
}

impl<'a> Side<'a> {
    pub(crate) fn new(whole: &'a [u8], core: Range<usize>) -> Self {
        let before = whole[..core.start].iter().rev().take(AROUND).take_while(|byte| is_printable(**byte)).count();
        let after = whole[core.end..].iter().take(AROUND).take_while(|byte| is_printable(**byte)).count();
        let run = core.start - before..core.end + after;
        Self { whole, core, run }
    }

    pub(crate) fn core(&self) -> &'a [u8] {
        &self.whole[self.core.clone()]
    }

    /// The run around the difference.
    pub(crate) fn text(&self) -> &'a [u8] {
        &self.whole[self.run.clone()]
    }

    /// Where in [`Side::text`] the difference is.
    pub(crate) fn core_in_text(&self) -> Range<usize> {
        self.core.start - self.run.start..self.core.end - self.run.start
    }

    /// Where the constant begins that the run is part of: what a program refers to. That is the run's beginning, or
    /// more text before it in the same format string: there Rust keeps numbers between the texts, of places for
    /// arguments ([`PLACE`] and above) and of lengths, and a zero at the end.
    pub(crate) fn run_start(&self) -> usize {
        let start = self.run.start;
        let before = &self.whole[..start];
        if !before.iter().rev().take(2).any(|byte| *byte >= PLACE) {
            return start;
        }
        start - before.iter().rev().take(AROUND).take_while(|byte| **byte != 0).count()
    }

    /// Whether a range of [`Side::text`] has to do with the difference: it overlaps it, or touches an empty one.
    pub(crate) fn touches(&self, range: &Range<usize>) -> bool {
        let core = self.core_in_text();
        if core.is_empty() {
            range.start <= core.start && core.start <= range.end
        } else {
            range.start < core.end && core.start < range.end
        }
    }

    /// Whether `value` stands where the difference is. Digits are taken whole.
    pub(crate) fn holds(&self, value: &str) -> bool {
        let (text, value) = (self.text(), value.as_bytes());
        if value.is_empty() || value.len() > text.len() {
            return false;
        }
        let core = self.core_in_text();
        let from = (core.start + 1).saturating_sub(value.len() + 1);
        let until = core.end.min(text.len() - value.len());
        (from..=until).any(|at| {
            let range = at..at + value.len();
            text[range.clone()] == *value && self.touches(&range) && whole_number(text, &range)
        })
    }
}

/// Whether the range does not cut a number in two.
fn whole_number(text: &[u8], range: &Range<usize>) -> bool {
    let digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let cut_before = digit(range.start.checked_sub(1)) && digit(Some(range.start));
    let cut_after = digit(range.end.checked_sub(1)) && digit(Some(range.end));
    !cut_before && !cut_after
}

pub(crate) fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n')
}
