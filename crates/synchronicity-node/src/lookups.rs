//! Everything that the published log says of something, in one answer with its proof.

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::lookup::{LEAVES_MAX, LOOKUP_BYTES_MAX, LoggedEntry, Lookup};
use synchronicity_verify::map::{Prefix, PrefixMap, TooMany};
use synchronicity_verify::note::SignedNote;
use thiserror::Error;

use crate::log_reader::{LogReader, Patience, ReadError};

/// The most bytes of entries in an answer. In base64, and with their paths, they stay below what a client reads.
const ENTRIES_BYTES_MAX: usize = LOOKUP_BYTES_MAX / 2;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum LookupFailure {
    /// Too many keys begin so.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Their entries are too many.
    #[error(
        "the entries under these keys have more than {ENTRIES_BYTES_MAX} bytes: ask with a longer prefix, or fetch /bundle"
    )]
    TooLong,
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What the log under `note` has under a prefix. `map` must be that of exactly this checkpoint.
///
/// # Errors
/// [`LookupFailure`].
pub fn answer(reader: &LogReader, map: &PrefixMap, note: &SignedNote, prefix: Prefix) -> Result<Lookup, LookupFailure> {
    let proof = map.prove(&prefix, LEAVES_MAX)?;
    let mut indices: Vec<u64> = proof.leaves.iter().flat_map(|leaf| leaf.indices.iter().copied()).collect();
    let size = note.text.parse::<Checkpoint>().map_or(0, |checkpoint| checkpoint.size);
    // The last entry states the root of the map.
    indices.extend(size.checked_sub(1));
    indices.sort_unstable();
    indices.dedup();
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for index in indices {
        let Some(proof) = reader.proof(note, index, Patience::Disk)? else { continue };
        bytes += proof.entry.len();
        if bytes > ENTRIES_BYTES_MAX {
            return Err(LookupFailure::TooLong);
        }
        entries.push(LoggedEntry { index, entry: proof.entry, path: proof.path });
    }
    Ok(Lookup { prefix, proof, entries, checkpoint: note.clone() })
}
