//! A running node: takes hold of its folder, puts the parts together, and ends them in order.

mod assembly;
mod recovery;
mod site;

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::Diagnostic;
use synchronicity_consensus::{Handle, Peer, StartError};
use synchronicity_core::group::{Group, Member};
use synchronicity_core::machine::Executed;
use synchronicity_verify::identity::BuilderId;
use thiserror::Error;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{self, Config, Sandbox};
use crate::disk_room;
use crate::epochs::{self, Epochs};
use crate::exit::{self, Stop, StopWith};
use crate::fold::FoldThread;
use crate::folder::{Folder, FolderLock};
use crate::group_file;
use crate::health::{Health, Topic};
use crate::http::Served;
use crate::keys::{KeysError, MemberKeys};
use crate::misbehave::Misbehaviour;
use crate::monitor::Unresolved;
use crate::operator;
use crate::rotation;
use crate::webhooks::{self, choices::Hook};
use crate::witness::choices::{self, Outsider};
use crate::witness::decide::Witnessed;
use crate::workbench::Opener;
use assembly::Started;

/// How long the engine gets to end. It is made to be killed, so nothing is lost if it does not make it.
const ENGINE_GRACE: Duration = Duration::from_secs(3);

/// Why a node could not start, beyond what its parts say themselves.
#[derive(Debug, Error, Diagnostic)]
pub enum RunError {
    /// The HTTP port cannot be had.
    #[error("cannot serve HTTP on {address}: {error}")]
    #[diagnostic(help(
        "another program listens there, or it is no address of this machine; change `http` in node.toml"
    ))]
    Http {
        /// `http` of node.toml.
        address: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// The operator's socket cannot be made.
    #[error("cannot make the operator's socket {}: {error}", path.display())]
    #[diagnostic(help("the folder must be writable, and on a file system that knows sockets"))]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] StartError),
    /// The disk is nearly full.
    #[error("{0}")]
    #[diagnostic(help("nothing was changed; start the node again when there is room"))]
    NoRoom(String),
    /// The engine ended by itself.
    #[error("the consensus engine ended: {0}")]
    #[diagnostic(help("start the node again; if it ends the same way, keep the folder and report this"))]
    EngineEnded(String),
    /// What earlier epochs left cannot be read, or the next one not be entered.
    #[error("the files of this group's epochs cannot be used: {0}")]
    #[diagnostic(help("see that the disk is there and has room; the folder `epochs` belongs to the rest"))]
    Epochs(io::Error),
    /// This node's member is none any more.
    #[error("this node's keys are of no member of the group in epoch {epoch}: it has left, and has nothing more to do")]
    #[diagnostic(help(
        "its copy of the log stays as it was; destroy its keys, and come back by new ones that the members approve of"
    ))]
    Left {
        /// The epoch of the group file.
        epoch: u64,
    },
    /// The place of the log cannot stand in a policy.
    #[error("no policy can name this node's log: {0}")]
    #[diagnostic(help("see `public-url` and `http` in node.toml"))]
    Policy(#[from] synchronicity_verify::policy::PolicyError),
    /// This process could not be replaced by a new one.
    #[error("the node could not start itself afresh: {0}")]
    #[diagnostic(help("start it by hand"))]
    Afresh(io::Error),
    /// Where this program is.
    #[error("cannot find this program's own file: {0}")]
    Program(io::Error),
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
    /// This executable, as which builds and explanations run apart: its path when the process began.
    pub program: PathBuf,
    /// Whether the operator vouches for the journal of votes: see
    /// [`EngineConfig::vouched`](synchronicity_consensus::EngineConfig::vouched).
    pub vouched: bool,
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

/// Reads a folder as a start does, and lets go of it again: how far its state is. Like a start it puts the folder in order; the
/// lock is the caller's business.
///
/// # Errors
/// Whatever a start says of it.
pub fn reread(folder: &Folder) -> Result<Executed, Stop> {
    let group = group_file::read(&folder.group()).or_usage()?;
    Ok(recovery::recover(folder, &group)?.state.persisted())
}

/// Everything that was checked and taken hold of before the node starts.
struct Prepared {
    folder: Folder,
    lock: FolderLock,
    config: Config,
    group: Arc<Group>,
    keys: MemberKeys,
    http: Served,
    socket: UnixListener,
    peers: Vec<Peer>,
    unresolved: Vec<Unresolved>,
    witnessed: Witnessed,
    outsiders: Vec<Outsider>,
    hooks: Vec<Hook>,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Because it was told to.
    Stopped,
    /// The disk had been full and has room again: the node is to be started afresh, in a new process.
    RoomAgain,
    /// An epoch is over, and this node is a member of the next one, which is named: it is to be started afresh.
    NextEpoch(u64),
    /// An epoch is over, and this node is no member of the next one, which is named.
    Left(u64),
}

/// Runs a node until `stop` resolves, or until it is better started afresh.
///
/// When the disk is nearly full the engine is ended before a write of its own can fail, which it would not survive. The
/// node goes on to serve what is published and to say what is wrong, and signs nothing.
///
/// # Errors
/// [`Stop`] when the node cannot start, in which case nothing was changed, or when its engine ends by itself.
pub async fn run(choices: Choices, stop: impl Future<Output = ()>) -> Result<Ended, Stop> {
    let prepared = prepare(&choices.dir).await?;
    let (folder, me) = (prepared.folder.clone(), prepared.keys.command.id());
    let mut running = match assembly::start(choices, prepared).inspect_err(|_| forget(&folder))? {
        Started::Running(running) => *running,
        Started::Over(next) => {
            forget(&folder);
            return go_over(&folder, me, &next);
        }
    };
    tokio::pin!(stop);
    let event = tokio::select! {
        () = &mut stop => Event::Told,
        () = disk_room::exhausted(folder.root()) => Event::Disk,
        reason = running.chain.stopped() => Event::Engine(reason.to_string()),
        // Its thread is ours: a panic there has ended the process.
        Ok(next) = &mut running.over => Event::EpochOver(Box::new(next)),
    };
    let ended = match event {
        Event::Told => Ok(Ended::Stopped),
        Event::EpochOver(next) => {
            running.end().await;
            return go_over(&folder, me, &next);
        }
        // The engine may be faster to find a full disk than whoever looks at it now and then.
        Event::Engine(reason) if !disk_room::is_short(folder.root()) => {
            Err(Stop::new(exit::INTERNAL, RunError::EngineEnded(reason)))
        }
        Event::Disk | Event::Engine(_) => {
            running.pause();
            tokio::select! {
                () = &mut stop => Ok(Ended::Stopped),
                () = disk_room::available(folder.root()) => Ok(Ended::RoomAgain),
            }
        }
    };
    tracing::info!("stopping");
    running.end().await;
    ended
}

/// What a running node comes to.
enum Event {
    Told,
    Disk,
    Engine(String),
    EpochOver(Box<Group>),
}

/// Makes the next epoch's group the one of this folder. Nothing runs on it any more.
fn go_over(folder: &Folder, me: BuilderId, next: &Group) -> Result<Ended, Stop> {
    let rotated = rotation::next_identity(folder).or_usage()?;
    epochs::enter(folder, next).map_err(RunError::Epochs).or_internal()?;
    let stays = [Some(me), rotated].into_iter().flatten().any(|identity| next.member(&identity).is_some());
    tracing::info!(epoch = next.epoch(), group = %next.id(), stays, "going over to the next epoch");
    Ok(if stays { Ended::NextEpoch(next.epoch()) } else { Ended::Left(next.epoch()) })
}

async fn prepare(dir: &Path) -> Result<Prepared, Stop> {
    let folder = Folder::of_node(dir).or_usage()?;
    let config = Config::read(&folder.config()).or_usage()?;
    let group = Arc::new(group_file::read(&folder.group()).or_usage()?);
    if rotation::is_due(&folder, &group).or_usage()? {
        let _lock = folder.lock().or_later()?;
        rotation::settle(&folder, &group).or_usage()?;
    }
    let keys = match MemberKeys::read(&folder.keys(), &group) {
        Err(KeysError::NotAMember { .. }) if Epochs::of(&folder).any() => {
            return Err(Stop::new(exit::USAGE, RunError::Left { epoch: group.epoch() }));
        }
        keys => keys.or_usage()?,
    };
    let outsiders = choices::outsiders(&config, &group).or_usage()?;
    let witnessed = choices::logs(&config).or_usage()?;
    let hooks = webhooks::choices::hooks(&config.webhook, folder.root()).or_usage()?;
    let (peers, unresolved) = peers(&group, keys.command.id());
    let lock = folder.lock().or_later()?;
    if disk_room::is_short(folder.root()) {
        return Err(Stop::new(exit::TRY_LATER, RunError::NoRoom(disk_room::complaint(folder.root()))));
    }
    let address = config::resolve("http", &config.http).or_usage()?;
    free(&config)?;
    let http = Served::bind(address).await;
    let http = http.map_err(|error| RunError::Http { address: config.http.clone(), error }).or_later()?;
    let path = folder.socket();
    let socket = operator::bind(&path).map_err(|error| RunError::Socket { path, error }).or_usage()?;
    Ok(Prepared { folder, lock, config, group, keys, http, socket, peers, unresolved, witnessed, outsiders, hooks })
}

/// Whether this node can listen for the members. The engine asks too, but after the database is made.
fn free(config: &Config) -> Result<(), Stop> {
    let address = config::resolve("listen", &config.listen).or_usage()?;
    let engine = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => (exit::TRY_LATER, StartError::PortInUse { address }),
        _ => (exit::USAGE, StartError::Listen { address, source: error }),
    };
    let probed = TcpListener::bind(address).map(drop).map_err(engine);
    probed.map_err(|(code, error)| Stop::new(code, RunError::from(error)))
}

