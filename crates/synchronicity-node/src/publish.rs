//! Step 7, log: the transparency log as static files that any web server can serve.
//!
//! ```text
//! log/checkpoint                       the signed checkpoint, written last
//! log/tile/<level>/<n>[.p/<width>]     hashes
//! log/tile/entries/<n>[.p/<width>]     entries
//! ```
//!
//! Everything that a checkpoint needs is on disk before the checkpoint is: a crash at any line leaves the old log
//! whole, and perhaps tiles that the next attempt writes again with the same content.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{Frontier, leaf_hash};
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::tile::{
    TILE_WIDTH, TileError, TileLevel, TilePath, encode_bundle, parse_bundle, tiles_between,
};
use thiserror::Error;

use crate::durable::Disk;

/// The log on disk, and what is needed to extend it.
#[derive(Debug)]
pub struct PublishedLog<D> {
    folder: PathBuf,
    disk: D,
    note: Option<SignedNote>,
    frontier: Frontier,
    /// As many as the frontier has.
    leaves: Vec<Digest>,
    /// Entries of the last bundle if it is partial: it is written again when the log grows.
    tail: Vec<Vec<u8>>,
}

/// Why the log on disk cannot be extended.
#[derive(Debug, Error, Diagnostic)]
pub enum LoadError {
    /// A file that the checkpoint needs cannot be read.
    #[error("cannot read {} of the published log: {error}", path.display())]
    #[diagnostic(help(
        "restore the log folder from a backup, or move it away: the node then writes it again from its state"
    ))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The checkpoint is none.
    #[error("{} is not a checkpoint: {problem}", path.display())]
    #[diagnostic(help(
        "restore the log folder from a backup, or move it away: the node then writes it again from its state"
    ))]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file has the wrong length, or its entries are not the ones that the tree has.
    #[error("{} is damaged", path.display())]
    #[diagnostic(help(
        "restore the log folder from a backup, or move it away: the node then writes it again from its state"
    ))]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The files are whole, and they are not what the checkpoint signs.
    #[error("the published log of {size} entries hashes to {found}, its checkpoint says {stated}")]
    #[diagnostic(help(
        "do not serve this folder; restore it from a backup, or move it away: the node then writes it again from its state"
    ))]
    Root {
        /// Entries under the checkpoint.
        size: u64,
        /// Root of the files.
        found: Digest,
        /// Root in the checkpoint.
        stated: Digest,
    },
}

/// Why the log was not published. What was published before is still whole.
#[derive(Debug, Error)]
pub enum PublishError {
    /// A file could not be written; perhaps it was.
    #[error("cannot write {} of the published log: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The entries handed over do not hash to the checkpoint.
    #[error("{0} entries do not hash to the checkpoint that was to be published")]
    Root(u64),
    /// The checkpoint is smaller than the published one, or another of the same size.
    #[error("a checkpoint of {offered} entries cannot follow one of {published}")]
    Backwards {
        /// Entries under the published checkpoint.
        published: u64,
        /// Entries under the offered one.
        offered: u64,
    },
    /// The note is no checkpoint, or an entry is too long.
    #[error("what was to be published is malformed: {0}")]
    Malformed(String),
}

impl<D: Disk> PublishedLog<D> {
    /// Reads the log in `folder`, all of it, and checks that it hashes to its checkpoint.
    ///
    /// # Errors
    /// [`LoadError`]; nothing is changed.
    pub fn open(folder: &Path, disk: D) -> Result<PublishedLog<D>, LoadError> {
        let mut log = PublishedLog {
            folder: folder.to_owned(),
            disk,
            note: None,
            frontier: Frontier::new(),
            leaves: Vec::new(),
            tail: Vec::new(),
        };
        let path = log.checkpoint_path();
        let bytes = match fs::read(&path) {
            // Tiles without a checkpoint are what a crash before the first publication leaves.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(log),
            Err(error) => return Err(LoadError::Read { path, error }),
            Ok(bytes) => bytes,
        };
        let malformed = |problem: String| LoadError::Checkpoint { path: path.clone(), problem };
        let note = SignedNote::parse(&bytes).map_err(|error| malformed(error.to_string()))?;
        let checkpoint: Checkpoint = note.text.parse().map_err(|error| malformed(format!("{error}")))?;
        log.load_tiles(checkpoint.size)?;
        log.leaves.iter().for_each(|leaf| log.frontier.append(*leaf));
        let found = log.frontier.root();
        if found != checkpoint.root {
            return Err(LoadError::Root { size: checkpoint.size, found, stated: checkpoint.root });
        }
        log.note = Some(note);
        Ok(log)
    }

    /// Entries under the published checkpoint.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The published checkpoint.
    pub fn note(&self) -> Option<&SignedNote> {
        self.note.as_ref()
    }

    /// The disk, for whoever counts writes.
    pub fn into_disk(self) -> D {
        self.disk
    }

