//! What is known about how two builds were made: with it a cause is recognised by its value, not by its looks.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The circumstances of both builds, and of the crate. Everything may be left out.
///
/// As JSON: `{"first": {"hosts": ["ci-1"], "from": 1700000000, "until": 1700000060}, "second": {…}, "files": ["a.txt"],
/// "packages": ["serde 1.0.228"], "own": "hexyl"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// Of the build that made the first file.
    pub first: Circumstances,
    /// Of the build that made the second file.
    pub second: Circumstances,
    /// Names of the source's files and folders, without their paths.
    pub files: Vec<String>,
    /// The crates of the tree, each as `name version`.
    pub packages: Vec<String>,
    /// The crate that was built.
    pub own: Option<String>,
}

/// How one build was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Circumstances {
    /// Names of the machine.
    pub hosts: Vec<String>,
    /// Names and numbers of the user.
    pub users: Vec<String>,
    /// The user's home folder.
    pub homes: Vec<String>,
    /// Folders of the source and of the products.
    pub paths: Vec<String>,
    /// When it began, in seconds since 1970.
    pub from: Option<u64>,
    /// When it ended, in seconds since 1970.
    pub until: Option<u64>,
    /// Numbers of jobs and of processors.
    pub jobs: Vec<u64>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
}

/// Larger files of facts are refused.
const FACTS_BYTES_MAX: u64 = 1 << 20;

impl Facts {
    /// Reads a JSON file of at most 1 MiB.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        std::fs::File::open(path)?.take(FACTS_BYTES_MAX + 1).read_to_end(&mut text)?;
        if text.len() as u64 > FACTS_BYTES_MAX {
            return Err(io::Error::other("more than 1 MiB of facts"));
        }
        serde_json::from_slice(&text).map_err(io::Error::other)
    }
}

impl Circumstances {
    /// Whether this moment (seconds since 1970) is within the build, give or take a few minutes.
    pub(crate) fn was_under_way(&self, second: u64) -> bool {
        const SLACK_SECONDS: u64 = 120;
        match (self.from, self.until) {
            (Some(from), Some(until)) => {
                (from.saturating_sub(SLACK_SECONDS)..=until.saturating_add(SLACK_SECONDS)).contains(&second)
            }
            _ => false,
        }
    }
}
