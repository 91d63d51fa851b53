//! `log export` from folder to folder: only what is new is copied, nothing that contradicts the destination, and
//! nothing that the checkpoint does not sign.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use synchronicity_node::durable::Synced;
use synchronicity_node::publish::PublishedLog;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::merkle::{Frontier, leaf_hash};
use synchronicity_verify::note::{self, SignedNote};
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, tiles_between};

use crate::damaged::words;
use crate::publish::files;
use crate::world::World;

/// A log whose entries are `salt`ed numbers, published in `folder` at one size after the other.
pub(crate) struct Growing<'a> {
    pub(crate) world: &'a World,
    pub(crate) folder: PathBuf,
    pub(crate) salt: &'a str,
}

impl Growing<'_> {
    pub(crate) fn to(&self, size: u64) {
        let entry = |index: u64| format!("{} {index}", self.salt).into_bytes();
        let mut log = PublishedLog::open(&self.folder, Synced).unwrap();
        let mut frontier = Frontier::new();
        (0..size).for_each(|index| frontier.append(leaf_hash(&entry(index))));
        let checkpoint = Checkpoint { origin: self.world.group.origin().to_owned(), size, root: frontier.root() };
        let text = checkpoint.to_string();
        let line = note::sign(&self.world.log_signer(), &text).unwrap();
        let first = log.size();
        log.append(first, &(first..size).map(entry).collect::<Vec<_>>()).unwrap();
        log.publish(SignedNote { text, signatures: vec![line] }).unwrap();
    }
}

/// Runs `log export` with `words` after it.
pub(crate) fn export(from: &Path, to: &str, words: &[&str]) -> Output {
    program(from, to, words).output().unwrap()
}

pub(crate) fn program(from: &Path, to: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synchronicity-node"));
    command.args(["log", "export", "--json", "--to", to, "--from"]).arg(from).args(words);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
}

pub(crate) fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output, code: i32, why: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = words(&stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(why), "{said}");
}

/// Reads every tile and entry and compares them with the checkpoint; gives the size.
pub(crate) fn size_of(folder: &Path) -> u64 {
    PublishedLog::open(folder, Synced).unwrap().size()
}

fn needed(size: u64) -> u64 {
    tiles_between(0, size).count() as u64
}

#[test]
fn a_second_export_copies_only_what_the_log_has_grown_by() {
    let (world, dir) = (World::of(1), tempfile::tempdir().unwrap());
    let log = Growing { world: &world, folder: dir.path().join("log"), salt: "entry" };
    let (to, copy) = (dir.path().join("a/copy").display().to_string(), dir.path().join("a/copy"));
    log.to(600);
    let first = told(&export(&log.folder, &to, &[]));
    assert_eq!((first["copied"].as_u64(), first["kept"].as_u64()), (Some(needed(600)), Some(0)), "{first}");
    assert_eq!(size_of(&copy), 600);
    let again = told(&export(&log.folder, &to, &[]));
    assert_eq!((again["copied"].as_u64(), again["published"].as_bool()), (Some(0), Some(false)), "{again}");

    log.to(900);
    let grown = told(&export(&log.folder, &to, &[]));
    let new = tiles_between(600, 900).count() as u64;
    assert_eq!((grown["copied"].as_u64(), grown["published"].as_bool()), (Some(new), Some(true)), "{grown}");
    assert!(new < needed(900));
    assert_eq!(size_of(&copy), 900);
    // Nothing else lies there, and what lies there is what the node has.
    let (ours, theirs) = (files(&log.folder), files(&copy));
    assert!(theirs.iter().all(|(path, bytes)| ours.get(path) == Some(bytes)));
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn a_file_that_the_destination_has_lost_is_found_by_a_recheck() {
    let (world, dir) = (World::of(1), tempfile::tempdir().unwrap());
    let log = Growing { world: &world, folder: dir.path().join("log"), salt: "entry" };
    let copy = dir.path().join("copy");
    let to = copy.display().to_string();
    log.to(600);
    told(&export(&log.folder, &to, &[]));
    fs::remove_file(copy.join("tile/0/000")).unwrap();
    let mut bundle = fs::read(copy.join("tile/entries/001")).unwrap();
    bundle[5] ^= 1;
    fs::write(copy.join("tile/entries/001"), bundle).unwrap();
    assert_eq!(told(&export(&log.folder, &to, &[]))["copied"], 0);
    let mended = told(&export(&log.folder, &to, &["--recheck"]));
    assert_eq!((mended["copied"].as_u64(), mended["kept"].as_u64()), (Some(2), Some(needed(600) - 2)), "{mended}");
    assert_eq!(size_of(&copy), 600);
}

#[test]
fn a_destination_that_the_log_does_not_extend_is_left_alone() {
    let (world, other, dir) = (World::of(1), World::of(1), tempfile::tempdir().unwrap());
    let log = Growing { world: &world, folder: dir.path().join("log"), salt: "entry" };
    log.to(600);
    let fork = Growing { folder: dir.path().join("fork"), salt: "other", ..log };
    fork.to(300);
    let ahead = Growing { folder: dir.path().join("ahead"), salt: "entry", ..log };
    ahead.to(601);
    let foreign = Growing { world: &other, folder: dir.path().join("foreign"), salt: "entry" };
    foreign.to(300);
    rename_log(&foreign.folder.join("checkpoint"));
    let garbage = dir.path().join("garbage");
    fs::create_dir(&garbage).unwrap();
    fs::write(garbage.join("checkpoint"), "an index page\n").unwrap();
    for (folder, why) in [
        (&fork.folder, "does not extend"),
        (&ahead.folder, "holds 601 entries"),
        (&foreign.folder, "holds the log"),
        (&garbage, "is none"),
    ] {
        let before = files(folder);
        refused(&export(&log.folder, &folder.display().to_string(), &["--recheck"]), 40, why);
        assert_eq!(files(folder), before, "{} was changed", folder.display());
    }
}

/// Makes a checkpoint one of another log.
fn rename_log(checkpoint: &Path) {
    let text = fs::read_to_string(checkpoint).unwrap();
    fs::write(checkpoint, text.replace("example.org/test", "example.org/else")).unwrap();
}

#[test]
fn no_file_leaves_that_the_checkpoint_does_not_sign() {
    let (world, dir) = (World::of(1), tempfile::tempdir().unwrap());
    let log = Growing { world: &world, folder: dir.path().join("log"), salt: "entry" };
    log.to(600);
    for path in tiles_between(0, 600) {
        let file = log.folder.join(path.path());
        let sound = fs::read(&file).unwrap();
        for damaged in [flipped(&sound), sound[..sound.len() - 1].to_vec(), [&sound[..], b"x"].concat()] {
            fs::write(&file, damaged).unwrap();
            let copy = tempfile::tempdir().unwrap();
            refused(&export(&log.folder, &copy.path().display().to_string(), &[]), 40, "damaged");
            let arrived = files(copy.path());
            assert!(!arrived.contains_key(Path::new("checkpoint")) && !arrived.contains_key(Path::new(&path.path())));
        }
        fs::write(&file, sound).unwrap();
    }
}

#[test]
fn a_bundle_and_its_tile_that_fit_each_other_and_not_the_checkpoint_stay_here() {
    let (world, dir) = (World::of(1), tempfile::tempdir().unwrap());
    let log = Growing { world: &world, folder: dir.path().join("log"), salt: "entry" };
    let forged = Growing { folder: dir.path().join("forged"), salt: "other", ..log };
    log.to(600);
    forged.to(600);
    for name in ["tile/entries/001", "tile/0/001"] {
        fs::copy(forged.folder.join(name), log.folder.join(name)).unwrap();
    }
    let copy = dir.path().join("copy");
    refused(&export(&log.folder, &copy.display().to_string(), &[]), 40, "tile/0/001");
    assert!(["checkpoint", "tile/entries/001", "tile/0/001"].iter().all(|name| !copy.join(name).exists()));
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bytes.len() / 2] ^= 1;
    flipped
}

