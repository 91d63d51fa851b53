//! The list of a survey: a crate a line. What is odd in it is refused before anything is built.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_rebuild::fixture::{Fixture, FixtureError};
use synchronicity_rebuild::spec::{Spec, SpecError};
use synchronicity_verify::digest::Digest;

/// Larger lists are refused.
const LIST_BYTES_MAX: u64 = 1 << 20;
const CRATES_MAX: usize = 10_000;

/// Crates to build, in the order of the file.
#[derive(Debug)]
pub(super) struct List {
    pub(super) lines: Vec<Line>,
    /// The comments above the first crate: how the list was chosen.
    pub(super) chosen: Vec<String>,
    /// SHA-256 of the file.
    pub(super) sha256: String,
}

/// One crate of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Names its record: `NAME@VERSION`, `NAME`, or `fixture-NAME`.
    pub(super) key: String,
    pub(super) spec: Spec,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum ListError {
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("see that the list is there, and that you may read it"))]
    File { path: PathBuf, error: io::Error },
    #[error("{}, line {number}: {reason}", path.display())]
    #[diagnostic(help("a line is NAME@VERSION or NAME, as in `hexyl@0.17.0`; what follows # is a comment"))]
    Line { path: PathBuf, number: usize, reason: Reason },
    #[error("{} names no crate", .0.display())]
    #[diagnostic(help("write a crate a line, as in `hexyl@0.17.0`"))]
    Empty(PathBuf),
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error(transparent)]
    Spec(SpecError),
    #[error(transparent)]
    Fixture(FixtureError),
    #[error("{what} stands in line {before} already")]
    Twice { what: String, before: usize },
    #[error("this is crate {CRATES_MAX} and one; a survey has at most {CRATES_MAX}")]
    Many,
}

impl List {
    /// Reads the file at `path`: UTF-8, at most 1 MiB and 10 000 crates.
    pub(super) fn read(path: &Path) -> Result<Self, ListError> {
        let failed = |error| ListError::File { path: path.to_owned(), error };
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(LIST_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(failed)?;
        if bytes.len() as u64 > LIST_BYTES_MAX {
            return Err(failed(io::Error::other(format!("more than {LIST_BYTES_MAX} bytes"))));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| failed(io::Error::other(error)))?;
        let list = Self::parse(text, Digest::of(&bytes).to_string());
        let list = list.map_err(|(number, reason)| ListError::Line { path: path.to_owned(), number, reason })?;
        if list.lines.is_empty() { Err(ListError::Empty(path.to_owned())) } else { Ok(list) }
    }

    fn parse(text: &str, sha256: String) -> Result<Self, (usize, Reason)> {
        let (mut lines, mut chosen) = (Vec::new(), Vec::<String>::new());
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
            let (named, comment) = line.split_once('#').map_or((line, None), |(named, rest)| (named, Some(rest)));
            let named = named.trim();
            if named.is_empty() {
                // An empty line parts paragraphs as an empty comment does.
                if lines.is_empty() && (comment.is_some() || !chosen.is_empty()) {
                    chosen.push(comment.unwrap_or_default().trim().to_owned());
                }
                continue;
            }
            if lines.is_empty() {
                without_heading(&mut chosen, &text.lines().take(number - 1).collect::<Vec<_>>());
            }
            let line = Line::parse(named).map_err(|reason| (number, reason))?;
            if let Some(before) = seen.insert(line.key.clone(), number) {
                return Err((number, Reason::Twice { what: line.key, before }));
            }
            if lines.len() == CRATES_MAX {
                return Err((number, Reason::Many));
            }
            lines.push(line);
        }
        Ok(Self { lines, chosen, sha256 })
    }
}

/// Of the comments above the first crate takes away the line that heads this crate's part of the list, as other parts are headed: it
/// stands by itself below an empty line.
fn without_heading(chosen: &mut Vec<String>, above: &[&str]) {
    let is_heading =
        matches!(above, [.., empty, line] if empty.trim().is_empty() && line.trim_start().starts_with('#'));
    if is_heading && chosen.iter().filter(|line| !line.is_empty()).count() > 1 {
        chosen.pop();
    }
    while chosen.last().is_some_and(String::is_empty) {
        chosen.pop();
    }
}

impl Line {
    fn parse(text: &str) -> Result<Self, Reason> {
        let spec: Spec = text.parse().map_err(Reason::Spec)?;
        let key = match &spec {
            Spec::Crate { .. } => spec.to_string(),
            // For tests of what is around: a fixture is built without a registry.
            Spec::Folder(path) => {
                let fixture = Fixture::in_folder(path).map_err(Reason::Fixture)?;
                format!("fixture-{}", fixture.source().name())
            }
        };
        Ok(Self { key, spec })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (usize, String) {
        let (number, reason) = List::parse(text, String::new()).unwrap_err();
        (number, reason.to_string())
    }

    #[test]
    fn comments_above_the_first_crate_say_how_the_list_was_chosen() {
        let list = List::parse(
            "\n# By hand.\n#\n# Old.\n\n# New.\n# Good.\nserde@1.0.228 # popular\n# a section\nhexyl\n",
            String::new(),
        )
        .unwrap();
        assert_eq!(list.chosen, ["By hand.", "", "Old.", "", "New.", "Good."]);
        assert_eq!(list.lines.iter().map(|line| line.key.as_str()).collect::<Vec<_>>(), ["serde@1.0.228", "hexyl"]);
    }

    #[test]
    fn a_heading_of_the_first_part_does_not_say_how_the_list_was_chosen() {
        for (text, chosen) in [
            ("# By hand.\n#\n# Old.\n\n# Libraries\nhexyl\n\n# Tools\nbat\n", vec!["By hand.", "", "Old."]),
            ("# By hand.\n\nhexyl\n", vec!["By hand."]),
            ("# By hand.\n#\n# Old.\nhexyl\n", vec!["By hand.", "", "Old."]),
            ("\n# By hand.\nhexyl\n", vec!["By hand."]),
            ("hexyl\n", vec![]),
        ] {
            assert_eq!(List::parse(text, String::new()).unwrap().chosen, chosen, "{text}");
        }
    }

    #[test]
    fn a_bad_line_is_refused_with_its_number() {
        assert_eq!(refused("serde@1.0.228\n\nserde@1.0\n").0, 3);
        assert_eq!(refused("no spaces here\n").0, 1);
        assert_eq!(
            refused("hexyl@0.17.0\n# again\nhexyl@0.17.0\n"),
            (3, "hexyl@0.17.0 stands in line 1 already".into())
        );
        assert!(refused("/usr\n").1.contains("fixture"));
        assert_eq!(refused(&"a".repeat(300)).0, 1);
        let many: String = (0..=CRATES_MAX).map(|number| format!("c{number}\n")).collect();
        assert_eq!(refused(&many).0, CRATES_MAX + 1);
    }
}
