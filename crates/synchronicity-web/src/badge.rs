//! Badges: a picture of what one node says of a version, in the form that READMEs are used to.

use askama::Template;

use crate::model::{EntryRow, Verdict};

/// Colours of a badge: dark enough for white letters (WCAG AA). They do not follow the reader's theme, because the page around
/// them is somebody else's.
pub const COLOURS: [(&str, &str); 4] =
    [("label", "#454c55"), ("good", "#1d7a34"), ("bad", "#b3261e"), ("unknown", "#5c646d")];

#[derive(Template)]
#[template(path = "badge.svg")]
struct Badge<'a> {
    label: Text<'a>,
    words: Text<'a>,
    dark: &'static str,
    colour: &'static str,
}

/// A text of Verdana at 11 px, and how wide it is.
struct Text<'a> {
    text: &'a str,
    /// In tenths of a pixel, the template's unit for letters.
    length: usize,
    /// Room for it in pixels, with five at each side.
    room: usize,
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        let length = (text.chars().map(advance).sum::<usize>() * FONT_TENTHS).div_ceil(1000);
        Text { text, length, room: length.div_ceil(10) + 10 }
    }
}

/// Size of the letters in tenths of a pixel.
const FONT_TENTHS: usize = 110;

/// How far Verdana, the font of the usual badges, moves on after each printable letter of ASCII, from the space on, in thousandths
/// of the font's size: the table `hmtx` of the font, as the `Widths` of any PDF that embeds it give it.
const ADVANCES: [u16; 95] = [
    352, 394, 459, 818, 636, 1076, 727, 269, 454, 454, 636, 818, 364, 454, 364, 454, // space to /
    636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 454, 454, 818, 818, 818, 545, // 0 to ?
    1000, 684, 686, 698, 771, 632, 575, 775, 751, 421, 455, 693, 557, 843, 748, 787, // @ to O
    603, 787, 695, 684, 616, 732, 684, 989, 685, 615, 685, 454, 454, 454, 818, 636, // P to _
    636, 601, 623, 521, 623, 596, 352, 623, 633, 274, 344, 592, 274, 973, 633, 607, // ` to o
    623, 623, 427, 521, 394, 633, 592, 818, 592, 592, 525, 635, 454, 635, 818, // p to ~
];

/// Of a letter that is not in the table, as of its widest: there is room for it whatever it is.
fn advance(letter: char) -> usize {
    let place = (letter as usize).checked_sub(' ' as usize);
    let known = place.and_then(|place| ADVANCES.get(place));
    known.map_or(1076, |advance| usize::from(*advance))
}

/// The badge for the latest entry on a version; for none, that there is no evidence.
pub fn badge(latest: Option<&EntryRow>) -> String {
    let (words, colour) = match latest {
        Some(entry) => match entry.verdict {
            Verdict::Reproduced => (format!("reproduced {}/{}", entry.agree, entry.builders), COLOURS[1].1),
            Verdict::Diverged => ("diverged".to_owned(), COLOURS[2].1),
            Verdict::Unbuildable | Verdict::Inconclusive => ("no evidence".to_owned(), COLOURS[3].1),
        },
        None => ("no evidence".to_owned(), COLOURS[3].1),
    };
    let badge = Badge { label: "rebuilt".into(), words: words.as_str().into(), dark: COLOURS[0].1, colour };
    badge.render().expect("writing into a String has no failure")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Moment;

    #[test]
    fn a_badge_says_how_many_agree_or_that_nothing_is_known() {
        let row = |verdict| EntryRow {
            index: 0,
            request: "0".repeat(64),
            round: 0,
            name: "a".into(),
            version: "1.0.0".into(),
            fixture: false,
            recipe: String::new(),
            verdict,
            agree: 3,
            builders: 4,
            failure: None,
            time: Moment(0),
        };
        let told = |verdict| badge(Some(&row(verdict)));
        assert!(told(Verdict::Reproduced).contains("rebuilt: reproduced 3/4"));
        assert!(told(Verdict::Diverged).contains("rebuilt: diverged"));
        for none in [told(Verdict::Unbuildable), told(Verdict::Inconclusive), badge(None)] {
            assert!(none.contains("rebuilt: no evidence") && none.starts_with("<svg"), "{none}");
        }
    }

    #[test]
    fn a_badge_is_as_wide_as_its_letters_are_together() {
        // r + e + b + u + i + l + t = 427 + 596 + 623 + 633 + 274 + 274 + 394 = 3221 thousandths of 110 tenths of a pixel.
        for (text, length, room) in [
            ("rebuilt", 355, 46),
            ("build", 267, 37),
            ("passing", 418, 52),
            ("3/4", 190, 29),
            ("", 0, 10),
            ("é", 119, 22),
        ] {
            let it = Text::from(text);
            assert_eq!((it.length, it.room), (length, room), "{text}");
        }
        let picture = badge(None);
        let words = Text::from("no evidence");
        assert!(picture.contains(&format!("width=\"{}\" height=\"20\" role", 46 + words.room)), "{picture}");
        assert!(picture.contains(&format!("textLength=\"{}\">no evidence</text>", words.length)), "{picture}");
    }
}
