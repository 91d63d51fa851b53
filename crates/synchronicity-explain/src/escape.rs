//! Text of strangers, made harmless: printable ASCII stays, everything else is spelled out.

use std::fmt::Write as _;

/// The most characters of one excerpt.
const EXCERPT_CHARS_MAX: usize = 160;

/// `text` without anything that a terminal would obey or a reader could be deceived by: control characters, marks of
/// writing direction, letters that look like others.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                ' '..='~' => out.push(letter),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                other => out.extend(other.escape_unicode()),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// The part of a run of text around `core`, short enough to print; bytes in hexadecimal if it is no text.
pub(crate) fn excerpt(run: &[u8], core: std::ops::Range<usize>, is_text: bool) -> String {
    const BEFORE: usize = 40;
    if !is_text {
        let bytes = &run[core.start..core.end.min(core.start + 32)];
        let more = if bytes.len() < core.len() { " …" } else { "" };
        return bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ") + more;
    }
    let start = core.start.saturating_sub(BEFORE);
    let end = run.len().min((core.end + BEFORE).min(start + EXCERPT_CHARS_MAX));
    let cut = |there: bool| if there { "…" } else { "" };
    format!("{}{}{}", cut(start > 0), text(&run[start..end]), cut(end < run.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_or_a_reader_misreads_is_spelled_out() {
        let hostile = "a\u{202e}b\u{1b}[31m\r\u{200b}é\n".as_bytes();
        assert_eq!(text(hostile), "a\\u{202e}b\\u{1b}[31m\\u{d}\\u{200b}\\u{e9}\\n");
        assert_eq!(text(b"\xff\xfe ok"), "\\xff\\xfe ok");
    }

    #[test]
    fn an_excerpt_shows_the_difference_however_long_the_text_is() {
        let run = [vec![b'a'; 300], b"DIFFERENT".to_vec(), vec![b'z'; 300]].concat();
        let shown = excerpt(&run, 300..309, true);
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("aaDIFFERENTzz"), "{shown}");
        assert!(shown.chars().count() <= EXCERPT_CHARS_MAX + 2);
        assert_eq!(excerpt(&[0, 1, 2], 1..3, false), "01 02");
    }
}
