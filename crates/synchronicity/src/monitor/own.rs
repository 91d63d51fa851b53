//! The monitor's own copy of the log: only entries that were replayed, under a checkpoint that a quorum signed.
//!
//! It has the shape of any log folder (`checkpoint`, `tile/`), so that `fsck` reads it and a server can show it. On disk
//! are the bundles and the full tiles of hashes; partial tiles are computed from what is held in memory.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use synchronicity_verify::edge::{Edge, Tile};
use synchronicity_verify::merkle::leaf_hash;
use synchronicity_verify::note::NOTE_BYTES_MAX;
use synchronicity_verify::replay::Replay;
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath, encode_bundle, parse_bundle};

use super::error::MonitorError;
use super::seen::Seen;
use super::trusted::Trusted;
use crate::durable;
use crate::source::{Source, SourceError};

const WIDTH: u64 = TILE_WIDTH as u64;

pub(super) struct Own {
    folder: PathBuf,
    source: Source,
    pub(super) replay: Replay,
    pub(super) edge: Edge,
    /// Over all of it; none while there is no entry.
    pub(super) seen: Option<Seen>,
}

/// What the copy may become: the same log, longer. Its files wait in a folder of their own.
pub(super) struct Candidate {
    pub(super) replay: Replay,
    pub(super) edge: Edge,
    pub(super) spool: PathBuf,
    pub(super) files: Vec<TilePath>,
    pub(super) seen: Seen,
}

impl Own {
    /// Reads the copy, and replays and hashes all of it again.
    pub(super) fn open(folder: PathBuf, trusted: &Trusted) -> Result<Self, MonitorError> {
        fs::create_dir_all(&folder).map_err(MonitorError::disk(&folder))?;
        let source = Source::Folder(folder.clone());
        let mut own = Self { folder, source, replay: Replay::new(), edge: Edge::new(), seen: None };
        let note = match own.source.read("checkpoint", NOTE_BYTES_MAX as u64) {
            Ok(note) => note,
            Err(error) if error.is_absent() => return Ok(own),
            Err(error) => return Err(own.damaged("checkpoint", &error)),
        };
        let seen = trusted.checkpoint(&note).map_err(|error| own.damaged("checkpoint", &error))?;
        let size = seen.checkpoint.size;
        for n in 0..size.div_ceil(WIDTH) {
            let path = bundle_path(n, size);
            let bytes = own.source.tile(path).map_err(|error| own.damaged(&path.path(), &error))?;
            let entries = parse_bundle(&bytes, path.width).map_err(|error| own.damaged(&path.path(), &error))?;
            for entry in entries {
                own.replay.append(entry).map_err(|error| own.damaged(&path.path(), &error))?;
                for tile in own.edge.append(leaf_hash(entry)) {
                    own.mend(&tile)?;
                }
            }
        }
        if own.replay.root() != seen.checkpoint.root {
            return Err(own.damaged("checkpoint", &"its root is not that of the entries"));
        }
        own.seen = Some(seen);
        Ok(own)
    }

    pub(super) fn size(&self) -> u64 {
        self.replay.size()
    }

    /// Tiles of hashes follow from the entries: one that is missing or damaged is written again.
    fn mend(&self, tile: &Tile) -> Result<(), MonitorError> {
        if self.source.tile(tile.path).is_ok_and(|bytes| bytes == tile.bytes) {
            return Ok(());
        }
        let path = self.folder.join(tile.path.path());
        make_parent(&path)?;
        durable::replace(&path, &tile.bytes, 0o644).map_err(MonitorError::disk(&path))
    }

    /// A tile of hashes that a log of this size, or of a smaller one, has.
    pub(super) fn tile(&self, path: TilePath) -> Result<Vec<u8>, MonitorError> {
        let TileLevel::Hashes(level) = path.level else { return self.bundle(path.n, path.width) };
        let own = tile_path(path.level, level, path.n, self.size());
        let mut bytes = match self.edge.partial(&own) {
            Some(bytes) => bytes,
            None => self.source.tile(own).map_err(|error| self.damaged(&own.path(), &error))?,
        };
        bytes.truncate(32 * usize::from(path.width));
        Ok(bytes)
    }

