//! SIGKILL, and an error, at every system call of the append path; what is on disk and what was signed, after each.
//!
//! After the fault the node starts again, and what its state does not have comes to it otherwise than before: if
//! anything was signed that was not durable, a second root is signed for the same size.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command as Signed};
use synchronicity_core::machine::Machine;
use synchronicity_node::durable::Synced;
use synchronicity_node::folder::Folder;
use synchronicity_node::publish::PublishedLog;
use synchronicity_node::store::{Position, Store};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{self, leaf_hash};
use synchronicity_verify::tile::{TileLevel, parse_bundle, tiles_between};

use crate::Test;
use crate::append_path::{self, Batch, Flaw};
use crate::machine::Need::Tracing;
use crate::tracer::{self, FAULTS, Fault, Life, trace};
use crate::world::{LOCK, World, request};

/// Set to anything, has every system call go wrong in every way, not only a sample of them.
const EVERY: &str = "SYNCHRONICITY_EVERY_CALL";

/// Of the sample, one call of so many; it also has the first and the last call of each kind.
const STRIDE: usize = 12;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_kill_or_an_error_at_any_system_call_of_an_append_leaves_one_log", &[Tracing], all_faults),
        Test::new("a_cosignature_before_its_state_is_found_out", &[Tracing], || found_out(Flaw::SignsBeforeTheState)),
        Test::new("a_cosignature_before_the_journal_is_found_out", &[Tracing], || {
            found_out(Flaw::SignsBeforeTheJournal)
        }),
        Test::new("an_entry_before_its_block_is_found_out", &[Tracing], || found_out(Flaw::LogsBeforeTheBlock)),
        Test::new("a_checkpoint_before_its_tiles_is_found_out", &[Tracing], || found_out(Flaw::CheckpointFirst)),
    ]
}

/// Entries that are published before anything goes wrong.
const BEFORE: u64 = 254;
/// Sizes to which the log then grows: to a full tile but one, and over its edge.
const SIZES: [u64; 2] = [255, 257];
const AHEAD: u64 = SIZES[1] - BEFORE;

/// A node with a log of [`BEFORE`] entries, and the blocks that come next.
struct Scene {
    base: tempfile::TempDir,
    /// What is ordered before the fault.
    first: [Batch; SIZES.len()],
    /// What is ordered after it, of what was not persisted: the same rounds end, a little later.
    second: [Batch; SIZES.len()],
}

impl Scene {
    fn set() -> Scene {
        let world = World::of(1);
        let base = folder();
        let (folder, _) = world.settle(0, base.path(), 0);
        let window = world.group.commit_window_ms();
        let time = |height: u64| 1000 + height * window;
        let store = Store::open(&folder.state(), &world.group).unwrap();
        let mut machine = Machine::new(world.group.clone());
        // A round to which nobody commits ends with an entry, in the block that opens the next one. The last block opens
        // more than one: each ends a window later than the one before.
        for height in 1..=BEFORE + 1 {
            let next = if height > BEFORE { AHEAD } else { 1 };
            let commands = (height..height + next).map(|number| submission(&world, number)).collect();
            let block = OrderedBlock { height, time_ms: time(height), commands };
            machine.apply(&block).unwrap();
            store.append(Position { height, time_ms: block.time_ms }, Some(&block)).unwrap();
        }
        drop(store);
        append_path::live(&folder, &[], None, &mut std::io::sink()).unwrap();
        let next = |late: u64| {
            let block = |height| OrderedBlock { height, time_ms: time(height) + late, commands: Vec::new() };
            let batch = |(from, to): (u64, u64)| (from + 2..to + 2).map(block).collect();
            [(BEFORE, SIZES[0]), (SIZES[0], SIZES[1])].map(batch)
        };
        let scene = Scene { first: next(0), second: next(1), base };
        assert_eq!(Look::at(scene.base.path()).unwrap().size(), BEFORE);
        scene
    }

