//! The voter: simplex with Ed25519 certificates, and the waiting times that make it patient with an idle group.
//!
//! Nothing is signed twice: simplex appends each of its votes to a journal (partition [`storage::VOTES`]) and syncs it
//! before the vote is sent, and replays the journal before it votes again. So that folder must not be lost while the
//! key lives on.

use std::sync::Arc;
use std::time::Duration;

use commonware_consensus::marshal::standard::Inline;
use commonware_consensus::simplex;
use commonware_consensus::simplex::config::{Config, Floor, ForwardPolicy, SkipBudget, SkipPolicy};
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::View;
use commonware_consensus::{Reporters, Viewable};
use commonware_cryptography::{ed25519, sha256};
use commonware_p2p::Blocker;
use commonware_parallel::Sequential;
use commonware_runtime::Handle;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_utils::NZDuration;

use crate::application::Application;
use crate::chain::{Chain, EPOCH, EPOCH_BLOCKS, FETCH_RETRY, FETCH_TIMEOUT, MAILBOX, VIEWS_KEPT};
use crate::channel::{Channel, Runtime};
use crate::executor::Executor;
use crate::hearing::{Listening, Watcher};
use crate::local::Local;
use crate::storage;

/// How long a leader that is awake may take beyond the heartbeat: two syncs of its disk, and the way to the others. Who waits
/// behind a dead leader waits for this too, and a leader that is given up in vain costs a group that is idle nothing.
const LEADERS_LENIENCE: Duration = Duration::from_millis(750);

/// How long the rest of a view may take: disks stall, machines are shared.
const LENIENCE: Duration = Duration::from_secs(2);

/// The engine's waiting times. All follow from the heartbeat, so that a leader that waits for commands is never taken
/// for a dead one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Until a leader must have proposed.
    leader: Duration,
    /// Until a view must be certified.
    certification: Duration,
    /// Between repetitions of a vote to give a view up.
    retry: Duration,
    /// Silence after which a leader's views are given up at once.
    pub(crate) inactive: Duration,
}

impl Patience {
    pub(crate) fn for_heartbeat(heartbeat: Duration) -> Self {
        Self {
            leader: heartbeat + LEADERS_LENIENCE,
            certification: heartbeat + 2 * LENIENCE,
            retry: heartbeat + LENIENCE,
            inactive: heartbeat + 3 * LENIENCE,
        }
    }
}

/// What a voter is made of, besides links.
pub(crate) struct Setup<X, B> {
    pub(crate) scheme: Scheme,
    /// Above what this member votes.
    pub(crate) floor: Floor<Scheme, sha256::Digest>,
    pub(crate) cache: CacheRef,
    pub(crate) chain: Chain,
    /// Put in front of every name on disk.
    pub(crate) folder: String,
    pub(crate) blocker: B,
    pub(crate) local: Arc<Local<X>>,
    pub(crate) watcher: Watcher,
}

impl<X, B> Setup<X, B> {
    /// The view above which this member votes.
    pub(crate) fn floor_view(&self) -> View {
        match &self.floor {
            Floor::Genesis(_) => View::zero(),
            Floor::Finalized(finalization) => finalization.view(),
        }
    }
}

/// The links of a voter: votes, certificates, and certificates that are asked for.
pub(crate) struct Links<E, C: Channel> {
    pub(crate) votes: C::Sender,
    pub(crate) heard_votes: Listening<E, C::Receiver>,
    pub(crate) certificates: C,
    pub(crate) fetched: C,
}

/// Replays the journal of votes and starts to vote.
pub(crate) fn start<E, X, C, B>(context: &E, setup: Setup<X, B>, links: Links<E, C>) -> Handle<()>
where
    E: Runtime,
    X: Executor,
    C: Channel,
    B: Blocker<PublicKey = ed25519::PublicKey>,
{
    let patience = Patience::for_heartbeat(setup.local.pace.heartbeat);
    let application =
        Inline::new(context.child("application"), Application::new(setup.local), setup.chain, EPOCH_BLOCKS);
    let config = Config {
        scheme: setup.scheme,
        elector: RoundRobin::<commonware_cryptography::Sha256>::default(),
        blocker: setup.blocker,
        automaton: application.clone(),
        relay: application.clone(),
        reporter: Reporters::from((application, setup.watcher)),
        // Otherwise a second vote that comes after the certificate is not noticed.
        track_historical_votes: true,
        strategy: Sequential,
        partition: format!("{}{}", setup.folder, storage::VOTES),
        mailbox_size: MAILBOX,
        epoch: EPOCH,
        floor: setup.floor,
        replay_buffer: storage::REPLAY_BUFFER_BYTES,
        write_buffer: storage::WRITE_BUFFER_BYTES,
        page_cache: setup.cache,
        leader_timeout: patience.leader,
        certification_timeout: patience.certification,
        timeout_retry: patience.retry,
        view_retention: VIEWS_KEPT,
        skip: SkipPolicy::Enabled { timeout: patience.inactive, budget: SkipBudget::Participants },
        fetch_timeout: NZDuration!(FETCH_TIMEOUT),
        fetch_retry_delay: FETCH_RETRY,
        // To all who were silent it would be most of what a leader's link carries; they fetch a block once it is certified.
        forward: ForwardPolicy::SilentLeader,
    };
    simplex::Engine::new(context.child("simplex"), config).start(
        (links.votes, links.heard_votes),
        links.certificates.ends(),
        links.fetched.ends(),
    )
}
