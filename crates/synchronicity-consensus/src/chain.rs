//! The ordered chain of one member: fresh blocks from the leaders, missing ones from whoever has them, final ones on
//! disk and, in order, to the outlet.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use commonware_broadcast::buffered;
use commonware_consensus::marshal::core::{Actor, Mailbox};
use commonware_consensus::marshal::resolver::p2p as backfill;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::marshal::{Config, Start};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::{Epoch, FixedEpocher, ViewDelta};
use commonware_cryptography::certificate::ConstantProvider;
use commonware_cryptography::{Digested, ed25519};
use commonware_p2p::{Blocker, Provider};
use commonware_parallel::Sequential;
use commonware_runtime::Handle;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::archive;
use commonware_utils::{NZDuration, NZU64, NZUsize};

use crate::block::Block;
use crate::channel::{Channel, Runtime};
use crate::checked::Reading;
use crate::delivery::{Outlet, UNACKNOWLEDGED_MAX};
use crate::memory::Finalization;
use crate::storage;

/// How the other parts reach the chain.
pub(crate) type Chain = Mailbox<Scheme, Standard<Block>>;

/// Messages that wait inside the engine, per part.
pub(crate) const MAILBOX: NonZeroUsize = NZUsize!(1024);

/// Views behind the last final one of which votes and blocks are kept, for members that are a little behind.
pub(crate) const VIEWS_KEPT: ViewDelta = ViewDelta::new(256);

/// The engine's own count of epochs stands still: members of the next epoch are another group with another namespace, and
/// run another engine upon another folder, so that nothing of one epoch means anything in another.
pub(crate) const EPOCH: Epoch = Epoch::zero();
pub(crate) const EPOCH_BLOCKS: FixedEpocher = FixedEpocher::new(NZU64!(u64::MAX));

pub(crate) const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
pub(crate) const FETCH_RETRY: Duration = Duration::from_millis(200);

/// Fresh blocks of one sender that are kept until they are voted for.
const FRESH_BLOCKS_MAX: usize = 16;

/// Missing blocks that are fetched at a time.
const REPAIRS: NonZeroUsize = NZUsize!(256);

/// What a chain is made of, besides links.
pub(crate) struct Setup {
    pub(crate) scheme: Scheme,
    pub(crate) key: ed25519::PublicKey,
    pub(crate) reading: Reading,
    pub(crate) genesis: Digested<Block>,
    /// The final block with which the chain begins here, if not with the genesis.
    pub(crate) floor: Option<Finalization>,
    /// Blocks that are kept behind the executed ones.
    pub(crate) kept: NonZeroU64,
    pub(crate) cache: CacheRef,
    pub(crate) outlet: Outlet,
    /// Put in front of every name on disk.
    pub(crate) folder: String,
}

/// The links that a chain needs.
pub(crate) struct Links<C, P, B> {
    pub(crate) fetched: C,
    pub(crate) fresh: C,
    pub(crate) peers: P,
    pub(crate) blocker: B,
}

/// Opens the chain on disk and starts to serve it.
///
/// # Errors
/// The archives cannot be read: a damaged folder, or one of an incompatible version.
pub(crate) async fn start<E, C, P, B>(
    context: &E,
    setup: Setup,
    links: Links<C, P, B>,
) -> Result<(Chain, Handle<()>), archive::Error>
where
    E: Runtime,
    C: Channel,
    P: Provider<PublicKey = ed25519::PublicKey>,
    B: Blocker<PublicKey = ed25519::PublicKey>,
{
    let archives = storage::open(context, &setup.folder, (&setup.cache, setup.kept), &setup.reading).await?;
    let (dissemination, fresh) = buffered::Engine::new(
        context.child("fresh"),
        buffered::Config {
            public_key: setup.key.clone(),
            mailbox_size: MAILBOX,
            deque_size: FRESH_BLOCKS_MAX,
            priority: true,
            codec_config: setup.reading.clone(),
            peer_provider: links.peers.clone(),
            strategy: Sequential,
        },
    );
    dissemination.start(links.fresh.ends());
    let missing = backfill::init(
        context.child("backfill"),
        backfill::Config {
            public_key: setup.key.clone(),
            peer_provider: links.peers,
            blocker: links.blocker,
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(FETCH_TIMEOUT),
            fetch_retry_delay: FETCH_RETRY,
            priority_requests: false,
            priority_responses: false,
        },
        links.fetched.ends(),
    );
    let outlet = setup.outlet.clone();
    let (keeper, chain, _) =
        Actor::init(context.child("marshal"), archives.certificates, archives.blocks, config(setup)).await;
    Ok((chain, keeper.start(outlet, fresh, missing)))
}

fn config(setup: Setup) -> Config<ConstantProvider<Scheme, Epoch>, FixedEpocher, Sequential, Block, Digested<Block>> {
    Config {
        provider: ConstantProvider::new(setup.scheme),
        epocher: EPOCH_BLOCKS,
        // Of a floor that the chain on disk is past the engine takes no notice.
        start: setup.floor.map_or(Start::Genesis(setup.genesis), Start::Floor),
        partition_prefix: format!("{}{}", setup.folder, storage::MARSHAL),
        mailbox_size: MAILBOX,
        view_retention: VIEWS_KEPT,
        prunable_items_per_section: storage::VIEWS_PER_SECTION,
        page_cache: setup.cache,
        replay_buffer: storage::REPLAY_BUFFER_BYTES,
        key_write_buffer: storage::WRITE_BUFFER_BYTES,
        value_write_buffer: storage::WRITE_BUFFER_BYTES,
        block_codec_config: setup.reading,
        max_repair: REPAIRS,
        max_pending_acks: NZUsize!(UNACKNOWLEDGED_MAX),
        strategy: Sequential,
    }
}
