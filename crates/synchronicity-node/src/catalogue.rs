//! Where in the log to look: the latest reproduced entry of each crate, and the request of each entry.
//!
//! The chronicle knows crates too, for people: by any spelling, with whatever verdict, and as of the block that it shows. Proofs
//! are of exactly one name, of what was reproduced, and of what the machine has under the same lock; so they have an index of their own.

use std::collections::{BTreeMap, VecDeque};

use synchronicity_verify::entry::Verdict;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::request::Source;

/// An index over the entries of a log, kept in step with it.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: u64,
    /// The requests of the latest entries.
    latest: VecDeque<RequestId>,
    reproduced: BTreeMap<Name, Vec<u64>>,
}

/// How many entries are remembered by their requests.
pub const LATEST: usize = 32;

/// Whether a fixture, then name and version. A crate sorts before a fixture of the same name.
type Name = (bool, String, String);

/// A reproduced entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reproduced {
    /// Index of the entry.
    pub index: u64,
    /// `NAME-VERSION`, or `fixture-NAME-VERSION`: the stem of its proof file.
    pub stem: String,
}

impl Catalogue {
    /// Notes the next entry of the log.
    pub fn add(&mut self, leaf: &Leaf) {
        let index = self.entries;
        self.entries += 1;
        let Leaf::Build(entry) = leaf else { return };
        if self.latest.len() == LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(entry.request.id());
        if entry.verdict == Verdict::Reproduced {
            self.reproduced.entry(name_of(&entry.request.source)).or_default().push(index);
        }
    }

    /// The requests of the latest entries, at most [`LATEST`], in the order of the log.
    pub fn latest(&self) -> impl Iterator<Item = &RequestId> {
        self.latest.iter()
    }

    /// The latest entry below `size` in which this crate was reproduced; a fixture only where no crate has the name.
    pub fn find(&self, name: &str, version: &str, size: u64) -> Option<u64> {
        [false, true].into_iter().find_map(|fixture| {
            let indices = self.reproduced.get(&(fixture, name.to_owned(), version.to_owned()))?;
            indices.iter().rev().find(|index| **index < size).copied()
        })
    }

    /// Every crate's latest reproduced entry below `size`.
    pub fn all(&self, size: u64) -> Vec<Reproduced> {
        let latest = |(name, indices): (&Name, &Vec<u64>)| {
            let index = *indices.iter().rev().find(|index| **index < size)?;
            Some(Reproduced { index, stem: stem_of(name) })
        };
        self.reproduced.iter().filter_map(latest).collect()
    }
}

/// The stem of the proof file of what is built from this source.
pub fn stem(source: &Source) -> String {
    stem_of(&name_of(source))
}

fn stem_of((fixture, name, version): &Name) -> String {
    let prefix = if *fixture { "fixture-" } else { "" };
    format!("{prefix}{name}-{version}")
}

fn name_of(source: &Source) -> Name {
    (matches!(source, Source::Fixture { .. }), source.name().to_string(), source.version().to_string())
}
