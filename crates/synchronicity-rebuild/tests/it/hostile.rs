//! Crates that attack their builder, each named after how: every one is contained, ends under its own name, and leaves
//! a bench on which the next build comes out right.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use synchronicity_rebuild::bench::SandboxChoice;
use synchronicity_rebuild::recipe::{Options, Pinned};
use synchronicity_rebuild::running::Outcome;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::result::{BuildResult, Failure};

use crate::builds::{Workshop, fixture, follow, names};
use crate::orphans::processes;

/// How a hostile crate ends.
#[derive(Clone, Copy)]
enum Ends {
    /// What it tried failed, and its honest part was built.
    Built,
    /// By this name.
    Failed(Failure),
}

const HOSTILE: [(&str, Ends); 13] = [
    ("eats-memory", Ends::Failed(Failure::Memory)),
    ("escapes-by-symlink", Ends::Failed(Failure::Products)),
    ("fills-the-disk", Ends::Failed(Failure::Disk)),
    ("forks-without-end", Ends::Failed(Failure::Processes)),
    ("kills-its-parent", Ends::Failed(Failure::Compile)),
    ("leaves-a-process-behind", Ends::Built),
    ("opens-the-network", Ends::Failed(Failure::Network)),
    ("plants-a-false-artifact", Ends::Built),
    ("prints-without-end", Ends::Failed(Failure::Transcript)),
    ("reads-the-hosts-home", Ends::Built),
    ("sleeps-without-end", Ends::Failed(Failure::Time)),
    ("tampers-with-a-siblings-build", Ends::Built),
    ("writes-to-the-cargo-home", Ends::Built),
];

const TRIED_TWICE: [&str; 4] = ["eats-memory", "forks-without-end", "kills-its-parent", "sleeps-without-end"];

/// Enough for an honest small crate, and soon used up.
fn small(options: &mut Options) {
    options.limits.memory_bytes = 400 << 20;
    options.limits.disk_bytes = 200 << 20;
    options.limits.processes = 64;
    options.limits.transcript_bytes = 1 << 20;
    options.limits.jobs = 1;
}

pub(crate) fn contained(choice: SandboxChoice) -> Result<(), Failed> {
    let workshop = Workshop::open(choice)?;
    let plain = workshop.pin(&fixture("plain-binary"), |_| {})?;
    let right = workshop.build(&plain)?.result;
    assert!(right.artifacts().is_some());
    for (name, ends) in HOSTILE {
        let pinned = workshop.pin(&fixture(name), |options| {
            small(options);
            // Time is what this one uses up.
            options.limits.time_seconds = if name == "sleeps-without-end" { 5 } else { 60 };
        })?;
        let begun = Instant::now();
        let (outcome, next) = both(&workshop, &pinned, &plain, name.contains("sibling"))?;
        let said = fs::read_to_string(&outcome.transcript)?;
        assert!(!said.contains("ESCAPED"), "{name}: {said}");
        // What may be chance was tried twice, each time contained.
        assert_eq!(outcome.retried.is_some(), TRIED_TWICE.contains(&name), "{name}: {said}");
        match ends {
            Ends::Failed(failure) => assert_eq!(outcome.result, BuildResult::Failed(failure), "{name}: {said}"),
            Ends::Built => honest(name, &outcome, &said)?,
        }
        assert_eq!(next.result, right, "the build after {name}");
        healthy(&workshop, name);
        eprintln!("{choice:?}: {name} is contained, {:.1} s", begun.elapsed().as_secs_f32());
    }
    Ok(())
}

/// The hostile build, and an honest one after it or at the same time.
fn both(workshop: &Workshop, hostile: &Pinned, plain: &Pinned, at_once: bool) -> Result<(Outcome, Outcome), Failed> {
    if at_once {
        let running = workshop.bench.start(&hostile.request, &hostile.lock)?;
        let next = workshop.build(plain)?;
        return Ok((follow(&running)?, next));
    }
    let outcome = workshop.build(hostile)?;
    Ok((outcome, workshop.build(plain)?))
}

/// It left the one product that its manifest promises, with the content that was hashed, and that is the compiled one.
fn honest(name: &str, outcome: &Outcome, said: &str) -> Result<(), Failed> {
    assert!(said.contains("all was tried"), "{name}: {said}");
    assert_eq!(names(outcome), [name], "{said}");
    let folder = outcome.artifacts_dir.as_ref().unwrap();
    assert_eq!(fs::read_dir(folder)?.count(), 1, "{name}");
    if name.contains("process-behind") {
        sleep(Duration::from_secs(3));
    }
    let product = folder.join(name);
    let artifact = &outcome.result.artifacts().unwrap().as_slice()[0];
    assert_eq!(Digest::of(&fs::read(&product)?), artifact.sha256, "{name}: the product changed after the build");
    assert_eq!(Command::new(&product).output()?.stdout, b"built as written\n", "{name}");
    Ok(())
}

/// Nothing runs and nothing is left but transcripts and artifacts.
fn healthy(workshop: &Workshop, name: &str) {
    assert_eq!(workshop.containers(), [""; 0], "{name}");
    let left = workshop.left();
    assert!(left.iter().all(|left| ["artifacts", "transcript.txt"].contains(&left.as_str())), "{name} left {left:?}");
    // The kernel takes a moment to kill a namespace after its owner.
    let since = Instant::now();
    while !processes(workshop.folder.path()).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(5), "{name}: {:?}", processes(workshop.folder.path()));
        sleep(Duration::from_millis(50));
    }
}
