//! How large log and database become, and how long a start takes to read them: `cargo bench -p synchronicity-node --bench restart`.
//!
//! A group of four concludes rounds, nine commands for each, through machine, database and log, without engine and builds. At
//! 10^4, 10^5 and 10^6 commands the folder is copied aside, and a process of its own reads it as a start does. Proof
//! files, which a start looks through too before it shows its checkpoint, are in neither figure.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

mod history;
#[allow(dead_code, reason = "shared with benchmarks that use all of it")]
mod made;
#[path = "../tests/it/world.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use history::History;
use synchronicity_node::folder::Folder;
use synchronicity_node::node;

/// Has this program read the folder that follows.
const REREAD: &str = "--reread";

const COMMANDS: [u64; 3] = [10_000, 100_000, 1_000_000];

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some([_, folder]) = words.windows(2).find(|words| words[0] == REREAD) {
        return reread(Path::new(folder));
    }
    let dir = tempfile::tempdir_in(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target")).unwrap();
    let mut history = History::begin(&dir.path().join("node"));
    println!(" commands  verdicts   state.redb          log   a verdict on disk     start   its memory");
    for commands in COMMANDS {
        history.reach(commands);
        let (verdicts, copy) = (history.verdicts(), dir.path().join(commands.to_string()));
        let copied = Command::new("cp").arg("-a").args([history.folder.root(), &copy]).status().unwrap();
        assert!(copied.success());
        let (state, log) = (bytes(&Folder::at(&copy).state()), bytes(&Folder::at(&copy).log()));
        let told = Command::new(std::env::current_exe().unwrap()).arg(REREAD).arg(&copy).output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let told = String::from_utf8(told.stdout).unwrap();
        let [size, seconds, peak_kib]: [f64; 3] =
            told.split_whitespace().map(|word| word.parse().unwrap()).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(size, verdicts as f64, "it has read everything");
        println!(
            "{:9} {verdicts:9} {:8.1} MiB {:8.1} MiB {:13} bytes {seconds:7.2} s {:8.0} MiB",
            history.commands,
            mib(state),
            mib(log),
            log / verdicts,
            peak_kib / 1024.0
        );
        fs::remove_dir_all(copy).unwrap();
    }
}

/// Prints the size of the log, the seconds that it took to read all, and the most memory of this process in KiB.
fn reread(folder: &Path) {
    let begin = Instant::now();
    let executed = node::reread(&Folder::at(folder)).unwrap_or_else(|stop| panic!("{:?}", stop.report));
    let seconds = begin.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("{} {seconds} {}", executed.log_size, peak.split_whitespace().next().unwrap());
}

/// Of a file, or of all files in a folder, as they lie on the disk.
fn bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(items) = fs::read_dir(path) else { return fs::metadata(path).unwrap().blocks() * 512 };
    items.map(|item| bytes(&item.unwrap().path())).sum()
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
