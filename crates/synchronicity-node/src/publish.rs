//! Step 7, log: the transparency log as static files that any web server can serve.
//!
//! ```text
//! log/checkpoint                       the signed checkpoint, written last
//! log/tile/<level>/<n>[.p/<width>]     hashes
//! log/tile/entries/<n>[.p/<width>]     entries
//! ```
//!
//! [`PublishedLog`] is the one owner of these files. Entries come in two steps:
//!
//! - *Executed* entries are appended. A tile that they fill is written at once, because its content can never be
//!   another; what fills no tile stays in memory, fewer than 256 entries and as many hashes for each level.
//! - A *checkpoint* with its cosignatures is published: first the partial tiles of its size, then the checkpoint itself.
//!
//! Everything that a checkpoint needs is on disk before the checkpoint is: a crash at any line leaves the old log
//! whole, and perhaps tiles that the next attempt finds, or writes again with the same content.
//!
//! Partial tiles of a tile that is full go when the tile after it is full too, under a checkpoint that is already
//! published: so every checkpoint of the last 256 entries finds its own partial tiles, and readers of older ones take
//! the full tile, of which a partial one is the beginning.

mod load;
mod tip;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::leaf_hash;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::tile::{TILE_WIDTH, TileError, TileLevel, TilePath, encode_bundle, tiles_between};
use thiserror::Error;

use crate::durable::{Disk, Synced};

pub use load::LoadError;
use load::Loaded;
use tip::Tail;
pub use tip::Tip;

/// The log on disk, and what is needed to extend it.
#[derive(Debug)]
pub struct PublishedLog<D> {
    folder: PathBuf,
    disk: D,
    /// The published checkpoint, and its size.
    note: Option<SignedNote>,
    size: u64,
    /// The executed log, at least as long.
    tip: Tip,
    /// Full tiles under the published checkpoint beside which partial ones still lie.
    superseded: Vec<TilePath>,
}

/// The log as the parts of a node share it: the fold appends, the publisher publishes. Readers use its [`Tip`].
pub type SharedLog = Arc<Mutex<PublishedLog<Synced>>>;