    /// One life in `folder`.
    fn live(&self, folder: &Path, ahead: &[Batch], flaw: Option<Flaw>, strike: Option<(usize, Fault)>) -> Life {
        let mut command = Command::new(std::env::current_exe().unwrap());
        trace(command.args(append_path::words(folder, ahead, flaw)), strike)
    }

    /// The system calls of a life without a fault.
    fn calls(&self, flaw: Option<Flaw>) -> Vec<u64> {
        let dir = self.copy();
        let life = self.live(dir.path(), &self.first, flaw, None);
        assert_eq!(life.code, Some(0));
        life.calls
    }

    /// A life with a fault and one after it: an error if they leave anything but one log.
    fn suffer(&self, flaw: Option<Flaw>, at: usize, fault: Fault) -> Result<(), String> {
        let dir = self.copy();
        let mut history = History::default();
        history.disk(dir.path())?;
        let life = self.live(dir.path(), &self.first, flaw, Some((at, fault)));
        history.said(&life.said)?;
        history.disk(dir.path())?;
        let journal = history.journal(dir.path());
        self.start_again(dir.path(), flaw, &mut history).and(journal)
    }

    fn start_again(&self, folder: &Path, flaw: Option<Flaw>, history: &mut History) -> Result<(), String> {
        let next = self.live(folder, &self.second, flaw, None);
        history.said(&next.said)?;
        if next.code != Some(0) {
            return Err(format!("it does not start again: {:?}", next.code));
        }
        let end = history.disk(folder)?;
        if Some(end.size()) != SIZES.last().copied() {
            return Err(format!("it ends at {} entries", end.size()));
        }
        history.extends_to(&end)
    }

    fn copy(&self) -> tempfile::TempDir {
        let dir = folder();
        copy(self.base.path(), dir.path());
        dir
    }
}

fn submission(world: &World, number: u64) -> Signed {
    let action = Action::Submit { request: request(number), lock: LOCK.to_vec(), round: 0 };
    Signed::sign(&world.command_key(0), &world.group, action).unwrap()
}

/// The published log as it lies on disk.
struct Look {
    root: Digest,
    leaves: Vec<Digest>,
}

impl Look {
    fn at(folder: &Path) -> Result<Look, String> {
        let folder = Folder::at(folder).log();
        let log = PublishedLog::open(&folder, Synced).map_err(|error| error.to_string())?;
        let note = log.note().ok_or("there is no checkpoint")?;
        let checkpoint: Checkpoint = note.text.parse().unwrap();
        let mut leaves = Vec::new();
        for path in tiles_between(0, checkpoint.size).filter(|path| path.level == TileLevel::Entries) {
            let bytes = fs::read(folder.join(path.path())).map_err(|error| error.to_string())?;
            leaves.extend(parse_bundle(&bytes, path.width).unwrap().into_iter().map(leaf_hash));
        }
        Ok(Look { root: checkpoint.root, leaves })
    }

    fn size(&self) -> u64 {
        self.leaves.len() as u64
    }
}

/// Everything that one node ever signed, told or published.
#[derive(Default)]
struct History {
    signed: BTreeMap<u64, Digest>,
    told: u64,
    published: u64,
}

impl History {
    fn sign(&mut self, size: u64, root: Digest) -> Result<(), String> {
        let kept = *self.signed.entry(size).or_insert(root);
        if kept == root { Ok(()) } else { Err(format!("two roots are signed for {size} entries")) }
    }

