//! How far a webhook is: the index of the first entry that it was not told, in a file of its own.
//!
//! The log is the queue, so that nothing else has to be kept: what was not told when a node was killed stands there still. The
//! file follows behind, never ahead: an entry may be told twice, and none is left out.

use std::fs;
use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::durable::{Disk, Synced};

/// Entries that may be told again after a kill; each write waits for the disk.
const BEHIND_MAX: u64 = 32;

/// How far a webhook is.
#[derive(Debug)]
pub struct Cursor {
    path: PathBuf,
    next: u64,
    written: u64,
}

/// Why it cannot be known how far a webhook is.
#[derive(Debug, Error, Diagnostic)]
pub enum CursorError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    #[diagnostic(help("the folder `webhooks` of the node must be writable"))]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Not a number.
    #[error("{} does not hold the index of an entry", path.display())]
    #[diagnostic(help(
        "write the index of the first entry that is to be told, or remove the file to begin with the next one"
    ))]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Cursor {
    /// Reads the file at `path`. A webhook that has none is new: it begins with entry `size`, and not with the past.
    ///
    /// # Errors
    /// [`CursorError`].
    pub fn open(path: PathBuf, size: u64) -> Result<Cursor, CursorError> {
        match fs::read_to_string(&path) {
            Ok(text) => match text.trim_end().parse() {
                Ok(next) => Ok(Cursor { path, next, written: next }),
                Err(_) => Err(CursorError::Malformed { path }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut cursor = Cursor { path, next: size, written: u64::MAX };
                match cursor.settle() {
                    Ok(()) => Ok(cursor),
                    Err(error) => Err(CursorError::File { path: cursor.path, error }),
                }
            }
            Err(error) => Err(CursorError::File { path, error }),
        }
    }

    /// The entry to tell next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Notes that the next entry was told.
    ///
    /// # Errors
    /// What the operating system said; it is noted all the same, and written with a later one.
    pub fn advance(&mut self) -> io::Result<()> {
        self.next += 1;
        if self.next.saturating_sub(self.written) >= BEHIND_MAX { self.settle() } else { Ok(()) }
    }

    /// Writes down how far it is, unless that is written.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn settle(&mut self) -> io::Result<()> {
        if self.written != self.next {
            Synced.write(&self.path, format!("{}\n", self.next).as_bytes())?;
            self.written = self.next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_webhook_begins_with_the_next_entry_and_a_known_one_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("webhooks/a");
        let mut cursor = Cursor::open(path.clone(), 7).unwrap();
        // Before anything was told: an outage from the first moment on loses nothing.
        assert_eq!(fs::read_to_string(&path).unwrap(), "7\n");
        (0..BEHIND_MAX - 1).for_each(|_| cursor.advance().unwrap());
        assert_eq!(Cursor::open(path.clone(), 99).unwrap().next(), 7);
        cursor.advance().unwrap();
        assert_eq!(Cursor::open(path.clone(), 99).unwrap().next(), 7 + BEHIND_MAX);
        cursor.advance().unwrap();
        cursor.settle().unwrap();
        assert_eq!(Cursor::open(path.clone(), 99).unwrap().next(), 8 + BEHIND_MAX);
        for text in ["", "x", "-1", "18446744073709551616"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(Cursor::open(path.clone(), 1), Err(CursorError::Malformed { .. })), "{text}");
        }
    }
}
