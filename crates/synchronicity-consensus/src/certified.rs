//! A final block together with the certificate that makes it final: what a quorum has signed about an executed state.
//!
//! ```text
//! bytes = length of the block (u32) ‖ block ‖ finalization      as the engine writes them
//! ```
//!
//! Whoever trusts the group's members needs nothing else to believe the claim in the block, and the engine can begin with such a
//! block as if there had been none before it.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;

use commonware_codec::{Copying, Decode, DecodeExt, Encode};
use commonware_consensus::Epochable;
use commonware_consensus::marshal::Identifier;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Height;
use commonware_cryptography::{Digestible, ed25519};
use commonware_parallel::Sequential;
use commonware_utils::ordered::Set;
use getrandom::SysRng;
use rand_core::UnwrapErr;
use synchronicity_core::group::Group;
use synchronicity_core::machine::Executed;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::namespace;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::block::{BLOCK_PAYLOAD_BYTES_MAX, Block};
use crate::chain::{Chain, EPOCH};
use crate::checked::Reading;
use crate::memory::Finalization;

/// Most bytes of a block with its certificate: its header and the certificate of 31 members have less than 8 KiB.
pub const CERTIFIED_BYTES_MAX: usize = BLOCK_PAYLOAD_BYTES_MAX + 16 * 1024;

/// Blocks behind the last final one that are looked through for a claim.
const BLOCKS_SEARCHED: u64 = 256;

/// Open states of which one is to be claimed by a final block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedStates {
    /// Their digests.
    pub open: BTreeSet<Digest>,
    /// Time of the block after which the first of them was the present one, in milliseconds: no claim before it is looked at.
    pub since_ms: u64,
}

/// What is wanted, and where the block is awaited.
pub(crate) type Asked = (WantedStates, oneshot::Sender<Option<Certified>>);

/// A final block that claims the very state before it, its certificate checked or the engine's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    block: Block,
    finalization: Finalization,
}

/// Why bytes are no block that this group has made final.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertifiedError {
    /// Not a block and a certificate.
    #[error("not a block with its certificate: {0}")]
    Malformed(String),
    /// The certificate is one for another block.
    #[error("the certificate is not one of the block")]
    OtherBlock,
    /// It is not signed by enough members.
    #[error("the certificate does not hold: it is not signed by a quorum of this group's members")]
    NotSigned,
    /// The block claims a state of another height than its parent's.
    #[error("the block claims the state after block {claimed}, and not the one before its own height {height}")]
    NotTheParents {
        /// Height that it claims the state of.
        claimed: u64,
        /// Its own.
        height: u64,
    },
}

impl Certified {
    /// Reads what [`Certified::to_bytes`] wrote, whoever sent it, and checks it with the members of `group`.
    ///
    /// # Errors
    /// [`CertifiedError`].
    pub fn from_bytes(bytes: &[u8], group: &Group) -> Result<Certified, CertifiedError> {
        let certified = Certified::from_own_disk(bytes, group)?;
        let keys = group.members().iter().map(|member| ed25519::PublicKey::decode(Copying(&member.consensus)));
        let keys = keys.collect::<Result<Vec<_>, _>>().map_err(malformed)?;
        let scheme = Scheme::verifier(&namespace(&group.id()), Set::from_iter_dedup(keys));
        let finalization = &certified.finalization;
        if finalization.epoch() != EPOCH || !finalization.verify(&mut UnwrapErr(SysRng), &scheme, &Sequential) {
            return Err(CertifiedError::NotSigned);
        }
        Ok(certified)
    }

    /// The same for what [`Certified::from_bytes`] has taken before: all is checked but the signatures, which the engine checks
    /// again when it begins with this block.
    ///
    /// # Errors
    /// [`CertifiedError`].
    pub fn from_own_disk(bytes: &[u8], group: &Group) -> Result<Certified, CertifiedError> {
        let split = bytes
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?));
        let (block, finalization) = split.ok_or_else(|| malformed("it is cut off"))?;
        let block = Block::decode_cfg(Copying(block), &Reading::new(Arc::new(group.clone()))).map_err(malformed)?;
        let finalization =
            Finalization::decode_cfg(Copying(finalization), &group.members().len()).map_err(malformed)?;
        let certified = Certified { block, finalization };
        let Block { height, claim, .. } = &certified.block;
        if certified.finalization.proposal.payload != certified.block.digest() {
            return Err(CertifiedError::OtherBlock);
        }
        if claim.height.checked_add(1) != Some(*height) {
            return Err(CertifiedError::NotTheParents { claimed: claim.height, height: *height });
        }
        Ok(certified)
    }

    /// The bytes, at most [`CERTIFIED_BYTES_MAX`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let block = self.block.encode();
        let length = u32::try_from(block.len()).expect("a block has little more than a MiB");
        [&length.to_be_bytes()[..], &block, &self.finalization.encode()].concat()
    }

    /// The state that is signed, with heights as a node counts them: those of an epoch go on from where the epoch before ended.
    pub fn claimed(&self, begun: &Executed) -> Executed {
        let claim = &self.block.claim;
        Executed {
            height: begun.height.saturating_add(claim.height),
            time_ms: claim.time_ms,
            log_size: claim.log_size,
            log_root: claim.log_root,
            open: claim.open,
        }
    }

    /// Height of the block in its chain.
    pub(crate) fn height(&self) -> u64 {
        self.block.height
    }

    pub(crate) fn finalization(&self) -> &Finalization {
        &self.finalization
    }
}

/// Answers whoever asks for a certificate, until the engine ends.
pub(crate) async fn answer(chain: &Chain, mut asked: mpsc::Receiver<Asked>) {
    while let Some((wanted, answer)) = asked.recv().await {
        // Whoever asked may be gone.
        let _ = answer.send(newest(chain, &wanted).await);
    }
    // All handles are gone: nobody will ask.
    pending().await
}

/// The newest final block here that claims the state before it, if the open state there is one of those that are `wanted`.
async fn newest(chain: &Chain, wanted: &WantedStates) -> Option<Certified> {
    let (tip, _) = chain.get_info(Identifier::Latest).await?;
    for height in (tip.get().saturating_sub(BLOCKS_SEARCHED).max(1)..=tip.get()).rev() {
        let Some(block) = chain.get_block(Height::new(height)).await else { continue };
        let block = block.inner();
        // Claims never go back.
        if block.claim.time_ms < wanted.since_ms {
            return None;
        }
        if block.claim.height + 1 == block.height
            && wanted.open.contains(&block.claim.open)
            && let Some(finalization) = chain.get_finalization(Height::new(height)).await
        {
            return Some(Certified { block: Block::clone(block), finalization });
        }
    }
    None
}

fn malformed(error: impl std::fmt::Display) -> CertifiedError {
    CertifiedError::Malformed(error.to_string())
}
