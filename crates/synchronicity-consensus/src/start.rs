//! Starting an engine on this machine: a thread of its own with the tokio runtime in it, real links and real files.

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use commonware_codec::{Copying, DecodeExt};
use commonware_cryptography::{Signer, ed25519};
use commonware_p2p::authenticated::lookup;
use commonware_p2p::{Address, AddressableManager};
use commonware_runtime::{Runner, Supervisor, tokio};
use commonware_utils::ordered::Map;
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::namespace;
use synchronicity_verify::identity::BuilderId;
use thiserror::Error;

use crate::certified::Certified;
use crate::engine::{self, Member, Stopped};
use crate::executor::Executor;
use crate::folder::{self, FolderError};
use crate::handle::{Assembled, Handle, assemble};
use crate::local::Pace;
use crate::network::{Network, links, message_bytes_max, quotas};
use crate::sightings::{hex, key_of};

/// Threads of the engine's runtime.
const WORKERS: usize = 2;

/// What an engine needs to know. There is no `Debug`: it holds a secret key.
#[derive(Clone)]
pub struct EngineConfig {
    /// Id of the group; votes and connections of another group mean nothing in this one.
    pub namespace: Digest,
    /// The secret Ed25519 key of this member's votes and connections.
    pub seed: [u8; 32],
    /// All members, this one included.
    pub members: Vec<Peer>,
    /// Where this member listens.
    pub listen: SocketAddr,
    /// Folder of the chain and of the journal of votes. It must never be lost while the key lives on, nor be copied to
    /// a second node: either could vote twice.
    pub storage: PathBuf,
    /// How long a leader waits for commands before it proposes an empty block. The same for all members; 2 s is usual.
    pub heartbeat: Duration,
    /// How far a block's time may be from the local clock for this member to vote for it.
    pub max_clock_skew: Duration,
    /// Whether the operator vouches for it that the journal of votes in `storage` is the latest one: the member then votes
    /// without asking the others what they have seen of it. If that is not so it may contradict itself.
    pub vouched: bool,
    /// The block with which the chain begins in an empty folder, or behind what is in it: the executor has the state that this
    /// block claims. `None` for a chain that is here from its first block on. Once the chain is past it nothing depends on it.
    pub floor: Option<Certified>,
}

/// A member as the network knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Consensus public key.
    pub key: [u8; 32],
    /// Where it listens.
    pub address: SocketAddr,
}

/// Why an engine does not start. Nothing was changed then, except that the folder may have been created.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration is for another group than the executor's.
    #[error("the configuration is for group {configured}, the state for group {executed}: use one group file for both")]
    AnotherGroup {
        /// Group of the configuration.
        configured: Digest,
        /// Group of the executor.
        executed: Digest,
    },
    /// The configured members are not those of the group.
    #[error("the addresses are not those of the group's members: exactly one for each consensus key of the group file")]
    OtherMembers,
    /// The secret key belongs to no member.
    #[error("this node's consensus key {0} is not in the group file: use the keys that the group was made with")]
    NotAMember(String),
    /// A member's key is no Ed25519 public key.
    #[error("consensus key {0} in the group file is not an Ed25519 public key")]
    BadKey(String),
    /// Somebody else listens there.
    #[error(
        "{address} is in use: stop the program that listens there (perhaps this node runs already), or configure another \
         address and tell the group"
    )]
    PortInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The machine cannot listen there.
    #[error("cannot listen on {address} ({source}): is it an address of this machine?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The folder cannot hold this group's chain.
    #[error(transparent)]
    Storage(#[from] FolderError),
    /// No thread for the engine.
    #[error("cannot start the engine's thread: {0}")]
    Thread(io::Error),
}

