//! The folder of a survey: its records, and how they came about. Each file is whole at its place or not there, so a
//! survey that is killed at any moment goes on where it was.
//!
//! ```text
//! run.json               with what, on what, when; see `run`
//! records/<crate>.json   one for each crate that is done
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use synchronicity_explain::survey::{FORMAT, Run};

use super::record::Record;
use crate::durable;

/// Larger files are none of ours.
const FILE_BYTES_MAX: u64 = 16 << 20;
const RIGHTS: u32 = 0o644;

/// An open folder, of one survey at a time.
pub(super) struct Store {
    dir: PathBuf,
    _lock: File,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum StoreError {
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("see that the folder may be written and has room, or choose another one with --out"))]
    File { path: PathBuf, error: io::Error },
    #[error("another survey writes to {}", .0.display())]
    #[diagnostic(help("wait for it, or name another folder with --out"))]
    InUse(PathBuf),
    #[error("{} has no records", .0.display())]
    #[diagnostic(help("leave --report-only away to build what is on the list"))]
    NoRun(PathBuf),
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help("it was written by another program or version, or changed: move it away"))]
    Odd { path: PathBuf, reason: String },
}

impl Store {
    /// Opens the folder, which is created if it is not there, and removes what a killed survey left half written.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let records = dir.join("records");
        fs::create_dir_all(&records).map_err(file(&records))?;
        let lock = File::open(dir).map_err(file(dir))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(dir.to_owned())),
            Err(TryLockError::Error(error)) => return Err(file(dir)(error)),
        }
        for folder in [dir, &records] {
            for entry in fs::read_dir(folder).map_err(file(folder))?.flatten() {
                // The names of temporary files, in a folder whose lock is ours.
                if entry.file_name().to_string_lossy().starts_with(".tmp") {
                    fs::remove_file(entry.path()).map_err(file(&entry.path()))?;
                }
            }
        }
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The record named `key`; none if it is not there, or is not a whole one: then the crate is built again.
    pub(super) fn record(&self, key: &str) -> Option<Record> {
        let record: Record = read(&self.path(key)).ok()?;
        (record.format == FORMAT && record.key == key).then_some(record)
    }

    /// Keeps a record. When it returns, the record survives a crash.
    pub(super) fn keep(&self, record: &Record) -> Result<(), StoreError> {
        write(&self.path(&record.key), record)
    }

    /// How the records came about; none before the first session.
    pub(super) fn run(&self) -> Result<Option<Run>, StoreError> {
        let path = self.dir.join("run.json");
        match read(&path) {
            Ok(run) => Ok(Some(run)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Odd { path, reason: error.to_string() }),
        }
    }

    pub(super) fn keep_run(&self, run: &Run) -> Result<(), StoreError> {
        write(&self.dir.join("run.json"), run)
    }

    /// Writes a file of the report.
    pub(super) fn keep_text(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        durable::replace(&path, text.as_bytes(), RIGHTS).map_err(file(&path))
    }

    fn path(&self, key: &str) -> PathBuf {
        // Keys are names and versions, whose letters are harmless in a file's name.
        self.dir.join("records").join(format!("{key}.json"))
    }
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::File { path, error }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("too large"));
    }
    serde_json::from_slice(&bytes).map_err(io::Error::other)
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| file(path)(error.into()))?;
    text.push(b'\n');
    durable::replace(path, &text, RIGHTS).map_err(file(path))
}

#[cfg(test)]
mod tests {
    use super::super::record::End;
    use super::*;

    #[test]
    fn a_record_that_is_half_written_or_of_another_crate_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let end = End::Refused { reason: "there is no such release".into() };
        let record = Record { format: FORMAT, key: "serde@1.0.228".into(), began: 1, end };
        store.keep(&record).unwrap();
        assert_eq!(store.record("serde@1.0.228"), Some(record));
        let path = store.path("serde@1.0.228");
        let whole = fs::read(&path).unwrap();
        fs::copy(&path, store.path("serde@1.0.227")).unwrap();
        assert_eq!(store.record("serde@1.0.227"), None);
        for length in 0..whole.len() - 2 {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(store.record("serde@1.0.228"), None, "cut at {length}");
        }
    }

    #[test]
    fn what_a_killed_survey_left_half_written_is_removed_and_a_second_survey_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("records")).unwrap();
        let left = dir.path().join("records/.tmpAbC123");
        fs::write(&left, "{").unwrap();
        let _store = Store::open(dir.path()).unwrap();
        assert!(!left.exists());
        assert!(matches!(Store::open(dir.path()), Err(StoreError::InUse(_))));
    }
}
