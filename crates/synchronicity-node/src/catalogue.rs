//! Where in the log to look: the latest reproduced entry of each crate, and the request of each entry.

use std::collections::BTreeMap;

use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::request::Source;

/// An index over the entries of a log, kept in step with it.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    requests: Vec<RequestId>,
    reproduced: BTreeMap<Name, Vec<u64>>,
}

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
    pub fn add(&mut self, entry: &Entry) {
        let index = self.requests.len() as u64;
        self.requests.push(entry.request.id());
        if entry.verdict == Verdict::Reproduced {
            self.reproduced.entry(name_of(&entry.request.source)).or_default().push(index);
        }
    }

    /// The requests of the latest `most` entries, in the order of the log.
    pub fn latest(&self, most: usize) -> &[RequestId] {
        &self.requests[self.requests.len().saturating_sub(most)..]
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
            let prefix = if name.0 { "fixture-" } else { "" };
            Some(Reproduced { index, stem: format!("{prefix}{}-{}", name.1, name.2) })
        };
        self.reproduced.iter().filter_map(latest).collect()
    }
}

fn name_of(source: &Source) -> Name {
    (matches!(source, Source::Fixture { .. }), source.name().to_string(), source.version().to_string())
}