/// The log, for a moment. Writing to disk is what it is locked for: never lock it where a vote waits.
pub fn locked(log: &SharedLog) -> MutexGuard<'_, PublishedLog<Synced>> {
    // What a call changes in memory it changes when nothing can fail any more.
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why entries were not appended. Those before the one that failed were.
#[derive(Debug, Error)]
pub enum AppendError {
    /// A full tile could not be written; perhaps it was.
    #[error("cannot write {} of the log: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A full tile is there already, with other content.
    #[error("{} holds something else than the log: move the log folder away, and start again", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// Entries are missing in between.
    #[error("entry {offered} cannot follow a log of {size} entries")]
    Gap {
        /// Entries at hand.
        size: u64,
        /// Index of the first offered entry.
        offered: u64,
    },
    /// An entry is too long.
    #[error(transparent)]
    Malformed(#[from] TileError),
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
    /// A full tile cannot be read.
    #[error(transparent)]
    Read(#[from] LoadError),
    /// The executed entries do not hash to the checkpoint.
    #[error("{0} entries do not hash to the checkpoint that was to be published")]
    Root(u64),
    /// The checkpoint is smaller than the published one, or larger than what is executed.
    #[error("a checkpoint of {offered} entries cannot follow one of {published} with {executed} executed")]
    Size {
        /// Entries under the published checkpoint.
        published: u64,
        /// Entries under the offered one.
        offered: u64,
        /// Entries at hand.
        executed: u64,
    },
    /// The note is no checkpoint.
    #[error("what was to be published is malformed: {0}")]
    Malformed(String),
}

impl<D: Disk> PublishedLog<D> {
    /// Reads the log in `folder`, all of it, and checks that it hashes to its checkpoint.
    ///
    /// # Errors
    /// [`LoadError`]; nothing is changed.
    pub fn open(folder: &Path, disk: D) -> Result<PublishedLog<D>, LoadError> {
        let Loaded { note, tail, superseded } = load::load(folder)?;
        let (size, tip) = (tail.edge.size(), Tip::new(folder, tail));
        Ok(PublishedLog { folder: folder.to_owned(), disk, note, size, tip, superseded })
    }

    /// Entries under the published checkpoint.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The published checkpoint.
    pub fn note(&self) -> Option<&SignedNote> {
        self.note.as_ref()
    }

    /// Size and root that the published checkpoint states.
    pub fn statement(&self) -> Option<(u64, Digest)> {
        let checkpoint: Checkpoint = self.note.as_ref()?.text.parse().ok()?;
        Some((checkpoint.size, checkpoint.root))
    }

    /// The executed log, for whoever reads it.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The disk, for whoever watches it while the log goes on.
    pub fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    /// The disk, for whoever counts writes.
    pub fn into_disk(self) -> D {
        self.disk
    }

    /// Appends executed entries, of which the first has the index `first`; those that are there already are passed
    /// over. Returns when every tile that they fill is on disk.
    ///
    /// # Errors
    /// [`AppendError`]. The same call may be repeated, whatever of it was done.
    pub fn append<E: AsRef<[u8]>>(&mut self, first: u64, entries: &[E]) -> Result<(), AppendError> {
        let mut tail = Tail::clone(&self.tip.now());
        let size = tail.edge.size();
        let Some(known) = size.checked_sub(first) else { return Err(AppendError::Gap { size, offered: first }) };
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(entries.len());
        let appended = entries[known..].iter().try_for_each(|entry| self.append_one(&mut tail, entry.as_ref()));
        self.tip.set(tail);
        appended
    }

    /// Extends `tail`, which stays as it was where the tiles that the entry fills cannot be written.
    fn append_one(&mut self, tail: &mut Tail, entry: &[u8]) -> Result<(), AppendError> {
        if u16::try_from(entry.len()).is_err() {
            return Err(TileError::EntryTooLong(entry.len()).into());
        }
        if !(tail.edge.size() + 1).is_multiple_of(u64::from(TILE_WIDTH)) {
            tail.edge.append(leaf_hash(entry));
            tail.entries.push(entry.into());
            return Ok(());
        }
        let mut edge = tail.edge.clone();
        let full = edge.append(leaf_hash(entry));
        let n = tail.edge.size() / u64::from(TILE_WIDTH);
        let bundle = encode_bundle(tail.entries.iter().map(AsRef::as_ref).chain([entry]))?;
        self.write_full(&TilePath { level: TileLevel::Entries, n, width: TILE_WIDTH }, &bundle)?;
        for tile in full {
            self.write_full(&tile.path, &tile.bytes)?;
        }
        *tail = Tail { edge, entries: Vec::new() };
        Ok(())
    }

    fn write_full(&mut self, path: &TilePath, bytes: &[u8]) -> Result<(), AppendError> {
        let path = self.folder.join(path.path());
        let written = match fs::read(&path) {
            // From before a restart. Its name may have been on its way to the disk.
            Ok(there) if there == bytes => self.disk.confirm(&path),
            Ok(_) => return Err(AppendError::Differs { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.disk.write(&path, bytes),
            Err(error) => Err(error),
        };
        written.map_err(|error| AppendError::Write { path, error })
    }

    /// Publishes `note` over executed entries; one of the published size replaces the signatures.
    ///
    /// # Errors
    /// [`PublishError`]. The same call may be repeated, whatever of it was done.
    pub fn publish(&mut self, note: SignedNote) -> Result<(), PublishError> {
        let checkpoint: Checkpoint = note.text.parse().map_err(|error| PublishError::Malformed(format!("{error}")))?;
        let (published, offered, executed) = (self.size, checkpoint.size, self.tip.size());
        if !(published..=executed).contains(&offered) {
            return Err(PublishError::Size { published, offered, executed });
        }
        if self.tip.root_at(offered)? != Some(checkpoint.root) {
            return Err(PublishError::Root(offered));
        }
        self.remove_superseded();
        for path in tiles_between(published, offered).filter(|path| path.width < TILE_WIDTH) {
            let bytes = self.tip.tile(&path)?;
            self.write(&path.path(), &bytes)?;
        }
        // Last: whoever reads this checkpoint finds every tile under it.
        self.write("checkpoint", note.to_string().as_bytes())?;
        for path in tiles_between(published, offered).filter(|path| path.width == TILE_WIDTH) {
            if partials_of(&self.folder, &path).is_dir() {
                self.superseded.push(path);
            }
        }
        (self.size, self.note) = (offered, Some(note));
        Ok(())
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), PublishError> {
        let path = self.folder.join(name);
        self.disk.write(&path, bytes).map_err(|error| PublishError::Write { path, error })
    }

    /// Removes the partial tiles that no checkpoint of the last 256 entries needs.
    fn remove_superseded(&mut self) {
        let (size, folder, disk) = (self.size, &self.folder, &mut self.disk);
        self.superseded.retain(|path| {
            let height = match path.level {
                TileLevel::Entries => 0,
                TileLevel::Hashes(level) => u32::from(level),
            };
            let full = size.checked_shr(8 * (height + 1)).unwrap_or(0);
            if path.n + 1 >= full {
                return true;
            }
            let partials = partials_of(folder, path);
            if let Err(error) = disk.remove(&partials)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::debug!(path = %partials.display(), %error, "partial tiles that nobody needs stay");
            }
            false
        });
    }
}

/// The folder of the partial versions of a full tile.
fn partials_of(folder: &Path, full: &TilePath) -> PathBuf {
    folder.join(format!("{full}.p"))
}