/// An address that nobody has: of the block that RFC 6666 sets aside to be discarded. Dialling it fails, and harms nobody.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1)), 9);

/// Where the members are, and those whose address cannot be found out: one member's name service must not keep the others
/// from starting. Such a member can still connect to this node.
fn peers(group: &Group, me: BuilderId) -> (Vec<Peer>, Vec<Unresolved>) {
    let mut unresolved = Vec::new();
    let mut peer = |member: &Member| {
        let address = config::resolve(&member.name, &member.address).unwrap_or_else(|error| {
            // Where this node itself listens is for `listen` to say.
            if member.command != me {
                unresolved.push(Unresolved { key: member.consensus, problem: error.to_string() });
            }
            NOWHERE
        });
        Peer { key: member.consensus, address }
    };
    let peers = group.members().iter().map(&mut peer).collect();
    (peers, unresolved)
}

/// The tasks of a node.
struct Running {
    chain: Handle,
    fold: FoldThread,
    folder: Folder,
    health: Health,
    stop: watch::Sender<bool>,
    /// Ends the duties; what serves goes on.
    rest: watch::Sender<bool>,
    duties: JoinHandle<()>,
    explainer: JoinHandle<()>,
    /// Resolves when the epoch is over here.
    over: JoinHandle<Group>,
    _lock: FolderLock,
}

impl Running {
    /// Ends what writes and signs; what serves goes on.
    fn pause(&self) {
        self.health.complain(Topic::Room, disk_room::complaint(self.folder.root()));
        self.rest.send_replace(true);
        self.chain.shutdown();
    }

    async fn end(self) {
        self.over.abort();
        self.stop.send_replace(true);
        self.rest.send_replace(true);
        // Builds first: containers must be gone before this process is.
        if let Err(error) = self.duties.await {
            tracing::warn!(%error, "the duties ended badly");
        }
        let _ = self.explainer.await;
        self.chain.shutdown();
        let _ = tokio::time::timeout(ENGINE_GRACE, self.chain.stopped()).await;
        self.fold.end().await;
        forget(&self.folder);
    }
}

fn forget(folder: &Folder) {
    // Left behind, it is replaced at the next start.
    let _ = fs::remove_file(folder.socket());
}
