//! SIGKILL, and an error, at every system call of a witness that answers `add-checkpoint`; then another life, which is
//! shown the other branch of a log that has forked. Whatever is signed in both must be of one log that only grows.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, Weak};

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use synchronicity_node::folder::Folder;
use synchronicity_node::store::Store;
use synchronicity_node::witness::decide::{Log, Seen, Witnessed};
use synchronicity_node::witness::request::AddCheckpoint;
use synchronicity_node::witness::{Forgetful, Memory, Witness};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle;
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer};

use crate::Test;
use crate::append_path::{BEGIN, group, tell};
use crate::every_call::{copy, every, folder, sample};
use crate::machine::Need::Tracing;
use crate::tracer::{self, FAULTS, Fault, Life, trace};
use crate::world::World;

/// The first argument of a process that is to live such a life.
const WORD: &str = "witness-path";
const ORIGIN: &str = "test.invalid/watched";

/// Branches of the log share so many entries.
const SHARED: u64 = 2;
/// What is asked before the fault: branch, old size, new size.
const FIRST: [Ask; 3] = [(0, 0, 3), (0, 3, 3), (0, 3, 6)];

type Ask = (u8, u64, u64);

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_kill_or_an_error_at_any_system_call_of_a_witness_leaves_one_log_signed", &[Tracing], all_faults),
        Test::new("a_witness_that_signs_before_it_remembers_is_found_out", &[Tracing], found_out),
    ]
}

/// Lives the life that the arguments of this process ask for, if they do: answers each request in turn, and tells what
/// it signed.
pub(crate) fn main() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [word, folder, memory, asks @ ..] = words.as_slice() else { return None };
    if word != WORD {
        return None;
    }
    ptrace::traceme().unwrap();
    raise(Signal::SIGSTOP).unwrap();
    let out = &mut io::stdout();
    tell(out, BEGIN);
    let folder = Folder::at(folder.as_str());
    let lived = Store::open(&folder.state(), &group(&folder)).map_err(|error| error.to_string()).and_then(|store| {
        let store = Arc::new(store);
        if memory == "late" {
            let logs = logs(store.witnessed().map_err(|error| error.to_string())?);
            let memory = Late { store: store.clone(), held: Mutex::default() };
            answer(&Witness::new(signer("w", KeyKind::Cosigner), logs, memory), asks, out);
        } else {
            let witness = Witness::<Weak<Store>>::open(signer("w", KeyKind::Cosigner), logs(Vec::new()), &store);
            answer(&witness.map_err(|error| error.to_string())?, asks, out);
        }
        Ok(())
    });
    lived.inspect_err(|trouble: &String| eprintln!("{trouble}")).ok()?;
    Some(ExitCode::SUCCESS)
}

fn answer<M: Memory>(witness: &Witness<M>, asks: &[String], out: &mut io::Stdout) {
    for ask in asks {
        let [branch, old, size] = ask.split(':').collect::<Vec<_>>().try_into().unwrap();
        let (branch, old, size) = (branch.parse().unwrap(), old.parse().unwrap(), size.parse().unwrap());
        if witness.add_checkpoint(request((branch, old, size)).as_bytes(), 1).is_ok() {
            tell(out, &format!("signed {size} {}", root(branch, size)));
        }
    }
}

/// Remembers one request late: the fault that the tests must find.
struct Late {
    store: Arc<Store>,
    held: Mutex<Option<Seen>>,
}

impl Memory for Late {
    fn remember(&self, origin: &str, seen: &Seen) -> Result<(), Forgetful> {
        let before = self.held.lock().unwrap().replace(seen.clone());
        before.map_or(Ok(()), |before| Ok(self.store.put_witnessed(origin, &before)?))
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        let held = self.held.get_mut().unwrap().take();
        held.into_iter().for_each(|seen| drop(self.store.put_witnessed(ORIGIN, &seen)));
    }
}

fn signer(name: &str, kind: KeyKind) -> Signer {
    Signer::from_seed(name, kind, &[7; 32]).unwrap()
}

fn logs(seen: Vec<(String, Seen)>) -> Witnessed {
    let key = signer(ORIGIN, KeyKind::Log).verifier_key().clone();
    BTreeMap::from([(ORIGIN.to_owned(), Log { key, seen: seen.into_iter().next().map(|(_, seen)| seen) })])
}

fn leaves(branch: u8, size: u64) -> Vec<Digest> {
    (0..size).map(|index| merkle::leaf_hash(&[index as u8, if index < SHARED { 0 } else { branch }])).collect()
}

fn root(branch: u8, size: u64) -> Digest {
    merkle::root(&leaves(branch, size))
}

