//! The log as static files (C2SP `tlog-tiles`): tiles of 256 hashes, and bundles of 256 entries.
//!
//! ```text
//! tile/<level>/<n>[.p/<width>]       a tile: hashes of 32 bytes
//! tile/entries/<n>[.p/<width>]       a bundle: (u16be length ‖ entry)*
//! ```
//!
//! `n` is written in groups of three digits, all but the last with an `x` before them: 1234067 is `x001/x234/067`.
//! Hash `i` of tile `n` at level `l` is the root of the 256^l leaves from leaf `(256 n + i) 256^l` on. A tile with
//! fewer than 256 hashes is partial and names its width.

use alloc::string::String;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::checkpoint::parse_decimal;
use crate::digest::Digest;
use crate::entry::ENTRY_BYTES_MAX;
use crate::merkle;

/// Hashes, or entries, of a full tile.
pub const TILE_WIDTH: u16 = 256;

/// The highest level: 256^8 leaves exceed 64 bits.
const LEVEL_MAX: u8 = 7;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileLevel {
    /// Entries themselves.
    Entries,
    /// Hashes: level 0 holds leaf hashes, each level above the roots of full tiles below.
    Hashes(u8),
}

/// Where a tile stands. `Display` gives the path relative to the log's prefix, without a leading slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    /// What the tile holds.
    pub level: TileLevel,
    /// Index within the level, from 0.
    pub n: u64,
    /// Number of hashes or entries: 1 to [`TILE_WIDTH`].
    pub width: u16,
}

/// A path, a bundle, or a tile that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Not the path of a tile.
    #[error("not the path of a tile")]
    Path,
    /// The tile is not within the leaves at hand, or holds entries and not hashes.
    #[error("the tile is not made of hashes of the leaves at hand")]
    Beyond,
    /// Not a tile of that many hashes.
    #[error("the tile does not hold exactly the {0} hashes that its path promises")]
    Width(u16),
    /// An entry that a bundle cannot hold.
    #[error("an entry of {0} bytes; a bundle holds entries of at most {ENTRY_BYTES_MAX}")]
    EntryTooLong(usize),
    /// Not a bundle of that many entries.
    #[error("the entry bundle does not hold exactly the {0} entries that its path promises")]
    Bundle(u16),
}

/// Every tile and bundle that a log of `new` entries needs and a log of `old` entries did not have: full ones once,
/// and the partial ones at the right edge. Lazy, for the list can be long.
pub fn tiles_between(old: u64, new: u64) -> impl Iterator<Item = TilePath> {
    let hashes = (0..=LEVEL_MAX).flat_map(move |level| level_between(TileLevel::Hashes(level), level, old, new));
    level_between(TileLevel::Entries, 0, old, new).chain(hashes)
}

fn level_between(level: TileLevel, height: u8, old: u64, new: u64) -> impl Iterator<Item = TilePath> {
    let width = u64::from(TILE_WIDTH);
    let (old, new) = (old >> (8 * height), new >> (8 * height));
    // Nothing new at this level gives an empty range.
    let tiles = if new > old { old / width..new.div_ceil(width) } else { 0..0 };
    tiles.map(move |n| {
        let rest = (new - n * width).min(width);
        TilePath { level, n, width: u16::try_from(rest).unwrap_or(TILE_WIDTH) }
    })
}

impl TilePath {
    /// The path relative to the log's prefix, as in `tile/0/x001/234.p/12`.
    pub fn path(&self) -> String {
        self.to_string()
    }

    /// The bytes of a tile of hashes, computed from the hashes of the log's leaves.
    pub fn hashes(&self, leaves: &[Digest]) -> Result<Vec<u8>, TileError> {
        let TileLevel::Hashes(level @ 0..=LEVEL_MAX) = self.level else { return Err(TileError::Beyond) };
        let span = 1_usize.checked_shl(8 * u32::from(level)).ok_or(TileError::Beyond)?;
        let first = usize::try_from(self.n).ok().and_then(|n| n.checked_mul(usize::from(TILE_WIDTH)));
        let first = first.and_then(|first| first.checked_mul(span)).ok_or(TileError::Beyond)?;
        let length = span.checked_mul(usize::from(self.width)).ok_or(TileError::Beyond)?;
        let end = first.checked_add(length).ok_or(TileError::Beyond)?;
        let leaves = leaves.get(first..end).ok_or(TileError::Beyond)?;
        Ok(leaves.chunks(span).flat_map(|chunk| merkle::root(chunk).0).collect())
    }
}

/// The bytes of a bundle.
pub fn encode_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TileError> {
    let mut bundle = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong(entry.len()))?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// The entries of a bundle that must hold exactly `width` of them.
pub fn parse_bundle(mut bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    for _ in 0..width {
        let (length, rest) = bundle.split_first_chunk().ok_or(TileError::Bundle(width))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(TileError::Bundle(width))?;
        entries.push(entry);
        bundle = rest;
    }
    if bundle.is_empty() { Ok(entries) } else { Err(TileError::Bundle(width)) }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            TileLevel::Entries => f.write_str("tile/entries/")?,
            TileLevel::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![self.n % 1000];
        let mut rest = self.n / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (position, group) in groups.iter().enumerate().rev() {
            if position == 0 { write!(f, "{group:03}")? } else { write!(f, "x{group:03}/")? }
        }
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for TilePath {
    type Err = TileError;

    fn from_str(text: &str) -> Result<Self, TileError> {
        let (level, rest) = text.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(TileError::Path)?;
        let level = match level {
            "entries" => TileLevel::Entries,
            number => {
                let number = parse_decimal(number).and_then(|number| u8::try_from(number).ok());
                TileLevel::Hashes(number.filter(|level| *level <= LEVEL_MAX).ok_or(TileError::Path)?)
            }
        };
        let (n, width) = match rest.split_once(".p/") {
            Some((n, width)) => (n, parse_decimal(width).and_then(|width| u16::try_from(width).ok())),
            None => (rest, Some(TILE_WIDTH)),
        };
        let width = width.filter(|width| (1..=TILE_WIDTH).contains(width)).ok_or(TileError::Path)?;
        let digits: String = n.split('/').map(|group| group.strip_prefix('x').unwrap_or(group)).collect();
        let n = digits.trim_start_matches('0');
        let n = if n.is_empty() { 0 } else { n.parse().map_err(|_| TileError::Path)? };
        let path = Self { level, n, width };
        // One spelling: this also refuses misplaced x, short groups and a partial width of 256.
        if path.to_string() == text { Ok(path) } else { Err(TileError::Path) }
    }
}
