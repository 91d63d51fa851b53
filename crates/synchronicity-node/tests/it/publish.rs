//! The published log when writes fail: at every write, once lost and once done although an error came back. After a
//! restart the log is whole, at the old size or the new one, and goes on to what it would have been.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use synchronicity_node::durable::Disk;
use synchronicity_node::publish::{AppendError, LoadError, PublishError, PublishedLog};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{Frontier, leaf_hash, verify_consistency};
use synchronicity_verify::note::{self, SignedNote};

use crate::world::World;

/// Sizes at which the log is published: first entry, a full tile, over its edge, and several bundles at once.
const SIZES: [u64; 6] = [1, 2, 256, 257, 258, 600];

/// How the write that fails fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Lost,
    DoneAllTheSame,
}

/// A disk that fails once, and objects when a file that may never change does.
struct Frail {
    writes: usize,
    fails_at: Option<(usize, Fate)>,
}

impl Frail {
    fn sound() -> Frail {
        Frail { writes: 0, fails_at: None }
    }
}

impl Disk for Frail {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.writes += 1;
        let fate = self.fails_at.filter(|(at, _)| *at == self.writes).map(|(_, fate)| fate);
        if fate != Some(Fate::Lost) {
            if path.file_name().is_some_and(|name| name != "checkpoint")
                && let Ok(before) = fs::read(path)
            {
                assert_eq!(before, bytes, "{} changed", path.display());
            }
            fs::create_dir_all(path.parent().unwrap())?;
            fs::write(path, bytes)?;
        }
        if fate.is_some() { Err(io::Error::other("the disk failed")) } else { Ok(()) }
    }
}

pub(crate) fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn entries(indices: Range<u64>) -> Vec<Vec<u8>> {
    indices.map(entry).collect()
}

pub(crate) fn root(size: u64) -> Digest {
    let mut frontier = Frontier::new();
    (0..size).for_each(|index| frontier.append(leaf_hash(&entry(index))));
    frontier.root()
}

pub(crate) fn note_of(world: &World, size: u64) -> SignedNote {
    let checkpoint = Checkpoint { origin: world.group.origin().to_owned(), size, root: root(size) };
    let text = checkpoint.to_string();
    let line = note::sign(&world.log_signer(), &text).unwrap();
    SignedNote { text, signatures: vec![line] }
}

/// Publishes at every size that is still ahead, until a write fails.
fn go_on(folder: &Path, notes: &[SignedNote], disk: Frail) -> (Result<(), String>, usize) {
    let mut log = PublishedLog::open(folder, disk).unwrap();
    for (size, note) in SIZES.iter().zip(notes).filter(|(size, _)| **size > log.size()).collect::<Vec<_>>() {
        let first = log.tip().size();
        let new: Vec<Vec<u8>> = (first..*size).map(entry).collect();
        let appended = log.append(first, &new).map_err(|error| error.to_string());
        if let Err(error) = appended.and_then(|()| log.publish(note.clone()).map_err(|error| error.to_string())) {
            return (Err(error), log.into_disk().writes);
        }
    }
    (Ok(()), log.into_disk().writes)
}

pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(next).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_log_whose_disk_fails_at_any_write_recovers_to_the_same_files() {
    let world = World::of(4);
    let notes = SIZES.map(|size| note_of(&world, size));
    let sound = tempfile::tempdir().unwrap();
    let (done, writes) = go_on(sound.path(), &notes, Frail::sound());
    done.unwrap();
    let expected = files(sound.path());
    assert!(writes > 20, "{writes} writes are too few to show anything");
    for at in 1..=writes {
        for fate in [Fate::Lost, Fate::DoneAllTheSame] {
            let dir = tempfile::tempdir().unwrap();
            let frail = Frail { writes: 0, fails_at: Some((at, fate)) };
            assert!(go_on(dir.path(), &notes, frail).0.is_err(), "write {at} was to fail");
            // The restart: reading checks every tile and entry against the checkpoint, whichever that is by now.
            go_on(dir.path(), &notes, Frail::sound()).0.unwrap_or_else(|error| panic!("{at} {fate:?}: {error}"));
            assert_eq!(files(dir.path()), expected, "write {at}, {fate:?}");
        }
    }
}

#[test]
fn a_failed_publication_can_be_repeated_without_a_restart() {
    let world = World::of(4);
    let notes = SIZES.map(|size| note_of(&world, size));
    let dir = tempfile::tempdir().unwrap();
    let frail = Frail { writes: 0, fails_at: Some((3, Fate::DoneAllTheSame)) };
    let mut log = PublishedLog::open(dir.path(), frail).unwrap();
    log.append(0, &[entry(0)]).unwrap();
    assert!(log.publish(notes[0].clone()).is_err());
    assert_eq!(log.size(), 0);
    log.publish(notes[0].clone()).unwrap();
    assert_eq!(log.size(), 1);
    log.append(1, &[entry(1)]).unwrap();
    log.publish(notes[1].clone()).unwrap();
    assert_eq!(PublishedLog::open(dir.path(), Frail::sound()).unwrap().size(), 2);
}

