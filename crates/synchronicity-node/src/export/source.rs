//! The log that is exported: a folder of static files, of which nothing leaves that the checkpoint does not sign.
//!
//! A damaged tile at a destination would be kept by caches for ever, so every file is checked on its way out: a bundle
//! against its tile of leaf hashes, a full tile against its hash in the tile above, and the partial tiles, which every
//! chain of full tiles ends in, against the checkpoint's root.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use miette::Diagnostic;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::ENTRY_BYTES_MAX;
use synchronicity_verify::merkle::leaf_hash;
use synchronicity_verify::note::{NOTE_BYTES_MAX, SignedNote};
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath, encode_bundle, parse_bundle};
use synchronicity_verify::tiled::{self, TileRoots, TiledError};
use thiserror::Error;

/// Tiles with their roots kept at hand: 16 KiB each. Files go out in order, so that neighbours share their tiles.
const AT_HAND_MAX: usize = 64;

/// A published log that hashes to its checkpoint along the right edge; the rest is checked file by file.
#[derive(Debug)]
pub struct Source {
    folder: PathBuf,
    note: Vec<u8>,
    checkpoint: Checkpoint,
    /// The partial tiles of hashes: from them alone the root follows.
    edge: BTreeMap<TilePath, Vec<u8>>,
    at_hand: Mutex<BTreeMap<TilePath, Arc<TileRoots>>>,
}

