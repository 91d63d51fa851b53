//! Reading a published log at the start of a node: all of it, bundle by bundle, with no more than one in memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::edge::Tile;
use synchronicity_verify::merkle::leaf_hash;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath, parse_bundle, tiles_between};
use thiserror::Error;

use super::partials_of;
use super::tip::Tail;

/// How a log folder that cannot be used is made anew.
const ANEW: &str = "Move the log folder away: the node then writes it again from its state; one that has dropped the blocks for \
                    that says so, and takes up the log by `group join`.";

/// Why the log on disk cannot be read or extended.
#[derive(Debug, Error, Diagnostic)]
pub enum LoadError {
    /// A file that the checkpoint needs cannot be read.
    #[error("cannot read {} of the published log: {error}", path.display())]
    #[diagnostic(help("{ANEW}"))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The checkpoint is none.
    #[error("{} is not a checkpoint: {problem}", path.display())]
    #[diagnostic(help("{ANEW}"))]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file has the wrong length, or its entries are not the ones that the tree has.
    #[error("{} is damaged", path.display())]
    #[diagnostic(help("{ANEW}"))]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The files are whole, and they are not what the checkpoint signs.
    #[error("the published log of {size} entries hashes to {found}, its checkpoint says {stated}")]
    #[diagnostic(help("do not serve this folder. {ANEW}"))]
    Root {
        /// Entries under the checkpoint.
        size: u64,
        /// Root of the files.
        found: Digest,
        /// Root in the checkpoint.
        stated: Digest,
    },
}

/// A log that hashes to its checkpoint.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) note: Option<SignedNote>,
    pub(super) tail: Tail,
    /// Full tiles beside which the folder of their partial versions lies.
    pub(super) superseded: Vec<TilePath>,
}

pub(super) fn load(folder: &Path) -> Result<Loaded, LoadError> {
    let path = folder.join("checkpoint");
    let bytes = match fs::read(&path) {
        // Tiles without a checkpoint are what a crash before the first publication leaves.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::default()),
        Err(error) => return Err(LoadError::Read { path, error }),
        Ok(bytes) => bytes,
    };
    let malformed = |problem: String| LoadError::Checkpoint { path: path.clone(), problem };
    let note = SignedNote::parse(&bytes).map_err(|error| malformed(error.to_string()))?;
    let checkpoint: Checkpoint = note.text.parse().map_err(|error| malformed(format!("{error}")))?;
    let mut loaded = Loaded { note: Some(note), ..Loaded::default() };
    for path in tiles_between(0, checkpoint.size).filter(|path| path.level == TileLevel::Entries) {
        loaded.bundle(folder, &path)?;
    }
    let edge = &loaded.tail.edge;
    edge.partials().try_for_each(|tile| compare(folder, &tile))?;
    if edge.root() != checkpoint.root {
        return Err(LoadError::Root { size: checkpoint.size, found: edge.root(), stated: checkpoint.root });
    }
    Ok(loaded)
}

impl Loaded {
    /// Reads the next bundle, and compares the tiles of hashes that it fills.
    fn bundle(&mut self, folder: &Path, path: &TilePath) -> Result<(), LoadError> {
        let (file, bytes) = read(folder, path)?;
        let entries = parse_bundle(&bytes, path.width).map_err(|_| LoadError::Damaged { path: file })?;
        for entry in &entries {
            for tile in self.tail.edge.append(leaf_hash(entry)) {
                compare(folder, &tile)?;
                self.note_partials(folder, &tile.path);
            }
        }
        if path.width < TILE_WIDTH {
            self.tail.entries = entries.into_iter().map(Into::into).collect();
        } else {
            self.note_partials(folder, path);
        }
        Ok(())
    }

    fn note_partials(&mut self, folder: &Path, full: &TilePath) {
        if partials_of(folder, full).is_dir() {
            self.superseded.push(*full);
        }
    }
}

fn compare(folder: &Path, tile: &Tile) -> Result<(), LoadError> {
    let (file, bytes) = read(folder, &tile.path)?;
    if bytes == tile.bytes { Ok(()) } else { Err(LoadError::Damaged { path: file }) }
}

fn read(folder: &Path, path: &TilePath) -> Result<(PathBuf, Vec<u8>), LoadError> {
    let file = folder.join(path.path());
    match fs::read(&file) {
        Ok(bytes) => Ok((file, bytes)),
        Err(error) => Err(LoadError::Read { path: file, error }),
    }
}
