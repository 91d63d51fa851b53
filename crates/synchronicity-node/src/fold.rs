//! Executing ordered blocks: folded into the machine, made durable, and only then acknowledged.
//!
//! One thread of its own does it, because each block ends in an fsync and the engine's threads must not wait for one.

use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use synchronicity_consensus::{ExecuteError, Executor};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::Executed;
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::entry::Entry;
use tokio::sync::{mpsc, oneshot};

use crate::health::{Health, Topic};
use crate::state::State;
use crate::store::{Position, Store};

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

type Task = (OrderedBlock, oneshot::Sender<Result<(), ExecuteError>>);

impl Fold {
    /// Starts the fold's thread. It ends when the last clone is gone.
    pub fn start(state: State, store: Arc<Store>, health: Health) -> Fold {
        let (queue, mut tasks) = mpsc::channel::<Task>(QUEUE);
        let folding = state.clone();
        thread::Builder::new()
            .name("fold".to_owned())
            .spawn(move || {
                while let Some((block, done)) = tasks.blocking_recv() {
                    // An engine that has ended waits for no answer; the block is on disk all the same.
                    let _ = done.send(execute(&folding, &store, &health, &block));
                }
            })
            .expect("the operating system starts a thread at the start of the process");
        Fold { state, queue }
    }
}

impl Executor for Fold {
    fn executed(&self) -> Executed {
        self.state.persisted()
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        self.state.lock().machine.screen(command)
    }

    fn group(&self) -> &Group {
        self.state.group()
    }

    fn execute(&self, block: OrderedBlock) -> impl Future<Output = Result<(), ExecuteError>> + Send {
        let queue = self.queue.clone();
        async move {
            let height = block.height;
            let ended = || ExecuteError { height, reason: "the thread that executes blocks has ended".to_owned() };
            let (done, outcome) = oneshot::channel();
            queue.send((block, done)).await.map_err(|_| ended())?;
            outcome.await.map_err(|_| ended())?
        }
    }
}

fn execute(state: &State, store: &Store, health: &Health, block: &OrderedBlock) -> Result<(), ExecuteError> {
    let failed = |reason: String| ExecuteError { height: block.height, reason };
    if block.height <= state.persisted().height {
        return Ok(());
    }
    let (changed, executed) = {
        let mut folded = state.lock();
        let applied = folded.machine.apply(block).map_err(|error| failed(error.to_string()))?;
        for (id, rejection) in &applied.rejected {
            tracing::debug!(command = %id, %rejection, "an ordered command counts for nothing");
        }
        for index in applied.logged {
            let entry = Entry::from_bytes(folded.machine.log().entry(index).unwrap_or_default());
            let entry = entry.map_err(|error| failed(format!("entry {index} of the log: {error}")))?;
            tracing::info!(index, verdict = %entry.verdict, purl = entry.request.source.purl(), "logged");
            folded.catalogue.add(&entry);
            folded.concluded.insert(index, Instant::now());
        }
        (applied.changed, folded.machine.executed())
    };
    let position = Position { height: executed.height, time_ms: executed.time_ms };
    // From here on memory is ahead of the disk. Nobody signs for it, because everybody who signs waits for
    // `persisted`; and the engine is not answered, so that after a crash it delivers the block again.
    while let Err(error) = store.append(position, changed.then_some(block)) {
        health.complain(Topic::Disk, format!("{error}: see that the disk has room; nothing is signed until then"));
        thread::sleep(RETRY);
    }
    health.recover(Topic::Disk);
    state.set_persisted(executed);
    Ok(())
}
