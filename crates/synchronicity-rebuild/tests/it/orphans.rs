//! A program that is killed in the middle of a build leaves nothing of the build running.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use synchronicity_rebuild::bench::{Bench, SandboxChoice};

use crate::builds::{containers, options, pin_for};

/// The argument under which this executable is the program that will be killed; bench folder and sandbox follow.
const VICTIM_ARGUMENT: &str = "__victim";

/// Acts as the victim if this process was started as one; does not return then.
pub(crate) fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words.get(1).map(String::as_str) != Some(VICTIM_ARGUMENT) {
        return;
    }
    let bench = Bench::open(Path::new(&words[2]), &options(words[3].parse().unwrap())).unwrap();
    let pinned = pin_for(&bench, "hexyl@0.17.0").unwrap();
    let running = bench.start(&pinned.request, &pinned.lock).unwrap();
    while let Some(event) = running.recv() {
        println!("{event:?}");
    }
    std::process::exit(0);
}

pub(crate) fn nothing_is_left(choice: SandboxChoice) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let sandbox = if choice == SandboxChoice::Docker { "docker" } else { "embedded" };
    let mut victim = Command::new(std::env::current_exe()?)
        .args([VICTIM_ARGUMENT, &folder.path().display().to_string(), sandbox])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(victim.stdout.take().ok_or("no output")?).lines();
    let compiling = lines.any(|line| line.is_ok_and(|line| line.contains("compiled: \"") && line.contains(" v")));
    assert!(compiling, "the victim ended before it built");
    assert!(!processes(folder.path()).is_empty(), "the build is not visible, so this test would see nothing");
    victim.kill()?;
    victim.wait()?;
    let killed = Instant::now();
    while !processes(folder.path()).is_empty() || !containers(folder.path()).is_empty() {
        let left = (processes(folder.path()), containers(folder.path()));
        assert!(killed.elapsed() < Duration::from_secs(20), "still there after 20 s: {left:?}");
        sleep(Duration::from_millis(100));
    }
    eprintln!("{choice:?}: gone {:.1} s after the kill", killed.elapsed().as_secs_f32());
    // The bench can be used at once.
    Bench::open(folder.path(), &options(choice))?;
    Ok(())
}

/// Command lines of processes that have files below `folder` mapped, open or as their root or working folder, or that
/// mention it.
pub(crate) fn processes(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| std::fs::read_to_string(process.path().join(name)).unwrap_or_default();
        let own = process.file_name().to_string_lossy() == std::process::id().to_string();
        // The mounts of a build in namespaces name the folder too.
        if !own && (read("cmdline").contains(&folder) || read("mountinfo").contains(&folder)) {
            found.push(read("cmdline").replace('\0', " "));
        }
    }
    found
}
