//! What a terminal can show: colours, links, signs beyond ASCII. Where standard output is none, or `NO_COLOR` is set,
//! every text stays as it is.

use std::env;
use std::io;
use std::sync::OnceLock;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use miette::MietteHandlerOpts;

/// What a word says, by its colour; it must say it without, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tint {
    /// As it should be.
    Good,
    /// Not decided, or to be looked at.
    Doubtful,
    /// Against it.
    Bad,
}

/// The text in its colour.
pub(crate) fn tinted(text: &str, tint: Tint) -> String {
    if !has_colours() {
        return text.to_owned();
    }
    let code = match tint {
        Tint::Good => 32,
        Tint::Doubtful => 33,
        Tint::Bad => 31,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// The text, which leads to `url` where the terminal takes links (OSC 8).
pub(crate) fn link(text: &str, url: &str) -> String {
    static LINKS: OnceLock<bool> = OnceLock::new();
    let links = || has_colours() && supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout);
    if *LINKS.get_or_init(links) { format!("\x1b]8;;{url}\x1b\\{text}\x1b]8;;\x1b\\") } else { text.to_owned() }
}

fn has_colours() -> bool {
    static COLOURS: OnceLock<bool> = OnceLock::new();
    *COLOURS.get_or_init(|| takes_colours(&io::stdout()))
}

/// Whether colours are for a stream.
pub(crate) fn takes_colours(stream: &impl RawStream) -> bool {
    // `AutoStream` takes a terminal for one with colours where `CI` is set, whatever it calls itself.
    AutoStream::choice(stream) != ColorChoice::Never && !is_dumb()
}

/// Where crates.io shows a version of a crate.
pub(crate) fn crate_link(name: &str, version: &str) -> String {
    link(&format!("{name} {version}"), &format!("https://crates.io/crates/{name}/{version}"))
}

/// Whether signs beyond ASCII are shown: by the locale, and not by a terminal that calls itself dumb.
pub(crate) fn is_unicode() -> bool {
    !is_dumb() && supports_unicode::supports_unicode()
}

/// Whether the terminal says that nothing but text can be written to it.
pub(crate) fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Errors, too, are at most 80 columns wide, and without signs that the terminal has not.
pub(crate) fn tell_errors() {
    let handler = || MietteHandlerOpts::new().width(80).unicode(is_unicode()).build();
    // Only a second call fails: then they are told so already.
    let _ = miette::set_hook(Box::new(move |_| Box::new(handler())));
}

/// Columns that a terminal needs for it: each character one, since what others wrote is shown as ASCII; what controls the
/// terminal none.
pub(super) fn columns(text: &str) -> usize {
    if text.is_ascii() && !text.contains('\x1b') {
        return text.len();
    }
    shown(text, |_| true).filter(|(_, visible)| *visible).count()
}

/// The text without links; colours stay.
pub(super) fn without_links(text: &str) -> String {
    shown(text, |sequence| !sequence.starts_with("\x1b]")).map(|(c, _)| c).collect()
}

/// Each character, and whether it is visible; of sequences that control the terminal only those that `keep` wants.
fn shown(text: &str, keep: impl Fn(&str) -> bool) -> impl Iterator<Item = (char, bool)> {
    let (mut rest, mut shown) = (text, Vec::with_capacity(text.len()));
    while let Some(at) = rest.find('\x1b') {
        shown.extend(rest[..at].chars().map(|c| (c, true)));
        let length = sequence_length(&rest[at..]);
        let (sequence, after) = rest[at..].split_at(length);
        if keep(sequence) {
            shown.extend(sequence.chars().map(|c| (c, false)));
        }
        rest = after;
    }
    shown.extend(rest.chars().map(|c| (c, true)));
    shown.into_iter()
}

/// Of `ESC [ ... m` and `ESC ] ... ESC \`, which are all that is written here; of anything else the first byte.
fn sequence_length(text: &str) -> usize {
    let end = match text.as_bytes().get(1) {
        Some(b'[') => text.find('m').map(|end| end + 1),
        Some(b']') => text.find("\x1b\\").map(|end| end + 2),
        _ => None,
    };
    end.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_links_take_no_columns() {
        let text = "a \x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\ \x1b[31mred\x1b[0m é";
        assert_eq!(columns(text), "a link red e".len());
        assert_eq!(without_links(text), "a link \x1b[31mred\x1b[0m é");
        assert_eq!((columns("\x1b"), columns("\x1b[no end"), columns("\x1b]")), (0, 7, 1));
    }
}
