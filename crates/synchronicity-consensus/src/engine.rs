//! The engine of one member, over any runtime and any links: its parts meet here and nowhere else.
//!
//! ```text
//!            votes, certificates             commands, statements, parcels
//!  members <---------------------> vote       gossip <---------------------> members
//!                                   |            |
//!                   propose, verify |            | mempool
//!            blocks                 v            v
//!  members <------> chain -------> local <-------+
//!                     |             ^
//!                     +--> delivery +--> Executor (the node)
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::num::NonZeroU64;
use std::sync::Arc;

use commonware_consensus::Viewable;
use commonware_consensus::simplex::config::Floor;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_cryptography::{Digested, Digestible, Signer, ed25519, sha256};
use commonware_macros::select;
use commonware_p2p::{Blocker, Provider};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_utils::ordered::Set;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::namespace;
use synchronicity_verify::identity::BuilderId;
use tokio::sync::{mpsc, watch};

use crate::block::Block;
use crate::certified::{self, Asked, Certified};
use crate::channel::{Channel, Runtime};
use crate::cutting::Cutter;
use crate::executor::Executor;
use crate::hearing::{Listening, Watcher};
use crate::journal::Own;
use crate::local::Local;
use crate::memory::{Answer, Memory};
use crate::network::Network;
use crate::recollection::{Asker, Standing};
use crate::sightings::{Key, key_of};
use crate::{chain, delivery, gossip, journal, missing, recollection, storage, vote};

/// Everything about a member that its engine needs and the network does not carry.
pub(crate) struct Member<X> {
    pub(crate) identity: ed25519::PrivateKey,
    /// Consensus keys in the order of the group, each with its command key.
    pub(crate) members: Vec<(ed25519::PublicKey, BuilderId)>,
    /// The group's id, which separates its votes and connections from any other group's.
    pub(crate) group: Digest,
    pub(crate) local: Arc<Local<X>>,
    /// Put in front of every name on disk; empty where the disk holds one member only.
    pub(crate) folder: String,
    /// Statements to tell, and those that are heard, with their author's place in the group.
    pub(crate) tell: mpsc::Receiver<Arc<[u8]>>,
    pub(crate) heard: mpsc::Sender<(usize, Vec<u8>)>,
    /// Parcels to send to a member, and those that came from one, each with that member's place in the group.
    pub(crate) send: mpsc::Receiver<(usize, Vec<u8>)>,
    pub(crate) received: mpsc::Sender<(usize, Vec<u8>)>,
    /// Who asks for a block that claims one of these open states.
    pub(crate) asked: mpsc::Receiver<Asked>,
    /// The block with which the chain begins here, if not with the genesis.
    pub(crate) floor: Option<Certified>,
    /// Blocks that are kept behind the executed ones.
    pub(crate) kept: NonZeroU64,
    pub(crate) shutdown: watch::Receiver<bool>,
    pub(crate) standing: Arc<watch::Sender<Standing>>,
    /// Whether the operator vouches for it that no vote is missing in the journal: nobody else is asked.
    pub(crate) vouched: bool,
}

