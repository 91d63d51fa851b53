//! A witness of other people's logs (C2SP `tlog-witness`), and a client of other people's witnesses.
//!
//! A witness vouches that a log only ever grew, as far as it was shown: it remembers size and root of the last
//! checkpoint that it cosigned of each log, and cosigns the next one only with a proof that it continues that. It
//! knows nothing of what is in the log. It has a key of its own, because a builder's cosignature says more; and it remembers only logs
//! that the operator named, so that nobody can fill its disk.
//!
//! | file | what it decides |
//! | --- | --- |
//! | [`request`] | the bytes of a request |
//! | [`decide`] | whether to cosign |
//! | [`answer`] | how that is said over HTTP |
//! | [`serve`] | who may ask, and how much |
//! | [`choices`] | what the operator configured, and the key |
//! | [`client`], [`exchange`] | asking outside witnesses to cosign this group's log |

pub mod answer;
pub mod choices;
pub mod client;
pub mod decide;
pub mod exchange;
pub mod request;
pub mod serve;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{NoteSignature, SignedNote, Signer, VerifierKey, WrongKind};
use thiserror::Error;

use crate::store::{OpenError, Store, WriteError};
use decide::{Refusal, Seen, Witnessed};
use request::AddCheckpoint;

/// Where the last checkpoint of each log is remembered. The real one is the node's database; tests have one that fails.
pub trait Memory: Send {
    /// Makes `seen` the last checkpoint of the log, and returns when that is on disk.
    ///
    /// # Errors
    /// [`Forgetful`]. It may be on disk nevertheless.
    fn remember(&self, origin: &str, seen: &Seen) -> Result<(), Forgetful>;
}

/// Why a checkpoint could not be made durable.
#[derive(Debug, Error)]
pub enum Forgetful {
    /// The disk failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The node is ending.
    #[error("this node is ending")]
    Ending,
}

impl Memory for Weak<Store> {
    fn remember(&self, origin: &str, seen: &Seen) -> Result<(), Forgetful> {
        // Weak, because a connection that outlives the node must not keep its database open.
        let store = self.upgrade().ok_or(Forgetful::Ending)?;
        Ok(store.put_witnessed(origin, seen)?)
    }
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, Error)]
pub enum NotCosigned {
    /// It must not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be remembered.
    #[error("the checkpoint could not be remembered: {0}")]
    Memory(#[from] Forgetful),
    /// The key is not one that cosigns.
    #[error(transparent)]
    Key(#[from] WrongKind),
}

/// The witness.
pub struct Witness<M> {
    signer: Signer,
    memory: M,
    /// One lock for all logs, held until the disk has answered: of two requests for one log the second sees what the
    /// first has left.
    logs: Mutex<Witnessed>,
}

impl Witness<Weak<Store>> {
    /// A witness of these logs that goes on where it stopped.
    ///
    /// # Errors
    /// [`OpenError`] if what it remembers cannot be read.
    pub fn open(signer: Signer, mut logs: Witnessed, store: &Arc<Store>) -> Result<Self, OpenError> {
        for (origin, seen) in store.witnessed()? {
            // Of a log that is witnessed no more the memory is kept: it may be named again.
            if let Some(log) = logs.get_mut(&origin) {
                log.seen = Some(seen);
            }
        }
        Ok(Witness::new(signer, logs, Arc::downgrade(store)))
    }
}

impl<M: Memory> Witness<M> {
    /// A witness of these logs, with what it has seen of them.
    pub fn new(signer: Signer, logs: Witnessed, memory: M) -> Witness<M> {
        Witness { signer, memory, logs: Mutex::new(logs) }
    }

    /// The key with which it cosigns.
    pub fn key(&self) -> &VerifierKey {
        self.signer.verifier_key()
    }

    /// Answers the body of an `add-checkpoint` request at `now_s`. The cosignature is returned only when the checkpoint
    /// is on disk as the latest of its log.
    ///
    /// # Errors
    /// [`NotCosigned`]; then no signature leaves.
    pub fn add_checkpoint(&self, body: &[u8], now_s: u64) -> Result<NoteSignature, NotCosigned> {
        let request = AddCheckpoint::parse(body).map_err(Refusal::from)?;
        // A map of what is on disk: whole at every point at which a thread can panic.
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        decide::decide(&request, &logs)?;
        let Some(log) = logs.get_mut(&request.origin) else {
            return Err(Refusal::UnknownLog.into());
        };
        let line = cosignature::cosign(&self.signer, &request.note.text, now_s)?;
        let of_log = request.note.signature_of(&log.key).cloned();
        let signatures = of_log.into_iter().chain([line.clone()]).collect();
        let note = SignedNote { text: request.note.text, signatures }.to_string();
        let seen = Seen { size: request.size, root: request.root, note };
        // Disk first: a cosignature that is forgotten could be followed by one of a smaller log, or of a fork. After a
        // failure the old state stays: perhaps the new one is on disk, but nothing was signed for it.
        self.memory.remember(&request.origin, &seen)?;
        log.seen = Some(seen);
        Ok(line)
    }

    /// The last checkpoint that was cosigned of the log whose origin has this SHA-256.
    pub fn latest(&self, origin_hash: &Digest) -> Option<String> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, log) = logs.iter().find(|(origin, _)| Digest::of(origin.as_bytes()) == *origin_hash)?;
        log.seen.as_ref().map(|seen| seen.note.clone())
    }
}
