//! One life of a node as far as its log goes, in a process that can be killed at any of its system calls: recover from
//! disk, fold the next blocks, journal the cosignature, tell it, publish.
//!
//! It takes the steps of the node's own tasks with the node's own parts and in the same order, on one thread and
//! without a network: the group has one member, whose cosignature is a quorum. What would leave the node is a line on
//! standard output.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::duties::{self, Duty};
use synchronicity_core::group::Group;
use synchronicity_core::machine::Machine;
use synchronicity_node::catalogue::Catalogue;
use synchronicity_node::cosign::{Cosignatures, Statement};
use synchronicity_node::durable::{Disk, Synced};
use synchronicity_node::folder::Folder;
use synchronicity_node::group_file;
use synchronicity_node::journal::PersistedJournal;
use synchronicity_node::keys::MemberKeys;
use synchronicity_node::publish::PublishedLog;
use synchronicity_node::publisher;
use synchronicity_node::state::State;
use synchronicity_node::store::{OpenError, Position, Store};
use synchronicity_verify::cosignature;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::note::{self, SignedNote};

/// The first argument of a process that is to live such a life.
pub(crate) const WORD: &str = "append-path";

/// The only argument of a process that tries whether it may be traced.
pub(crate) const PROBE: &str = "may-be-traced";

/// The first line of a life; system calls count from there.
pub(crate) const BEGIN: &str = "begin";

/// How often a step whose write fails is taken again, as the node does for as long as it runs.
const TRIES: usize = 3;

/// A rule that is broken on purpose, to see that breaking it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The cosignature is told before the state that it is about is on disk.
    SignsBeforeTheState,
    /// The cosignature is told before it is in the journal.
    SignsBeforeTheJournal,
    /// What a block logs is written before the block, from which it could be made again.
    LogsBeforeTheBlock,
    /// The checkpoint is written before what it covers.
    CheckpointFirst,
}

const FLAWS: [Flaw; 4] =
    [Flaw::SignsBeforeTheState, Flaw::SignsBeforeTheJournal, Flaw::LogsBeforeTheBlock, Flaw::CheckpointFirst];

/// Blocks, all without commands, that are folded before anything is signed again.
pub(crate) type Batch = Vec<OrderedBlock>;

/// The arguments with which this program lives a life in `folder`.
pub(crate) fn words(folder: &Path, ahead: &[Batch], flaw: Option<Flaw>) -> Vec<String> {
    assert!(ahead.iter().flatten().all(|block| block.commands.is_empty()));
    let block = |block: &OrderedBlock| format!("{}:{}", block.height, block.time_ms);
    let batches = ahead.iter().map(|batch| batch.iter().map(block).collect::<Vec<_>>().join(","));
    let folder = folder.to_str().unwrap().to_owned();
    [WORD.to_owned(), folder, format!("{flaw:?}")].into_iter().chain(batches).collect()
}

