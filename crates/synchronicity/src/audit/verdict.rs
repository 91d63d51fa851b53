//! What a log says about a dependency, in one word, and what is to be done about it.

use serde::Deserialize;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict as Logged};

use crate::cargo_lock::Dependency;
use crate::origin::Origin;

/// The word. Only the first is evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// The group rebuilt it, from the archive that the lock file names.
    Reproduced,
    /// An entry is about another archive of the same name and version; without a checksum, entries are about several.
    OtherSource,
    /// Builders got different bytes.
    Diverged,
    /// It does not build for the group.
    Unbuildable,
    /// Too few builders said anything.
    Inconclusive,
    /// Nothing is logged.
    Absent,
    /// Rebuilt, and nothing says from which archive it is taken: no checksum is stated, as in every binary.
    Unpinned,
    /// Not of crates.io: the group cannot have built it.
    Foreign,
    /// Of several groups fewer have rebuilt it than the policy wants.
    FewGroups,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    /// The audit fails.
    Deny,
    /// It is told.
    Warn,
    /// It is listed only when everything is.
    Allow,
}

/// What is done about each verdict. Without a file: what is wrong is denied, what is missing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Levels {
    pub(crate) other_source: Level,
    pub(crate) diverged: Level,
    pub(crate) unbuildable: Level,
    pub(crate) inconclusive: Level,
    pub(crate) absent: Level,
    pub(crate) unpinned: Level,
    pub(crate) foreign: Level,
    pub(crate) few_groups: Level,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            other_source: Level::Deny,
            diverged: Level::Deny,
            unbuildable: Level::Warn,
            inconclusive: Level::Warn,
            absent: Level::Warn,
            unpinned: Level::Warn,
            foreign: Level::Warn,
            few_groups: Level::Deny,
        }
    }
}

impl Verdict {
    pub(crate) const ALL: [Self; 9] = [
        Self::Reproduced,
        Self::OtherSource,
        Self::Diverged,
        Self::Unbuildable,
        Self::Inconclusive,
        Self::Absent,
        Self::Unpinned,
        Self::Foreign,
        Self::FewGroups,
    ];

    /// As settings and documents spell it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::OtherSource => "other-source",
            Self::Diverged => "diverged",
            Self::Unbuildable => "unbuildable",
            Self::Inconclusive => "inconclusive",
            Self::Absent => "absent",
            Self::Unpinned => "unpinned",
            Self::Foreign => "foreign",
            Self::FewGroups => "few-groups",
        }
    }

    /// A sentence for those who meet the word for the first time.
    pub(crate) fn explained(self) -> &'static str {
        match self {
            Self::Reproduced => "the group rebuilt it from the archive that the lock file names, with the same bytes",
            Self::OtherSource => {
                "the group built another archive of this name and version than the lock file names, or several archives of it"
            }
            Self::Diverged => "the builders of the group got different bytes",
            Self::Unbuildable => "the builders of the group agree that it does not build",
            Self::Inconclusive => "too few builders of the group revealed a result",
            Self::Absent => "the log says nothing of it, which is no evidence against it",
            Self::Unpinned => {
                "the group rebuilt it, and no checksum is stated to compare with the archive that it built"
            }
            Self::Foreign => "it is not of crates.io, so that no group can have rebuilt it",
            Self::FewGroups => "fewer groups have rebuilt it than the policy wants",
        }
    }
}

impl Level {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
            Self::Allow => "allow",
        }
    }
}

/// The verdict on a dependency, and the entry that it rests on. `entries` are all that the log has of the crate.
pub(crate) fn judge<'e>(dependency: &Dependency, entries: &'e [(u64, Entry)]) -> (Verdict, Option<&'e (u64, Entry)>) {
    if !matches!(dependency.origin, Origin::CratesIo(..)) {
        return (Verdict::Foreign, None);
    }
    let source = |entry: &Entry| *entry.request.source.checksum();
    let of_another = |sum: &Digest| entries.iter().rev().find(|(_, entry)| source(entry) != *sum);
    // A version is published once. Two archives of it cannot both be what everybody gets, whatever came of them.
    let newest = entries.last().map(|(_, entry)| source(entry));
    if let Some(found) = dependency.checksum.or(newest).as_ref().and_then(of_another) {
        return (Verdict::OtherSource, Some(found));
    }
    // One recipe under which it is reproduced is evidence for the source, whatever came of others.
    if let Some(found) = entries.iter().rev().find(|(_, entry)| entry.verdict == Logged::Reproduced) {
        let pinned = dependency.checksum.is_some();
        return (if pinned { Verdict::Reproduced } else { Verdict::Unpinned }, Some(found));
    }
    match entries.last() {
        None => (Verdict::Absent, None),
        Some(found) => {
            let verdict = match found.1.verdict {
                Logged::Reproduced => Verdict::Reproduced,
                Logged::Diverged => Verdict::Diverged,
                Logged::Unbuildable => Verdict::Unbuildable,
                Logged::Inconclusive => Verdict::Inconclusive,
            };
            (verdict, Some(found))
        }
    }
}
