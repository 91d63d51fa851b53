//! Executing ordered blocks: folded into the machine, made durable, and only then acknowledged.
//!
//! One thread of its own does it, because each block ends in an fsync and the engine's threads must not wait for one.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use synchronicity_consensus::{ExecuteError, Executor};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::log::Logged;
use synchronicity_core::machine::{Applied, Executed};
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::leaf::Leaf;
use synchronicity_web::model::Moment;
use tokio::sync::{mpsc, oneshot};

use crate::chronicle::{At, Chronicler};
use crate::health::{Health, Topic};
use crate::publish::{self, SharedLog};
use crate::state::State;
use crate::store::{Dissent, Position, Progress, Snapshot, Store};

/// Blocks that wait for the fold: the engine hands them over one at a time.
const QUEUE: usize = 4;

/// How long to wait before a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The node's side of the chain. Clones share one fold.
#[derive(Clone, Debug)]
pub struct Fold {
    state: State,
    queue: mpsc::Sender<Task>,
}

/// The thread that folds, to be ended before the database can be opened again.
#[derive(Debug)]
pub struct FoldThread {
    queue: mpsc::Sender<Task>,
    ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Task {
    Execute(Vec<OrderedBlock>, oneshot::Sender<Result<Vec<Executed>, ExecuteError>>),
    End,
}

/// What the thread works with.
struct Folding {
    state: State,
    store: Arc<Store>,
    log: SharedLog,
    chronicler: Chronicler,
    health: Health,
    ending: Arc<AtomicBool>,
}

impl Fold {
    /// Starts the fold's thread.
    pub fn start(
        state: State,
        store: Arc<Store>,
        (log, chronicler): (SharedLog, Chronicler),
        health: Health,
    ) -> (Fold, FoldThread) {
        let (queue, mut tasks) = mpsc::channel::<Task>(QUEUE);
        let ending = Arc::new(AtomicBool::new(false));
        let mut folding = Folding { state: state.clone(), store, log, chronicler, health, ending: ending.clone() };
        let run = move || {
            while let Some(Task::Execute(blocks, done)) = tasks.blocking_recv() {
                // An engine that has ended waits for no answer; the blocks are on disk all the same.
                let _ = done.send(folding.execute(&blocks));
            }
        };
        let thread = thread::Builder::new().name("fold".to_owned()).spawn(run);
        let thread = thread.expect("the operating system starts a thread at the start of the process");
        (Fold { state, queue: queue.clone() }, FoldThread { queue, ending, thread })
    }
}

impl FoldThread {
    /// Ends the fold and lets go of the database. Blocks that come later are not executed.
    pub async fn end(self) {
        self.ending.store(true, Ordering::Relaxed);
        // Fails only if the thread has ended.
        let _ = self.queue.send(Task::End).await;
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

impl Executor for Fold {
    fn executed(&self) -> Executed {
        self.state.persisted()
    }

    fn begun(&self) -> Executed {
        self.state.begun()
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        self.state.lock().machine.screen(command)
    }

    fn group(&self) -> &Group {
        self.state.group()
    }

    async fn execute(&self, block: OrderedBlock) -> Result<(), ExecuteError> {
        self.execute_run(vec![block]).await.map(|_| ())
    }

    fn execute_run(
        &self,
        blocks: Vec<OrderedBlock>,
    ) -> impl Future<Output = Result<Vec<Executed>, ExecuteError>> + Send {
        let (queue, state) = (self.queue.clone(), self.state.clone());
        async move {
            let height = blocks.first().map_or(0, |block| block.height);
            // The engine goes on until it is ended, and orders what counts in no epoch.
            if height > state.persisted().height && state.lock().machine.closed().is_some() {
                return pending().await;
            }
            let ended = || ExecuteError { height, reason: "the thread that executes blocks has ended".to_owned() };
            let (done, outcome) = oneshot::channel();
            queue.send(Task::Execute(blocks, done)).await.map_err(|_| ended())?;
            outcome.await.map_err(|_| ended())?
        }
    }
}

impl Folding {
    /// Executes blocks up to the one that ends the epoch, and has the disk written once for all of them.
    fn execute(&mut self, blocks: &[OrderedBlock]) -> Result<Vec<Executed>, ExecuteError> {
        let (mut states, mut effective, mut logged, mut dissent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut height = self.state.persisted().height;
        for block in blocks {
            if block.height <= height {
                states.push(self.state.persisted());
                continue;
            }
            let applied =
                self.apply(block, &mut dissent).map_err(|reason| ExecuteError { height: block.height, reason })?;
            let (Applied { changed, logged: entries, .. }, executed) = applied;
            effective.extend(changed.then_some(block));
            logged.extend(entries);
            states.push(executed);
            height = executed.height;
            if self.state.lock().machine.closed().is_some() {
                break;
            }
        }
        let Some(last) = states.last().filter(|last| last.height > self.state.persisted().height) else {
            return Ok(states);
        };
        let position = Position { height: last.height, time_ms: last.time_ms };
        let progress = Progress { position, effective: &effective, dissent: &dissent };
        // From here on memory is ahead of the disk. Nobody signs for it, because everybody who signs waits for
        // `persisted`; and the engine is not answered, so that after a crash it delivers the blocks again.
        while let Err(error) = self.persist(&progress, &logged) {
            let advice = "see that the disk has room; nothing is signed until then";
            self.health.complain(Topic::Disk, format!("{error}: {advice}"));
            if self.ending.load(Ordering::Relaxed) {
                return Err(ExecuteError { height: last.height, reason: error });
            }
            thread::sleep(RETRY);
        }
        self.health.recover(Topic::Disk);
        // Before anybody acts on the blocks: a page that is asked for then must know that builders can commit again.
        self.chronicler.show();
        self.state.set_persisted(*last);
        Ok(states)
    }

    /// First the blocks, from which everything else can be made again, then what they logged. May be repeated.
    fn persist(&self, progress: &Progress<'_>, logged: &[Logged]) -> Result<(), String> {
        // Asked for only when it is needed: whoever publishes holds the log while its disk is written.
        let published = || publish::locked(&self.log).size();
        // The machine is nobody else's to change, so it is the one after the last of these blocks.
        let snapshot = || Snapshot::of(&self.state.lock().machine);
        self.store.record(progress, snapshot, published).map_err(|error| error.to_string())?;
        let Some(first) = logged.first() else { return Ok(()) };
        let entries: Vec<&[u8]> = logged.iter().map(|logged| logged.entry.as_slice()).collect();
        publish::locked(&self.log).append(first.index, &entries).map_err(|error| error.to_string())
    }

    /// Folds a block into memory: what it did, and how far that is. What builders did not agree on is added to `dissent`.
    fn apply(&mut self, block: &OrderedBlock, dissent: &mut Vec<Dissent>) -> Result<(Applied, Executed), String> {
        let mut folded = self.state.lock();
        let applied = folded.machine.apply(block).map_err(|error| error.to_string())?;
        for (id, rejection) in &applied.rejected {
            tracing::debug!(command = %id, %rejection, "an ordered command counts for nothing");
        }
        for Logged { index, entry, .. } in &applied.logged {
            let leaf = Leaf::from_bytes(entry).map_err(|error| format!("entry {index} of the log: {error}"))?;
            match &leaf {
                Leaf::Build(entry) => {
                    tracing::info!(index, verdict = %entry.verdict, purl = entry.request.source.purl(), "logged");
                    dissent.push(Dissent::of(entry, &folded.machine));
                }
                Leaf::Membership(entry) => {
                    tracing::info!(index, epoch = entry.epoch, group = %entry.next_group, "the epoch is over");
                }
            }
            folded.logged(*index, &leaf);
            self.chronicler.chronicle.logged(*index, &leaf, Some(self.state.group()));
        }
        if !applied.logged.is_empty() {
            folded.keep_map();
        }
        let at = At { height: block.height, time: Moment(block.time_ms) };
        match applied.changed {
            true => {
                folded.note_open();
                self.chronicler.chronicle.block(at, &folded.machine);
            }
            false => self.chronicler.chronicle.passed(at),
        }
        Ok((applied, folded.machine.executed()))
    }
}
