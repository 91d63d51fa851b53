//! A node reduced to what costs time: it takes every command once, and syncs a file for each block that has any.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::future::{Future, ready};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use synchronicity_consensus::{ExecuteError, Executor};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::Executed;
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::digest::Digest;

/// State that outlives the engine.
#[derive(Clone)]
pub(crate) struct Sink {
    group: Group,
    state: Arc<Mutex<State>>,
    /// Where blocks are written, by one at a time. Nothing is written without it.
    file: Arc<Mutex<Option<File>>>,
}

struct State {
    executed: Executed,
    seen: HashSet<Digest>,
    /// When this node's own commands were submitted.
    submitted: HashMap<Digest, Instant>,
    /// When each of them was submitted, and how long it took.
    took: Vec<(Instant, Duration)>,
    /// When each block was executed.
    blocks: Vec<Instant>,
}

impl Sink {
    pub(crate) fn new(group: &Group, file: Option<&Path>) -> Self {
        let file = file.map(|file| OpenOptions::new().create(true).append(true).open(file).unwrap());
        let (submitted, took, blocks) = Default::default();
        let state = State { executed: Executed::NOTHING, seen: HashSet::new(), submitted, took, blocks };
        Self { group: group.clone(), state: Arc::new(Mutex::new(state)), file: Arc::new(Mutex::new(file)) }
    }

    pub(crate) fn submitting(&self, command: &Command) {
        self.lock().submitted.insert(command.id(), Instant::now());
    }

    /// It was not taken.
    pub(crate) fn withdraw(&self, command: &Command) {
        self.lock().submitted.remove(&command.id());
    }

    pub(crate) fn height(&self) -> u64 {
        self.lock().executed.height
    }

    pub(crate) fn has(&self, command: &Digest) -> bool {
        self.lock().seen.contains(command)
    }

    pub(crate) fn ordered(&self) -> usize {
        self.lock().seen.len()
    }

    pub(crate) fn under_way(&self) -> usize {
        self.lock().submitted.len()
    }

    pub(crate) fn took_since(&self, begin: Instant) -> Vec<Duration> {
        self.lock().took.iter().filter(|(at, _)| *at >= begin).map(|(_, took)| *took).collect()
    }

    /// The longest time without a block, from `begin` to the last block.
    pub(crate) fn longest_pause(&self, begin: Instant) -> Duration {
        let state = self.lock();
        let since: Vec<Instant> = state.blocks.iter().copied().filter(|at| *at >= begin).collect();
        let pauses = since.windows(2).map(|pair| pair[1] - pair[0]);
        pauses.chain(since.first().map(|first| *first - begin)).max().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// One sync for all blocks, as a node does it.
    fn apply(&self, blocks: &[OrderedBlock]) -> Vec<Executed> {
        // As in a node, nobody who asks about the state waits for the disk.
        let mut file = self.file.lock().unwrap();
        let height = self.height();
        let mut bytes = Vec::new();
        for command in blocks.iter().filter(|block| block.height > height).flat_map(|block| &block.commands) {
            bytes.extend_from_slice(&command.to_bytes());
        }
        if let Some(file) = file.as_mut().filter(|_| !bytes.is_empty()) {
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
        }
        let state = &mut *self.lock();
        let now = Instant::now();
        let mut states = Vec::new();
        for block in blocks {
            for command in &block.commands {
                state.seen.insert(command.id());
                if let Some(at) = state.submitted.remove(&command.id()) {
                    state.took.push((at, now - at));
                }
            }
            if block.height > state.executed.height {
                state.executed = Executed { height: block.height, time_ms: block.time_ms, ..state.executed };
                state.blocks.push(now);
            }
            states.push(state.executed);
        }
        states
    }
}

impl Executor for Sink {
    fn executed(&self) -> Executed {
        self.lock().executed
    }

    fn begun(&self) -> Executed {
        Executed::NOTHING
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        if self.lock().seen.contains(&command.id()) { Err(Rejection::AlreadyOpen) } else { Ok(()) }
    }

    fn group(&self) -> &Group {
        &self.group
    }

    fn execute(&self, block: OrderedBlock) -> impl Future<Output = Result<(), ExecuteError>> + Send {
        self.apply(&[block]);
        ready(Ok(()))
    }

    fn execute_run(
        &self,
        blocks: Vec<OrderedBlock>,
    ) -> impl Future<Output = Result<Vec<Executed>, ExecuteError>> + Send {
        ready(Ok(self.apply(&blocks)))
    }
}
