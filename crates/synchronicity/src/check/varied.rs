//! What really differed between the two builds: each says itself how it found its surroundings, since not every
//! sandbox and every machine lets everything be varied.

use serde::{Deserialize, Serialize};
use synchronicity_rebuild::conditions::Measured;

/// One circumstance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Circumstance {
    pub(crate) what: String,
    /// As the first build found it.
    first: String,
    /// As the second build found it.
    second: String,
    /// Whether the two differ enough to show something.
    pub(crate) varied: bool,
}

/// Less than a day apart, a date in the artifacts stays the same.
const CLOCKS_APART_SECONDS: u64 = 86_400;

pub(crate) fn list(first: &Measured, second: &Measured) -> Vec<Circumstance> {
    let one = |what: &str, first: &str, second: &str| Circumstance {
        what: what.to_owned(),
        first: first.to_owned(),
        second: second.to_owned(),
        varied: first != second && !second.is_empty(),
    };
    let number = |what: &str, first: u64, second: u64| one(what, &first.to_string(), &second.to_string());
    let always = |what: &str, first: &str, second: &str| Circumstance { varied: true, ..one(what, first, second) };
    let clock = Circumstance {
        varied: first.time.abs_diff(second.time) >= CLOCKS_APART_SECONDS,
        ..number("date", first.time, second.time)
    };
    vec![
        one("build folder", &first.place, &second.place),
        one("host name", &first.host, &second.host),
        one("user", &first.user, &second.user),
        number("processors", first.processors, second.processors),
        one("umask", &first.umask, &second.umask),
        one("order of files", &first.listing, &second.listing),
        clock,
        always("jobs, home, locale, time zone, variables", "the recipe's", "others"),
    ]
}

/// At most 80 columns.
pub(crate) fn in_words(list: &[Circumstance]) -> String {
    let names = |varied| -> String {
        list.iter().filter(|it| it.varied == varied).map(|it| it.what.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut text = String::new();
    let (varied, same) = (names(true), names(false));
    let mut tell = |label: &str, names: &str| {
        let mut line = format!("{label}:");
        for word in names.split(' ') {
            if line.len() + 1 + word.len() > 80 {
                text.push_str(&line);
                text.push('\n');
                line = " ".into();
            }
            line.push(' ');
            line.push_str(word);
        }
        text.push_str(&line);
        text.push('\n');
    };
    tell("varied", &varied);
    if !same.is_empty() {
        tell("could not be varied here", &same);
    }
    if list.iter().any(|it| it.what == "date" && !it.varied) {
        tell("to vary the date", "--sandbox embedded, with libfaketime (on Debian: apt install faketime)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_differ_is_not_said_to_be_varied() {
        let first = Measured { host: "builder".into(), processors: 2, time: 1_000_000, ..Measured::default() };
        let second = Measured { host: "other".into(), time: 1_000_060, ..first.clone() };
        let list = list(&first, &second);
        let is_varied = |what| list.iter().any(|it| it.what == what && it.varied);
        assert!(is_varied("host name"));
        assert!(!is_varied("processors") && !is_varied("date") && !is_varied("order of files"));
        let text = in_words(&list);
        assert!(text.contains("could not be varied here: build folder, user, processors"), "{text}");
        assert!(text.contains("libfaketime") && text.lines().all(|line| line.len() <= 80), "{text}");
    }
}
