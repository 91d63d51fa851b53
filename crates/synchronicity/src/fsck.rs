//! `fsck`: hashes a whole log again, from its entries up to the root that was signed, and names the first bytes that
//! are not what they must be.
//!
//! ```text
//! entries ──> hashes of level 0 ──> hashes of level 1 ──> … ──> root == the checkpoint's, signed
//!    │        == tile/0               == tile/1
//!    └─> the rules of the log, entry by entry (`replay`)
//! ```
//!
//! One bundle and one tile of each level are held at a time, and the map of the log. Which of two hashes that differ is
//! the wrong one is told by the checkpoint: see [`Fault`].

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{leaf_hash, root};
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::replay::Replay;
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath};
use synchronicity_verify::verify::{VerifiedCheckpoint, VerifyError, verify_checkpoint};

use crate::source::{Source, SourceError};

mod blame;
mod command;

pub use blame::{Fault, Flaw};
pub use command::{Fsck, fsck};

/// What a good log has shown.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The checkpoint that all of it leads to.
    pub checkpoint: Checkpoint,
    /// The same with those who signed, if there was a policy to know them by.
    pub signed: Option<VerifiedCheckpoint>,
    /// Crates and artifacts that the entries speak of.
    pub keys: u64,
    /// Tiles and bundles read.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Why a log was not found good.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// These bytes are not what they must be.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// The checkpoint is not signed as the policy wants.
    #[error("{place}: {error}")]
    Signatures {
        /// The checkpoint.
        place: String,
        /// What is wrong.
        error: VerifyError,
    },
    /// There is no checkpoint.
    #[error("there is no log at {0}: nothing is published yet, or it is another place")]
    NoLog(String),
    /// Something could not be read: nothing is known about the log.
    #[error(transparent)]
    Source(SourceError),
}

/// Hashes the log at `source` again, all of it under its newest checkpoint. `progress` is told how many entries are
/// done, after each bundle.
///
/// # Errors
/// The first fault, or what kept it from being found.
pub fn check(source: &Source, policy: Option<&Policy>, progress: &mut dyn FnMut(u64)) -> Result<Checked, CheckError> {
    let note = source.checkpoint().map_err(|error| match error {
        SourceError::Absent(place) => CheckError::NoLog(place),
        error => CheckError::Source(error),
    })?;
    let (checkpoint, signed) = read_checkpoint(source, &note, policy)?;
    let mut pass = Pass { source, checkpoint: &checkpoint, levels: Vec::new(), files: 0, bytes: 0 };
    let mut replay = Replay::new();
    let width = u64::from(TILE_WIDTH);
    for n in 0..checkpoint.size.div_ceil(width) {
        let bundle = pass.read(TileLevel::Entries, n)?;
        let mut start = 0;
        for index in n * width..n * width + u64::from(bundle.path.width) {
            let range = bundle.entry(start).ok_or_else(|| bundle.fault(start..bundle.len(), Flaw::CutOff { index }))?;
            start = range.end;
            let entry = &bundle.bytes[range.start + 2..range.end];
            pass.push(0, leaf_hash(entry), &|| bundle.fault(range.clone(), Flaw::Entry { index }))?;
            let broken = |error| bundle.fault(range.clone(), Flaw::Rule { index, error });
            replay.append(entry).map_err(broken)?;
        }
        if start < bundle.len() {
            return Err(bundle.fault(start..bundle.len(), Flaw::Excess).into());
        }
        progress((n + 1).saturating_mul(width).min(checkpoint.size));
    }
    if replay.root() != checkpoint.root {
        return Err(blame::root(source, &note, replay.root()).into());
    }
    let (files, bytes) = (pass.files, pass.bytes);
    Ok(Checked { signed, keys: replay.map().keys(), files, bytes, checkpoint })
}

fn read_checkpoint(
    source: &Source,
    note: &[u8],
    policy: Option<&Policy>,
) -> Result<(Checkpoint, Option<VerifiedCheckpoint>), CheckError> {
    let place = || source.place("checkpoint");
    let fault =
        |error: String| Fault { file: place(), from: 0, to: note.len() as u64, flaw: Flaw::Checkpoint { error } };
    let note = SignedNote::parse(note).map_err(|error| fault(error.to_string()))?;
    let checkpoint: Checkpoint = note.text.parse().map_err(|error| fault(format!("{error}")))?;
    let signed = policy.map(|policy| verify_checkpoint(&note, policy)).transpose();
    Ok((checkpoint, signed.map_err(|error| CheckError::Signatures { place: place(), error })?))
}

