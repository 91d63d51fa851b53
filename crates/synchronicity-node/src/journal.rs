//! The journal of this node, on disk before it is in memory: what memory shows may be acted on.

use std::sync::Arc;

use miette::Diagnostic;
use synchronicity_core::journal::{Journal, JournalError, Sealed};
use synchronicity_core::machine::Machine;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use thiserror::Error;

use crate::publish::LoadError;
use crate::state::State;
use crate::store::{OpenError, Store, WriteError};

/// The core's journal and the database behind it. One task owns it.
#[derive(Debug)]
pub struct PersistedJournal {
    store: Arc<Store>,
    journal: Journal,
}

/// Why something was not recorded. Nothing that depends on it may leave the node.
#[derive(Debug, Error, Diagnostic)]
pub enum RecordError {
    /// It contradicts what is recorded.
    #[error(transparent)]
    #[diagnostic(help("the node has signed something else before: keep its folder and report this"))]
    Refused(#[from] JournalError),
    /// It could not be made durable.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Write(#[from] WriteError),
}

/// The state is another one than that which this builder has cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Diagnostic)]
#[error(
    "this node has cosigned a log of {size} entries with root {cosigned}, but its state has root {folded} there: it signs \
     nothing and builds nothing"
)]
#[diagnostic(help(
    "state and journal were not kept together, or the chain was changed: restore the folder from one backup that is not \
     older than the node, compare with the other members' logs, and report this"
))]
pub struct Contradiction {
    /// Size of the log in question.
    pub size: u64,
    /// The root that was cosigned.
    pub cosigned: Digest,
    /// The root in the state.
    pub folded: Digest,
}

/// Why this node cannot go on from what it has cosigned.
#[derive(Debug, Error)]
pub enum Disagreement {
    /// The state is another one; nothing may be signed any more.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// The log cannot be read to tell; nothing may be signed until it can.
    #[error("whether the log is the one that was cosigned cannot be told: {0}")]
    Unreadable(#[from] LoadError),
}

/// Compares the root that was cosigned at a size with the one that the state has there: whether it has one.
///
/// # Errors
/// [`Contradiction`]; then this node must not sign anything any more.
pub fn compare(size: u64, cosigned: Digest, folded: Option<Digest>) -> Result<bool, Contradiction> {
    match folded {
        None => Ok(false),
        Some(folded) if folded == cosigned => Ok(true),
        Some(folded) => Err(Contradiction { size, cosigned, folded }),
    }
}

impl PersistedJournal {
    /// Compares what was cosigned with the state, as soon as that reaches it: whether it has.
    ///
    /// # Errors
    /// [`Disagreement`]; then nothing may be signed.
    pub fn agrees(&self, state: &State) -> Result<bool, Disagreement> {
        let Some((size, cosigned)) = self.journal.cosigned() else { return Ok(true) };
        Ok(compare(size, cosigned, state.root_at(size)?)?)
    }

    /// Reads the journal and drops the seals of rounds that are over.
    ///
    /// # Errors
    /// [`OpenError`]. Failing to drop old seals is no error: the next start tries again.
    pub fn load(store: Arc<Store>, machine: &Machine) -> Result<PersistedJournal, OpenError> {
        let journal = store.journal()?;
        let mut persisted = PersistedJournal { store, journal };
        let over = persisted.prune(machine);
        persisted.forget(&over);
        Ok(persisted)
    }

    /// What is recorded.
    pub fn get(&self) -> &Journal {
        &self.journal
    }

    /// Seals a result. Once this has returned, its commitment may be told to others.
    ///
    /// # Errors
    /// [`RecordError`]; then the journal is as before.
    pub fn seal(&mut self, request: RequestId, round: u32, sealed: Sealed) -> Result<(), RecordError> {
        // The rules are tried on what they are about alone: the other seals are many and large.
        let mut tried = Journal::new();
        if let Some(kept) = self.journal.sealed(&request, round) {
            tried.seal(request, round, kept.clone())?;
        }
        tried.seal(request, round, sealed.clone())?;
        // Disk first: a commitment whose nonce is forgotten can never be opened.
        self.store.put_seal(&request, round, &sealed)?;
        Ok(self.journal.seal(request, round, sealed)?)
    }

    /// Records a checkpoint. Once this has returned, its cosignature may leave the node.
    ///
    /// # Errors
    /// [`RecordError`]; then nothing may be signed.
    pub fn cosign(&mut self, size: u64, root: Digest) -> Result<(), RecordError> {
        let mut tried = Journal::new();
        if let Some((cosigned, kept)) = self.journal.cosigned() {
            tried.cosign(cosigned, kept)?;
        }
        tried.cosign(size, root)?;
        // Disk first: a signature that is forgotten could be followed by another at the same size.
        self.store.put_cosigned(size, &root)?;
        Ok(self.journal.cosign(size, root)?)
    }

    /// Drops the seals of rounds that are over in this machine, which must be on disk, and says which. Memory only: tell
    /// [`PersistedJournal::forget`] of them when the state is not locked.
    pub fn prune(&mut self, machine: &Machine) -> Vec<(RequestId, u32)> {
        self.journal.prune(machine)
    }

    /// Removes dropped seals from the disk. Failing is no error: the next start drops them again.
    pub fn forget(&self, over: &[(RequestId, u32)]) {
        if !over.is_empty()
            && let Err(error) = self.store.remove_seals(over)
        {
            tracing::warn!(%error, "old seals stay in the journal");
        }
    }
}
