//! The end of the log that is not in full tiles yet, and with them the whole executed log, for everybody who reads it
//! while it grows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use synchronicity_verify::digest::Digest;
use synchronicity_verify::edge::Edge;
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath, encode_bundle, parse_bundle};
use synchronicity_verify::tiled::{self, TiledError};

use super::LoadError;

/// The executed log: its full tiles on disk, the rest in memory. Clones see the same log, as it is at each call; no call
/// holds a lock while it reads a file.
#[derive(Clone, Debug)]
pub struct Tip {
    folder: Arc<Path>,
    tail: Arc<Mutex<Arc<Tail>>>,
}

/// What of the log is in no full tile: at most 255 hashes for each level, and at most 255 entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    pub(super) edge: Edge,
    /// The entries after the last full bundle.
    pub(super) entries: Vec<Arc<[u8]>>,
}

impl Tip {
    pub(super) fn new(folder: &Path, tail: Tail) -> Tip {
        Tip { folder: folder.into(), tail: Arc::new(Mutex::new(Arc::new(tail))) }
    }

    pub(super) fn now(&self) -> Arc<Tail> {
        // Only whole tails are put there.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, tail: Tail) {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(tail);
    }

    /// Entries executed and persisted, published or not.
    pub fn size(&self) -> u64 {
        self.now().edge.size()
    }

    /// The root that the log had at `size` entries; `None` if it has fewer.
    ///
    /// # Errors
    /// [`LoadError`] if a full tile cannot be read.
    pub fn root_at(&self, size: u64) -> Result<Option<Digest>, LoadError> {
        let tail = self.now();
        match tail.edge.size() {
            now if size > now => Ok(None),
            now if size == now => Ok(Some(tail.edge.root())),
            now => self.told(tiled::root(now, size, |path| self.hashes(&tail, path))).map(Some),
        }
    }

    /// The proof that the log of `new` entries begins with the log of `old` entries; `None` unless `old <= new` and the
    /// log has `new` entries.
    ///
    /// # Errors
    /// [`LoadError`] if a full tile cannot be read.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Option<Vec<Digest>>, LoadError> {
        let tail = self.now();
        let now = tail.edge.size();
        if old > new || new > now {
            return Ok(None);
        }
        self.told(tiled::consistency_proof(now, old, new, |path| self.hashes(&tail, path))).map(Some)
    }

    /// The bytes of a tile or bundle that a log of some size up to the present one has.
    pub(super) fn tile(&self, path: &TilePath) -> Result<Vec<u8>, LoadError> {
        let tail = self.now();
        let (width, wanted) = (u64::from(TILE_WIDTH), usize::from(path.width));
        let damaged = |path: &TilePath| LoadError::Damaged { path: self.file(path) };
        // Partial tiles of smaller sizes are prefixes of what is there now.
        let TileLevel::Hashes(level) = path.level else {
            let encoded = if path.n == tail.edge.size() / width {
                encode_bundle(tail.entries.iter().take(wanted).map(AsRef::as_ref))
            } else {
                let full = TilePath { width: TILE_WIDTH, ..*path };
                let bytes = self.read(&full)?;
                let entries = parse_bundle(&bytes, TILE_WIDTH).map_err(|_| damaged(&full))?;
                encode_bundle(entries.into_iter().take(wanted))
            };
            return encoded.map_err(|_| damaged(path));
        };
        let hashes = tail.edge.size().checked_shr(8 * u32::from(level)).unwrap_or(0);
        let now = hashes.saturating_sub(path.n.saturating_mul(width)).min(width);
        let present = TilePath { width: u16::try_from(now).unwrap_or(TILE_WIDTH), ..*path };
        let mut bytes = self.hashes(&tail, present)?;
        bytes.truncate(wanted * 32);
        if bytes.len() == wanted * 32 { Ok(bytes) } else { Err(damaged(path)) }
    }

    fn hashes(&self, tail: &Tail, path: TilePath) -> Result<Vec<u8>, LoadError> {
        match tail.edge.partial(&path) {
            Some(bytes) => Ok(bytes),
            // Full tiles are on disk before the edge moves on.
            None => self.read(&path),
        }
    }

    fn read(&self, path: &TilePath) -> Result<Vec<u8>, LoadError> {
        let file = self.file(path);
        fs::read(&file).map_err(|error| LoadError::Read { path: file, error })
    }

    fn file(&self, path: &TilePath) -> PathBuf {
        self.folder.join(path.path())
    }

    fn told<T>(&self, made: Result<T, TiledError<LoadError>>) -> Result<T, LoadError> {
        made.map_err(|error| match error {
            TiledError::Read { error, .. } => error,
            TiledError::Width { path, .. } => LoadError::Damaged { path: self.file(&path) },
            // Sizes were compared before; a log has all tiles of its sizes.
            TiledError::NoSuchProof(_) => LoadError::Damaged { path: self.folder.join("tile") },
        })
    }
}
