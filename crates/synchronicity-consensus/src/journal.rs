//! What the engine's journal of votes says before the engine reads it itself.

use commonware_consensus::Viewable;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Artifact;
use commonware_cryptography::sha256;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Metrics, ReadOptions, Storage};
use commonware_storage::journal::Error;
use commonware_storage::journal::segmented::variable::{Config, Journal};

use crate::memory::{Certificate, Memory};
use crate::storage;

/// How far a member is by its own journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    /// Highest view in which it voted; 0 if it never did.
    pub(crate) signed: u64,
    /// Highest view that it knew to be final: it never votes there or below.
    pub(crate) finalized: u64,
}

/// Reads the journal once, and lets the certificates in it be remembered. The voter must not run yet.
///
/// # Errors
/// The journal cannot be read; the voter could not either.
pub(crate) async fn read<E: Storage + Metrics + Clock>(
    context: &E,
    folder: &str,
    cache: &CacheRef,
    memory: &Memory,
) -> Result<Own, Error> {
    let config = Config {
        partition: format!("{folder}{}", storage::VOTES),
        compression: None,
        codec_config: memory.participants().len(),
        page_cache: cache.clone(),
        write_buffer: storage::WRITE_BUFFER_BYTES,
    };
    let journal = Journal::<_, Artifact<Scheme, sha256::Digest>>::init(context.child("own_votes"), config).await?;
    let mut replay = journal.replay(0, 0, storage::REPLAY_BUFFER_BYTES, ReadOptions::DONT_CACHE).await?;
    let mut own = Own { signed: 0, finalized: 0 };
    while let Some(artifact) = replay.next().await {
        let (_, _, _, artifact) = artifact?;
        let view = artifact.view().get();
        match artifact {
            // The engine writes down its own votes and nobody else's.
            Artifact::Notarize(_) | Artifact::Nullify(_) | Artifact::Finalize(_) => own.signed = own.signed.max(view),
            Artifact::Notarization(certificate) => memory.certified(Certificate::Notarization(certificate)),
            Artifact::Nullification(certificate) => memory.certified(Certificate::Nullification(certificate)),
            Artifact::Finalization(certificate) => {
                own.finalized = own.finalized.max(view);
                memory.certified(Certificate::Finalization(certificate));
            }
            Artifact::Certification(..) => {}
        }
    }
    replay.finish()?;
    Ok(own)
}
