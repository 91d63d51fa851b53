//! How a node talks to its engine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use commonware_cryptography::ed25519;
use synchronicity_core::command::Command;
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::certified::{Asked, Certified, WantedStates};
use crate::checked::Signed;
use crate::engine::{Member, Stopped};
use crate::epoch::InEpoch;
use crate::executor::Executor;
use crate::gossip::{PARCEL_BYTES_MAX, STATEMENT_BYTES_MAX};
use crate::local::{Local, NotTaken, Pace};
use crate::offence::Offences;
use crate::recollection::Standing;
use crate::sightings::{Sightings, key_of};
use crate::storage::BLOCKS_KEPT;
use crate::vote::Patience;

/// Statements that wait to be told, or to be taken up by the node.
const STATEMENTS_WAITING_MAX: usize = 256;

/// Offences that wait to be taken up by the node.
const OFFENCES_WAITING_MAX: usize = 64;

/// Parcels that wait to be sent, or to be taken up by the node: together at most 3 MiB in each direction.
const PARCELS_WAITING_MAX: usize = 64;

/// A running engine. Clones talk to the same one; dropping them all does not stop it, [`shutdown`](Self::shutdown) does.
#[derive(Clone)]
pub struct Handle {
    desk: Arc<dyn Desk>,
    tell: mpsc::Sender<Arc<[u8]>>,
    heard: Arc<Mutex<Option<Statements>>>,
    send: mpsc::Sender<(usize, Vec<u8>)>,
    received: Arc<Mutex<Option<Parcels>>>,
    offences: Arc<Mutex<Option<Offences>>>,
    ask: mpsc::Sender<Asked>,
    shutdown: watch::Sender<bool>,
    stopped: watch::Receiver<Option<Stopped>>,
}

/// Statements of other members: each one's place in [`Group::members`](synchronicity_core::group::Group::members), and
/// bytes of which nothing is known but who sent them.
pub type Statements = mpsc::Receiver<(usize, Vec<u8>)>;

/// Parcels of other members: each one's place in [`Group::members`](synchronicity_core::group::Group::members), and bytes
/// of which nothing is known but who sent them.
pub type Parcels = mpsc::Receiver<(usize, Vec<u8>)>;

/// How far the chain is, as this member sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainStatus {
    /// Height of the last block that the node executed.
    pub height: u64,
    /// Highest view of which a certificate was seen since the start.
    pub view: u64,
    /// Time of the block at `height`, in milliseconds since 1970.
    pub time_ms: u64,
    /// Consensus keys of the other members that were heard of within the time that the longest view takes.
    pub connected: Vec<[u8; 32]>,
    /// Commands that wait to be ordered.
    pub mempool: usize,
    /// How far the local clock is ahead of the other leaders' clocks, in milliseconds (behind: negative): the median over
    /// distinct leaders, the way of a proposal included. `None` until another member has led.
    pub clock_skew_ms: Option<i64>,
    /// Whether this member votes, and if not, why.
    pub standing: Standing,
    /// Whether everything is executed that was seen to be final since the start. False until anything was.
    pub caught_up: bool,
    /// Whether so many blocks are final that are not executed here that the others may not have the next one any more.
    pub left_behind: bool,
}

/// Why a command is not on its way to be ordered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// It would count for nothing.
    #[error("the group would not take this command: {0}")]
    Rejected(#[from] Rejection),
    /// Signed by another member: each member's node tells only its own commands.
    #[error("this command is signed by another member ({0}): submit it at that member's node")]
    AnotherAuthor(BuilderId),
    /// Too many commands of this member wait.
    #[error("too many of this member's commands wait to be ordered: try again when the group has made progress")]
    Full,
    /// The engine has ended.
    #[error("the engine has stopped: {0}")]
    Stopped(Stopped),
}

/// Why a statement is not told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BroadcastError {
    /// Longer than members listen to.
    #[error("a statement of {0} bytes is too long: at most {STATEMENT_BYTES_MAX}, or {PARCEL_BYTES_MAX} for a parcel")]
    TooLong(usize),
    /// Statements or parcels are handed in faster than the network takes them.
    #[error("too many statements or parcels wait to be told: try again in a moment")]
    Full,
    /// The engine has ended.
    #[error("the engine has stopped")]
    Stopped,
}

