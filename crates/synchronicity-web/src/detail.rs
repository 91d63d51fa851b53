//! How much a page shows of parts whose length others decide. Whole documents are JSON of the API, which the page then names.
//!
//! A page is made in full detail, and again in less while it is larger than [`PAGE_BYTES_MAX`]: so it says all that there is room
//! for, whatever a crate, a build or a request brings along.

use std::borrow::Cow;

use crate::model::{Document, Explanation, Finding, RequestPage};
use crate::visible::visible;

/// The largest page, in bytes before compression.
pub(crate) const PAGE_BYTES_MAX: usize = 100_000;

/// Most of each part. Lengths are in bytes of markup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detail {
    /// Cells of the matrix, over all rows.
    cells: usize,
    rows: usize,
    findings: usize,
    /// One value of a finding, or one fact.
    value: usize,
    /// A text to copy, and what a difference is told in words: neither is of use if it is cut, so it is there whole or not.
    text: usize,
}

/// The fullest first. What the last one leaves is below the limit for the largest of groups.
pub(crate) const DETAILS: [Detail; 4] = [
    Detail { cells: 192, rows: 48, findings: 40, value: 4096, text: 32 << 10 },
    Detail { cells: 128, rows: 32, findings: 20, value: 512, text: 16 << 10 },
    Detail { cells: 96, rows: 24, findings: 8, value: 256, text: 6 << 10 },
    Detail { cells: 62, rows: 12, findings: 3, value: 128, text: 0 },
];

impl Detail {
    /// Rows of the matrix: fewer where there are more builders.
    pub(crate) fn rows(self, it: &RequestPage) -> usize {
        (self.cells / it.builders.len().max(1)).clamp(1, self.rows)
    }

    pub(crate) fn findings(self, it: &Explanation) -> &[Finding] {
        &it.findings[..it.findings.len().min(self.findings)]
    }

    /// A value, cut where there is no room for more.
    pub(crate) fn value(self, text: &str) -> Cow<'_, str> {
        let mut room = self.value;
        for (at, letter) in text.char_indices() {
            let needed = visible(letter.encode_utf8(&mut [0; 4])).len();
            if needed > room {
                return Cow::Owned(format!("{}… ({} more bytes)", &text[..at], text.len() - at));
            }
            room -= needed;
        }
        Cow::Borrowed(text)
    }

    /// Whether there is room for a whole text.
    pub(crate) fn has_room_for(self, text: &str) -> bool {
        text.len() <= self.text && text.lines().map(|line| visible(line).len() + 1).sum::<usize>() <= self.text
    }

    pub(crate) fn documents(self, it: &RequestPage) -> impl Iterator<Item = &Document> {
        it.documents.iter().filter(move |document| self.has_room_for(&document.text))
    }

    /// Whether a text to copy is left out.
    pub(crate) fn leaves_documents(self, it: &RequestPage) -> bool {
        self.documents(it).count() < it.documents.len()
    }
}

/// What `make` gives in the fullest detail that fits.
pub(crate) fn fitting(make: impl Fn(Detail) -> String) -> String {
    let mut page = String::new();
    for detail in DETAILS {
        page = make(detail);
        if page.len() <= PAGE_BYTES_MAX {
            break;
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_by_the_room_that_it_takes_as_markup_and_says_how_much_is_missing() {
        let detail = Detail { value: 12, ..DETAILS[3] };
        assert_eq!(detail.value("twelve bytes"), "twelve bytes");
        assert_eq!(detail.value("thirteen byte"), "thirteen byt… (1 more bytes)");
        assert_eq!(detail.value("<<<<é"), "<<<… (3 more bytes)");
        assert_eq!(detail.value("\u{202e}abcde"), "\u{202e}abcd… (1 more bytes)");
    }

    #[test]
    fn a_page_is_made_in_less_detail_until_it_fits_and_in_no_less_than_that() {
        let made = |detail: Detail| "x".repeat(detail.cells * 1_000);
        assert_eq!(fitting(made).len(), 96_000);
        assert_eq!(fitting(|_| "small".to_owned()), "small");
        assert_eq!(fitting(|detail| "x".repeat(200_000 + detail.cells)).len(), 200_062);
    }
}