    /// The first `width` entries of bundle `n`, which the copy has.
    pub(super) fn bundle(&self, n: u64, width: u16) -> Result<Vec<u8>, MonitorError> {
        let path = bundle_path(n, self.size());
        let failed = |error: &dyn std::fmt::Display| self.damaged(&path.path(), error);
        let bytes = self.source.tile(path).map_err(|error| failed(&error))?;
        let entries = parse_bundle(&bytes, path.width).map_err(|error| failed(&error))?;
        encode_bundle(entries.into_iter().take(width.into())).map_err(|error| failed(&error))
    }

    /// The bytes of the entries from `from` to before `to`, which are of one bundle that the copy has.
    pub(super) fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>, MonitorError> {
        let (n, skip) = (from / WIDTH, (from % WIDTH) as usize);
        let width = u16::try_from(to - n * WIDTH).unwrap_or(TILE_WIDTH);
        let bytes = self.bundle(n, width)?;
        let entries = parse_bundle(&bytes, width).map_err(|error| self.damaged("tile/entries", &error))?;
        Ok(entries.into_iter().skip(skip).map(<[u8]>::to_vec).collect())
    }

    /// Takes a candidate over. When it returns, the copy survives a crash; a crash before leaves the old one.
    pub(super) fn commit(&mut self, candidate: Candidate) -> Result<(), MonitorError> {
        let old = self.size();
        let mut folders = std::collections::BTreeSet::new();
        for path in &candidate.files {
            let target = self.folder.join(path.path());
            make_parent(&target)?;
            fs::rename(candidate.spool.join(path.path()), &target).map_err(MonitorError::disk(&target))?;
            let parents = target.ancestors().skip(1).take_while(|parent| parent.starts_with(&self.folder));
            folders.extend(parents.map(Path::to_owned));
        }
        for folder in &folders {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(MonitorError::disk(folder))?;
        }
        let path = self.folder.join("checkpoint");
        let note = candidate.seen.note.to_string();
        durable::replace(&path, note.as_bytes(), 0o644).map_err(MonitorError::disk(&path))?;
        let Candidate { replay, edge, seen, .. } = candidate;
        (self.replay, self.edge, self.seen) = (replay, edge, Some(seen));
        // The partial bundle that the longer one replaces. Nothing reads it any more.
        if !old.is_multiple_of(WIDTH) && self.size() > old {
            let _ = fs::remove_file(self.folder.join(bundle_path(old / WIDTH, old).path()));
        }
        Ok(())
    }

    fn damaged(&self, file: &str, error: &dyn std::fmt::Display) -> MonitorError {
        MonitorError::Damaged { path: self.folder.join(file), reason: error.to_string() }
    }
}

impl Candidate {
    /// The copy as it is, to be extended to `seen` in the empty folder `spool`.
    pub(super) fn new(own: &Own, seen: Seen, spool: PathBuf) -> Self {
        Self { replay: own.replay.clone(), edge: own.edge.clone(), spool, files: Vec::new(), seen }
    }

    /// Keeps a file until it is known to be good.
    pub(super) fn write(&mut self, path: TilePath, bytes: &[u8]) -> Result<(), MonitorError> {
        let file = self.spool.join(path.path());
        make_parent(&file)?;
        let write = || {
            let mut file = File::create(&file)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(MonitorError::disk(&file))?;
        self.files.push(path);
        Ok(())
    }

    /// A file that was kept.
    pub(super) fn read(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        Source::Folder(self.spool.clone()).tile(path)
    }
}

fn make_parent(path: &Path) -> Result<(), MonitorError> {
    let folder = durable::folder_of(path);
    fs::create_dir_all(folder).map_err(MonitorError::disk(folder))
}

/// The bundle `n` of a log of `size` entries, which has it.
pub(super) fn bundle_path(n: u64, size: u64) -> TilePath {
    tile_path(TileLevel::Entries, 0, n, size)
}

fn tile_path(level: TileLevel, height: u8, n: u64, size: u64) -> TilePath {
    let rest = (size >> (8 * u32::from(height))).saturating_sub(n * WIDTH).min(WIDTH);
    TilePath { level, n, width: u16::try_from(rest).unwrap_or(TILE_WIDTH) }
}
