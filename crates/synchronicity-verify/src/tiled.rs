//! Roots and proofs from the tiles of hashes of a log (C2SP `tlog-tiles`), read one by one.
//!
//! A proof reads at most two tiles of each level, so a handful from a log of any size, and none twice. Where the tiles
//! come from is the caller's business: a folder, a server, a cache. What comes out is only as good as the tiles:
//! check a proof or a root against a signed checkpoint before you believe it.
//!
//! ```
//! use synchronicity_verify::{merkle, tile::TilePath, tiled};
//!
//! let leaves: Vec<_> = (0..700_u32).map(|entry| merkle::leaf_hash(&entry.to_be_bytes())).collect();
//! // Stands for a folder or a server that has the tiles of a log of 700 entries.
//! let read = |path: TilePath| path.hashes(&leaves);
//!
//! let root = tiled::root(700, 600, read)?;
//! let path = tiled::inclusion_proof(700, 3, 600, read)?;
//! merkle::verify_inclusion(&leaves[3], 3, 600, &path, &root)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::vec::Vec;

use crate::digest::Digest;
use crate::merkle::{NoSuchProof, node_hash};
use crate::subtree::{self, Subtree};
use crate::tile::{TILE_WIDTH, TileError, TileLevel, TilePath};

/// Why there is no root or proof. `E` is what went wrong with reading a tile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TiledError<E> {
    /// Asked for something that the log does not have.
    #[error(transparent)]
    NoSuchProof(#[from] NoSuchProof),
    /// A tile that does not hold exactly as many hashes as its path promises.
    #[error("{path}: a tile of {} bytes where {} belong", found, usize::from(path.width) * 32)]
    Width {
        /// The tile.
        path: TilePath,
        /// Its length in bytes.
        found: usize,
    },
    /// The tile could not be read.
    #[error("{path}: {error}")]
    Read {
        /// The tile.
        path: TilePath,
        /// Why.
        error: E,
    },
}

/// The root that a log of `log_size` entries had at `size` entries.
///
/// `read` gives the bytes of a tile, whose path is one of those that a log of `log_size` entries has.
///
/// # Errors
/// [`TiledError`]; [`NoSuchProof`] if `size` is above `log_size`.
pub fn root<E>(
    log_size: u64,
    size: u64,
    read: impl FnMut(TilePath) -> Result<Vec<u8>, E>,
) -> Result<Digest, TiledError<E>> {
    let mut tiles = Tiles::new(log_size, size, read)?;
    subtree::root(size, |subtree| tiles.root_of(subtree))
}

/// The proof that an entry stands at `index` in the tree of the first `size` entries of a log of `log_size`, from the
/// leaf's sibling up to the root's child. `read` as for [`root`].
///
/// # Errors
/// [`TiledError`]; [`NoSuchProof`] unless `index < size <= log_size`.
pub fn inclusion_proof<E>(
    log_size: u64,
    index: u64,
    size: u64,
    read: impl FnMut(TilePath) -> Result<Vec<u8>, E>,
) -> Result<Vec<Digest>, TiledError<E>> {
    let mut tiles = Tiles::new(log_size, size, read)?;
    subtree::inclusion_proof(index, size, |subtree| tiles.root_of(subtree))
}

/// The proof that the tree of the first `new` entries of a log of `log_size` begins with that of the first `old`;
/// empty if `old` is 0 or `new`. `read` as for [`root`].
///
/// # Errors
/// [`TiledError`]; [`NoSuchProof`] unless `old <= new <= log_size`.
pub fn consistency_proof<E>(
    log_size: u64,
    old: u64,
    new: u64,
    read: impl FnMut(TilePath) -> Result<Vec<u8>, E>,
) -> Result<Vec<Digest>, TiledError<E>> {
    let mut tiles = Tiles::new(log_size, new, read)?;
    subtree::consistency_proof(old, new, |subtree| tiles.root_of(subtree))
}

/// A tile with the roots of all perfect subtrees within it, so that any of them is found without hashing: 32 bytes
/// for each, 511 for a full tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileRoots {
    width: u16,
    /// The hashes of the tile, then their parents, and so on up.
    roots: Vec<Digest>,
}

