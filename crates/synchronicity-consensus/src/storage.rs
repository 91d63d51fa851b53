//! Where the chain lies on disk. The names here are part of a node's folder: a new name is a lost chain, and a lost
//! journal of votes is a member that may vote twice. They never change.

use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Finalization;
use commonware_cryptography::certificate::Verifier;
use commonware_cryptography::sha256;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Metrics, Storage};
use commonware_storage::archive::{self, prunable};
use commonware_storage::translator::EightCap;
use commonware_utils::{NZU16, NZU64, NZUsize};

use crate::block::Block;
use crate::checked::Reading;

/// The engine's journal of its own votes, written and synced before a vote leaves.
pub(crate) const VOTES: &str = "votes";

/// Prefix of what marshal keeps about blocks that are not yet final.
pub(crate) const MARSHAL: &str = "marshal";

const CERTIFICATES: &str = "certificates";
const BLOCKS: &str = "blocks";

/// Pages that are kept in memory, 4 KiB each: 4 MiB in all.
const PAGE_BYTES: NonZeroU16 = NZU16!(4096);
const PAGES: NonZeroUsize = NZUsize!(1024);

pub(crate) const WRITE_BUFFER_BYTES: NonZeroUsize = NZUsize!(64 * 1024);
pub(crate) const REPLAY_BUFFER_BYTES: NonZeroUsize = NZUsize!(256 * 1024);

/// How many blocks a member keeps behind the last one that it executed, with their certificates. Whoever is further behind
/// takes up a state that a quorum signed instead.
pub(crate) const BLOCKS_KEPT: NonZeroU64 = NZU64!(65_536);

/// In how many sections they lie: a section goes as a whole, and has two files in each archive.
const SECTIONS: u64 = 16;

/// Views in one section of what is kept for a while: that is removed section by section, so a smaller one wastes less.
pub(crate) const VIEWS_PER_SECTION: NonZeroU64 = NZU64!(256);

/// The archives of one member.
pub(crate) struct Archives<E: Storage + Metrics + Clock> {
    pub(crate) certificates: prunable::Archive<EightCap, E, sha256::Digest, Finalization<Scheme, sha256::Digest>>,
    pub(crate) blocks: prunable::Archive<EightCap, E, sha256::Digest, Arc<Block>>,
}

pub(crate) fn page_cache() -> CacheRef {
    CacheRef::new(PAGE_BYTES, PAGES)
}

/// Opens or creates the archives. A read or write that fails afterwards is a panic of the engine, which the node learns
/// as the reason for which the engine stopped.
pub(crate) async fn open<E: Storage + Metrics + Clock>(
    context: &E,
    folder: &str,
    (cache, kept): (&CacheRef, NonZeroU64),
    reading: &Reading,
) -> Result<Archives<E>, archive::Error> {
    let certificates = prunable::Archive::init(
        context.child("certificates"),
        layout(folder, CERTIFICATES, (cache, kept), Scheme::certificate_codec_config_unbounded()),
    );
    // Nothing comes in here that was not checked when it was read from the network.
    let blocks =
        prunable::Archive::init(context.child("blocks"), layout(folder, BLOCKS, (cache, kept), reading.own_disk()));
    Ok(Archives { certificates: certificates.await?, blocks: blocks.await? })
}

/// Blocks that are removed together.
pub(crate) fn section(kept: NonZeroU64) -> NonZeroU64 {
    NonZeroU64::new(kept.get() / SECTIONS).unwrap_or(NonZeroU64::MIN)
}

fn layout<C>(
    folder: &str,
    name: &str,
    (cache, kept): (&CacheRef, NonZeroU64),
    codec_config: C,
) -> prunable::Config<EightCap, C> {
    let name = format!("{folder}{name}");
    prunable::Config {
        translator: EightCap,
        metadata_partition: format!("{name}-metadata"),
        key_partition: format!("{name}-keys"),
        key_page_cache: cache.clone(),
        value_partition: format!("{name}-values"),
        compression: None,
        codec_config,
        items_per_section: section(kept),
        key_write_buffer: WRITE_BUFFER_BYTES,
        value_write_buffer: WRITE_BUFFER_BYTES,
        replay_buffer: REPLAY_BUFFER_BYTES,
    }
}