/// One way up through the log.
struct Pass<'a> {
    source: &'a Source,
    checkpoint: &'a Checkpoint,
    levels: Vec<Level>,
    files: u64,
    bytes: u64,
}

/// A level of hashes: the tile that is being compared, and what was computed for it so far.
struct Level {
    tile: Served,
    made: Vec<Digest>,
}

/// A tile or bundle as the source has it.
struct Served {
    place: String,
    path: TilePath,
    bytes: Vec<u8>,
}

impl Pass<'_> {
    /// Tile or bundle number `n` of a level, in its width at the checkpoint's size.
    fn read(&mut self, level: TileLevel, n: u64) -> Result<Served, CheckError> {
        let path = tile_path(level, n, self.checkpoint.size);
        let place = self.source.place(&path.path());
        let (path, bytes) = self.source.tile_at(path).map_err(|error| blame::unread(place, path, error))?;
        let tile =
            Served { place: self.source.place(&path.path()), path: tile_path(level, n, self.checkpoint.size), bytes };
        let wanted = 32 * usize::from(tile.path.width);
        if level != TileLevel::Entries && tile.len() != wanted {
            let range = tile.len().min(wanted)..tile.len().max(wanted);
            return Err(tile.fault(range, Flaw::Length { found: tile.len(), wanted }).into());
        }
        self.files += 1;
        self.bytes += tile.len() as u64;
        Ok(tile)
    }

    /// The next hash of a level, computed from what is below it; `below` is the fault if that is what is wrong.
    fn push(&mut self, level: u8, hash: Digest, below: &dyn Fn() -> Fault) -> Result<(), CheckError> {
        let depth = usize::from(level);
        if self.levels.len() == depth {
            let tile = self.read(TileLevel::Hashes(level), 0)?;
            self.levels.push(Level { tile, made: Vec::new() });
        } else if self.levels[depth].made.len() == usize::from(TILE_WIDTH) {
            let n = self.levels[depth].tile.path.n + 1;
            self.levels[depth] = Level { tile: self.read(TileLevel::Hashes(level), n)?, made: Vec::new() };
        }
        let Level { tile, made } = &mut self.levels[depth];
        if tile.hash(made.len()) != Some(hash) {
            return Err(blame::difference(self.source, self.checkpoint, tile, made.len(), hash, below).into());
        }
        made.push(hash);
        if made.len() < usize::from(TILE_WIDTH) {
            return Ok(());
        }
        let hash = root(made);
        let whole = tile.fault(0..tile.len(), Flaw::Tile { index: tile.path.n });
        self.push(level + 1, hash, &|| whole.clone())
    }
}

impl Served {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn hash(&self, position: usize) -> Option<Digest> {
        let hashes = self.bytes.as_chunks().0;
        hashes.get(position).map(|hash| Digest(*hash))
    }

    /// The bytes of the entry that begins at `start`, with its length before it.
    fn entry(&self, start: usize) -> Option<std::ops::Range<usize>> {
        let length = self.bytes.get(start..)?.first_chunk()?;
        let end = start + 2 + usize::from(u16::from_be_bytes(*length));
        (end <= self.len()).then_some(start..end)
    }

    fn fault(&self, range: std::ops::Range<usize>, flaw: Flaw) -> Fault {
        Fault { file: self.place.clone(), from: range.start as u64, to: range.end as u64, flaw }
    }
}

impl From<Fault> for CheckError {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

/// The path of tile `n` of a level in a log of `size` entries, which has it.
fn tile_path(level: TileLevel, n: u64, size: u64) -> TilePath {
    let height = match level {
        TileLevel::Entries => 0,
        TileLevel::Hashes(level) => level,
    };
    let rest = (size >> (8 * u32::from(height))).saturating_sub(n * u64::from(TILE_WIDTH));
    TilePath { level, n, width: u16::try_from(rest).map_or(TILE_WIDTH, |rest| rest.min(TILE_WIDTH)) }
}
