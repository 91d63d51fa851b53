//! Two checkpoints of one log: does the larger extend the smaller? For the client that remembers, and for the monitor.

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::roots_from;
use synchronicity_verify::tile::TilePath;
use synchronicity_verify::tiled::{self, TiledError};

/// What a path shows about two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The larger tree begins with the smaller.
    Extends,
    /// They are no views of one growing log.
    Contradicts,
    /// Nothing: the path does not lead to the larger root.
    Nothing,
}

/// `path` is as of [`path_from_tiles`], or as `merkle::extension_path` makes it; empty for equal sizes and from the
/// empty log. `old` is not larger than `new`.
pub(crate) fn shown(old: &Checkpoint, new: &Checkpoint, path: &[Digest]) -> Shown {
    if old.size == new.size {
        return if old.root == new.root { Shown::Extends } else { Shown::Contradicts };
    }
    if old.size == 0 {
        return Shown::Extends;
    }
    let roots = path.split_first().and_then(|(first, rest)| roots_from(old.size, new.size, first, rest).ok());
    match roots {
        Some((start, end)) if end == new.root && start == old.root => Shown::Extends,
        Some((_, end)) if end == new.root => Shown::Contradicts,
        _ => Shown::Nothing,
    }
}

/// The path from `old` to `new` entries, from the tiles of a log of `log_size` entries, at least as many.
///
/// # Errors
/// What `read` said, or that the tiles are not those of such a log.
pub(crate) fn path_from_tiles<E>(
    log_size: u64,
    old: u64,
    new: u64,
    mut read: impl FnMut(TilePath) -> Result<Vec<u8>, E>,
) -> Result<Vec<Digest>, TiledError<E>> {
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut path = tiled::consistency_proof(log_size, old, new, &mut read)?;
    // In a consistency proof the first hash is left out where it is the smaller root: here the tiles must say it.
    if old.is_power_of_two() {
        path.insert(0, tiled::root(log_size, old, &mut read)?);
    }
    Ok(path)
}
