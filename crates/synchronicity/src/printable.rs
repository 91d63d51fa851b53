//! Text of files that others wrote, for a terminal: printable ASCII as it is, everything else spelled out.

use synchronicity_verify::printable::is_printable;

/// As in `\u{1b}`: no escape sequence and no character that turns the line around gets through.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == ' ' || c.is_ascii_graphic() { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    shown
}

/// Whether a terminal shows the text as it stands: it has no character that controls one, or turns the line around.
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().all(is_printable)
}

/// [`printable`] in exactly `width` columns: cut off with `~`, or filled with spaces.
pub(crate) fn column(text: &str, width: usize) -> String {
    let mut shown = printable(text);
    if shown.len() > width {
        shown.truncate(width.saturating_sub(1));
        shown.push('~');
    }
    format!("{shown:<width$}")
}

/// Why a text is not the TOML that it should be, and in which line: without the line itself, which the parser's own
/// words would show as it is.
pub(crate) fn where_and_why(text: &str, error: &toml::de::Error) -> String {
    let why = printable(error.message());
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {why}", before.matches('\n').count() + 1),
        None => why,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_and_turned_text_are_spelled_out() {
        assert_eq!(printable("a\x1b[2Jb\u{202e}é"), "a\\u{1b}[2Jb\\u{202e}\\u{e9}");
        assert_eq!((column("long name", 6), column("ab", 4)), ("long ~".into(), "ab  ".into()));
    }

    #[test]
    fn only_what_a_terminal_shows_as_it_stands_is_plain() {
        assert!(is_plain("a/b c/\u{e9}\u{4e2d}") && is_plain(""));
        for bad in ["\x1b[2J", "a\nb", "a\0", "\u{9b}2J", "\u{202e}", "\u{2067}", "\u{200f}"] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_toml_is_named_and_not_shown() {
        let text = "a = 1\nb = \"\x1b[2J\"\n";
        let error = toml::from_str::<toml::Table>(text).unwrap_err();
        let told = where_and_why(text, &error);
        assert!(told.starts_with("line 2: ") && !told.contains('\x1b'), "{told:?}");
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        let text = "\"\\u001b[2J\" = 1";
        let told = where_and_why(text, &toml::from_str::<Nothing>(text).unwrap_err());
        assert!(told.contains("\\u{1b}") && !told.contains('\x1b'), "{told:?}");
    }

    proptest! {
        #[test]
        fn a_column_is_as_wide_as_it_is_said(text in ".{0,30}", width in 1..40_usize) {
            let shown = column(&text, width);
            prop_assert_eq!(shown.len(), width);
            prop_assert!(shown.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        }
    }
}