/// Why an engine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was asked to.
    Shutdown,
    /// It could not go on, for this reason: a block that could not be executed, a disk that could not be written, a
    /// defect. The node must not go on as if it were a member.
    Failed(String),
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shutdown => f.write_str("it was shut down"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// Runs a member until it is shut down or cannot go on. Dropping the future ends every part of it.
pub(crate) async fn run<E, X, C, P, B>(context: E, mut member: Member<X>, network: Network<C, P, B>) -> Stopped
where
    E: Runtime,
    X: Executor,
    C: Channel,
    P: Provider<PublicKey = ed25519::PublicKey>,
    B: Blocker<PublicKey = ed25519::PublicKey>,
{
    let participants = Set::from_iter_dedup(member.members.iter().map(|(key, _)| key.clone()));
    let memory = Arc::new(Memory::new(participants.iter().map(key_of).collect()));
    let Some(scheme) = Scheme::signer(&namespace(&member.group), participants, member.identity.clone()) else {
        return Stopped::Failed("this node's consensus key is not among the members' keys".to_owned());
    };
    let genesis = Block::genesis(member.group, &member.local.executor.begun());
    let genesis = Digested::compute(genesis, &Sequential).await;
    let cache = storage::page_cache();
    let (outlet, deliveries) = delivery::channel(member.local.sightings.clone());
    let setup = chain_of(&member, (scheme.clone(), genesis.clone(), cache.clone()), outlet);
    let local = member.local.clone();
    let cutter = Cutter::new(network.blocker, member.local.sightings.clone(), move || local.now());
    let links = chain::Links {
        fetched: network.fetched_blocks,
        fresh: network.fresh_blocks,
        peers: network.peers,
        blocker: cutter.clone(),
    };
    let kept = member.kept;
    let (chain, mut keeper) = match chain::start(&context, setup, links).await {
        Ok(started) => started,
        Err(error) => return Stopped::Failed(format!("the chain's folder cannot be read: {error}")),
    };
    let own = match recall(&context, &member, &chain, (&cache, &memory)).await {
        Ok(own) => own,
        Err(reason) => return Stopped::Failed(reason),
    };
    let (asker, answer) = asker_of(&member, &scheme, &memory, own);
    let setup = voter_of(&member, (scheme, genesis.digest(), cache), chain.clone(), (cutter, memory.clone()));
    let ((votes, heard_votes), sightings) = (network.votes.ends(), member.local.sightings.clone());
    let links = vote::Links {
        votes,
        heard_votes: Listening::new(heard_votes, context.child("listening"), sightings, memory.clone()),
        certificates: network.certificates,
        fetched: network.fetched_certificates,
    };
    let recollections = network.recollections.ends();
    let asked = (!member.vouched).then(|| (asker, recollections.0.clone()));
    let sightings = member.local.sightings.clone();
    let mut recollecting = context.child("recollecting").spawn(move |clock| async move {
        recollection::hear(&clock, (&memory, &sightings), recollections, answer).await;
    });
    let mut voter = context.child("voting").spawn(move |context| vote_when_allowed(context, asked, setup, links));
    let (local, asked, others) = (member.local.clone(), chain.clone(), others(&member));
    let wanted = std::mem::replace(&mut member.asked, mpsc::channel(1).1);
    let mut asking = context.child("missing").spawn(|clock| ask_and_answer(clock, local, asked, (others, wanted)));
    let local = member.local.clone();
    let mut delivery =
        context.child("delivery").spawn(move |_| async move { deliveries.run(&local, &chain, kept).await });
    let shutdown = asked_to_end(member.shutdown.clone());
    let spoken = [network.commands, network.statements, network.parcels];
    let mut talk = context.child("gossip").spawn(|context| talk(context, member, spoken));
    select! {
        _ = shutdown => Stopped::Shutdown,
        ended = &mut delivery => Stopped::Failed(match ended {
            Ok(Err(error)) => error.to_string(),
            other => format!("the delivery of blocks ended: {other:?}"),
        }),
        ended = &mut keeper => Stopped::Failed(format!("the keeper of the chain ended: {ended:?}")),
        ended = &mut voter => Stopped::Failed(format!("the voter ended: {ended:?}")),
        ended = &mut asking => Stopped::Failed(format!("whoever asks for missing blocks ended: {ended:?}")),
        ended = &mut recollecting => Stopped::Failed(format!("whoever answers the others ended: {ended:?}")),
        ended = &mut talk => Stopped::Failed(format!("the gossip ended: {ended:?}")),
    }
}

/// Asks the others for what is missing here, and answers this node about what is not, until the engine ends.
async fn ask_and_answer<E: Runtime, X: Executor>(
    clock: E,
    local: Arc<Local<X>>,
    chain: chain::Chain,
    (others, wanted): (Vec<ed25519::PublicKey>, mpsc::Receiver<Asked>),
) {
    select! {
        () = missing::ask(&clock, &local, &chain, others) => {},
        () = certified::answer(&chain, wanted) => {},
    }
}

/// Asks the others, if they are to be asked, and then runs the voter until it ends.
async fn vote_when_allowed<E, X, C, B>(
    mut context: E,
    asked: Option<(Asker, C::Sender)>,
    mut setup: vote::Setup<X, B>,
    links: vote::Links<E, C>,
) -> Result<(), commonware_runtime::Error>
where
    E: Runtime,
    X: Executor,
    C: Channel,
    B: Blocker<PublicKey = ed25519::PublicKey>,
{
    if let Some((asker, network)) = asked
        && let Some(finalization) = recollection::ask(&mut context, asker, network).await
        && finalization.view() > setup.floor_view()
    {
        setup.floor = Floor::Finalized(finalization);
    }
    vote::start(&context, setup, links).await
}

/// The keys of all members but this one.
fn others<X>(member: &Member<X>) -> Vec<ed25519::PublicKey> {
    let own = member.identity.public_key();
    member.members.iter().map(|(key, _)| key).filter(|key| **key != own).cloned().collect()
}

/// What the disk says of this member's votes.
///
/// # Errors
/// The reason for which it cannot go on from there.
async fn recall<E: Runtime, X: Executor>(
    context: &E,
    member: &Member<X>,
    chain: &chain::Chain,
    (cache, memory): (&CacheRef, &Memory),
) -> Result<Own, String> {
    let floor = member.floor.as_ref().map_or(0, Certified::height);
    delivery::not_behind(&member.local, chain, floor).await.map_err(|error| error.to_string())?;
    let own = journal::read(context, &member.folder, cache, memory).await;
    own.map_err(|error| format!("the journal of votes cannot be read: {error}"))
}

/// What asks the others about this member, and the way in for their answers.
fn asker_of<X>(
    member: &Member<X>,
    scheme: &Scheme,
    memory: &Arc<Memory>,
    own: Own,
) -> (Asker, mpsc::Sender<(Key, Answer)>) {
    let (answer, answers) = mpsc::channel(recollection::ANSWERS_WAITING_MAX);
    let (scheme, memory, standing) = (scheme.clone(), memory.clone(), member.standing.clone());
    standing.send_replace(if member.vouched { Standing::Voting } else { Standing::Asking });
    (Asker { scheme, memory, key: member.local.key, own, answers, standing }, answer)
}

fn voter_of<X: Executor, B>(
    member: &Member<X>,
    (scheme, genesis, cache): (Scheme, sha256::Digest, CacheRef),
    chain: chain::Chain,
    (blocker, memory): (B, Arc<Memory>),
) -> vote::Setup<X, B> {
    let floor = member.floor.as_ref().map(|floor| Floor::Finalized(floor.finalization().clone()));
    vote::Setup {
        scheme,
        floor: floor.unwrap_or(Floor::Genesis(genesis)),
        cache,
        chain,
        folder: member.folder.clone(),
        blocker,
        local: member.local.clone(),
        watcher: Watcher::new(member.local.sightings.clone(), memory, member.group),
    }
}

fn chain_of<X>(
    member: &Member<X>,
    (scheme, genesis, cache): (Scheme, Digested<Block>, CacheRef),
    outlet: delivery::Outlet,
) -> chain::Setup {
    chain::Setup {
        scheme,
        key: member.identity.public_key(),
        reading: member.local.reading.clone(),
        genesis,
        floor: member.floor.as_ref().map(|floor| floor.finalization().clone()),
        kept: member.kept,
        cache,
        outlet,
        folder: member.folder.clone(),
    }
}

/// Resolves when a handle asks for the end; never if all handles are gone.
async fn asked_to_end(mut shutdown: watch::Receiver<bool>) {
    if shutdown.wait_for(|wanted| *wanted).await.is_err() {
        pending::<()>().await;
    }
}

/// Runs the parts of the gossip until one of them ends, which is when the network does.
async fn talk<E: Runtime, X: Executor, C: Channel>(context: E, member: Member<X>, channels: [C; 3]) {
    let [commands, statements, parcels] = channels.map(Channel::ends);
    let authors: BTreeMap<Key, BuilderId> = member.members.iter().map(|(key, author)| (key_of(key), *author)).collect();
    let order: Vec<Key> = member.members.iter().map(|(key, _)| key_of(key)).collect();
    let keys: Vec<ed25519::PublicKey> = member.members.iter().map(|(key, _)| key.clone()).collect();
    let (local, heard, received, places) = (member.local.clone(), member.heard, member.received, order.clone());
    let mut hear = context.child("hear_commands").spawn(|clock| async move {
        gossip::hear_commands(&clock, &local, &authors, commands.1).await;
    });
    let mut hear_statements = context.child("hear_statements").spawn(|_| async move {
        gossip::hear_opaque(&order, statements.1, heard, ("statement", gossip::STATEMENT_BYTES_MAX)).await;
    });
    let mut hear_parcels = context.child("hear_parcels").spawn(|_| async move {
        gossip::hear_opaque(&places, parcels.1, received, ("parcel", gossip::PARCEL_BYTES_MAX)).await;
    });
    let local = member.local;
    let mut tell = context.child("tell_commands").spawn(|clock| async move {
        gossip::tell_commands(&clock, &local, commands.0).await;
    });
    let mut tell_statements = context.child("tell_statements").spawn(|_| async move {
        gossip::tell_statements(member.tell, statements.0).await;
    });
    let mut send_parcels = context.child("send_parcels").spawn(|clock| async move {
        gossip::send_parcels(&clock, &keys, member.send, parcels.0).await;
    });
    select! {
        _ = &mut hear => {},
        _ = &mut hear_statements => {},
        _ = &mut hear_parcels => {},
        _ = &mut tell => {},
        _ = &mut tell_statements => {},
        _ = &mut send_parcels => {},
    }
}