/// Where the root of a subtree is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The tile.
    pub tile: TilePath,
    /// How far above the tile's own hashes, from 0 to 7.
    pub height: u8,
    /// The position among the roots of that height within the tile, from 0.
    pub position: u8,
}

impl Place {
    /// The place of a subtree's root in a log of `log_size` entries; `None` if the log does not reach it.
    pub fn of(subtree: Subtree, log_size: u64) -> Option<Place> {
        let (level, height) = (subtree.height / 8, subtree.height % 8);
        let hashes = log_size.checked_shr(8 * u32::from(level))?;
        let (end, width) = ((subtree.index.checked_add(1)?).checked_shl(u32::from(height))?, u64::from(TILE_WIDTH));
        // A shift may push bits out: shifting back shows it.
        if end >> height != subtree.index + 1 || end > hashes {
            return None;
        }
        let first = subtree.index << height;
        let n = first / width;
        let width = u16::try_from((hashes - n * width).min(width)).ok()?;
        let position = u8::try_from((first % u64::from(TILE_WIDTH)) >> height).ok()?;
        Some(Place { tile: TilePath { level: TileLevel::Hashes(level), n, width }, height, position })
    }
}

impl TileRoots {
    /// Bytes of a full tile with its roots.
    pub const BYTES_MAX: usize = (2 * TILE_WIDTH as usize - 1) * 32;

    /// Reads a tile that must hold exactly `width` hashes, and computes the roots: as many hashes as it is wide.
    ///
    /// # Errors
    /// [`TileError::Width`] for any other length, and for a width that no tile has.
    pub fn parse(tile: &[u8], width: u16) -> Result<TileRoots, TileError> {
        let (hashes, rest) = tile.as_chunks();
        let fits = (1..=TILE_WIDTH).contains(&width) && hashes.len() == usize::from(width) && rest.is_empty();
        if !fits {
            return Err(TileError::Width(width));
        }
        let mut roots: Vec<Digest> = Vec::with_capacity(2 * usize::from(width));
        roots.extend(hashes.iter().map(|hash| Digest(*hash)));
        let (mut first, mut len) = (0, roots.len());
        while len > 1 {
            for pair in 0..len / 2 {
                let at = first + 2 * pair;
                roots.push(node_hash(&roots[at], &roots[at + 1]));
            }
            (first, len) = (first + len, len / 2);
        }
        Ok(TileRoots { width, roots })
    }

    /// The root at a place in this tile; `height` up to 8, at which a full tile has one root. `None` if the tile is
    /// not wide enough for it.
    pub fn get(&self, height: u8, position: u8) -> Option<&Digest> {
        let width = usize::from(self.width);
        let len = width.checked_shr(u32::from(height))?;
        let first: usize = (0..height).map(|below| width >> below).sum();
        (usize::from(position) < len).then(|| self.roots.get(first + usize::from(position))).flatten()
    }
}

/// The tiles that one proof has read.
pub(crate) struct Tiles<R> {
    log_size: u64,
    read: R,
    at_hand: Vec<(TilePath, TileRoots)>,
}

impl<E, R: FnMut(TilePath) -> Result<Vec<u8>, E>> Tiles<R> {
    pub(crate) fn new(log_size: u64, size: u64, read: R) -> Result<Self, NoSuchProof> {
        if size <= log_size { Ok(Self { log_size, read, at_hand: Vec::new() }) } else { Err(NoSuchProof) }
    }

    pub(crate) fn root_of(&mut self, subtree: Subtree) -> Result<Digest, TiledError<E>> {
        let place = Place::of(subtree, self.log_size).ok_or(NoSuchProof)?;
        let root = |roots: &TileRoots| roots.get(place.height, place.position).copied().ok_or(NoSuchProof);
        if let Some((_, roots)) = self.at_hand.iter().find(|(path, _)| *path == place.tile) {
            return Ok(root(roots)?);
        }
        let path = place.tile;
        let bytes = (self.read)(path).map_err(|error| TiledError::Read { path, error })?;
        let roots = TileRoots::parse(&bytes, path.width).map_err(|_| TiledError::Width { path, found: bytes.len() })?;
        let found = root(&roots)?;
        self.at_hand.push((path, roots));
        Ok(found)
    }
}
