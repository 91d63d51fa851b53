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
    label: &'a str,
    words: String,
    left: usize,
    right: usize,
    dark: &'static str,
    colour: &'static str,
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
    let label = "rebuilt";
    let (left, right) = (width(label), width(&words));
    let badge = Badge { label, words, left, right, dark: COLOURS[0].1, colour };
    badge.render().expect("writing into a String has no failure")
}

/// Room for a text of Verdana at 11 px, as near as the average letter tells; `textLength` makes it fit.
fn width(text: &str) -> usize {
    text.chars().count() * 13 / 2 + 12
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
}
