//! The right edge of a growing tiled log: what is needed to append to it, to write its tiles and to state its root, at
//! most 255 hashes for each level, however many entries it has.

use alloc::vec::Vec;

use crate::digest::Digest;
use crate::merkle::Frontier;
use crate::tile::{TILE_WIDTH, TileLevel, TilePath};
use crate::tiled::{TiledError, Tiles};

/// Levels that a log of 2^63 entries can have.
const LEVELS: usize = 8;

/// The tiles at the right edge that are not full, and the frontier of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    frontier: Frontier,
    /// The hashes of each level that no full tile holds yet.
    levels: [Vec<Digest>; LEVELS],
}

/// A tile and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Where it stands.
    pub path: TilePath,
    /// As many hashes as the path says.
    pub bytes: Vec<u8>,
}

impl Edge {
    /// The edge of the log without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of a log of `size` entries, from its tiles: reads one for each level, if that many.
    ///
    /// # Errors
    /// [`TiledError`]. Compare [`Edge::root`] with a checkpoint before you believe the tiles.
    pub fn load<E>(size: u64, mut read: impl FnMut(TilePath) -> Result<Vec<u8>, E>) -> Result<Self, TiledError<E>> {
        let mut levels: [Vec<Digest>; LEVELS] = Default::default();
        for (level, hashes) in levels.iter_mut().enumerate() {
            let Some(path) = partial(size, level) else { continue };
            let bytes = read(path).map_err(|error| TiledError::Read { path, error })?;
            let (chunks, rest) = bytes.as_chunks();
            if chunks.len() != usize::from(path.width) || !rest.is_empty() {
                return Err(TiledError::Width { path, found: bytes.len() });
            }
            hashes.extend(chunks.iter().map(|hash| Digest(*hash)));
        }
        // Each peak of the tree lies in the partial tile of its level.
        let mut tiles = Tiles::new(size, size, |path: TilePath| Ok::<_, E>(at(&levels, path)))?;
        let frontier = Frontier::load(size, |peak| tiles.root_of(peak))?;
        Ok(Self { frontier, levels })
    }

    /// Appends the hash of one leaf, and gives the tiles that became full by it, lowest level first: mostly none.
    pub fn append(&mut self, leaf: Digest) -> Vec<Tile> {
        let size = self.frontier.size() + 1;
        let mut full = Vec::new();
        self.frontier.append_each(leaf, |height, root| {
            // The roots between two levels stand in no tile.
            let (level, false) = (height / 8, height % 8 != 0) else { return };
            let Some(hashes) = self.levels.get_mut(level as usize) else { return };
            hashes.push(*root);
            if hashes.len() == usize::from(TILE_WIDTH) {
                let n = (size >> height) / u64::from(TILE_WIDTH) - 1;
                let path = TilePath { level: TileLevel::Hashes(level as u8), n, width: TILE_WIDTH };
                full.push(Tile { path, bytes: joined(hashes) });
                hashes.clear();
            }
        });
        full
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of the tree.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// The frontier of the tree.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The partial tiles of the present size, lowest level first: with the full ones, all tiles of hashes that a
    /// checkpoint of this size needs.
    pub fn partials(&self) -> impl Iterator<Item = Tile> {
        let tile = |(level, hashes): (usize, &Vec<Digest>)| {
            Some(Tile { path: partial(self.size(), level)?, bytes: joined(hashes) })
        };
        self.levels.iter().enumerate().filter_map(tile)
    }

    /// The bytes of one of the [partial tiles](Edge::partials); `None` for any other path.
    pub fn partial(&self, path: &TilePath) -> Option<Vec<u8>> {
        let TileLevel::Hashes(level) = path.level else { return None };
        (partial(self.size(), usize::from(level)).as_ref() == Some(path)).then(|| at(&self.levels, *path))
    }
}

/// The partial tile that a log of this size has at a level, if any.
fn partial(size: u64, level: usize) -> Option<TilePath> {
    let hashes = size >> (8 * level);
    let width = u16::try_from(hashes % u64::from(TILE_WIDTH)).ok().filter(|width| *width > 0)?;
    let level = TileLevel::Hashes(u8::try_from(level).ok()?);
    Some(TilePath { level, n: hashes / u64::from(TILE_WIDTH), width })
}

/// The bytes of the partial tile at a level that exists.
fn at(levels: &[Vec<Digest>; LEVELS], path: TilePath) -> Vec<u8> {
    let TileLevel::Hashes(level) = path.level else { return Vec::new() };
    levels.get(usize::from(level)).map(|hashes| joined(hashes)).unwrap_or_default()
}

fn joined(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