/// Why a log cannot be exported.
#[derive(Debug, Error, Diagnostic)]
pub enum SourceError {
    /// There is no checkpoint.
    #[error("there is no published log in {}", path.display())]
    #[diagnostic(help("a node publishes its log when a quorum of the group has cosigned the first entry"))]
    Absent {
        /// The log's folder.
        path: PathBuf,
    },
    /// A file that the checkpoint needs cannot be read.
    #[error("cannot read {} of the published log: {error}", path.display())]
    #[diagnostic(help("nothing was published; restore the log's folder from a backup, or export another node's"))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A file is not what the checkpoint signs.
    #[error("{} of the published log is damaged: {problem}", path.display())]
    #[diagnostic(help("nothing was published; restore the log's folder from a backup, or export another node's"))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl Source {
    /// Reads the checkpoint in `folder` and the partial tiles under it.
    ///
    /// # Errors
    /// [`SourceError`]; [`SourceError::Damaged`] also if the tiles do not hash to the checkpoint.
    pub fn open(folder: &Path) -> Result<Source, SourceError> {
        let path = folder.join("checkpoint");
        let note = match read(&path, NOTE_BYTES_MAX) {
            Err(SourceError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SourceError::Absent { path: folder.to_owned() });
            }
            note => note?,
        };
        let checkpoint = parse_checkpoint(&note).map_err(|problem| damaged(&path, problem))?;
        let mut source = Source {
            folder: folder.to_owned(),
            note,
            checkpoint,
            edge: BTreeMap::new(),
            at_hand: Mutex::new(BTreeMap::new()),
        };
        let mut edge = BTreeMap::new();
        let root = source.root_from(source.checkpoint.size, |tile| {
            let bytes = source.read(tile)?;
            edge.insert(tile, bytes.clone());
            Ok(bytes)
        })?;
        if root != source.checkpoint.root {
            let problem = format!("it states the root {}, and the tiles hash to {root}", source.checkpoint.root);
            return Err(damaged(&path, problem));
        }
        source.edge = edge;
        Ok(source)
    }

    /// What is published.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signed checkpoint, byte for byte.
    pub fn note(&self) -> &[u8] {
        &self.note
    }

    /// The root that this log had at `size` entries.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn root_at(&self, size: u64) -> Result<Digest, SourceError> {
        self.root_from(size, |tile| self.content(tile))
    }

    /// The bytes of one file of the log, checked.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn content(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        if let Some(bytes) = self.edge.get(&path) {
            return Ok(bytes.clone());
        }
        let bytes = self.read(path)?;
        match path.level {
            TileLevel::Entries => self.check_bundle(path, &bytes)?,
            TileLevel::Hashes(level) => drop(self.checked(path, level, &bytes)?),
        }
        Ok(bytes)
    }

    fn check_bundle(&self, path: TilePath, bundle: &[u8]) -> Result<(), SourceError> {
        let entries = parse_bundle(bundle, path.width).map_err(|error| self.damaged(path, error.to_string()))?;
        let leaves = self.roots(TilePath { level: TileLevel::Hashes(0), ..path })?;
        let differs = |(index, entry): (usize, &&[u8])| leaves.get(0, index as u8) != Some(&leaf_hash(entry));
        match entries.iter().enumerate().position(differs) {
            Some(index) => Err(self.damaged(path, format!("its entry {index} is not the one that the tree has"))),
            None => Ok(()),
        }
    }

    /// A tile of hashes with its roots, checked; `path` must be of this log.
    fn roots(&self, path: TilePath) -> Result<Arc<TileRoots>, SourceError> {
        let at_hand = || self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = at_hand().get(&path) {
            return Ok(Arc::clone(roots));
        }
        let TileLevel::Hashes(level) = path.level else { return Err(self.damaged(path, "not a tile".to_owned())) };
        let roots = match self.edge.get(&path) {
            Some(bytes) => {
                TileRoots::parse(bytes, path.width).map_err(|error| self.damaged(path, error.to_string()))?
            }
            None => self.checked(path, level, &self.read(path)?)?,
        };
        let roots = Arc::new(roots);
        let mut tiles = at_hand();
        if tiles.len() >= AT_HAND_MAX {
            tiles.clear();
        }
        tiles.insert(path, Arc::clone(&roots));
        Ok(roots)
    }

    /// The roots of a full tile, whose own root must stand in the tile above.
    fn checked(&self, path: TilePath, level: u8, bytes: &[u8]) -> Result<TileRoots, SourceError> {
        let roots = TileRoots::parse(bytes, path.width).map_err(|error| self.damaged(path, error.to_string()))?;
        let width = u64::from(TILE_WIDTH);
        let (above, n) = (level + 1, path.n / width);
        let hashes = self.checkpoint.size.checked_shr(8 * u32::from(above)).unwrap_or(0);
        let wide = u16::try_from(hashes.saturating_sub(n * width).min(width)).unwrap_or(TILE_WIDTH);
        if path.width < TILE_WIDTH || wide == 0 {
            return Err(self.damaged(path, "the checkpoint has no such tile".to_owned()));
        }
        let parent = self.roots(TilePath { level: TileLevel::Hashes(above), n, width: wide })?;
        let position = (path.n % width) as u8;
        if roots.get(8, 0).is_none() || roots.get(8, 0) != parent.get(0, position) {
            return Err(self.damaged(path, "its hashes are not the ones under the checkpoint's root".to_owned()));
        }
        Ok(roots)
    }

    fn root_from(
        &self,
        size: u64,
        read: impl FnMut(TilePath) -> Result<Vec<u8>, SourceError>,
    ) -> Result<Digest, SourceError> {
        tiled::root(self.checkpoint.size, size, read).map_err(|error| match error {
            TiledError::Read { error, .. } => error,
            TiledError::Width { path, .. } => self.damaged(path, error.to_string()),
            TiledError::NoSuchProof(_) => damaged(&self.folder.join("checkpoint"), error.to_string()),
        })
    }

    /// A file as it lies there; a partial one that was thinned out is cut from the full one.
    fn read(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        match read(&self.folder.join(path.path()), bytes_max(path)) {
            Err(SourceError::Read { path: missing, error }) if error.kind() == io::ErrorKind::NotFound => {
                let full = TilePath { width: TILE_WIDTH, ..path };
                let cut = read(&self.folder.join(full.path()), bytes_max(full)).ok().and_then(|bytes| cut(path, bytes));
                cut.ok_or(SourceError::Read { path: missing, error })
            }
            bytes => bytes,
        }
    }

    fn damaged(&self, path: TilePath, problem: String) -> SourceError {
        damaged(&self.folder.join(path.path()), problem)
    }
}

/// A note that holds a checkpoint, parsed.
pub(super) fn parse_checkpoint(note: &[u8]) -> Result<Checkpoint, String> {
    let note = SignedNote::parse(note).map_err(|error| error.to_string())?;
    note.text.parse().map_err(|error| format!("{error}"))
}

fn damaged(path: &Path, problem: String) -> SourceError {
    SourceError::Damaged { path: path.to_owned(), problem }
}

fn bytes_max(path: TilePath) -> usize {
    let each = if path.level == TileLevel::Entries { 2 + ENTRY_BYTES_MAX } else { 32 };
    usize::from(path.width) * each
}

fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, SourceError> {
    let failed = |error| SourceError::Read { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > bytes_max {
        return Err(damaged(path, format!("it has more than the {bytes_max} bytes that it may have")));
    }
    Ok(bytes)
}

/// A partial file, from the bytes of the full one.
fn cut(path: TilePath, mut full: Vec<u8>) -> Option<Vec<u8>> {
    if path.level == TileLevel::Entries {
        let entries = parse_bundle(&full, TILE_WIDTH).ok()?;
        return encode_bundle(entries.into_iter().take(usize::from(path.width))).ok();
    }
    full.truncate(usize::from(path.width) * 32);
    Some(full)
}
