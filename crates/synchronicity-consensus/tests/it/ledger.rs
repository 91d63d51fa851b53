//! A node reduced to what the engine sees of it: a machine, and what it has executed.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard};

use synchronicity_consensus::{ExecuteError, Executor};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_core::rejection::Rejection;
use synchronicity_core::resume::Resuming;
use synchronicity_verify::digest::Digest;
use tokio::sync::watch;

/// State that outlives the engine, as a node's database does.
#[derive(Clone)]
pub(crate) struct Ledger {
    group: Group,
    state: Arc<Mutex<State>>,
    /// Whether the node is busy with something else for now.
    busy: Arc<watch::Sender<bool>>,
}

struct State {
    machine: Machine,
    blocks: Vec<OrderedBlock>,
    entries: Vec<Vec<u8>>,
    /// Heights at or above which the claimed root is false.
    lies_from: Option<u64>,
    /// Height that cannot be executed.
    breaks_at: Option<u64>,
    /// Height at which the node has a defect.
    panics_at: Option<u64>,
}

impl Ledger {
    pub(crate) fn new(group: &Group) -> Ledger {
        Ledger::of(Machine::new(group.clone()))
    }

    /// A node that begins with this state.
    pub(crate) fn of(machine: Machine) -> Ledger {
        let group = machine.group().clone();
        let (blocks, entries, lies_from, breaks_at, panics_at) = Default::default();
        let state = State { machine, blocks, entries, lies_from, breaks_at, panics_at };
        Ledger { group, state: Arc::new(Mutex::new(state)), busy: Arc::new(watch::Sender::new(false)) }
    }

    /// A node that begins with the state that a block claims, of a group in its first epoch.
    pub(crate) fn resumed(group: &Group, entries: &[Vec<u8>], claimed: &Executed, open: &[u8]) -> Ledger {
        let mut resuming = Resuming::new();
        entries[..claimed.log_size as usize].iter().for_each(|entry| _ = resuming.append(entry).unwrap());
        Ledger::of(resuming.finish_at(group.clone(), claimed, open).unwrap())
    }

    /// What the log does not say.
    pub(crate) fn open_state(&self) -> Vec<u8> {
        self.lock().machine.open_state()
    }

    /// The node as it goes on when the epoch is over.
    pub(crate) fn in_next_epoch(&self) -> Ledger {
        let mut machine = self.lock().machine.clone();
        assert!(machine.begin_epoch());
        Ledger::of(machine)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().machine.closed().is_some()
    }

    /// The entries that blocks logged, in order.
    pub(crate) fn entries(&self) -> Vec<Vec<u8>> {
        self.lock().entries.clone()
    }

    /// From a height on, says that the log has another root than it has.
    pub(crate) fn lying_from(self, height: u64) -> Ledger {
        self.lock().lies_from = Some(height);
        self
    }

    pub(crate) fn breaking_at(self, height: u64) -> Ledger {
        self.lock().breaks_at = Some(height);
        self
    }

    pub(crate) fn panicking_at(self, height: u64) -> Ledger {
        self.lock().panics_at = Some(height);
        self
    }

    /// While it is busy it takes blocks and executes none.
    pub(crate) fn set_busy(&self, busy: bool) {
        self.busy.send_replace(busy);
    }

    /// Goes back to the state after `height` blocks, as a restored backup does.
    pub(crate) fn restored_to(&self, height: u64) -> Ledger {
        let restored = Ledger::new(&self.group);
        for block in self.blocks().iter().filter(|block| block.height <= height) {
            restored.apply(block).unwrap();
        }
        restored
    }

    pub(crate) fn executed_now(&self) -> Executed {
        self.lock().machine.executed()
    }

    pub(crate) fn height(&self) -> u64 {
        self.lock().machine.executed().height
    }

    pub(crate) fn blocks(&self) -> Vec<OrderedBlock> {
        self.lock().blocks.clone()
    }

    /// Ids of the ordered commands, in order.
    pub(crate) fn ordered(&self) -> Vec<Digest> {
        self.lock().blocks.iter().flat_map(|block| block.commands.iter().map(Command::id)).collect()
    }

    pub(crate) fn has(&self, command: &Command) -> bool {
        self.ordered().contains(&command.id())
    }

    fn apply(&self, block: &OrderedBlock) -> Result<(), ExecuteError> {
        let mut state = self.lock();
        let height = block.height;
        if state.breaks_at == Some(height) {
            return Err(ExecuteError { height, reason: "no space left on device".to_owned() });
        }
        assert_ne!(state.panics_at, Some(height), "a defect of the node");
        if height > state.machine.executed().height {
            let applied = state.machine.apply(block);
            let applied = applied.map_err(|error| ExecuteError { height, reason: error.to_string() })?;
            state.blocks.push(block.clone());
            state.entries.extend(applied.logged.into_iter().map(|logged| logged.entry));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Executor for Ledger {
    fn executed(&self) -> Executed {
        let state = self.lock();
        let mut executed = state.machine.executed();
        if state.lies_from.is_some_and(|height| executed.height >= height) {
            executed.log_root = Digest::of(b"a root that the blocks do not give");
        }
        executed
    }

    fn begun(&self) -> Executed {
        self.lock().machine.begun()
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        self.lock().machine.screen(command)
    }

    fn group(&self) -> &Group {
        &self.group
    }

    fn execute(&self, block: OrderedBlock) -> impl Future<Output = Result<(), ExecuteError>> + Send {
        let (ledger, mut busy) = (self.clone(), self.busy.subscribe());
        async move {
            busy.wait_for(|busy| !busy).await.expect("the ledger holds the sender");
            // What comes after the last block of an epoch is nobody's to execute.
            match ledger.is_closed() && block.height > ledger.height() {
                true => pending().await,
                false => ledger.apply(&block),
            }
        }
    }
}

/// Fails unless one of two ledgers holds exactly the first blocks of the other.
pub(crate) fn assert_same_order(ledgers: &[&Ledger]) {
    for pair in ledgers.windows(2) {
        let (one, other) = (pair[0].blocks(), pair[1].blocks());
        for (a, b) in one.iter().zip(&other) {
            assert_eq!(a, b, "two members executed different blocks at height {}", a.height);
        }
    }
}
