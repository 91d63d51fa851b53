//! Crates by name, for whoever looks for one.

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
pub(super) struct Titles(OrdMap<(String, Arc<str>), Title>);

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
        exactly.or_else(|| self.from(&exact.0).next().filter(|(key, _)| key.0 == exact.0).map(|(_, title)| title))
    }

    pub(super) fn search(&self, text: &str, most: usize) -> Vec<&Title> {
        let text = folded(text);
        let begin = self.from(&text).take_while(|(key, _)| key.0.starts_with(&text));
        let mut found: Vec<&Title> = begin.take(most).map(|(_, title)| title).collect();
        if found.len() < most {
            // Where nothing is found, every name was looked at.
            let inside = Finder::new(&text);
            let holds = |name: &str| inside.find(name.as_bytes()).is_some_and(|at| at > 0);
            let within = self.0.iter().filter(|(key, _)| holds(&key.0));
            found.extend(within.take(most - found.len()).map(|(_, title)| title));
        }
        found
    }

    /// Those from a folded name on.
    fn from(&self, text: &str) -> impl Iterator<Item = (&(String, Arc<str>), &Title)> {
        let first: (String, Arc<str>) = (text.to_owned(), Arc::from(""));
        self.0.range(first..)
    }
}

/// A name as it is looked for: without capitals, and with one kind of dash.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