fn request((branch, old, size): Ask) -> String {
    let text = Checkpoint { origin: ORIGIN.to_owned(), size, root: root(branch, size) }.to_string();
    let note = SignedNote { signatures: vec![note::sign(&signer(ORIGIN, KeyKind::Log), &text).unwrap()], text };
    AddCheckpoint::body(old, &merkle::consistency_proof(&leaves(branch, size), old, size).unwrap(), &note)
}

/// The other branch first, from every size at which the witness can be; then the one of before, to its end.
fn second() -> Vec<Ask> {
    let all = |branch: u8| [0, 3, 6].into_iter().flat_map(move |old| [3, 6, 7].map(|size| (branch, old, size)));
    [1, 0].into_iter().flat_map(all).filter(|(_, old, size)| old <= size).collect()
}

/// A node whose witness has signed nothing.
struct Scene(tempfile::TempDir);

impl Scene {
    fn set() -> Self {
        let (world, base) = (World::of(1), folder());
        let (folder, _) = world.settle(0, base.path(), 0);
        drop(Store::open(&folder.state(), &world.group).unwrap());
        Self(base)
    }

    fn copy(&self) -> tempfile::TempDir {
        let dir = folder();
        copy(self.0.path(), dir.path());
        dir
    }

    fn calls(&self, memory: &str) -> Vec<u64> {
        let life = live(self.copy().path(), memory, &FIRST, None);
        assert_eq!((life.code, life.said.lines().count()), (Some(0), 1 + FIRST.len()), "{}", life.said);
        life.calls
    }

    /// A life with a fault and one after it; what they signed between them.
    fn suffer(&self, memory: &str, at: usize, fault: Fault) -> Result<Vec<(u64, Digest)>, String> {
        let dir = self.copy();
        let life = live(dir.path(), memory, &FIRST, Some((at, fault)));
        let next = live(dir.path(), memory, &second(), None);
        if next.code != Some(0) {
            return Err(format!("it does not start again: {:?}", next.code));
        }
        one_log(&life.said, &next.said)
    }
}

fn live(folder: &Path, memory: &str, asks: &[Ask], strike: Option<(usize, Fault)>) -> Life {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(WORD).arg(folder).arg(memory);
    trace(command.args(asks.iter().map(|(branch, old, size)| format!("{branch}:{old}:{size}"))), strike)
}

/// What was signed, in order, if it is of one log that grows, and the second life got to its end.
fn one_log(first: &str, second: &str) -> Result<Vec<(u64, Digest)>, String> {
    let mut signed: Vec<(u64, Digest)> = Vec::new();
    for line in first.lines().chain(second.lines()) {
        let words: Vec<&str> = line.split(' ').collect();
        let ["signed", size, root] = words.as_slice() else { continue };
        signed.push((size.parse().unwrap(), root.parse().unwrap()));
    }
    if signed.windows(2).any(|pair| pair[1].0 < pair[0].0) {
        return Err(format!("a smaller size is signed after a larger one: {signed:?}"));
    }
    if !(0..=1).any(|branch| signed.iter().all(|(size, signed)| root(branch, *size) == *signed)) {
        return Err(format!("both branches are signed: {signed:?}"));
    }
    if signed.last().is_none_or(|(size, _)| *size != 7) {
        return Err(format!("nothing is signed any more: {signed:?}"));
    }
    Ok(signed)
}

fn all_faults() {
    let scene = Scene::set();
    let calls = scene.calls("sound");
    let chosen = if every() { (0..calls.len()).collect() } else { sample(&calls) };
    let (mut wrong, mut branches) = (Vec::new(), BTreeSet::new());
    for &at in &chosen {
        for fault in FAULTS {
            match scene.suffer("sound", at, fault) {
                Err(what) => wrong.push(format!("{fault:?} at call {at}, {}: {what}", tracer::name(calls[at]))),
                Ok(signed) => drop(branches.insert(signed[0].1 == root(0, 3))),
            }
        }
    }
    eprintln!("    {} of {} system calls, each in {} ways", chosen.len(), calls.len(), FAULTS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The second life took up the first one's branch, or the other where nothing had been signed.
    assert_eq!(branches.len(), 2, "every fault came too early, or too late, to matter");
}

fn found_out() {
    let scene = Scene::set();
    let calls = scene.calls("late");
    let mut writes = (0..calls.len()).filter(|&at| tracer::writes(calls[at]));
    let what = writes.find_map(|at| scene.suffer("late", at, Fault::KilledBefore).err());
    let what = what.expect("a witness that forgets what it signed goes unnoticed");
    assert!(what.contains("both branches are signed") || what.contains("a smaller size"), "{what}");
}