/// Does what the arguments of this process ask for, if it is one of the above.
pub(crate) fn main() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words == [PROBE] {
        return Some(if ptrace::traceme().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let [word, folder, flaw, batches @ ..] = words.as_slice() else { return None };
    if word != WORD {
        return None;
    }
    let block = |word: &str| {
        let (height, time_ms) = word.split_once(':').unwrap();
        OrderedBlock { height: height.parse().unwrap(), time_ms: time_ms.parse().unwrap(), commands: Vec::new() }
    };
    let ahead: Vec<Batch> = batches.iter().map(|batch| batch.split(',').map(block).collect()).collect();
    let flaw = FLAWS.into_iter().find(|known| format!("{:?}", Some(known)) == *flaw);
    // The parent goes on with us, one system call at a time.
    ptrace::traceme().unwrap();
    raise(Signal::SIGSTOP).unwrap();
    match live(&Folder::at(folder.as_str()), &ahead, flaw, &mut io::stdout()) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(trouble) => {
            eprintln!("{trouble}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// Recovers, and goes on until `ahead` is folded and the log is published as far as it goes.
pub(crate) fn live(folder: &Folder, ahead: &[Batch], flaw: Option<Flaw>, out: &mut impl Write) -> Result<(), String> {
    tell(out, BEGIN);
    let mut node = Node::recover(folder, flaw, out)?;
    node.settle()?;
    for batch in ahead {
        batch.iter().try_for_each(|block| node.fold(block))?;
        node.settle()?;
    }
    Ok(())
}

/// What cannot be told is not told: nobody depends on it.
pub(crate) fn tell(out: &mut impl Write, line: &str) {
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

struct Node<'a, W> {
    keys: MemberKeys,
    store: Arc<Store>,
    state: State,
    journal: PersistedJournal,
    log: PublishedLog<Order>,
    cosignatures: Cosignatures,
    told: Option<Statement>,
    flaw: Option<Flaw>,
    out: &'a mut W,
}

impl<'a, W: Write> Node<'a, W> {
    /// As a node starts; whatever fails here ends its process.
    fn recover(folder: &Folder, flaw: Option<Flaw>, out: &'a mut W) -> Result<Self, String> {
        let group = group_file::read(&folder.group()).map_err(text)?;
        let keys = MemberKeys::read(&folder.keys(), &group).map_err(text)?;
        if !folder.state().exists() {
            publisher::check_begun(&folder.log()).map_err(text)?;
        }
        let store = Arc::new(Store::open(&folder.state(), &group).map_err(text)?);
        let cosignatures = publisher::adopt(&folder.log(), &group, None).map_err(text)?.cosignatures;
        let disk = Order { checkpoint_first: flaw == Some(Flaw::CheckpointFirst), held: Vec::new() };
        let mut log = PublishedLog::open(&folder.log(), disk).map_err(text)?;
        let (mut catalogue, mut entries, mut roots) = (Catalogue::default(), Vec::new(), BTreeMap::new());
        let folded = store.fold::<OpenError>(Machine::new(group.clone()), |logged| {
            catalogue.add(&Leaf::from_bytes(&logged.entry).unwrap());
            roots.insert(logged.index + 1, logged.root);
            entries.push(logged.entry);
            Ok(())
        });
        let machine = folded.map_err(text)?;
        if log.statement().is_some_and(|(size, root)| roots.get(&size) != Some(&root)) {
            return Err("the state folds to another log than the published one".to_owned());
        }
        log.append(0, &entries).map_err(text)?;
        let journal = PersistedJournal::load(store.clone(), &machine).map_err(text)?;
        let state = State::new(machine, catalogue, log.tip().clone());
        journal.agrees(&state).map_err(text)?;
        Ok(Node { keys, store, state, journal, log, cosignatures, told: None, flaw, out })
    }

    /// As `fold` executes a block.
    fn fold(&mut self, block: &OrderedBlock) -> Result<(), String> {
        if block.height <= self.state.persisted().height {
            return Ok(());
        }
        let (applied, executed) = {
            let mut folded = self.state.lock();
            let applied = folded.machine.apply(block).map_err(text)?;
            (applied, folded.machine.executed())
        };
        if self.flaw == Some(Flaw::SignsBeforeTheState) {
            self.sign((executed.log_size, executed.log_root));
        }
        let position = Position { height: executed.height, time_ms: executed.time_ms };
        let entries: Vec<&[u8]> = applied.logged.iter().map(|logged| logged.entry.as_slice()).collect();
        let first = applied.logged.first().map_or(0, |logged| logged.index);
        if self.flaw == Some(Flaw::LogsBeforeTheBlock) {
            again(|| self.log.append(first, &entries))?;
        }
        again(|| self.store.append(position, applied.changed.then_some(block)))?;
        again(|| self.log.append(first, &entries))?;
        self.state.set_persisted(executed);
        Ok(())
    }

    /// Cosigns and publishes what is folded.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 1..TRIES {
            if self.attend().and_then(|()| self.publish()).is_ok() {
                return Ok(());
            }
        }
        self.attend().and_then(|()| self.publish())
    }

    /// As the attendant does for the one duty that is about the log.
    fn attend(&mut self) -> Result<(), String> {
        let me = self.keys.command.id();
        let owed = duties::duties(&self.state.lock().machine, self.journal.get(), me);
        for duty in owed {
            if let Duty::Cosign { size, root } = duty {
                if self.flaw == Some(Flaw::SignsBeforeTheJournal) {
                    self.sign((size, root));
                }
                self.journal.cosign(size, root).map_err(text)?;
            }
        }
        let executed = self.state.persisted();
        let statement = (executed.log_size, executed.log_root);
        if self.journal.get().cosigned() == Some(statement) && self.told != Some(statement) {
            self.sign(statement);
        }
        Ok(())
    }

    fn sign(&mut self, statement: Statement) {
        let line = cosignature::cosign(&self.keys.cosigner, &self.cosignatures.text(&statement), 1).unwrap();
        tell(self.out, &format!("signed {} {}", statement.0, statement.1));
        self.cosignatures.add_own(statement, 0, line);
        self.told = Some(statement);
    }

    /// As the publisher does with the largest statement that a quorum has signed.
    fn publish(&mut self) -> Result<(), String> {
        let (published, executed) = (self.log.size(), self.state.persisted());
        let quorums = self.cosignatures.quorums(published + 1, executed.log_size);
        let Some((statement, lines)) = quorums.into_iter().next_back() else { return Ok(()) };
        let text_signed = self.cosignatures.text(&statement);
        let log_line = note::sign(&self.keys.log, &text_signed).unwrap();
        let signatures = std::iter::once(log_line).chain(lines).collect();
        self.log.publish(SignedNote { text: text_signed, signatures }).map_err(text)?;
        tell(self.out, &format!("published {} {}", statement.0, statement.1));
        Ok(())
    }
}

/// The disk, with the order of writes as a flaw.
struct Order {
    checkpoint_first: bool,
    held: Vec<(PathBuf, Vec<u8>)>,
}

impl Disk for Order {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if !self.checkpoint_first {
            return Synced.write(path, bytes);
        }
        if !path.ends_with("checkpoint") {
            self.held.push((path.to_owned(), bytes.to_vec()));
            return Ok(());
        }
        Synced.write(path, bytes)?;
        self.held.drain(..).try_for_each(|(path, bytes)| Synced.write(&path, &bytes))
    }
}

fn again<T, E: std::fmt::Display>(mut step: impl FnMut() -> Result<T, E>) -> Result<T, String> {
    for _ in 1..TRIES {
        if let Ok(done) = step() {
            return Ok(done);
        }
    }
    step().map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The group of the node in `folder`.
pub(crate) fn group(folder: &Folder) -> Group {
    group_file::read(&folder.group()).unwrap()
}
