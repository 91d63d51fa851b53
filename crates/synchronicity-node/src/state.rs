//! The folded state of the group on this node, shared by everything that runs here.
//!
//! One writer, the fold (see [`crate::fold`]); many readers, each of which holds the lock only to copy what it needs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use synchronicity_consensus::WantedStates;
use synchronicity_core::group::Group;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_core::open::OpenState;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::map::PrefixMap;
use tokio::sync::watch;

use crate::catalogue::Catalogue;
use crate::publish::{LoadError, Tip};

/// The state. Clones share it.
#[derive(Clone, Debug)]
pub struct State {
    group: Arc<Group>,
    begun: Executed,
    folded: Arc<Mutex<Folded>>,
    /// The log that the machine has handed out.
    tip: Tip,
    /// How far the state is on disk. Follows the machine; whoever signs waits for it.
    persisted: watch::Sender<Executed>,
}

/// What the ordered blocks amount to.
#[derive(Clone, Debug)]
pub struct Folded {
    /// The core's machine.
    pub machine: Machine,
    /// Where in its log to look.
    pub catalogue: Catalogue,
    /// For each entry that this process saw concluded, when.
    pub concluded: BTreeMap<u64, Instant>,
    /// For each entry that this process published, milliseconds from its conclusion to its proof on disk.
    pub proof_ms: BTreeMap<u64, u64>,
    /// The map of the log at the sizes from the published one on, as blocks left it.
    maps: BTreeMap<u64, PrefixMap>,
    /// Hashes of artifacts that somebody revealed in a round that is concluded. Only these may be served.
    revealed: BTreeSet<Digest>,
    /// The latest open states, of which the group has signed one as a rule: that before the last block with an effect too, as a
    /// group that stands still behind such a block signs no later one.
    open: VecDeque<Kept>,
}

/// What the log does not say of a state that is the present one, or was a moment ago.
#[derive(Clone, Debug)]
struct Kept {
    digest: Digest,
    log_size: u64,
    /// No block before this time led to it, in milliseconds since 1970.
    since_ms: u64,
    open: OpenState,
}

/// Open states that are kept at a time. In a busy group each block has an effect, and one that claims a state is final three or four
/// blocks behind it; as many more may come while somebody asks for it.
const OPEN_STATES: usize = 8;

impl Folded {
    /// Notes an entry that the machine has just appended to its log.
    pub fn logged(&mut self, index: u64, leaf: &Leaf) {
        self.catalogue.add(leaf);
        self.concluded.insert(index, Instant::now());
        if let Leaf::Build(entry) = leaf {
            self.note_revealed(&entry.request.id());
        }
    }

    /// Notes that a block changed something.
    pub fn note_open(&mut self) {
        self.keep_open(self.machine.executed().time_ms);
    }

    fn keep_open(&mut self, since_ms: u64) {
        // Behind the last block of an epoch there is nothing to take up: the log says everything.
        if self.machine.closed().is_some() {
            return;
        }
        let (digest, log_size) = (self.machine.open_digest(), self.machine.log().size());
        self.open.push_back(Kept { digest, log_size, since_ms, open: self.machine.copy_open() });
        if self.open.len() > OPEN_STATES {
            self.open.pop_front();
        }
    }

    /// The open states that are kept beside a log of this size: no later one can be handed out before its log is published.
    pub fn open_states(&self, log_size: u64) -> WantedStates {
        let kept = || self.open.iter().filter(|kept| kept.log_size == log_size);
        let since_ms = kept().map(|kept| kept.since_ms).min().unwrap_or(u64::MAX);
        WantedStates { open: kept().map(|kept| kept.digest).collect(), since_ms }
    }

    /// One of them.
    pub fn open_state(&self, digest: &Digest) -> Option<OpenState> {
        self.open.iter().find(|kept| kept.digest == *digest).map(|kept| kept.open.clone())
    }

    /// Keeps the map of the log as it is now: a checkpoint of this size will be published later.
    pub fn keep_map(&mut self) {
        let log = self.machine.log();
        self.maps.insert(log.size(), log.map().clone());
    }

    /// Keeps the map of the log under the checkpoint that is published: after a restart the log may be ahead of that.
    pub fn keep_published_map(&mut self, size: u64, map: PrefixMap) {
        self.maps.insert(size, map);
    }

    /// The map of the log at the published size or a later one that a block left; `None` for any other.
    pub fn map_at(&self, size: u64) -> Option<PrefixMap> {
        self.maps.get(&size).cloned()
    }

    /// Forgets the maps of sizes below the published one.
    pub fn forget_maps_below(&mut self, size: u64) {
        self.maps = self.maps.split_off(&size);
    }

    /// Whether the latest round of this request has its verdict. What this node built for it is nobody else's
    /// business before: a member could copy it instead of building.
    pub fn is_concluded(&self, request: &RequestId) -> bool {
        self.machine.round(request).is_some_and(|round| !round.is_open())
    }

    /// Whether somebody revealed an artifact with this hash in a round that is concluded.
    pub fn is_revealed(&self, artifact: &Digest) -> bool {
        self.revealed.contains(artifact)
    }

    fn note_revealed(&mut self, request: &RequestId) {
        let Some(round) = self.machine.round(request).filter(|round| !round.is_open()) else { return };
        let results = round.members().filter_map(|(builder, _)| round.result(builder));
        let artifacts = results.filter_map(|result| result.artifacts()).flatten();
        self.revealed.extend(artifacts.map(|artifact| artifact.sha256));
    }
}

impl State {
    /// The state of a machine that was just folded from disk, with the catalogue of its log and the log itself.
    pub fn new(machine: Machine, catalogue: Catalogue, tip: Tip) -> State {
        let group = Arc::new(machine.group().clone());
        let (begun, persisted) = (machine.begun(), watch::Sender::new(machine.executed()));
        let requests: Vec<RequestId> = machine.rounds().map(|(request, _)| *request).collect();
        let mut folded = Folded {
            machine,
            catalogue,
            concluded: BTreeMap::new(),
            proof_ms: BTreeMap::new(),
            maps: BTreeMap::new(),
            revealed: BTreeSet::new(),
            open: VecDeque::new(),
        };
        requests.iter().for_each(|request| folded.note_revealed(request));
        folded.keep_map();
        // Which block led to it is forgotten.
        folded.keep_open(0);
        State { group, begun, folded: Arc::new(Mutex::new(folded)), tip, persisted }
    }

    /// The group.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The state with which the group's epoch began.
    pub fn begun(&self) -> Executed {
        self.begun
    }

    /// The state itself, for a moment: never held across I/O or an await.
    pub fn lock(&self) -> MutexGuard<'_, Folded> {
        self.folded.lock().expect("a thread that panicked while folding a block ends the process")
    }

    /// The log, as far as it is executed and on disk.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The root that the log had at `size` entries; `None` if it has fewer.
    ///
    /// # Errors
    /// [`LoadError`] if a tile that is needed cannot be read.
    pub fn root_at(&self, size: u64) -> Result<Option<Digest>, LoadError> {
        self.tip.root_at(size)
    }

    /// How far the state is on disk.
    pub fn persisted(&self) -> Executed {
        *self.persisted.borrow()
    }

    /// Records that the state up to here is on disk, and wakes whoever waits for that.
    pub fn set_persisted(&self, executed: Executed) {
        self.persisted.send_replace(executed);
    }

    /// Changes whenever more of the state is on disk.
    pub fn changes(&self) -> watch::Receiver<Executed> {
        self.persisted.subscribe()
    }
}
