//! Which bytes are the wrong ones.
//!
//! Two hashes that differ do not say which of them is wrong. The checkpoint does: one of the two leads to its root by
//! the hashes that stand beside it, the other does not. If neither does, more than one thing is damaged.

use std::fmt;

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::verify_inclusion;
use synchronicity_verify::replay::ReplayError;
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath};
use synchronicity_verify::tiled;

use super::{CheckError, Served};
use crate::source::{Source, SourceError};

/// Bytes of a log that are not what they must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {flaw}", in_bytes(*from, *to))]
pub struct Fault {
    /// The file or address.
    pub file: String,
    /// The first bad byte, from 0.
    pub from: u64,
    /// The byte after the last bad one.
    pub to: u64,
    /// What is wrong with them.
    pub flaw: Flaw,
}

/// What is wrong with bytes of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// No checkpoint.
    Checkpoint {
        /// What it is instead.
        error: String,
    },
    /// The checkpoint's root is not that of the log, all of whose files agree with each other.
    Root {
        /// Root of the log's entries.
        computed: Digest,
    },
    /// A file that the checkpoint needs is not there.
    Absent,
    /// A file with too many bytes for what it is.
    TooLarge,
    /// A tile of another length than its path promises.
    Length {
        /// Its bytes.
        found: usize,
        /// Those that belong there.
        wanted: usize,
    },
    /// The bundle ends within an entry.
    CutOff {
        /// The entry.
        index: u64,
    },
    /// Bytes behind the last entry of a bundle.
    Excess,
    /// The entry is not the one that was logged: its hash in the tile leads to the checkpoint, and it has another.
    Entry {
        /// The entry.
        index: u64,
    },
    /// The entry is the one that was logged, and breaks the rules of the log: whoever signed it broke them.
    Rule {
        /// The entry.
        index: u64,
        /// What rule.
        error: ReplayError,
    },
    /// A hash is not that of what it stands for, which itself leads to the checkpoint.
    Hash {
        /// Level of the tile.
        level: u8,
        /// Position of the hash in that level, over all tiles.
        index: u64,
    },
    /// A full tile agrees with the entries, and not with the hash above it, which leads to the checkpoint: tile and
    /// entries were both altered.
    Tile {
        /// Number of the tile in its level.
        index: u64,
    },
    /// A hash is not that of what it stands for, and neither leads to the checkpoint: more than this is damaged.
    Unclear {
        /// Level of the tile.
        level: u8,
        /// Position of the hash in that level, over all tiles.
        index: u64,
        /// The file with what it stands for.
        other: String,
    },
}

impl Flaw {
    /// The name for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Checkpoint { .. } => "checkpoint",
            Self::Root { .. } => "root",
            Self::Absent => "absent",
            Self::TooLarge => "too-large",
            Self::Length { .. } => "length",
            Self::CutOff { .. } => "cut-off",
            Self::Excess => "excess",
            Self::Entry { .. } => "entry",
            Self::Rule { .. } => "rule",
            Self::Hash { .. } => "hash",
            Self::Tile { .. } => "tile",
            Self::Unclear { .. } => "unclear",
        }
    }

    /// Whether the log itself is wrong, as it was signed, and not a copy of it.
    pub fn is_of_the_group(&self) -> bool {
        matches!(self, Self::Rule { .. })
    }

    /// The entry that is concerned, if it is one.
    pub fn entry(&self) -> Option<u64> {
        match self {
            Self::CutOff { index } | Self::Entry { index } | Self::Rule { index, .. } => Some(*index),
            Self::Hash { level: 0, index } | Self::Unclear { level: 0, index, .. } => Some(*index),
            _ => None,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint { error } => write!(f, "{error}"),
            Self::Root { computed } => {
                write!(f, "the checkpoint states another root than {computed}, to which all files lead")
            }
            Self::Absent => f.write_str("the file is not there, and the checkpoint needs it"),
            Self::TooLarge => f.write_str("the file has more bytes than such a file can have"),
            Self::Length { found, wanted } => write!(f, "the tile has {found} bytes, and its path promises {wanted}"),
            Self::CutOff { index } => write!(f, "the bundle ends within entry {index}"),
            Self::Excess => f.write_str("the bundle goes on behind its last entry"),
            Self::Entry { index } => write!(f, "this is not entry {index}, whose hash leads to the checkpoint"),
            Self::Rule { index, error } => {
                write!(f, "entry {index} is the one that was signed, and breaks the rules of the log: {error}")
            }
            Self::Hash { level: 0, index } => write!(f, "this is not the hash of entry {index}"),
            Self::Hash { level, index } => write!(f, "this is not the root of tile {index} of level {}", level - 1),
            Self::Tile { index } => {
                write!(f, "tile {index} and the entries below it agree, and are not what the checkpoint signs")
            }
            Self::Unclear { level, index, other } => write!(
                f,
                "hash {index} of level {level} and {other} disagree, and neither leads to the checkpoint: \
                 more than this is damaged"
            ),
        }
    }
}

