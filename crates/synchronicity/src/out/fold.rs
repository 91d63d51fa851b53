//! Lines that are too long for a terminal of 80 columns, broken where words end.
//!
//! What follows goes on below the text, where a line begins with a label; else a little further in. A word that does not
//! fit there (a hash, a path) gets a line nearer to the margin, and one that is wider than a terminal stays whole.

use super::terminal::columns;

/// Columns that a line for people has at most.
const WIDTH: usize = 80;

/// Where a wide word begins that gets a line for itself.
const NEAR: usize = 4;

/// The furthest column at which a text after a label begins.
const LABEL_MAX: usize = 40;

/// Every line of `text`, folded.
pub(crate) fn folded(text: &str) -> String {
    if text.lines().all(|line| columns(line) <= WIDTH) {
        return text.to_owned();
    }
    let mut folded = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                fold(line, &mut folded);
                folded.push('\n');
            }
            None => fold(line, &mut folded),
        }
    }
    folded
}

fn fold(line: &str, folded: &mut String) {
    if columns(line) <= WIDTH {
        folded.push_str(line);
        return;
    }
    let hang = hang(line);
    let mut column = 0;
    for (gap, word) in words(line) {
        let width = columns(word);
        let indent = if column == 0 || column + gap + width <= WIDTH {
            gap
        } else {
            folded.push('\n');
            column = 0;
            if hang + width <= WIDTH { hang } else { NEAR.min(WIDTH.saturating_sub(width)) }
        };
        folded.extend(std::iter::repeat_n(' ', indent));
        folded.push_str(word);
        column += indent + width;
    }
}

/// Where a line goes on.
fn hang(line: &str) -> usize {
    let mut column = 0;
    for (at, (gap, word)) in words(line).enumerate() {
        column += gap;
        // A label ends with two spaces at least.
        if at > 0 && gap >= 2 && column <= LABEL_MAX {
            return column;
        }
        column += columns(word);
    }
    let lead = line.len() - line.trim_start_matches(' ').len();
    // What stands that far in stands below a text already.
    if lead > 2 * NEAR { lead.min(LABEL_MAX) } else { lead + 2 }
}

/// Each word, with the number of spaces before it.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut gap = 0;
    line.split(' ').filter_map(move |word| {
        if word.is_empty() {
            gap += 1;
            return None;
        }
        let found = (gap, word);
        gap = 1;
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_stays_as_it_is() {
        let text = "  a   b\n\n  c  \n";
        assert_eq!(folded(text), text);
        let wide = format!("{}\n{text}", "x y ".repeat(30));
        assert!(folded(&wide).ends_with(text), "{}", folded(&wide));
    }

    #[test]
    fn what_follows_a_label_goes_on_below_the_text() {
        let line = format!("  recipe      {}", "word ".repeat(20));
        let folded = folded(line.trim_end());
        let lines: Vec<_> = folded.lines().collect();
        assert_eq!(lines.len(), 2, "{folded}");
        assert!(lines[1].starts_with("              word"), "{folded}");
    }

    #[test]
    fn a_hash_beside_a_wide_label_comes_nearer_to_the_margin_and_stays_whole() {
        let hash = "0123456789abcdef".repeat(4);
        let folded = folded(&format!("  {:<25}sha256 {hash}", "builder against builder"));
        assert_eq!(folded, format!("  builder against builder  sha256\n    {hash}"));
        let path = format!("/{}", "long/".repeat(20));
        assert_eq!(super::folded(&format!("kept as {path} for you")), format!("kept as\n{path}\n  for you"));
    }

    #[test]
    fn what_a_terminal_does_not_show_counts_for_nothing() {
        let line = format!("\x1b[31m{}\x1b[0m {}", "a".repeat(40), "b".repeat(39));
        assert_eq!(folded(&line), line);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_line_too_long_that_could_be_broken(line in "[a-c ]{0,300}") {
            let folded = folded(&line);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&folded), words(&line));
            for line in folded.lines() {
                prop_assert!(columns(line.trim_end()) <= WIDTH || words(line).len() == 1, "{:?}", folded);
            }
        }
    }
}
