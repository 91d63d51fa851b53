//! The published log when writes fail: at every write, once lost and once done although an error came back. After a
//! restart the log is whole, at the old size or the new one, and goes on to what it would have been.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use synchronicity_node::durable::Disk;
use synchronicity_node::publish::{LoadError, PublishedLog, read_entry};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::merkle::{Frontier, leaf_hash};
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

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn note_of(world: &World, size: u64) -> SignedNote {
    let mut frontier = Frontier::new();
    (0..size).for_each(|index| frontier.append(leaf_hash(&entry(index))));
    let checkpoint = Checkpoint { origin: world.group.origin().to_owned(), size, root: frontier.root() };
    let text = checkpoint.to_string();
    let line = note::sign(&world.log_signer(), &text).unwrap();
    SignedNote { text, signatures: vec![line] }
}

/// Publishes at every size that is still ahead, until a write fails.
fn go_on(folder: &Path, notes: &[SignedNote], disk: Frail) -> (Result<(), String>, usize) {
    let mut log = PublishedLog::open(folder, disk).unwrap();
    for (size, note) in SIZES.iter().zip(notes).filter(|(size, _)| **size > log.size()).collect::<Vec<_>>() {
        let new: Vec<Vec<u8>> = (log.size()..*size).map(entry).collect();
        if let Err(error) = log.publish(&new, note.clone()) {
            return (Err(error.to_string()), log.into_disk().writes);
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
    assert!(log.publish(&[entry(0)], notes[0].clone()).is_err());
    assert_eq!(log.size(), 0);
    log.publish(&[entry(0)], notes[0].clone()).unwrap();
    assert_eq!(log.size(), 1);
    log.publish(&[entry(1)], notes[1].clone()).unwrap();
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
    assert!(log.publish(&[entry(9)], note_of(&world, 1)).is_err());
    assert!(log.publish(&[entry(0)], note_of(&world, 2)).is_err());
    assert!(files(dir.path()).is_empty());
}

#[test]
fn each_entry_can_be_read_alone() {
    let world = World::of(4);
    let notes = SIZES.map(|size| note_of(&world, size));
    let dir = tempfile::tempdir().unwrap();
    go_on(dir.path(), &notes, Frail::sound()).0.unwrap();
    for index in [0, 255, 256, 511, 512, 599] {
        assert_eq!(read_entry(dir.path(), 600, index).unwrap(), Some(entry(index)));
    }
    assert_eq!(read_entry(dir.path(), 600, 600).unwrap(), None);
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bytes.len() / 2] ^= 1;
    flipped
}