#[test]
fn partial_files_that_were_thinned_out_are_cut_from_the_full_ones() {
    let (world, dir) = (World::of(1), tempfile::tempdir().unwrap());
    let log = Growing { world: &world, folder: dir.path().join("log"), salt: "entry" };
    log.to(600);
    let checkpoint = fs::read(log.folder.join("checkpoint")).unwrap();
    log.to(800);
    let expected: BTreeMap<_, _> = files(&log.folder);
    fs::write(log.folder.join("checkpoint"), checkpoint).unwrap();
    for path in tiles_between(0, 600).filter(|path| path.width < TILE_WIDTH && path.level != TileLevel::Hashes(1)) {
        fs::remove_file(log.folder.join(path.path())).unwrap();
    }
    let copy = dir.path().join("copy");
    told(&export(&log.folder, &copy.display().to_string(), &[]));
    assert_eq!(size_of(&copy), 600);
    let same = |(path, bytes): (&PathBuf, &Vec<u8>)| path.ends_with("checkpoint") || expected.get(path) == Some(bytes);
    assert!(files(&copy).iter().all(same));
}

#[test]
fn what_cannot_be_a_destination_is_usage_and_a_busy_one_is_for_later() {
    let (world, dir) = (World::of(1), tempfile::tempdir().unwrap());
    let log = Growing { world: &world, folder: dir.path().join("log"), salt: "entry" };
    let copy = dir.path().join("copy");
    fs::create_dir(&copy).unwrap();
    refused(&export(&log.folder, &copy.display().to_string(), &[]), 75, "no published log");
    log.to(3);
    let held = fs::File::open(&copy).unwrap();
    held.try_lock().unwrap();
    refused(&export(&log.folder, &copy.display().to_string(), &[]), 75, "another export");
    refused(&export(&log.folder, &log.folder.display().to_string(), &[]), 2, "is the log itself");
    refused(&export(&log.folder, "gs://bucket/log", &[]), 2, "only s3:// and folders");
    refused(&export(&log.folder, "s3:///log", &[]), 2, "a bucket's name");
    refused(&export(&log.folder, "s3://bucket/log", &[]), 2, "no credentials");
    let plain = program(&log.folder, "s3://bucket/log", &[])
        .env("AWS_ENDPOINT_URL", "http://192.0.2.1:9000")
        .env("AWS_ALLOW_HTTP", "true")
        .output();
    refused(&plain.unwrap(), 2, "has no TLS");
}