/// A member's engine before it runs, and the handle to it.
pub(crate) struct Assembled<X> {
    pub(crate) member: Member<X>,
    pub(crate) handle: Handle,
    pub(crate) stopped: watch::Sender<Option<Stopped>>,
}

/// Makes the parts of a member. `members` in the order of the group; `identity` belongs to the one at `place`.
pub(crate) fn assemble<X: Executor>(
    executor: X,
    identity: ed25519::PrivateKey,
    members: Vec<(ed25519::PublicKey, BuilderId)>,
    place: usize,
    pace: Pace,
    now: impl Fn() -> SystemTime + Send + Sync + 'static,
) -> Assembled<InEpoch<X>> {
    let (key, author) = (key_of(&members[place].0), members[place].1);
    let (offend, offences) = mpsc::channel(OFFENCES_WAITING_MAX);
    let sightings = Arc::new(Sightings::new(fresh_for(pace.heartbeat), offend));
    let group: Digest = executor.group().id();
    let executor = InEpoch::new(executor);
    let local = Arc::new(Local::new(executor, (key, author), (pace, Box::new(now)), sightings));
    let (tell, to_tell) = mpsc::channel(STATEMENTS_WAITING_MAX);
    let (heard, to_hear) = mpsc::channel(STATEMENTS_WAITING_MAX);
    let (send, to_send) = mpsc::channel(PARCELS_WAITING_MAX);
    let (received, to_receive) = mpsc::channel(PARCELS_WAITING_MAX);
    let (ask, asked) = mpsc::channel(1);
    let (shutdown, wanted) = watch::channel(false);
    let (stopped, outcome) = watch::channel(None);
    let standing = Arc::new(watch::Sender::new(Standing::Asking));
    Assembled {
        member: Member {
            identity,
            members,
            group,
            local: local.clone(),
            folder: String::new(),
            tell: to_tell,
            heard,
            send: to_send,
            received,
            asked,
            floor: None,
            kept: BLOCKS_KEPT,
            shutdown: wanted,
            standing: standing.clone(),
            vouched: false,
        },
        handle: Handle {
            desk: Arc::new(Counter(local, standing)),
            tell,
            heard: Arc::new(Mutex::new(Some(to_hear))),
            send,
            received: Arc::new(Mutex::new(Some(to_receive))),
            offences: Arc::new(Mutex::new(Some(offences))),
            ask,
            shutdown,
            stopped: outcome,
        },
        stopped,
    }
}

/// A member that is awake votes in every view, and no view lasts longer than this.
fn fresh_for(heartbeat: Duration) -> Duration {
    Patience::for_heartbeat(heartbeat).inactive
}

impl Handle {
    /// Has a command of this member ordered. It is told to the other members again and again until it is in a block, but
    /// a restart forgets it: whoever owes it computes it anew. Submitting the same command twice is harmless.
    ///
    /// # Errors
    /// Any [`SubmitError`]; the command is then not kept.
    pub fn submit(&self, command: Command) -> Result<(), SubmitError> {
        if let Some(stopped) = self.stopped.borrow().clone() {
            return Err(SubmitError::Stopped(stopped));
        }
        self.desk.submit(command)
    }