    /// Extends the log by `new` entries and publishes `note` over it; without new entries, replaces the signatures.
    ///
    /// # Errors
    /// [`PublishError`]. The same call may be repeated, whatever of it was done.
    pub fn publish(&mut self, new: &[Vec<u8>], note: SignedNote) -> Result<(), PublishError> {
        let checkpoint: Checkpoint = note.text.parse().map_err(|error| PublishError::Malformed(format!("{error}")))?;
        let size = self.size() + new.len() as u64;
        if checkpoint.size != size {
            return Err(PublishError::Backwards { published: self.size(), offered: checkpoint.size });
        }
        let mut frontier = self.frontier.clone();
        let leaves: Vec<Digest> = new.iter().map(|entry| leaf_hash(entry)).collect();
        leaves.iter().for_each(|leaf| frontier.append(*leaf));
        if frontier.root() != checkpoint.root {
            return Err(PublishError::Root(size));
        }
        self.leaves.extend(leaves);
        let entries: Vec<Vec<u8>> = self.tail.iter().chain(new).cloned().collect();
        if let Err(error) = self.write_all(size, &entries, &note) {
            self.leaves.truncate(self.frontier.size() as usize);
            return Err(error);
        }
        let partial = (size % u64::from(TILE_WIDTH)) as usize;
        self.tail = entries[entries.len() - partial..].to_vec();
        (self.frontier, self.note) = (frontier, Some(note));
        Ok(())
    }

    fn write_all(&mut self, size: u64, entries: &[Vec<u8>], note: &SignedNote) -> Result<(), PublishError> {
        for path in tiles_between(self.size(), size) {
            let bytes = self.content(&path, entries);
            let bytes = bytes.map_err(|error| PublishError::Malformed(error.to_string()))?;
            self.write(&path.path(), &bytes)?;
        }
        // Last: whoever reads this checkpoint finds every tile under it.
        self.write("checkpoint", note.to_string().as_bytes())
    }

    /// `entries` begins with the first entry of the last bundle that is not full on disk.
    fn content(&self, path: &TilePath, entries: &[Vec<u8>]) -> Result<Vec<u8>, TileError> {
        if path.level != TileLevel::Entries {
            return path.hashes(&self.leaves);
        }
        let width = u64::from(TILE_WIDTH);
        let first = usize::try_from(path.n * width - self.size() / width * width).map_err(|_| TileError::Beyond)?;
        let bundle = entries.get(first..first + usize::from(path.width)).ok_or(TileError::Beyond)?;
        encode_bundle(bundle.iter().map(Vec::as_slice))
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), PublishError> {
        let path = self.folder.join(name);
        self.disk.write(&path, bytes).map_err(|error| PublishError::Write { path, error })
    }

    fn checkpoint_path(&self) -> PathBuf {
        self.folder.join("checkpoint")
    }

    /// Reads entries and leaf hashes, and every tile above them that the checkpoint's size needs.
    fn load_tiles(&mut self, size: u64) -> Result<(), LoadError> {
        let mut tail = Vec::new();
        for path in tiles_between(0, size).filter(|path| path.level == TileLevel::Entries) {
            let (file, bytes) = self.read(&path)?;
            let entries = parse_bundle(&bytes, path.width).map_err(|_| LoadError::Damaged { path: file })?;
            self.leaves.extend(entries.iter().map(|entry| leaf_hash(entry)));
            tail =
                if path.width < TILE_WIDTH { entries.iter().map(|entry| entry.to_vec()).collect() } else { Vec::new() };
        }
        self.tail = tail;
        for path in tiles_between(0, size).filter(|path| path.level != TileLevel::Entries) {
            let (file, bytes) = self.read(&path)?;
            if path.hashes(&self.leaves).ok().as_ref() != Some(&bytes) {
                return Err(LoadError::Damaged { path: file });
            }
        }
        Ok(())
    }

    fn read(&self, path: &TilePath) -> Result<(PathBuf, Vec<u8>), LoadError> {
        let file = self.folder.join(path.path());
        match fs::read(&file) {
            Ok(bytes) => Ok((file, bytes)),
            Err(error) => Err(LoadError::Read { path: file, error }),
        }
    }
}

/// One entry of a published log, read from its bundle without loading the log.
///
/// # Errors
/// [`LoadError`]; `Ok(None)` if the log of `size` entries has no such index.
pub fn read_entry(folder: &Path, size: u64, index: u64) -> Result<Option<Vec<u8>>, LoadError> {
    let width = u64::from(TILE_WIDTH);
    if index >= size {
        return Ok(None);
    }
    let n = index / width;
    let within = u16::try_from((size - n * width).min(width)).unwrap_or(TILE_WIDTH);
    let path = TilePath { level: TileLevel::Entries, n, width: within };
    let file = folder.join(path.path());
    let bytes = fs::read(&file).map_err(|error| LoadError::Read { path: file.clone(), error })?;
    let entries = parse_bundle(&bytes, within).map_err(|_| LoadError::Damaged { path: file })?;
    Ok(entries.get((index % width) as usize).map(|entry| entry.to_vec()))
}
