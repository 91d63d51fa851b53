//! Text becomes markup here and nowhere else: `askama.toml` sends every value of every template through [`Visible`].
//!
//! What could be markup is written as character references. What a browser would not show, or would show in another place (control
//! characters, marks of writing direction), is spelled out as `\u{202e}`. Text that does not end is cut, and says so.

use std::fmt::{self, Write};

use askama::filters::Escaper;
use synchronicity_verify::printable::is_printable;

/// The longest value that is shown whole, in characters. Longer ones are cut there; names and hashes are far below.
pub const SHOWN_CHARS_MAX: usize = 4096;

/// The escaper of all templates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (number, (at, letter)) in text.char_indices().enumerate() {
            if number == SHOWN_CHARS_MAX {
                dest.write_str(&text[plain..at])?;
                return write!(dest, "… ({} more bytes)", text.len() - at);
            }
            let reference = match letter {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                '\n' | '\t' => continue,
                letter if is_printable(letter) => continue,
                _ => "",
            };
            dest.write_str(&text[plain..at])?;
            dest.write_str(reference)?;
            if reference.is_empty() {
                write!(dest, "{}", letter.escape_unicode())?;
            }
            plain = at + letter.len_utf8();
        }
        dest.write_str(&text[plain..])
    }
}

/// A text for a reader to whom markup is text: what is not seen is spelled out, everything else stays.
pub fn spelled_out(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\t' || is_printable(letter) { shown.push(letter) } else { shown.extend(letter.escape_unicode()) }
    }
    shown
}

/// A text as markup, for the few places that are no template.
pub fn visible(text: &str) -> String {
    let mut markup = String::with_capacity(text.len());
    Visible.write_escaped_str(&mut markup, text).expect("writing into a String has no failure");
    markup
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_becomes_text_and_what_is_not_seen_is_spelled_out() {
        assert_eq!(visible("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
        assert_eq!(visible("a\x1b[2Jb\u{202e}c\u{200b}d\0"), "a\\u{1b}[2Jb\\u{202e}c\\u{200b}d\\u{0}");
        assert_eq!(visible("é中\n\t"), "é中\n\t");
    }

    #[test]
    fn a_text_that_does_not_end_is_cut_and_says_so() {
        let line = "é".repeat(100_000);
        let shown = visible(&line);
        assert!(shown.ends_with("… (191808 more bytes)"), "{}", &shown[shown.len() - 40..]);
        assert_eq!(visible(&"a".repeat(SHOWN_CHARS_MAX)).len(), SHOWN_CHARS_MAX);
    }

    proptest! {
        #[test]
        fn whatever_the_text_it_holds_no_markup_and_nothing_unseen(text in any::<String>()) {
            let shown = visible(&text);
            prop_assert!(!shown.contains(['<', '>', '"', '\'']));
            prop_assert!(shown.chars().all(|letter| is_printable(letter) || matches!(letter, '\n' | '\t')));
        }
    }
}
