//! A running node: takes hold of its folder, puts the parts together, and ends them in order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::Diagnostic;
use synchronicity_consensus::{EngineConfig, Handle, Peer, StartError};
use synchronicity_core::group::Group;
use thiserror::Error;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::builds::Builds;
use crate::config::{self, Config, Sandbox};
use crate::cosign::Cosignatures;
use crate::durable::Synced;
use crate::duty::Attendant;
use crate::exit::{self, Stop, StopWith};
use crate::fold::Fold;
use crate::folder::{Folder, FolderLock};
use crate::group_file;
use crate::health::Health;
use crate::http::{self, Served, Site};
use crate::journal::PersistedJournal;
use crate::keys::MemberKeys;
use crate::misbehave::{self, Misbehaviour};
use crate::monitor;
use crate::operator::{self, Desk};
use crate::outbox::Outbox;
use crate::progress::Progress;
use crate::publish::PublishedLog;
use crate::publisher::{self, Publisher};
use crate::state::State;
use crate::store::Store;
use crate::submit::Submissions;
use crate::view::{Parts, View};
use crate::workbench::{self, Opener};

/// How long a leader waits for commands before it orders an empty block. The same in every node of every group.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long the engine gets to end. It is made to be killed, so nothing is lost if it does not make it.
const ENGINE_GRACE: Duration = Duration::from_secs(3);

/// Messages between two tasks; a task that is behind makes the other wait.
const QUEUE: usize = 64;