    /// Tells every other member that is connected an opaque statement of at most [`STATEMENT_BYTES_MAX`] bytes. Nothing
    /// is repeated: a member that is away does not hear of it.
    ///
    /// # Errors
    /// Any [`BroadcastError`]; the statement is then told to nobody.
    pub fn broadcast(&self, statement: Vec<u8>) -> Result<(), BroadcastError> {
        if statement.len() > STATEMENT_BYTES_MAX {
            return Err(BroadcastError::TooLong(statement.len()));
        }
        self.tell.try_send(statement.into()).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => BroadcastError::Full,
            mpsc::error::TrySendError::Closed(_) => BroadcastError::Stopped,
        })
    }

    /// The receiver of the other members' statements: there is one, and whoever asks first has it. Statements that are
    /// not taken up in time are dropped.
    pub fn statements(&self) -> Option<Statements> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Sends one other member an opaque parcel of at most [`PARCEL_BYTES_MAX`] bytes, when the line is free: parcels are
    /// slow on purpose, and everything else overtakes them. `to` is a place in the group's members. Nothing is repeated.
    ///
    /// # Errors
    /// Any [`BroadcastError`]; the parcel is then not sent.
    pub fn send(&self, to: usize, parcel: Vec<u8>) -> Result<(), BroadcastError> {
        if parcel.len() > PARCEL_BYTES_MAX {
            return Err(BroadcastError::TooLong(parcel.len()));
        }
        self.send.try_send((to, parcel)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => BroadcastError::Full,
            mpsc::error::TrySendError::Closed(_) => BroadcastError::Stopped,
        })
    }

    /// As [`Handle::send`], if half of the queue is free: for what others asked for, so that it never takes the room of what
    /// this member sends for itself.
    ///
    /// # Errors
    /// Any [`BroadcastError`]; the parcel is then not sent.
    pub fn send_spare(&self, to: usize, parcel: Vec<u8>) -> Result<(), BroadcastError> {
        if self.send.capacity() <= PARCELS_WAITING_MAX / 2 { Err(BroadcastError::Full) } else { self.send(to, parcel) }
    }

    /// The receiver of the other members' parcels: there is one, and whoever asks first has it.
    pub fn parcels(&self) -> Option<Parcels> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The receiver of what other members did wrong: there is one, and whoever asks first has it. The engine remembers none
    /// of it, and what is not taken up in time is dropped.
    pub fn offences(&self) -> Option<Offences> {
        self.offences.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The newest state of which the open part is one of those that are `wanted`, as a final block claims it, with the block behind
    /// that state. `None` if there is no such block lately, or the engine has ended.
    pub async fn certified(&self, wanted: WantedStates) -> Option<Certified> {
        let (answer, answered) = oneshot::channel();
        self.ask.send((wanted, answer)).await.ok()?;
        answered.await.ok().flatten()
    }

    /// How far the chain is.
    pub fn status(&self) -> ChainStatus {
        self.desk.status()
    }

    /// Resolves when the engine has ended, with the reason: asked for, or a failure that the node must not survive in
    /// silence.
    pub async fn stopped(&self) -> Stopped {
        let mut stopped = self.stopped.clone();
        match stopped.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Stopped::Shutdown),
            Err(_) => vanished(),
        }
    }

    /// Why the engine has ended, if it has.
    pub fn ended(&self) -> Option<Stopped> {
        let outcome = self.stopped.borrow().clone();
        outcome.or_else(|| self.stopped.has_changed().is_err().then(vanished))
    }

    /// Asks the engine to end. Whatever it does at that moment is safe: it is made to be killed.
    pub fn shutdown(&self) {
        self.shutdown.send_replace(true);
    }
}

fn vanished() -> Stopped {
    Stopped::Failed("the engine's thread vanished".to_owned())
}

/// What a handle asks of a member, whatever its executor is.
trait Desk: Send + Sync {
    fn submit(&self, command: Command) -> Result<(), SubmitError>;
    fn status(&self) -> ChainStatus;
}

struct Counter<X>(Arc<Local<InEpoch<X>>>, Arc<watch::Sender<Standing>>);

impl<X: Executor> Desk for Counter<X> {
    fn submit(&self, command: Command) -> Result<(), SubmitError> {
        let Counter(local, _) = self;
        if command.author() != local.author {
            return Err(SubmitError::AnotherAuthor(command.author()));
        }
        local.executor.screen(&command)?;
        let command = Signed::new(command);
        local.reading.remember(&command);
        local.take(command).map_err(|not_taken| match not_taken {
            NotTaken::Rejected(rejection) => SubmitError::Rejected(rejection),
            NotTaken::Full => SubmitError::Full,
        })
    }

    fn status(&self) -> ChainStatus {
        let Counter(local, standing) = self;
        let executed = local.executor.executed();
        let sightings = &local.sightings;
        ChainStatus {
            height: executed.height + local.executor.first_height(),
            view: sightings.view(),
            time_ms: executed.time_ms,
            connected: sightings.connected(&local.key, local.now()),
            mempool: local.waiting(),
            clock_skew_ms: sightings.clock_skew_ms(),
            standing: *standing.borrow(),
            caught_up: sightings.final_height().is_some_and(|height| executed.height >= height),
            left_behind: sightings.final_height().is_some_and(|height| height > executed.height + BLOCKS_KEPT.get()),
        }
    }
}
