//! A checkpoint that the policy accepts, and how two of them relate.

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::fork::Fork;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::tile::TilePath;
use synchronicity_verify::tiled::TiledError;
use synchronicity_verify::verify::verify_checkpoint;

use super::trusted::Trusted;
use crate::relation::{Shown, path_from_tiles, shown};

/// A checkpoint whose signatures hold, and are enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) note: SignedNote,
    pub(super) checkpoint: Checkpoint,
    /// Since when a quorum vouches for it, in seconds since 1970.
    pub(super) vouched_s: Option<u64>,
}

/// How a newer checkpoint stands to an older one.
#[derive(Debug)]
pub(super) enum Relation {
    /// It extends it.
    Extends,
    /// Hashes show that it does not; for others too, if they make a proof.
    Fork(Option<Box<Fork>>),
    /// The hashes at hand lead to neither answer.
    Unproven(String),
}

impl Seen {
    pub(super) fn of(note: SignedNote, policy: &Policy) -> Result<Self, String> {
        let verified = verify_checkpoint(&note, policy).map_err(|error| error.to_string())?;
        Ok(Self { note, checkpoint: verified.checkpoint, vouched_s: verified.vouched_s })
    }

    pub(super) fn size(&self) -> u64 {
        self.checkpoint.size
    }

    pub(super) fn root(&self) -> Digest {
        self.checkpoint.root
    }

    /// `size 7 with root 5f…`
    pub(super) fn in_words(&self) -> String {
        format!("size {} with root {}", self.size(), self.root())
    }
}

/// Whether `newer` extends `older`, which is not larger, by the tiles of a log of `log_size` entries.
///
/// # Errors
/// What `read` said.
pub(super) fn relate<E>(
    older: &Seen,
    newer: &Seen,
    log_size: u64,
    trusted: &Trusted,
    read: impl FnMut(TilePath) -> Result<Vec<u8>, E>,
) -> Result<Relation, E> {
    let path = match path_from_tiles(log_size, older.size(), newer.size(), read) {
        Ok(path) => path,
        Err(TiledError::Read { error, .. }) => return Err(error),
        Err(TiledError::NoSuchProof(error)) => return Ok(Relation::Unproven(error.to_string())),
        Err(TiledError::Width { path, found }) => {
            return Ok(Relation::Unproven(format!("{path} has {found} bytes, which is not its length")));
        }
    };
    Ok(match shown(&older.checkpoint, &newer.checkpoint, &path) {
        Shown::Extends => Relation::Extends,
        Shown::Contradicts => {
            let proof = |policy: &Policy| Fork::new(older.note.clone(), newer.note.clone(), path.clone(), policy);
            // Two checkpoints of different epochs contradict each other under no one policy: then there is no proof for others.
            Relation::Fork(trusted.under(|_| 0, proof).ok().map(Box::new))
        }
        Shown::Nothing => Relation::Unproven("its tiles do not lead to the root that was signed".into()),
    })
}
