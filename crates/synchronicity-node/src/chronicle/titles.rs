//! Crates by name, for whoever looks for one.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, Vector};
use memchr::memmem::Finder;

use super::course::Course;

/// All that the log says of a name: of the crate, and of a fixture that has the same one.
#[derive(Clone, Debug)]
pub struct Title {
    /// The name as it is written.
    pub name: Arc<str>,
    indices: Vector<u64>,
    /// Whether a fixture's, and the version; and the index of its latest entry.
    versions: OrdMap<(bool, Arc<str>), u64>,
}

impl Title {
    /// How many versions the log speaks of.
    pub fn versions(&self) -> usize {
        self.versions.len()
    }

    /// Indices of all entries, ascending.
    pub(super) fn indices(&self) -> &Vector<u64> {
        &self.indices
    }

    /// Index of the newest entry.
    pub fn latest(&self) -> Option<u64> {
        self.indices.last().copied()
    }

    /// Index of the newest entry on a version; a fixture's only where no crate has it.
    pub fn latest_of(&self, version: &str) -> Option<u64> {
        let version: Arc<str> = version.into();
        [false, true].into_iter().find_map(|fixture| self.versions.get(&(fixture, version.clone())).copied())
    }
}

/// Crates, in the order of their names without regard to capitals.
#[derive(Clone, Debug, Default)]
pub(super) struct Titles(OrdMap<Place, Title>);

/// Where a name stands: as it is looked for, and as it is written.
type Place = (String, Arc<str>);

impl Titles {
    pub(super) fn add(&mut self, course: &Course, index: u64) {
        let key = (folded(&course.name), course.name.clone());
        let new = || Title { name: course.name.clone(), indices: Vector::new(), versions: OrdMap::new() };
        let title = self.0.entry(key).or_insert_with(new);
        title.indices.push_back(index);
        title.versions.insert((course.fixture, course.version.clone()), index);
    }

    /// The crate of exactly this name, or the first that differs by capitals alone.
    pub(super) fn get(&self, name: &str) -> Option<&Title> {
        let exact = (folded(name), Arc::from(name));
        let exactly = self.0.get(&exact);
        exactly.or_else(|| {
            self.behind(before_all(&exact.0)).next().filter(|(key, _)| key.0 == exact.0).map(|(_, title)| title)
        })
    }

    /// Those whose name begins with a text, then those that have it elsewhere; at most so many, and only what comes after a name.
    pub(super) fn search(&self, text: &str, after: &str, most: usize) -> Vec<&Title> {
        let text = folded(text);
        let place = (folded(after), Arc::from(after));
        // The part before ended among the names that begin with the text, or after all of these.
        let (begin, within) = if after.is_empty() {
            (Some(before_all(&text)), None)
        } else if place.0.starts_with(&text) {
            (Some(place), None)
        } else {
            (None, Some(place))
        };
        let begin = begin.into_iter().flat_map(|place| self.behind(place));
        let begin = begin.take_while(|(key, _)| key.0.starts_with(&text));
        let mut found: Vec<&Title> = begin.take(most).map(|(_, title)| title).collect();
        if found.len() < most {
            // Where nothing is found, every name was looked at.
            let inside = Finder::new(&text);
            let holds = |name: &str| inside.find(name.as_bytes()).is_some_and(|at| at > 0);
            let within = self.behind(within.unwrap_or_else(|| before_all(""))).filter(|(key, _)| holds(&key.0));
            found.extend(within.take(most - found.len()).map(|(_, title)| title));
        }
        found
    }

    /// Those behind a place.
    fn behind(&self, place: Place) -> impl Iterator<Item = (&Place, &Title)> {
        self.0.range((Bound::Excluded(place), Bound::Unbounded))
    }
}

/// The place before all names that are looked for by this one: none is written with no letter.
fn before_all(folded: &str) -> Place {
    (folded.to_owned(), Arc::from(""))
}

/// A name as it is looked for: without capitals, and with one kind of dash.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
