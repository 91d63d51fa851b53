//! The project's own crates that misbehave on purpose, compiled into the program.
//!
//! A folder of a person's machine is no evidence for anybody else, so it is built only if it equals one of these. The
//! archive of a fixture is a tar file in which nothing varies: files sorted by path, mode 0644, owner and time zero.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{CrateName, CrateVersion, Source};

/// One fixture: a crate of a few small files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixture {
    name: &'static str,
    /// Paths within the crate, sorted, and contents.
    files: &'static [(&'static str, &'static [u8])],
}

/// Every fixture has this version.
const VERSION: &str = "0.1.0";

macro_rules! fixture {
    ($name:literal: $($file:literal)*) => {
        Fixture { name: $name, files: &[$(($file, include_bytes!(concat!("../fixtures/", $name, "/", $file)))),*] }
    };
}

/// All fixtures, sorted by name.
pub const FIXTURES: &[Fixture] = &[
    fixture!("depends-on-path": "Cargo.toml" "src/main.rs"),
    fixture!("does-not-compile": "Cargo.lock" "Cargo.toml" "src/main.rs"),
    fixture!("eats-memory": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("embeds-build-path": "Cargo.lock" "Cargo.toml" "src/main.rs"),
    fixture!("embeds-build-time": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("embeds-directory-order": "Cargo.lock" "Cargo.toml" "build.rs" "pages/ants.md" "pages/bears.md"
        "pages/cranes.md" "pages/deer.md" "pages/eels.md" "pages/foxes.md" "src/main.rs"),
    fixture!("embeds-environment": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("embeds-git-state": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("embeds-hash-order": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("embeds-home-folder": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("embeds-host-name": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("embeds-job-count": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("embeds-random-number": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("escapes-by-symlink": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("fills-the-disk": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("forbids-warnings": "Cargo.lock" "Cargo.toml" "src/lib.rs"),
    fixture!("forks-without-end": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("has-a-broken-lock": "Cargo.lock" "Cargo.toml" "src/main.rs"),
    fixture!("kills-its-parent": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("leaves-a-process-behind": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("library-without-lock": "Cargo.toml" "src/lib.rs"),
    fixture!("needs-a-header": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("needs-a-linked-library": "Cargo.lock" "Cargo.toml" "src/main.rs"),
    fixture!("needs-a-program": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("needs-a-system-library": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("needs-git": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("needs-network": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("needs-newer-rust": "Cargo.lock" "Cargo.toml" "src/main.rs"),
    fixture!("opens-the-network": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("plain-binary": "Cargo.lock" "Cargo.toml" "src/main.rs"),
    fixture!("plants-a-false-artifact": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("prints-without-end": "Cargo.lock" "Cargo.toml" "src/lib.rs" "src/main.rs"),
    fixture!("reads-the-hosts-home": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("sleeps-without-end": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("tampers-with-a-siblings-build": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
    fixture!("writes-to-the-cargo-home": "Cargo.lock" "Cargo.toml" "build.rs" "src/main.rs"),
];

/// Why a folder is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// It equals no fixture.
    #[error(
        "{} is not one of this project's fixture crates: only what crates.io published can be rebuilt for evidence, because nobody else has your folder; publish the crate and name it as NAME@VERSION",
        path.display()
    )]
    NotAFixture {
        /// The folder.
        path: PathBuf,
    },
    /// It could not be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
}

impl Fixture {
    /// The fixture that the folder `path` equals, byte by byte. A `target` folder of a build is overlooked.
    pub fn in_folder(path: &Path) -> Result<Self, FixtureError> {
        let read = |error| FixtureError::Read { path: path.to_owned(), error };
        let mut files = Vec::new();
        list_files(path, path, &mut files).map_err(read)?;
        files.sort();
        FIXTURES
            .iter()
            .copied()
            .find(|fixture| {
                fixture
                    .files
                    .iter()
                    .map(|(path, bytes)| (*path, *bytes))
                    .eq(files.iter().map(|(p, b)| (p.as_str(), &b[..])))
            })
            .ok_or_else(|| FixtureError::NotAFixture { path: path.to_owned() })
    }

    /// The fixture whose archive has this digest.
    pub fn with_checksum(checksum: &Digest) -> Option<Self> {
        FIXTURES.iter().copied().find(|fixture| Digest::of(&fixture.archive()) == *checksum)
    }

    /// The fixture as a request names it.
    pub fn source(&self) -> Source {
        let name: CrateName = self.name.parse().expect("invariant: fixtures are named like crates");
        let version: CrateVersion = VERSION.parse().expect("invariant: the fixtures' version is a version");
        Source::Fixture { name, version, checksum: Digest::of(&self.archive()) }
    }

    /// The deterministic tar archive, with every file under `name-version/`.
    pub fn archive(&self) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, bytes) in self.files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            archive
                .append_data(&mut header, format!("{}-{VERSION}/{path}", self.name), *bytes)
                .expect("invariant: short relative paths into memory always fit");
        }
        archive.into_inner().expect("invariant: writing to memory does not fail")
    }
}

/// Files are read only up to the size that any fixture has; a large folder is left at its first large file.
fn list_files(root: &Path, dir: &Path, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    const FILE_BYTES_MAX: u64 = 64 << 10;
    const FILES_MAX: usize = 64;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let metadata = entry.metadata()?;
        if metadata.is_dir() && relative != "target" {
            list_files(root, &path, files)?;
        } else if metadata.is_file() && metadata.len() <= FILE_BYTES_MAX {
            files.push((relative, fs::read(&path)?));
        } else if !metadata.is_dir() {
            files.push((relative, Vec::new()));
        }
        if files.len() > FILES_MAX {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
