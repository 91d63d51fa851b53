//! Explanations of files as they are on disk.

mod archives;
mod catalogue;
mod folders;
mod hostile;
mod hostile_names;
mod objects;
mod raw_elf;

use synchronicity_explain::explanation::Explanation;
use synchronicity_explain::facts::Facts;
use synchronicity_explain::{Limits, explain, words};

/// The explanation of two files with these contents, which differ or not.
pub(crate) fn explained(first: &[u8], second: &[u8], facts: &Facts) -> Explanation {
    explained_within(first, second, facts, &Limits::default())
}

/// The same, within other limits.
pub(crate) fn explained_within(first: &[u8], second: &[u8], facts: &Facts, limits: &Limits) -> Explanation {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("artifact"), folder.path().join("other"));
    std::fs::write(&a, first).expect("a file");
    std::fs::write(&b, second).expect("a file");
    let explanation = explain(&a, &b, facts, limits).expect("two files");
    are_printable(&explanation);
    explanation
}

/// What holds for every explanation, whatever was explained.
pub(crate) fn are_printable(explanation: &Explanation) {
    let text = words::in_words(explanation);
    let is_plain = |letter: char| matches!(letter, ' '..='~' | '\n' | '…');
    assert!(text.chars().all(is_plain), "{text:?}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for difference in explanation.artifacts.iter().flat_map(|artifact| &artifact.differences) {
        for shown in [&difference.first, &difference.second, &difference.section] {
            assert!(shown.chars().all(is_plain) && shown.chars().count() < 1000, "{shown:?}");
        }
    }
}
