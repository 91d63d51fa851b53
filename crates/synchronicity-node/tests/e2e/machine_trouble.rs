//! One machine of four in trouble: it says what is wrong, the others go on, and it catches up where it can.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use synchronicity_verify::digest::Digest;

use crate::Test;
use crate::left_over::nothing_is_left;
use crate::machine::Need::{Embedded, Faketime, Mounts};
use crate::machine::{Tmpfs, faketime};
use crate::node::listing;
use crate::quartet::{Quartet, TROUBLED, name};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_full_disk_is_told_and_nothing_is_half_written", &[Mounts, Embedded], full_disk),
        Test::new("a_node_whose_clock_is_off_says_so_and_the_group_goes_on", &[Faketime, Embedded], wrong_clock),
    ]
}

/// A node complains within this time of what is wrong with its machine.
const NOTICED: Duration = Duration::from_secs(60);

fn full_disk() {
    let dir = tempfile::tempdir().unwrap();
    // Declared so that, however the test ends, the nodes go first, then what they write to, then the folder.
    let disk = Tmpfs::mount(&dir.path().join(name(TROUBLED)), "256m").unwrap();
    let mut quartet = Quartet::found(dir.path());
    quartet.start(&[]);

    let filler = fill(&quartet.home(TROUBLED));
    let full = |status: &Value| status["health"].as_str().unwrap().contains("is full");
    let told = quartet.until(TROUBLED, "says that its disk is full", NOTICED, full);
    assert_eq!(told["log"]["size"], 0);
    quartet.submit();
    let root = quartet.concludes(0)["log"]["root"].clone();
    for index in 1..TROUBLED {
        assert_eq!(quartet.concludes(index)["log"]["root"], root);
    }
    let during = quartet.status(TROUBLED).expect("it goes on to serve");
    assert!(full(&during), "{during}");
    assert_eq!(during["log"]["size"], 0, "it takes part in nothing while its disk is full");

    fs::remove_file(filler).unwrap();
    let back = quartet.concludes(TROUBLED);
    assert_eq!(back["log"]["root"], root);
    assert!(!full(&back), "{back}");
    // The last one's signature has the others write their checkpoints once more, under passing names first.
    quartet.stop();
    let files = published(&quartet.home(0));
    assert!(!files.is_empty());
    assert_eq!(published(&quartet.home(TROUBLED)), files);
    drop(quartet);
    drop(disk);
    nothing_is_left(dir.path());
}

/// Writes until nothing more fits: the node may find out by a write of its own that fails.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("filler");
    let mut file = File::create(&path).unwrap();
    let piece = vec![0; 64 << 10];
    while file.write_all(&piece).is_ok() {}
    path
}

/// The log's files by their place in the log, without the checkpoint, whose cosignatures may differ.
fn published(home: &Path) -> Vec<(PathBuf, Digest)> {
    let log = home.join("log");
    let files = listing(&log).into_iter().filter(|(path, _)| !path.ends_with("checkpoint"));
    files.map(|(path, digest)| (path.strip_prefix(&log).unwrap().to_owned(), digest)).collect()
}

fn wrong_clock() {
    let dir = tempfile::tempdir().unwrap();
    let library = faketime().expect("it was there when the machine was looked at");
    let mut quartet = Quartet::found(dir.path());
    // Only what tells the date is off: timers run as on a real machine.
    quartet.start(&[
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME", "+1h"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]);

    quartet.submit();
    let complains = |status: &Value| status["health"].as_str().unwrap().contains("clock");
    let ahead = |status: &Value| status["health"].as_str().unwrap().contains("s ahead of the other members'");
    let told = quartet.until(TROUBLED, "says that its clock is ahead", NOTICED, ahead);
    let skew_ms = told["clock_skew_ms"].as_i64().unwrap();
    assert!((3_590_000..3_610_000).contains(&skew_ms), "{skew_ms} ms");
    let root = quartet.concludes(0)["log"]["root"].clone();
    for index in 1..TROUBLED {
        let status = quartet.concludes(index);
        assert_eq!(status["log"]["root"], root);
        assert!(!complains(&status), "three clocks agree: {status}");
    }
    // It votes for nothing, but what the others have agreed on needs no clock.
    assert_eq!(quartet.concludes(TROUBLED)["log"]["root"], root);
    drop(quartet);
    nothing_is_left(dir.path());
}
