//! Step 8, proof: an entry, its path and the published checkpoint in one file.

use std::io;
use std::path::Path;

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::merkle;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::proof::Proof;

use crate::durable::{Disk, Synced};
use crate::state::State;

/// Name ending of proof files.
pub const PROOF_ENDING: &str = "tlog-proof";

/// The proof of an entry under a published checkpoint; `None` if the checkpoint does not reach it.
pub fn proof_of(state: &State, note: &SignedNote, index: u64) -> Option<Proof> {
    let checkpoint: Checkpoint = note.text.parse().ok()?;
    let (entry, leaves) = {
        let folded = state.lock();
        let log = folded.machine.log();
        let leaves = log.leaves().get(..usize::try_from(checkpoint.size).ok()?)?;
        (log.entry(index)?.to_vec(), leaves.to_vec())
    };
    // Hashing a path takes time in proportion to the log, and votes wait for the lock.
    let path = merkle::inclusion_proof(&leaves, checkpoint.size, index).ok()?;
    Some(Proof { entry, index, path, checkpoint: note.clone() })
}

/// Writes proof files: `index-I` for each entry, whatever its verdict, and `NAME-VERSION` for the latest entry in which
/// a crate was reproduced. Files of entries before `from` are written only where they are missing: a crash may have come
/// between checkpoint and proofs.
///
/// # Errors
/// What the operating system said about the first file that could not be written.
pub fn write_proofs(state: &State, note: &SignedNote, from: u64, folder: &Path) -> io::Result<()> {
    let Ok(checkpoint) = note.text.parse::<Checkpoint>() else { return Ok(()) };
    let reproduced = state.lock().catalogue.all(checkpoint.size);
    let by_index = (0..checkpoint.size).map(|index| (index, format!("index-{index}")));
    for (index, stem) in by_index.chain(reproduced.into_iter().map(|entry| (entry.index, entry.stem))) {
        let path = folder.join(format!("{stem}.{PROOF_ENDING}"));
        if (index >= from || !path.exists())
            && let Some(proof) = proof_of(state, note, index)
        {
            Synced.write(&path, proof.to_string().as_bytes())?;
        }
    }
    Ok(())
}
