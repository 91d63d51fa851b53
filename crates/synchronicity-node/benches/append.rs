//! What a durable append costs: `cargo bench -p synchronicity-node --bench append`.
//!
//! One entry is appended and its checkpoint published, and then the same files with the same content are written by a bare
//! loop (temporary file, fsync, rename, fsync of the folder) elsewhere on the same disk; in turns, so that whatever else
//! the disk does hits both alike; the ratio is the median over the appends. Logs of 2^10 to 2^24 entries are made first
//! under `target/`. Ends with status 1 if a ratio is above 1.3.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

mod made;
mod resident;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode};
use std::time::Instant;

use synchronicity_node::durable::{Disk, Synced};
use synchronicity_node::publish::PublishedLog;
use synchronicity_verify::merkle::{Frontier, leaf_hash};

const RATIO_MAX: f64 = 1.3;
const APPENDS: u64 = 300;
const ENTRY_BYTES: usize = 1024;

/// The real disk, which remembers what was written.
#[derive(Default)]
struct Recording(Vec<(PathBuf, Vec<u8>)>);

impl Disk for Recording {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.0.push((path.to_owned(), bytes.to_vec()));
        Synced.write(path, bytes)
    }
}

fn main() -> ExitCode {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let mut good = true;
    println!("entries      files   append and publish      bare loop   ratio   memory");
    for bits in [10_u32, 16, 20, 24] {
        let size = 1_u64 << bits;
        let folder = target.join(format!("bench-append-2-{bits}"));
        made::log(&folder, size, short);
        let work = tempfile::tempdir_in(&target).unwrap();
        let copy = work.path().join("log");
        // Full tiles are never written again, so links to them do.
        assert!(Command::new("cp").arg("-al").args([&folder, &copy]).status().unwrap().success());
        let Measured { ours, bare, files } = measure(&copy, &work.path().join("bare"), size);
        let ratio = median(ours.iter().zip(&bare).map(|(ours, bare)| ours / bare));
        let ms = |costs: &[f64]| median(costs.iter().map(|cost| cost * 1e3));
        let memory = resident::bytes(process::id()) >> 20;
        println!("2^{bits:<9} {files:6} {:17.2} ms {:11.2} ms {ratio:7.2} {memory:4} MiB", ms(&ours), ms(&bare));
        good &= ratio <= RATIO_MAX;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Seconds for each append.
#[derive(Default)]
struct Measured {
    ours: Vec<f64>,
    bare: Vec<f64>,
    files: usize,
}

fn measure(folder: &Path, bare: &Path, size: u64) -> Measured {
    let mut frontier = Frontier::new();
    (0..size).for_each(|index| frontier.append(leaf_hash(&short(index))));
    let mut log = PublishedLog::open(folder, Recording::default()).unwrap();
    let mut measured = Measured::default();
    for index in size..size + APPENDS {
        let entry = [short(index), vec![7; ENTRY_BYTES]].concat();
        frontier.append(leaf_hash(&entry));
        let note = made::note(index + 1, frontier.root());
        let since = Instant::now();
        log.append(index, &[entry]).unwrap();
        log.publish(note).unwrap();
        measured.ours.push(since.elapsed().as_secs_f64());
        let written = std::mem::take(&mut log.disk_mut().0);
        measured.files += written.len();
        let written: Vec<(PathBuf, Vec<u8>)> =
            written.into_iter().map(|(path, bytes)| (bare.join(path.strip_prefix(folder).unwrap()), bytes)).collect();
        written.iter().for_each(|(path, _)| fs::create_dir_all(path.parent().unwrap()).unwrap());
        let since = Instant::now();
        written.iter().for_each(|(path, bytes)| write(path, bytes).unwrap());
        measured.bare.push(since.elapsed().as_secs_f64());
    }
    measured
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(path.parent().unwrap())?.sync_all()
}

/// Entries that are there before: short, so that a log of many is made soon.
fn short(index: u64) -> Vec<u8> {
    index.to_be_bytes().to_vec()
}
