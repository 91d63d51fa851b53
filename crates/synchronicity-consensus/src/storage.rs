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
use commonware_storage::archive::{self, immutable};
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

/// Heights in one section of an archive, and views in one section of what is kept for a while: that is removed section by
/// section, so a smaller one wastes less.
const HEIGHTS_PER_SECTION: NonZeroU64 = NZU64!(4096);
pub(crate) const VIEWS_PER_SECTION: NonZeroU64 = NZU64!(256);

/// The archives of one member.
pub(crate) struct Archives<E: Storage + Metrics + Clock> {
    pub(crate) certificates: immutable::Archive<E, sha256::Digest, Finalization<Scheme, sha256::Digest>>,
    pub(crate) blocks: immutable::Archive<E, sha256::Digest, Arc<Block>>,
}

pub(crate) fn page_cache() -> CacheRef {
    CacheRef::new(PAGE_BYTES, PAGES)
}

/// Opens or creates the archives. A read or write that fails afterwards is a panic of the engine, which the node learns
/// as the reason for which the engine stopped.
pub(crate) async fn open<E: Storage + Metrics + Clock>(
    context: &E,
    folder: &str,
    cache: &CacheRef,
    reading: &Reading,
) -> Result<Archives<E>, archive::Error> {
    let certificates = immutable::Archive::init(
        context.child("certificates"),
        layout(folder, CERTIFICATES, cache, Scheme::certificate_codec_config_unbounded()),
    );
    // Nothing comes in here that was not checked when it was read from the network.
    let blocks = immutable::Archive::init(context.child("blocks"), layout(folder, BLOCKS, cache, reading.own_disk()));
    Ok(Archives { certificates: certificates.await?, blocks: blocks.await? })
}

fn layout<C>(folder: &str, name: &str, cache: &CacheRef, codec_config: C) -> immutable::Config<C> {
    let name = format!("{folder}{name}");
    immutable::Config {
        metadata_partition: format!("{name}-metadata"),
        freezer_table_partition: format!("{name}-table"),
        freezer_table_initial_size: 4096,
        freezer_table_resize_frequency: 4,
        freezer_table_resize_chunk_size: 1024,
        freezer_key_partition: format!("{name}-keys"),
        freezer_key_page_cache: cache.clone(),
        freezer_value_partition: format!("{name}-values"),
        freezer_value_target_size: 64 * 1024 * 1024,
        freezer_value_compression: None,
        ordinal_partition: format!("{name}-heights"),
        items_per_section: HEIGHTS_PER_SECTION,
        freezer_key_write_buffer: WRITE_BUFFER_BYTES,
        freezer_value_write_buffer: WRITE_BUFFER_BYTES,
        ordinal_write_buffer: WRITE_BUFFER_BYTES,
        replay_buffer: REPLAY_BUFFER_BYTES,
        codec_config,
    }
}