#[test]
fn a_log_that_was_tampered_with_is_refused_file_by_file() {
    let world = World::of(4);
    let notes = SIZES.map(|size| note_of(&world, size));
    let dir = tempfile::tempdir().unwrap();
    go_on(dir.path(), &notes, Frail::sound()).0.unwrap();
    // Partial tiles of smaller sizes are superseded, and nobody reads them any more.
    let needed = synchronicity_verify::tile::tiles_between(0, 600).map(|path| PathBuf::from(path.path()));
    for name in needed.chain([PathBuf::from("checkpoint")]) {
        let path = dir.path().join(&name);
        let sound = fs::read(&path).unwrap();
        for damaged in [sound[..sound.len() - 1].to_vec(), [&sound[..], b"x"].concat(), flipped(&sound)] {
            fs::write(&path, damaged).unwrap();
            let refused = PublishedLog::open(dir.path(), Frail::sound()).is_err();
            // A flipped bit in a signature is for whoever knows the keys; the note stays a note.
            assert!(refused || name.ends_with("checkpoint"), "{} was believed", name.display());
        }
        fs::remove_file(&path).unwrap();
        let opened = PublishedLog::open(dir.path(), Frail::sound());
        match name.ends_with("checkpoint") {
            true => assert_eq!(opened.unwrap().size(), 0),
            false => assert!(matches!(opened, Err(LoadError::Read { .. }))),
        }
        fs::write(&path, sound).unwrap();
    }
    PublishedLog::open(dir.path(), Frail::sound()).unwrap();
}

#[test]
fn entries_that_do_not_hash_to_the_checkpoint_are_not_published() {
    let world = World::of(4);
    let dir = tempfile::tempdir().unwrap();
    let mut log = PublishedLog::open(dir.path(), Frail::sound()).unwrap();
    log.append(0, &[entry(9)]).unwrap();
    assert!(matches!(log.publish(note_of(&world, 1)), Err(PublishError::Root(1))));
    assert!(matches!(log.publish(note_of(&world, 2)), Err(PublishError::Size { executed: 1, .. })));
    assert!(matches!(log.append(2, &[entry(2)]), Err(AppendError::Gap { size: 1, offered: 2 })));
    assert!(files(dir.path()).is_empty());
}

#[test]
fn entries_that_come_again_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = PublishedLog::open(dir.path(), Frail::sound()).unwrap();
    log.append(0, &entries(0..3)).unwrap();
    log.append(1, &entries(1..5)).unwrap();
    log.append(0, &entries(0..2)).unwrap();
    assert_eq!(log.tip().size(), 5);
    assert_eq!(log.tip().root_at(5).unwrap(), Some(root(5)));
}

#[test]
fn what_is_executed_and_not_published_fills_tiles_and_no_checkpoint() {
    let world = World::of(4);
    let dir = tempfile::tempdir().unwrap();
    let mut log = PublishedLog::open(dir.path(), Frail::sound()).unwrap();
    log.append(0, &entries(0..700)).unwrap();
    let full: Vec<PathBuf> = files(dir.path()).into_keys().collect();
    assert_eq!(full, ["tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"].map(PathBuf::from));
    // Every size up to the executed one has its root, and can be published.
    for size in [0, 1, 255, 256, 300, 512, 699, 700] {
        assert_eq!(log.tip().root_at(size).unwrap(), Some(root(size)), "{size}");
    }
    assert_eq!(log.tip().root_at(701).unwrap(), None);
    let path = log.tip().consistency_proof(300, 600).unwrap().unwrap();
    verify_consistency(300, 600, &path, &root(300), &root(600)).unwrap();
    for size in [300, 600, 700] {
        log.publish(note_of(&world, size)).unwrap();
        assert_eq!(
            PublishedLog::open(dir.path(), Frail::sound()).unwrap().tip().root_at(size).unwrap(),
            Some(root(size))
        );
    }
    assert!(matches!(log.publish(note_of(&world, 600)), Err(PublishError::Size { published: 700, .. })));
}

#[test]
fn full_tiles_of_an_earlier_run_are_compared_and_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = PublishedLog::open(dir.path(), Frail::sound()).unwrap();
    log.append(0, &entries(0..300)).unwrap();
    // Killed before anything was published.
    let mut log = PublishedLog::open(dir.path(), Frail::sound()).unwrap();
    assert_eq!(log.tip().size(), 0);
    log.append(0, &entries(0..300)).unwrap();
    assert_eq!(log.into_disk().writes, 0);
    fs::write(dir.path().join("tile/0/000"), [7; 8192]).unwrap();
    let mut log = PublishedLog::open(dir.path(), Frail::sound()).unwrap();
    assert!(matches!(log.append(0, &entries(0..300)), Err(AppendError::Differs { .. })));
    assert_eq!(log.tip().size(), 255);
}

#[test]
fn partial_tiles_go_when_the_tile_after_theirs_is_full_under_a_published_checkpoint() {
    let world = World::of(4);
    let dir = tempfile::tempdir().unwrap();
    let mut log = PublishedLog::open(dir.path(), Frail::sound()).unwrap();
    let publish = |log: &mut PublishedLog<Frail>, size: u64| {
        let first = log.tip().size();
        log.append(first, &entries(first..size)).unwrap();
        log.publish(note_of(&world, size)).unwrap();
    };
    let partials = |n: &str| {
        (dir.path().join(format!("tile/0/{n}.p")).exists(), dir.path().join(format!("tile/entries/{n}.p")).exists())
    };
    for size in [1, 255, 256, 300, 511, 512] {
        publish(&mut log, size);
        assert_eq!(partials("000"), (true, true), "{size}: a reader may still hold a checkpoint that needs them");
    }
    publish(&mut log, 513);
    assert_eq!((partials("000"), partials("001"), partials("002")), ((false, false), (true, true), (true, true)));
    // What a crash left is found again.
    drop(log);
    let mut log = PublishedLog::open(dir.path(), Frail::sound()).unwrap();
    publish(&mut log, 800);
    assert_eq!((partials("001"), partials("002")), ((true, true), (true, true)));
    publish(&mut log, 801);
    assert_eq!((partials("001"), partials("002")), ((false, false), (true, true)));
    PublishedLog::open(dir.path(), Frail::sound()).unwrap();
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bytes.len() / 2] ^= 1;
    flipped
}
