//! Parts of what a build printed. All of it is hostile; a line that does not end is cut.

use std::collections::VecDeque;

use synchronicity_web::model::{Bytes, Line, TranscriptPage};
use synchronicity_web::visible::{spelled_out, visible};

use crate::artifact_store::Printed;

/// Lines on one page at most.
pub const LINES: usize = 250;

/// Characters of a line.
const LINE_CHARS_MAX: usize = 2_000;

/// Bytes of the lines of one page, as they are shown: what is not seen is spelled out, and takes several times its room.
const BYTES_MAX: usize = 64 << 10;

/// Bytes of a line's number and frame.
const LINE_BYTES: usize = 200;

/// Lines from the one numbered `from` on, counted from 1, that contain `find`.
pub(super) fn page(
    (request, title, builder): (String, String, String),
    printed: &Printed,
    from: usize,
    find: &str,
) -> TranscriptPage {
    let wanted = |(_, text): &(usize, &str)| find.is_empty() || text.contains(find);
    let (mut earlier, mut lines, mut after, mut total) = (VecDeque::new(), Vec::new(), None, 0);
    let mut room = BYTES_MAX;
    for (index, text) in printed.text.lines().enumerate().filter(wanted) {
        let number = index + 1;
        total += 1;
        if number < from {
            earlier.push_back(number);
            if earlier.len() > LINES {
                earlier.pop_front();
            }
        } else if after.is_none() {
            let text = cut(text);
            let needed = visible(&text).len() + LINE_BYTES;
            // One line is shown, however long it is: there must be a way on.
            if lines.is_empty() || (lines.len() < LINES && needed <= room) {
                room = room.saturating_sub(needed);
                lines.push(Line { number, text });
            } else {
                after = Some(number);
            }
        }
    }
    let before = earlier.front().copied();
    let (find, cut_at) = (find.to_owned(), printed.cut_at.map(Bytes));
    TranscriptPage { request, title, builder, find, lines, before, after, total, cut_at }
}

/// The last lines, each cut, for a reader that takes markup for text: at most so many, and the number of the first.
pub fn tail(printed: &str, most: usize) -> (usize, Vec<String>) {
    let before = printed.lines().count().saturating_sub(most);
    (before + 1, printed.lines().skip(before).map(|line| spelled_out(&cut(line))).collect())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LINE_CHARS_MAX) {
        Some((at, _)) => format!("{}… ({} more bytes)", &text[..at], text.len() - at),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> (String, String, String) {
        Default::default()
    }

    fn whole(text: String) -> Printed {
        Printed { text, cut_at: None }
    }

    #[test]
    fn pages_of_a_transcript_lead_to_each_other_and_back() {
        let printed = whole((1..=600).map(|number| format!("line {number}\n")).collect());
        let numbers = |page: &TranscriptPage| (page.lines[0].number, page.lines[page.lines.len() - 1].number);
        let first = page(about(), &printed, 1, "");
        assert_eq!((numbers(&first), first.before, first.after, first.total), ((1, 250), None, Some(251), 600));
        let second = page(about(), &printed, 251, "");
        assert_eq!((numbers(&second), second.before, second.after), ((251, 500), Some(1), Some(501)));
        let last = page(about(), &printed, 501, "");
        assert_eq!((numbers(&last), last.before, last.after), ((501, 600), Some(251), None));
        let found = page(about(), &printed, 1, "line 30");
        assert_eq!((found.total, found.lines[1].number), (11, 300));
        assert!(page(about(), &printed, 9999, "").lines.is_empty());
        assert!(page(about(), &whole(String::new()), 1, "").lines.is_empty());
    }

    #[test]
    fn a_page_of_hostile_lines_stays_small_and_leads_on() {
        let printed = whole(format!("{}\n", "\x1b".repeat(LINE_CHARS_MAX)).repeat(200));
        let (mut from, mut seen) = (1, 0);
        loop {
            let shown = page(about(), &printed, from, "");
            let bytes: usize = shown.lines.iter().map(|line| visible(&line.text).len()).sum();
            assert!(!shown.lines.is_empty() && bytes <= BYTES_MAX, "{bytes}");
            seen += shown.lines.len();
            let Some(after) = shown.after else { break };
            from = after;
        }
        assert_eq!(seen, 200);
        assert_eq!(tail("a\u{202e}b<i>\t\x1b\n", 1).1, ["a\\u{202e}b<i>\t\\u{1b}"]);
    }

    #[test]
    fn a_line_that_does_not_end_is_cut_and_says_so() {
        let printed = "é".repeat(100_000);
        let shown = page(about(), &whole(printed.clone()), 1, "");
        assert!(shown.lines[0].text.ends_with("… (196000 more bytes)") && tail(&printed, 9).1[0].len() < 5_000);
        assert_eq!(tail("a\nb\nc\n", 2), (2, vec!["b".to_owned(), "c".to_owned()]));
    }
}
