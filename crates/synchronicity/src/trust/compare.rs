//! Two checkpoints of one log: does the larger extend the smaller?

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{extension_path, roots_from};
use synchronicity_verify::tiled;

use super::TrustError;
use crate::source::Source;

/// What a path shows about two checkpoints.
pub(super) enum Relation {
    /// The larger tree begins with the smaller.
    Extends,
    /// They are no views of one growing log.
    Contradicts,
    /// The path does not lead to the larger root, so that it shows nothing.
    NotShown,
}

/// `path` is that of [`extension_path`]; empty for equal sizes.
pub(super) fn relation(old: &Checkpoint, new: &Checkpoint, path: &[Digest]) -> Relation {
    if old.size == 0 {
        return Relation::Extends;
    }
    if old.size == new.size {
        return if old.root == new.root { Relation::Extends } else { Relation::Contradicts };
    }
    let roots = path.split_first().and_then(|(first, rest)| roots_from(old.size, new.size, first, rest).ok());
    match roots {
        Some((start, end)) if end == new.root && start == old.root => Relation::Extends,
        Some((_, end)) if end == new.root => Relation::Contradicts,
        _ => Relation::NotShown,
    }
}

/// The path between two sizes of a log of `new` entries whose tiles are at `source`.
pub(super) fn path_from(source: &Source, old: u64, new: u64) -> Result<Vec<Digest>, TrustError> {
    let unread = |error| match error {
        tiled::TiledError::Read { error, .. } => TrustError::NotShown(error),
        _ => TrustError::OtherTiles(new),
    };
    let path = tiled::consistency_proof(new, old, new, |path| source.tile(path)).map_err(unread)?;
    // In a consistency proof the first hash is left out where it is the smaller root: here the tiles must say it.
    let first = if old.is_power_of_two() && old < new {
        Some(tiled::root(new, old, |path| source.tile(path)).map_err(unread)?)
    } else {
        None
    };
    Ok(first.into_iter().chain(path).collect())
}

/// The path between two sizes of a log with these leaves; empty if it does not reach them.
pub(super) fn path_in(leaves: &[Digest], old: u64, new: u64) -> Vec<Digest> {
    extension_path(leaves, old, new).unwrap_or_default()
}