/// Why a node could not start, beyond what its parts say themselves.
#[derive(Debug, Error, Diagnostic)]
pub enum RunError {
    /// The HTTP port cannot be had.
    #[error("cannot serve HTTP on {address}: {source}")]
    #[diagnostic(help(
        "another program listens there, or it is no address of this machine; change `http` in node.toml"
    ))]
    Http {
        /// `http` of node.toml.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operator's socket cannot be made.
    #[error("cannot make the operator's socket {}: {source}", path.display())]
    #[diagnostic(help(
        "the path may have at most 107 bytes, and its file system must know sockets; use a folder with a shorter path"
    ))]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] StartError),
    /// The engine ended by itself.
    #[error("the consensus engine ended: {0}")]
    #[diagnostic(help("start the node again; if it ends the same way, keep the folder and report this"))]
    EngineEnded(String),
    /// The log of the state is not the log of its verifier.
    #[error("the state folds to a log that cannot be read: {0}")]
    #[diagnostic(help("this is a defect of the program: please report it"))]
    Entry(#[from] synchronicity_verify::entry::EntryError),
    /// The place of the log cannot stand in a policy.
    #[error("no policy can name this node's log: {0}")]
    #[diagnostic(help("see `public-url` and `http` in node.toml"))]
    Policy(#[from] synchronicity_verify::policy::PolicyError),
    /// No handler for SIGTERM.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
}

/// What the caller chose.
pub struct Choices {
    /// The node's folder.
    pub dir: PathBuf,
    /// How to misbehave on purpose.
    pub misbehaviour: Option<Misbehaviour>,
    /// Where builds happen.
    pub bench: BenchChoice,
}

/// Where builds happen.
pub enum BenchChoice {
    /// In the node's folder.
    Own {
        /// The sandbox, instead of what node.toml says.
        sandbox: Option<Sandbox>,
        /// A folder for toolchain and downloads that several nodes of one owner share.
        shared: Option<PathBuf>,
    },
    /// On a bench that the caller opens.
    Opened(Opener),
}

/// Everything that was checked and taken hold of before the node starts.
struct Prepared {
    folder: Folder,
    _lock: FolderLock,
    config: Config,
    group: Arc<Group>,
    keys: MemberKeys,
    http: Served,
    socket: UnixListener,
    peers: Vec<Peer>,
}

/// Runs a node until `stop` resolves.
///
/// # Errors
/// [`Stop`] when the node cannot start, in which case nothing was changed, or when its engine ends by itself.
pub async fn run(choices: Choices, stop: impl Future<Output = ()>) -> Result<(), Stop> {
    let prepared = prepare(&choices.dir).await?;
    let socket_path = prepared.folder.socket();
    let running = start(choices, prepared)?;
    let ended = tokio::select! {
        () = stop => None,
        reason = running.chain.stopped() => Some(reason.to_string()),
    };
    tracing::info!("stopping");
    running.end(&socket_path).await;
    match ended {
        None => Ok(()),
        Some(reason) => Err(Stop::new(exit::INTERNAL, RunError::EngineEnded(reason))),
    }
}

async fn prepare(dir: &Path) -> Result<Prepared, Stop> {
    let folder = Folder::of_node(dir).or_usage()?;
    let config = Config::read(&folder.config()).or_usage()?;
    let group = Arc::new(group_file::read(&folder.group()).or_usage()?);
    let keys = MemberKeys::read(&folder.keys(), &group).or_usage()?;
    let peers = peers(&group).or_later()?;
    let lock = folder.lock().or_later()?;
    let address = config::resolve("http", &config.http).or_usage()?;
    let http = Served::bind(address).await;
    let http = http.map_err(|source| RunError::Http { address: config.http.clone(), source }).or_later()?;
    let path = folder.socket();
    let socket = operator::bind(&path).map_err(|source| RunError::Socket { path, source }).or_usage()?;
    Ok(Prepared { folder, _lock: lock, config, group, keys, http, socket, peers })
}

fn peers(group: &Group) -> Result<Vec<Peer>, config::ConfigError> {
    let peer = |member: &synchronicity_core::group::Member| {
        Ok(Peer { key: member.consensus, address: config::resolve(&member.name, &member.address)? })
    };
    group.members().iter().map(peer).collect()
}

/// The tasks of a node.
struct Running {
    chain: Handle,
    stop: watch::Sender<bool>,
    duties: JoinHandle<()>,
    _lock: FolderLock,
}

impl Running {
    async fn end(self, socket: &Path) {
        self.stop.send_replace(true);
        // Builds first: containers must be gone before this process is.
        if let Err(error) = self.duties.await {
            tracing::warn!(%error, "the duties ended badly");
        }
        self.chain.shutdown();
        let _ = tokio::time::timeout(ENGINE_GRACE, self.chain.stopped()).await;
        // Left behind, it would only be replaced at the next start.
        let _ = fs::remove_file(socket);
    }
}

/// What the disk gave.
struct Recovered {
    store: Arc<Store>,
    state: State,
    journal: PersistedJournal,
    log: PublishedLog<Synced>,
    cosignatures: Cosignatures,
}

fn recover(folder: &Folder, group: &Group) -> Result<Recovered, Stop> {
    let store = Arc::new(Store::open(&folder.state(), group).or_usage()?);
    let machine = store.machine(group).or_internal()?;
    let journal = PersistedJournal::load(store.clone(), &machine).or_internal()?;
    let state = State::new(machine).map_err(RunError::from).or_internal()?;
    let (log, cosignatures) = publisher::adopt(&folder.log(), &state).or_internal()?;
    Ok(Recovered { store, state, journal, log, cosignatures })
}

fn start_engine(prepared: &Prepared, fold: Fold) -> Result<Handle, Stop> {
    let listen = config::resolve("listen", &prepared.config.listen).or_usage()?;
    let engine = EngineConfig {
        namespace: prepared.group.id(),
        seed: *prepared.keys.consensus.expose(),
        members: prepared.peers.clone(),
        listen,
        storage: prepared.folder.chain(),
        heartbeat: HEARTBEAT,
        max_clock_skew: Duration::from_millis(prepared.config.clock_skew_ms_max),
    };
    synchronicity_consensus::start(engine, fold).map_err(|error| {
        let code = match &error {
            StartError::PortInUse { .. } | StartError::Thread(_) => exit::TRY_LATER,
            StartError::Storage { .. } => exit::INTERNAL,
            _ => exit::USAGE,
        };
        Stop::new(code, RunError::from(error))
    })
}

fn start(choices: Choices, prepared: Prepared) -> Result<Running, Stop> {
    let health = Health::default();
    let recovered = recover(&prepared.folder, &prepared.group)?;
    let state = recovered.state.clone();
    let fold = Fold::start(state.clone(), recovered.store, health.clone());
    let chain = start_engine(&prepared, fold)?;
    let Prepared { folder, _lock, config, group, keys, http, socket, peers: _ } = prepared;
    let me = keys.command.id();
    let (stop, stopping) = watch::channel(false);

    let (publish, published) = watch::channel(None);
    let (cosigned, own) = mpsc::channel(QUEUE);
    let gossip = chain.statements().expect("nobody has taken the statements of an engine that was just started");
    let publisher = Publisher {
        state: state.clone(),
        log: recovered.log,
        cosignatures: recovered.cosignatures,
        log_key: keys.log,
        me: group
            .members()
            .iter()
            .position(|member| member.command == me)
            .expect("keys were checked against the group"),
        proofs: folder.proofs(),
        chain: chain.clone(),
        health: health.clone(),
        published: publish,
    };
    tokio::spawn(publisher.run(own, gossip));

    let progress = Progress::default();
    let view = View::new(Parts {
        name: config.name.clone(),
        state: state.clone(),
        chain: chain.clone(),
        progress: progress.clone(),
        published,
        health: health.clone(),
        misbehaves: choices.misbehaviour.map(announce),
    });
    let policy = group.policy_text(Some(&config.log_url())).map_err(RunError::from).or_usage()?;
    let site =
        Site { folder: folder.clone(), view: view.clone(), policy: policy.into(), group: group.to_text().into() };
    tokio::spawn(http::serve(http, http::router(site), told(stopping.clone())));

    let open = match choices.bench {
        BenchChoice::Opened(open) => open,
        BenchChoice::Own { sandbox, shared } => {
            workbench::opener(&folder.builds(), sandbox.unwrap_or(config.sandbox), shared.as_deref())
        }
    };
    let workbench = workbench::prepare(open, health.clone());
    let (outbox, submitted) = mpsc::channel(QUEUE);
    let submissions = Submissions::new(state.clone(), keys.command.clone(), workbench.clone(), outbox);
    tokio::spawn(operator::serve(socket, Desk { view, submissions }, told(stopping.clone())));
    tokio::spawn(monitor::watch(chain.clone(), group, config.clock_skew_ms_max, health.clone(), stopping.clone()));

    let (done, finished) = mpsc::channel(QUEUE);
    let attendant = Attendant {
        state,
        journal: recovered.journal,
        chain: chain.clone(),
        command: keys.command,
        cosigner: keys.cosigner,
        builds: Builds::new(workbench, folder, progress, health.clone(), done),
        outbox: Outbox::default(),
        cosigned,
        health,
        misbehaviour: choices.misbehaviour,
        told: None,
    };
    let duties = tokio::spawn(attendant.run(finished, submitted, stopping));
    Ok(Running { chain, stop, duties, _lock })
}

fn announce(misbehaviour: Misbehaviour) -> String {
    let how = misbehave::describe(misbehaviour);
    tracing::warn!("THIS NODE MISBEHAVES ON PURPOSE: it {how}");
    how.to_owned()
}

/// Resolves when the node is told to stop, or when nobody is left to tell it.
async fn told(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
