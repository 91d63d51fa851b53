//! Reads a folder with a tiled log, whoever wrote it: entries and proofs, without loading the log.
//!
//! It knows nothing of the group and of consensus. What it keeps in memory is bounded in bytes, whatever the size of the
//! log: tiles of hashes with the roots within them ([`TILES_BYTES`]), so that a proof from tiles at hand hashes next to
//! nothing, and where in their bundles the entries lie ([`BUNDLES_BYTES`]), so that an entry is one read at its place.

mod cache;
mod file;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use miette::Diagnostic;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{NoSuchProof, leaf_hash};
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::subtree::{self, Subtree};
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath};
use synchronicity_verify::tiled::{Place, TileRoots};
use thiserror::Error;

use cache::Cache;
use file::Bundle;
pub use file::Patience;

/// Bytes of tiles that are kept: all tiles of a log of 1.3 million entries, or those that are asked for most.
pub const TILES_BYTES: usize = 80 << 20;

/// Bytes of places of entries that are kept: of 3.7 million entries.
pub const BUNDLES_BYTES: usize = 16 << 20;

/// Reads one log. Clones share what is kept.
#[derive(Clone, Debug)]
pub struct LogReader {
    folder: Arc<Path>,
    tiles: Arc<Mutex<Cache<TileRoots>>>,
    bundles: Arc<Mutex<Cache<Bundle>>>,
}

/// An entry and what leads from it to a root: a proof, but for its index and checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Canonical bytes of the entry: the leaf.
    pub entry: Vec<u8>,
    /// Hashes from the leaf's sibling up to the root's child.
    pub path: Vec<Digest>,
}

/// Why an entry or a proof could not be read.
#[derive(Debug, Error, Diagnostic)]
pub enum ReadError {
    /// A file cannot be read.
    #[error("cannot read {} of the log: {error}", path.display())]
    #[diagnostic(help("the log folder must be whole: restore it from a backup, or copy it again"))]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A file is not what its path promises, or entry and tile do not belong together.
    #[error("{} is damaged", path.display())]
    #[diagnostic(help("the log folder must be whole: restore it from a backup, or copy it again"))]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Asked for something beyond the log.
    #[error(transparent)]
    NoSuchProof(#[from] NoSuchProof),
    /// What was asked for is not in memory, and the caller did not want to wait for a disk.
    #[error("not in memory")]
    NotAtHand,
}

impl LogReader {
    /// A reader of the log in `folder`. Nothing is read yet.
    pub fn new(folder: &Path) -> LogReader {
        LogReader::keeping(folder, TILES_BYTES, BUNDLES_BYTES)
    }

    /// A reader that keeps other amounts, in bytes.
    pub fn keeping(folder: &Path, tiles_bytes: usize, bundles_bytes: usize) -> LogReader {
        LogReader {
            folder: folder.into(),
            tiles: Arc::new(Mutex::new(Cache::new(tiles_bytes))),
            bundles: Arc::new(Mutex::new(Cache::new(bundles_bytes))),
        }
    }