fn in_bytes(from: u64, to: u64) -> String {
    if from == to { String::new() } else { format!(", bytes {from} to {to}") }
}

/// The hash at `position` of `tile` is not `computed`, the hash of what is below it. `below` is the fault if that is
/// what is wrong.
pub(super) fn difference(
    source: &Source,
    checkpoint: &Checkpoint,
    tile: &Served,
    position: usize,
    computed: Digest,
    below: &dyn Fn() -> Fault,
) -> Fault {
    let TileLevel::Hashes(level) = tile.path.level else { return below() };
    let index = tile.path.n * u64::from(TILE_WIDTH) + position as u64;
    let path = path_from(source, checkpoint.size, level, index);
    let leads = |hash: Digest| {
        // Perfect subtrees of one height are the leaves of a tree of the same shape.
        let size = checkpoint.size.div_ceil(1 << (8 * u32::from(level)));
        let path = path.as_deref().unwrap_or_default();
        verify_inclusion(&hash, index, size, path, &checkpoint.root).is_ok()
    };
    let flaw = match tile.hash(position).is_some_and(leads) {
        true => return below(),
        false if leads(computed) => Flaw::Hash { level, index },
        false => Flaw::Unclear { level, index, other: below().file },
    };
    tile.fault(32 * position..32 * (position + 1), flaw)
}

/// The hashes beside the way from a hash of a level up to the root, if the tiles have them.
fn path_from(source: &Source, size: u64, level: u8, index: u64) -> Option<Vec<Digest>> {
    let leaf = index << (8 * u32::from(level));
    let mut path = tiled::inclusion_proof(size, leaf, size, |path| source.tile(path)).ok()?;
    // Those beside the way within the subtree come first.
    Some(path.split_off(path.len().min(8 * usize::from(level))))
}

/// All files agree on `computed`, and the checkpoint does not: the fault is in the third line of the note.
pub(super) fn root(source: &Source, note: &[u8], computed: Digest) -> Fault {
    let text = std::str::from_utf8(note).unwrap_or_default();
    let lines: Vec<usize> = text.split_inclusive('\n').take(3).map(str::len).collect();
    let to: usize = lines.iter().sum();
    let from = to - lines.last().copied().unwrap_or(0);
    Fault { file: source.place("checkpoint"), from: from as u64, to: to as u64, flaw: Flaw::Root { computed } }
}

/// A tile or bundle could not be read.
pub(super) fn unread(place: String, path: TilePath, error: SourceError) -> CheckError {
    let (to, flaw) = match (&error, path.level) {
        (SourceError::Absent(_), TileLevel::Entries) => (0, Flaw::Absent),
        (SourceError::Absent(_), TileLevel::Hashes(_)) => (32 * u64::from(path.width), Flaw::Absent),
        (SourceError::TooLarge { limit, .. }, _) => (*limit, Flaw::TooLarge),
        _ => return CheckError::Source(error),
    };
    Fault { file: place, from: 0, to, flaw }.into()
}
