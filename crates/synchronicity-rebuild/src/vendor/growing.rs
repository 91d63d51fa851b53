//! How far Cargo is with fetching: by the archives that it has put into its home. What it prints is for people, and
//! changes; its files stay where they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::folders_in;
use crate::arrivals::Arrivals;
use crate::lock::Locked;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_millis(100);

/// The archives that are awaited.
pub(super) struct Growing<'a> {
    names: Vec<String>,
    folders: PathBuf,
    arrivals: &'a Arrivals,
    /// Bytes of them that are there, and when they were looked at.
    seen: (u64, Instant),
}

impl<'a> Growing<'a> {
    /// What is there already does not come.
    pub(super) fn new(awaited: &[Locked], home: &Path, arrivals: &'a Arrivals) -> Self {
        let names = awaited.iter().map(|package| format!("{}-{}.crate", package.name, package.version)).collect();
        let mut growing = Self { names, folders: home.join("registry/cache"), arrivals, seen: (0, Instant::now()) };
        growing.seen.0 = growing.bytes();
        growing
    }

    /// Tells what has come, at most so often as is worth while.
    pub(super) fn look(&mut self) {
        if self.seen.1.elapsed() >= EVERY {
            self.look_again();
        }
    }

    pub(super) fn look_again(&mut self) {
        let bytes = self.bytes();
        self.arrivals.came(bytes.saturating_sub(self.seen.0));
        self.seen = (bytes, Instant::now());
    }

    fn bytes(&self) -> u64 {
        // A folder that cannot be read is Cargo's trouble, and told as such.
        let folders = folders_in(&self.folders).unwrap_or_default();
        let files = folders.iter().flat_map(|folder| self.names.iter().map(|name| folder.join(name)));
        files.filter_map(|file| Some(fs::metadata(file).ok()?.len())).sum()
    }
}