    /// An entry of the log of `size` entries; `None` if it has no such index.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entry(&self, size: u64, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        if index >= size {
            return Ok(None);
        }
        self.entry_at(size, index, Patience::Disk).map(Some)
    }

    /// The proof of an entry under a checkpoint of this log; `None` if the checkpoint does not reach it.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::NotAtHand`] only where the caller has [`Patience::Memory`].
    pub fn proof(&self, note: &SignedNote, index: u64, patience: Patience) -> Result<Option<Proof>, ReadError> {
        let Ok(Checkpoint { size, .. }) = note.text.parse() else { return Ok(None) };
        let placed = self.placed(size, index, patience)?;
        Ok(placed.map(|Placed { entry, path }| Proof { entry, index, path, checkpoint: note.clone() }))
    }

    /// What of a proof does not depend on who signed: of an entry in the log of `size` entries; `None` if it has no
    /// such index.
    ///
    /// # Errors
    /// As [`LogReader::proof`].
    pub fn placed(&self, size: u64, index: u64, patience: Patience) -> Result<Option<Placed>, ReadError> {
        if index >= size {
            return Ok(None);
        }
        let entry = self.entry_at(size, index, patience)?;
        let leaf = Subtree { height: 0, index };
        let mut root_of = self.roots(size, patience);
        if root_of(leaf)? != leaf_hash(&entry) {
            // A proof that cannot hold is not handed out.
            return Err(self.damaged(&path_of(TileLevel::Entries, index, size)));
        }
        let path = subtree::inclusion_proof(index, size, root_of)?;
        Ok(Some(Placed { entry, path }))
    }

    /// The proof that the log of `new` entries begins with the log of `old` entries, from a log of `size` entries.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::NoSuchProof`] unless `old <= new <= size`.
    pub fn consistency_proof(&self, size: u64, old: u64, new: u64) -> Result<Vec<Digest>, ReadError> {
        if new > size {
            return Err(NoSuchProof.into());
        }
        subtree::consistency_proof(old, new, self.roots(size, Patience::Disk))
    }

    /// Where a tile or bundle lies.
    pub fn file(&self, path: &TilePath) -> PathBuf {
        self.folder.join(path.path())
    }

    /// Finds roots of subtrees for one proof.
    fn roots(&self, size: u64, patience: Patience) -> impl FnMut(Subtree) -> Result<Digest, ReadError> {
        // Up to eight in a row are in one tile.
        let mut last: Option<(TilePath, Arc<TileRoots>)> = None;
        move |subtree| {
            let place = Place::of(subtree, size).ok_or(NoSuchProof)?;
            let tile = match &last {
                Some((path, tile)) if *path == place.tile => tile,
                _ => &last.insert((place.tile, self.tile(place.tile, patience)?)).1,
            };
            Ok(*tile.get(place.height, place.position).ok_or(NoSuchProof)?)
        }
    }

    fn tile(&self, path: TilePath, patience: Patience) -> Result<Arc<TileRoots>, ReadError> {
        let kept = |tiles: &Mutex<Cache<TileRoots>>| locked(tiles, |tiles| tiles.get(&path));
        if let Some(tile) = kept(&self.tiles) {
            return Ok(tile);
        }
        if patience == Patience::Memory {
            return Err(ReadError::NotAtHand);
        }
        let bytes = self.told(&path, file::tile(&self.folder, &path))?;
        let tile = TileRoots::parse(&bytes, path.width).map_err(|_| self.damaged(&path))?;
        let tile = Arc::new(tile);
        locked(&self.tiles, |tiles| tiles.put(path, tile.clone(), 2 * bytes.len()));
        Ok(tile)
    }

    /// The entry at an index below `size`.
    fn entry_at(&self, size: u64, index: u64, patience: Patience) -> Result<Vec<u8>, ReadError> {
        let path = path_of(TileLevel::Entries, index, size);
        let bundle = locked(&self.bundles, |bundles| bundles.get(&path));
        let bundle = match (bundle, patience) {
            (Some(bundle), _) => bundle,
            (None, Patience::Memory) => return Err(ReadError::NotAtHand),
            (None, Patience::Disk) => {
                let bundle = self.told(&path, Bundle::read(&self.folder, &path))?;
                let bundle = Arc::new(bundle.ok_or_else(|| self.damaged(&path))?);
                locked(&self.bundles, |bundles| bundles.put(path, bundle.clone(), bundle.bytes()));
                bundle
            }
        };
        let within = usize::try_from(index % u64::from(TILE_WIDTH)).unwrap_or_default();
        let entry = self.told(&path, bundle.entry(&self.folder, &path, within, patience))?;
        entry.ok_or(ReadError::NotAtHand)
    }

    fn damaged(&self, path: &TilePath) -> ReadError {
        ReadError::Damaged { path: self.file(path) }
    }

    fn told<T>(&self, path: &TilePath, read: io::Result<T>) -> Result<T, ReadError> {
        read.map_err(|error| ReadError::File { path: self.file(path), error })
    }
}

/// The tile or bundle of the lowest level in which an index below `size` lies.
fn path_of(level: TileLevel, index: u64, size: u64) -> TilePath {
    let width = u64::from(TILE_WIDTH);
    let n = index / width;
    let within = (size - n * width).min(width);
    TilePath { level, n, width: u16::try_from(within).unwrap_or(TILE_WIDTH) }
}

fn locked<V, T>(cache: &Mutex<Cache<V>>, look: impl FnOnce(&mut Cache<V>) -> T) -> T {
    // Nothing between two states of a cache panics.
    look(&mut cache.lock().unwrap_or_else(PoisonError::into_inner))
}
