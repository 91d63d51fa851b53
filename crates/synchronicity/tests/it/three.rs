//! Three groups that a user trusts, each with a log of its own, and any one, two or three of them combined.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::logs::Log;
use crate::policies::trust;

pub(crate) const NAMES: [&str; 3] = ["alder", "birch", "cedar"];

pub(crate) struct Groups {
    dir: TempDir,
    pub(crate) logs: Vec<Log>,
}

impl Groups {
    /// With these logs, in the order of [`NAMES`]. The combinations are `one`, `two` and `three`.
    pub(crate) fn of(logs: Vec<Log>) -> Self {
        let groups = Self { dir: tempfile::tempdir().unwrap(), logs };
        for (name, log) in NAMES.iter().zip(&groups.logs) {
            fs::copy(log.policy(), groups.path().join(format!("{name}.txt"))).unwrap();
            trust(groups.path(), &["add", &format!("{name}.txt"), "--yes"]).expect(0);
        }
        for (name, any) in [("one", "1"), ("two", "2"), ("three", "3")] {
            trust(groups.path(), &[&["combine", name, "--any", any], &NAMES[..]].concat()).expect(0);
        }
        groups
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn places(&self) -> Vec<String> {
        self.logs.iter().map(|log| log.path().display().to_string()).collect()
    }
}
