//! Final blocks together with the certificates that make them final: what a quorum has signed about an executed state.
//!
//! ```text
//! bytes = final             the block with which a chain begins, which claims the state before it
//!       / final ‖ final     that block, and a later one that claims the state before it
//! final = length of the block (u32) ‖ block ‖ finalization      as the engine writes them
//! ```
//!
//! A leader claims what it has executed, and a group that is busy proposes a block before the one ahead of it is final: each
//! block then claims an older state than its parent's, and a later one says what was before it. Both are of the one chain that
//! a quorum makes final under the group's namespace; nothing else need bind them to each other.
//!
//! Whoever trusts the group's members needs nothing else to believe the claim, and the engine can begin with the first block as
//! if there had been none before it.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;

use commonware_codec::{Copying, Decode, DecodeExt, Encode, Read};
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

use crate::block::{BLOCK_PAYLOAD_BYTES_MAX, Block, Claim};
use crate::chain::{Chain, EPOCH};
use crate::checked::Reading;
use crate::memory::Finalization;

/// Most bytes of both blocks with their certificates: a header and the certificate of 31 members have less than 8 KiB.
pub const CERTIFIED_BYTES_MAX: usize = 2 * (BLOCK_PAYLOAD_BYTES_MAX + 16 * 1024);

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

/// A final block and who claims the very state before it, their certificates checked or the engine's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    begin: Final,
    /// `None` where the block itself claims it.
    claiming: Option<Final>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Final {
    block: Block,
    finalization: Finalization,
}

/// Why bytes are no blocks that this group has made final.
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
    /// The state that is claimed is not the one before the first block.
    #[error("the state after block {claimed} is claimed, and not the one before block {height}")]
    NotBefore {
        /// Height that the claim is about.
        claimed: u64,
        /// That of the first block.
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
        for Final { finalization, .. } in certified.finals() {
            if finalization.epoch() != EPOCH || !finalization.verify(&mut UnwrapErr(SysRng), &scheme, &Sequential) {
                return Err(CertifiedError::NotSigned);
            }
        }
        Ok(certified)
    }

    /// The same for what [`Certified::from_bytes`] has taken before: all is checked but the signatures, which the engine checks
    /// again when it begins with this block.
    ///
    /// # Errors
    /// [`CertifiedError`].
    pub fn from_own_disk(bytes: &[u8], group: &Group) -> Result<Certified, CertifiedError> {
        let (reading, mut rest) = (Reading::new(Arc::new(group.clone())), bytes);
        let begin = Final::read(&mut rest, &reading, group)?;
        let claiming = if rest.is_empty() { None } else { Some(Final::read(&mut rest, &reading, group)?) };
        if !rest.is_empty() {
            return Err(malformed("more follows"));
        }
        if claiming.as_ref().is_some_and(|later| later.block.height <= begin.block.height) {
            return Err(malformed("the second block is not a later one"));
        }
        let certified = Certified { begin, claiming };
        let (claimed, height) = (certified.claim().height, certified.height());
        match claimed.checked_add(1) == Some(height) {
            true => Ok(certified),
            false => Err(CertifiedError::NotBefore { claimed, height }),
        }
    }

    /// The bytes, at most [`CERTIFIED_BYTES_MAX`].
    pub fn to_bytes(&self) -> Vec<u8> {
        self.finals().flat_map(Final::to_bytes).collect()
    }

    /// The state that is signed, with heights as a node counts them: those of an epoch go on from where the epoch before ended.
    pub fn claimed(&self, begun: &Executed) -> Executed {
        let claim = self.claim();
        Executed {
            height: begun.height.saturating_add(claim.height),
            time_ms: claim.time_ms,
            log_size: claim.log_size,
            log_root: claim.log_root,
            open: claim.open,
        }
    }

    fn finals(&self) -> impl Iterator<Item = &Final> {
        std::iter::once(&self.begin).chain(&self.claiming)
    }

    fn claim(&self) -> &Claim {
        &self.claiming.as_ref().unwrap_or(&self.begin).block.claim
    }

    /// Height of the first block in its chain.
    pub(crate) fn height(&self) -> u64 {
        self.begin.block.height
    }

    pub(crate) fn finalization(&self) -> &Finalization {
        &self.begin.finalization
    }
}

impl Final {
    /// Takes the first one off `bytes`.
    fn read(bytes: &mut &[u8], reading: &Reading, group: &Group) -> Result<Final, CertifiedError> {
        let split = bytes
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?));
        let (block, rest) = split.ok_or_else(|| malformed("it is cut off"))?;
        let block = Block::decode_cfg(Copying(block), reading).map_err(malformed)?;
        let mut unread = Copying(rest);
        let finalization = Finalization::read_cfg(&mut unread, &group.members().len()).map_err(malformed)?;
        *bytes = unread.0;
        match finalization.proposal.payload == block.digest() {
            true => Ok(Final { block, finalization }),
            false => Err(CertifiedError::OtherBlock),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let block = self.block.encode();
        let length = u32::try_from(block.len()).expect("a block has little more than a MiB");
        [&length.to_be_bytes()[..], &block, &self.finalization.encode()].concat()
    }

    /// This final block, if its certificate is here.
    async fn of(chain: &Chain, block: &Block) -> Option<Final> {
        let finalization = chain.get_finalization(Height::new(block.height)).await?;
        Some(Final { block: block.clone(), finalization })
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

/// The newest final block here that claims one of the states that are `wanted`, with the block behind that state.
async fn newest(chain: &Chain, wanted: &WantedStates) -> Option<Certified> {
    let (tip, _) = chain.get_info(Identifier::Latest).await?;
    for height in (tip.get().saturating_sub(BLOCKS_SEARCHED).max(1)..=tip.get()).rev() {
        let Some(block) = chain.get_block(Height::new(height)).await else { continue };
        let claim = &block.inner().claim;
        // Claims never go back.
        if claim.time_ms < wanted.since_ms {
            return None;
        }
        if wanted.open.contains(&claim.open)
            && let Some(certified) = claimed_by(chain, block.inner()).await
        {
            return Some(certified);
        }
    }
    None
}

/// What this final block claims, with the block behind that state, if both are here with their certificates.
async fn claimed_by(chain: &Chain, block: &Block) -> Option<Certified> {
    let claiming = Final::of(chain, block).await?;
    let begins = block.claim.height.saturating_add(1);
    if begins == block.height {
        return Some(Certified { begin: claiming, claiming: None });
    }
    let begin = chain.get_block(Height::new(begins)).await?;
    Some(Certified { begin: Final::of(chain, begin.inner()).await?, claiming: Some(claiming) })
}

fn malformed(error: impl std::fmt::Display) -> CertifiedError {
    CertifiedError::Malformed(error.to_string())
}
