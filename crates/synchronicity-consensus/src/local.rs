//! What one member knows and wants, shared by the parts of its engine: the one place that they meet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use synchronicity_core::group::Group;
use synchronicity_core::machine::Executed;
use synchronicity_verify::identity::BuilderId;
use tokio::sync::watch;

use crate::checked::{Ids, Reading, Signed};
use crate::executor::Executor;
use crate::mempool::{Mempool, Offer};
use crate::past::{PastStates, Recollection};
use crate::sightings::{Key, Sightings};

/// How a member keeps time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long a leader waits for commands before it proposes an empty block.
    pub(crate) heartbeat: Duration,
    /// How far a block's time may be from the local clock for this member to vote.
    pub(crate) max_clock_skew: Duration,
}

/// The clock that block time is taken from and judged by.
pub(crate) type WallClock = Box<dyn Fn() -> SystemTime + Send + Sync>;

/// Why a command does not wait here now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Rejected(synchronicity_core::rejection::Rejection),
    Full,
}

/// The shared state of one engine.
pub(crate) struct Local<X> {
    pub(crate) executor: X,
    pub(crate) group: Arc<Group>,
    pub(crate) reading: Reading,
    /// This member's consensus key and command key.
    pub(crate) key: Key,
    pub(crate) author: BuilderId,
    pub(crate) pace: Pace,
    wall: WallClock,
    pub(crate) past: PastStates,
    pub(crate) sightings: Arc<Sightings>,
    mempool: Mutex<Mempool>,
    /// Changes whenever a command arrived or a block was executed.
    news: watch::Sender<u64>,
    /// Changes whenever a block was executed.
    states: watch::Sender<()>,
    /// Changes whenever this member has a command of its own to tell the others.
    own: watch::Sender<u64>,
    /// The highest block that somebody here waited for.
    awaited: watch::Sender<u64>,
    /// When this member has last proposed a block.
    proposed: Mutex<Option<SystemTime>>,
}

impl<X: Executor> Local<X> {
    pub(crate) fn new(
        executor: X,
        (key, author): (Key, BuilderId),
        (pace, wall): (Pace, WallClock),
        sightings: Arc<Sightings>,
    ) -> Self {
        let group = Arc::new(executor.group().clone());
        let past = PastStates::starting_from(&executor.executed());
        Self {
            executor,
            reading: Reading::new(group.clone()),
            group,
            key,
            author,
            pace,
            wall,
            past,
            sightings,
            mempool: Mutex::default(),
            news: watch::Sender::new(0),
            states: watch::Sender::new(()),
            own: watch::Sender::new(0),
            awaited: watch::Sender::new(0),
            proposed: Mutex::default(),
        }
    }

    /// What this member's own clock shows.
    pub(crate) fn now(&self) -> SystemTime {
        (self.wall)()
    }

    /// Lets a command wait for a block. One that waits already is taken silently.
    pub(crate) fn take(&self, command: Arc<Signed>) -> Result<(), NotTaken> {
        if let Err(rejection) = self.executor.screen(&command)
            && !(rejection.may_pass_later())
        {
            return Err(NotTaken::Rejected(rejection));
        }
        let (own, bytes) = (command.author() == self.author, command.bytes().len());
        let height = self.executor.executed().height;
        match self.mempool().offer(command, bytes, height) {
            Offer::Full => return Err(NotTaken::Full),
            Offer::Known => return Ok(()),
            Offer::Accepted => {}
        }
        self.news.send_modify(|n| *n += 1);
        if own {
            self.own.send_modify(|n| *n += 1);
        }
        Ok(())
    }

    /// Commands for a block upon the executed state, without those in `ancestors`; and the state that they were
    /// screened against. `None` when a block was executed meanwhile: ask again.
    pub(crate) fn admissible(&self, ancestors: &Ids) -> Option<(Executed, Vec<Arc<Signed>>)> {
        let executed = self.executor.executed();
        let commands = self.mempool().select(executed.height, |command| {
            !ancestors.contains(&command.id()) && self.executor.screen(command).is_ok()
        });
        (self.executor.executed() == executed).then_some((executed, commands))
    }

    /// Whether one more command of an author would find room.
    pub(crate) fn has_room(&self, author: &BuilderId, bytes: usize) -> bool {
        self.mempool().has_room(author, bytes)
    }

    /// Takes note that a block was executed, and of the state after it.
    pub(crate) fn executed(&self, executed: &Executed, ordered: &[Arc<Signed>]) {
        self.past.remember(executed);
        self.mempool().settle(executed.height, ordered, |command| self.executor.screen(command));
        self.states.send_replace(());
        self.news.send_modify(|n| *n += 1);
    }

    /// Has the others asked for the blocks up to `height` that are not executed here, if that lasts.
    pub(crate) fn miss(&self, height: u64) {
        if self.executor.executed().height < height {
            self.awaited.send_if_modified(|highest| std::mem::replace(highest, height.max(*highest)) < height);
        }
    }

    /// Resolves once the block at `height` is executed here; while it waits, others are asked for it.
    pub(crate) async fn until_executed(&self, height: u64) {
        self.miss(height);
        let mut states = self.states.subscribe();
        // The sender lives as long as `self`, so the channel cannot close while this waits.
        let _ = states.wait_for(|_| self.executor.executed().height >= height).await;
    }

    /// What this member knows of the state at `height`, once it has executed the block there.
    pub(crate) async fn outcome(&self, height: u64) -> Recollection {
        self.miss(height);
        let mut states = self.states.subscribe();
        // What is asked is the memory and not the node: the node has a state a moment before it is noted here.
        let _ = states.wait_for(|_| self.past.recall(height) != Recollection::Ahead).await;
        self.past.recall(height)
    }

    /// Takes note that this member proposes a block.
    pub(crate) fn proposes(&self, now: SystemTime) {
        *self.proposed.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// When it last did.
    pub(crate) fn last_proposal(&self) -> Option<SystemTime> {
        *self.proposed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commands of this member that wait, oldest first.
    pub(crate) fn own_commands(&self) -> Vec<Arc<Signed>> {
        self.mempool().of(&self.author).cloned().collect()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.mempool().len()
    }

    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(crate) fn awaited(&self) -> watch::Receiver<u64> {
        self.awaited.subscribe()
    }

    pub(crate) fn own_news(&self) -> watch::Receiver<u64> {
        self.own.subscribe()
    }

    fn mempool(&self) -> MutexGuard<'_, Mempool> {
        self.mempool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970; 0 for a clock before that.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
