//! All of a crate that Cargo of the host gets to see: its manifest, and the names of its Rust files.
//!
//! Cargo finds targets by file names, so empty files serve. What it does not see cannot mislead it: no
//! `.cargo/config.toml`, no `rust-toolchain`, no code. The added `[workspace]` makes the manifest its own root, wherever
//! the folder lies.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The largest manifest accepted, in bytes.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// A temporary folder with the skeleton; deleted when dropped.
#[derive(Debug)]
pub(crate) struct Skeleton {
    dir: TempDir,
    table: toml::Table,
}

/// Why no skeleton could be made.
#[derive(Debug, thiserror::Error)]
pub enum SkeletonError {
    /// `Cargo.toml` is not TOML, not UTF-8, or far too large.
    #[error("the crate's Cargo.toml cannot be read: {0}")]
    Manifest(String),
    /// The source could not be read, or the skeleton not be written.
    #[error("{}: {error}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
}

impl Skeleton {
    /// The skeleton of the unpacked crate in `source`.
    pub(crate) fn of(source: &Path) -> Result<Self, SkeletonError> {
        let dir = folder()?;
        let (manifest, table) = standalone_manifest(&source.join("Cargo.toml"))?;
        write(&dir.path().join("Cargo.toml"), manifest.as_bytes())?;
        copy_names(source, dir.path())?;
        Ok(Self { dir, table })
    }

    /// A package made up for Cargo: this manifest, and one empty Rust file.
    pub(crate) fn written(manifest: &str, file: &str) -> Result<Self, SkeletonError> {
        let dir = folder()?;
        write(&dir.path().join("Cargo.toml"), manifest.as_bytes())?;
        write(&dir.path().join(file), b"")?;
        let table = manifest.parse().map_err(|error: toml::de::Error| SkeletonError::Manifest(error.to_string()))?;
        Ok(Self { dir, table })
    }

    /// Puts a `Cargo.lock` in.
    pub(crate) fn with_lock(self, lock: &[u8]) -> Result<Self, SkeletonError> {
        write(&self.lock_path(), lock)?;
        Ok(self)
    }

    /// The crate's manifest, parsed.
    pub(crate) fn table(&self) -> &toml::Table {
        &self.table
    }

    pub(crate) fn manifest_path(&self) -> PathBuf {
        self.dir.path().join("Cargo.toml")
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.dir.path().join("Cargo.lock")
    }
}

fn folder() -> Result<TempDir, SkeletonError> {
    let folder = tempfile::Builder::new().prefix("synchronicity-").tempdir();
    folder.map_err(|error| SkeletonError::Disk { path: std::env::temp_dir(), error })
}

fn standalone_manifest(path: &Path) -> Result<(String, toml::Table), SkeletonError> {
    let disk = |error| SkeletonError::Disk { path: path.to_owned(), error };
    let bad = |reason: &dyn std::fmt::Display| SkeletonError::Manifest(reason.to_string());
    if fs::metadata(path).map_err(disk)?.len() > MANIFEST_BYTES_MAX {
        return Err(bad(&format!("it is larger than {MANIFEST_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(fs::read(path).map_err(disk)?).map_err(|error| bad(&error))?;
    let table: toml::Table = text.parse().map_err(|error| bad(&error))?;
    let own_root = if table.contains_key("workspace") { "" } else { "\n[workspace]\n" };
    Ok((text + own_root, table))
}

fn copy_names(from: &Path, to: &Path) -> Result<(), SkeletonError> {
    let disk = |error| SkeletonError::Disk { path: from.to_owned(), error };
    for entry in fs::read_dir(from).map_err(disk)? {
        let entry = entry.map_err(disk)?;
        let (kind, target) = (entry.file_type().map_err(disk)?, to.join(entry.file_name()));
        if kind.is_dir() {
            fs::create_dir(&target).map_err(|error| SkeletonError::Disk { path: target.clone(), error })?;
            copy_names(&entry.path(), &target)?;
        } else if target.extension().is_some_and(|extension| extension == "rs") {
            write(&target, b"")?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), SkeletonError> {
    fs::write(path, bytes).map_err(|error| SkeletonError::Disk { path: path.to_owned(), error })
}