/// Starts an engine. It runs on its own threads until [`Handle::shutdown`] or a failure; [`Handle::stopped`] tells which.
///
/// # Errors
/// Any [`StartError`].
pub fn start<X: Executor>(config: EngineConfig, executor: X) -> Result<Handle, StartError> {
    let identity = identity(&config.seed);
    let (members, place) = members(&config, executor.group(), &identity)?;
    probe_port(config.listen)?;
    let folder = folder::open(&config.storage, &config.namespace)?;
    let pace = Pace { heartbeat: config.heartbeat, max_clock_skew: config.max_clock_skew };
    let Assembled { member, handle, stopped } = assemble(executor, identity, members, place, pace, SystemTime::now);
    let member = Member { vouched: config.vouched, floor: config.floor.clone(), ..member };
    let run = move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&config, folder, member)));
        let outcome = outcome.unwrap_or_else(|panic| Stopped::Failed(describe(panic.as_ref())));
        tracing::info!(%outcome, "the engine ended");
        stopped.send_replace(Some(outcome));
    };
    thread::Builder::new().name("consensus".to_owned()).spawn(run).map_err(StartError::Thread)?;
    Ok(handle)
}

fn run<X: Executor>(config: &EngineConfig, folder: PathBuf, member: Member<X>) -> Stopped {
    let runtime = tokio::Config::new().with_worker_threads(WORKERS).with_storage_directory(folder);
    tokio::Runner::new(runtime).start(|context| async move {
        let namespace = namespace(&member.group);
        let bytes_max = message_bytes_max(&member.local.group);
        let settings = links(member.identity.clone(), &namespace, config.listen, config.members.len(), bytes_max);
        let (mut network, mut directory) = lookup::Network::new(context.child("network"), settings);
        let addresses = member.members.iter().map(|(key, _)| key.clone()).zip(addresses(config, &member));
        directory.track(0, Map::from_iter_dedup(addresses));
        let mut number = 0;
        let channels = quotas().map(|quota| {
            let channel = network.register(number, quota);
            number += 1;
            channel
        });
        network.start();
        engine::run(context, member, Network::new(channels, directory.clone(), directory)).await
    })
}

/// The configured address of each member, in the members' order.
fn addresses<X>(config: &EngineConfig, member: &Member<X>) -> Vec<Address> {
    let address = |key: &ed25519::PublicKey| {
        let peer = config.members.iter().find(|peer| peer.key == key.as_ref());
        peer.map_or(config.listen, |peer| peer.address).into()
    };
    member.members.iter().map(|(key, _)| address(key)).collect()
}

/// The key pair that 32 secret bytes stand for.
pub(crate) fn identity(seed: &[u8; 32]) -> ed25519::PrivateKey {
    ed25519::PrivateKey::decode(Copying(seed)).expect("any 32 bytes are an Ed25519 secret key")
}

/// The group's members with both of their keys, in the group's order, and the place of this one.
fn members(
    config: &EngineConfig,
    group: &Group,
    identity: &ed25519::PrivateKey,
) -> Result<(Vec<(ed25519::PublicKey, BuilderId)>, usize), StartError> {
    if group.id() != config.namespace {
        return Err(StartError::AnotherGroup { configured: config.namespace, executed: group.id() });
    }
    let listed = |key: &[u8; 32]| config.members.iter().filter(|peer| peer.key == *key).count() == 1;
    let all_listed = group.members().iter().all(|member| listed(&member.consensus));
    if !all_listed || config.members.len() != group.members().len() {
        return Err(StartError::OtherMembers);
    }
    let members = public_keys(group)?;
    let me = identity.public_key();
    let place = members.iter().position(|(key, _)| *key == me);
    let place = place.ok_or_else(|| StartError::NotAMember(hex(&key_of(&me))))?;
    Ok((members, place))
}

pub(crate) fn public_keys(group: &Group) -> Result<Vec<(ed25519::PublicKey, BuilderId)>, StartError> {
    let keys = group.members().iter().map(|member| {
        let key = ed25519::PublicKey::decode(Copying(&member.consensus));
        let key = key.map_err(|_| StartError::BadKey(hex(&member.consensus)))?;
        Ok((key, member.command))
    });
    keys.collect()
}

/// The engine itself would panic on a port that is taken, some time after it was started.
fn probe_port(address: SocketAddr) -> Result<(), StartError> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(StartError::PortInUse { address }),
        Err(source) => Err(StartError::Listen { address, source }),
    }
}

pub(crate) fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the engine panicked: {}", text.unwrap_or_else(|| "no reason given".to_owned()))
}