    /// Takes what a process wrote to its standard output.
    fn said(&mut self, said: &str) -> Result<(), String> {
        for line in said.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [what, size, root] = words.as_slice() else { continue };
            let size = size.parse().unwrap();
            self.sign(size, root.parse().unwrap())?;
            match *what {
                "signed" => self.told = self.told.max(size),
                _ => self.published = self.published.max(size),
            }
        }
        Ok(())
    }

    /// The log must open, and be no smaller than what was published.
    fn disk(&mut self, folder: &Path) -> Result<Look, String> {
        let look = Look::at(folder)?;
        if look.size() < self.published {
            return Err(format!("the log has {} entries after {} were published", look.size(), self.published));
        }
        self.published = look.size();
        self.sign(look.size(), look.root)?;
        Ok(look)
    }

    /// The journal must know of everything that was told. It is read from a copy: reading repairs.
    fn journal(&self, home: &Path) -> Result<(), String> {
        let dir = folder();
        let copied = dir.path().join("state.redb");
        fs::copy(Folder::at(home).state(), &copied).unwrap();
        let store = Store::open(&copied, &append_path::group(&Folder::at(home)));
        let store = store.map_err(|error| format!("the database does not open: {error}"))?;
        let journal = store.journal().map_err(|error| error.to_string())?;
        let recorded = journal.cosigned().map_or(0, |(size, _)| size);
        if recorded < self.told {
            return Err(format!("{} entries were cosigned, the journal knows of {recorded}", self.told));
        }
        journal.cosigned().map_or(Ok(()), |(size, root)| match self.signed.get(&size) {
            Some(signed) if *signed != root => Err(format!("the journal has another root for {size} entries")),
            _ => Ok(()),
        })
    }

    /// The log must begin with every log that was ever signed.
    fn extends_to(&self, end: &Look) -> Result<(), String> {
        for (size, root) in &self.signed {
            let leaves = end.leaves.get(..*size as usize).ok_or("what was signed is not published")?;
            if merkle::root(leaves) != *root {
                return Err(format!("the log does not begin with the {size} entries that were signed"));
            }
        }
        Ok(())
    }
}

fn all_faults() {
    let scene = Scene::set();
    let calls = scene.calls(None);
    let chosen = if every() { (0..calls.len()).collect() } else { sample(&calls) };
    let since = Instant::now();
    let mut wrong = Vec::new();
    for &at in &chosen {
        for fault in FAULTS {
            if let Err(what) = scene.suffer(None, at, fault) {
                wrong.push(format!("{fault:?} at call {at}, {}: {what}", tracer::name(calls[at])));
            }
        }
    }
    let kinds: BTreeSet<String> = calls.iter().map(|&number| tracer::name(number)).collect();
    let (of, seconds) = (calls.len(), since.elapsed().as_secs_f32());
    eprintln!(
        "    {} of {of} system calls, each in {} ways, took {seconds:.1} s: {kinds:?}",
        chosen.len(),
        FAULTS.len()
    );
    assert!(of > 100, "{of} calls are too few to be an append");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether every call is to go wrong.
pub(crate) fn every() -> bool {
    std::env::var_os(EVERY).is_some()
}

/// The same places for the same calls.
pub(crate) fn sample(calls: &[u64]) -> BTreeSet<usize> {
    let every = (0..calls.len()).step_by(STRIDE);
    let ends = calls.iter().filter_map(|number| {
        let first = calls.iter().position(|other| other == number)?;
        Some([first, calls.iter().rposition(|other| other == number)?])
    });
    every.chain(ends.flatten()).collect()
}

fn found_out(flaw: Flaw) {
    let scene = Scene::set();
    let calls = scene.calls(Some(flaw));
    // What a kill leaves behind differs only where something was written in between.
    let mut writes = (0..calls.len()).filter(|&at| tracer::writes(calls[at]));
    let found = writes.find_map(|at| scene.suffer(Some(flaw), at, Fault::KilledBefore).err());
    let what = found.unwrap_or_else(|| panic!("{flaw:?} goes unnoticed"));
    eprintln!("    {flaw:?}: {what}");
    let expected = match flaw {
        Flaw::SignsBeforeTheState => "two roots are signed",
        Flaw::SignsBeforeTheJournal => "the journal knows of",
        Flaw::LogsBeforeTheBlock => "it does not start again",
        Flaw::CheckpointFirst => "of the published log",
    };
    assert!(what.contains(expected), "{flaw:?}: {what}");
}

/// A new folder, in memory where there is such a place: what a killed process has written is the kernel's, not the disk's.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
