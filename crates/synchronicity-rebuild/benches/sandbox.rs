//! What a sandbox costs: builds of one crate in each sandbox beside a plain `cargo build` of the same source, in pairs.
//!
//! ```text
//! cargo bench -p synchronicity-rebuild --bench sandbox -- [CRATE@VERSION] [PAIRS]
//! ```
//!
//! Every build has a cold target and a warm registry. Ratios are taken within a pair, since the speed of a shared machine
//! drifts by more than a sandbox costs, and the median of them counts. The time of a sandbox is from the moment at which the sources are
//! there and checked to the hashed products; that of cargo alone is its process. Starting and stopping is what a small
//! crate takes beyond the time that cargo itself says it took.
#![allow(clippy::unwrap_used, reason = "a bench that cannot measure ends")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use synchronicity_rebuild::bench::{Bench, BenchOptions, SandboxChoice};
use synchronicity_rebuild::host_cargo::HostCargo;
use synchronicity_rebuild::recipe::{Options, Pinned, pin};
use synchronicity_rebuild::running::{BuildEvent, Outcome};
use synchronicity_rebuild::source::Depot;

const STARTS: usize = 5;

fn main() {
    synchronicity_rebuild::worker::main();
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let spec = words.next().unwrap_or_else(|| "hexyl@0.17.0".to_owned());
    let pairs: usize = words.next().map_or(3, |word| word.parse().unwrap());
    println!("{spec}, {pairs} pairs, load before: {}\n", load());
    println!(
        "| sandbox | sandbox, s | cargo alone, s | median of the pairs' ratios | start and stop, s |\n| --- | --- | --- | --- | --- |"
    );
    for choice in [SandboxChoice::Docker, SandboxChoice::Embedded] {
        let place = Place::new(choice);
        let pinned = place.pin(&spec);
        let first = place.build(&pinned).1;
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            // Whoever goes second meets warmer files: they take turns.
            for turn in 0..2 {
                if (pair + turn) % 2 == 0 {
                    let (took, outcome) = place.build(&pinned);
                    assert_eq!(outcome.result, first.result, "the bytes differ between two builds");
                    inside.push(took);
                } else {
                    outside.push(place.plain(&pinned));
                }
            }
        }
        let mut ratios: Vec<_> = inside.iter().zip(&outside).map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let ratio = ratios[ratios.len() / 2];
        let starts = place.starts();
        println!("| {} | {} | {} | {ratio:.3} | {starts} |", place.bench.name(), seconds(&inside), seconds(&outside));
        for artifact in first.result.artifacts().unwrap() {
            eprintln!("{}: {} bytes, sha256 {}", artifact.name, artifact.size, artifact.sha256);
        }
    }
    println!("\nload after: {}", load());
}

struct Place {
    folder: tempfile::TempDir,
    shared: PathBuf,
    bench: Bench,
}

impl Place {
    fn new(choice: SandboxChoice) -> Self {
        let shared = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("shared");
        let folder = tempfile::tempdir().unwrap();
        let options = BenchOptions { choice, shared: Some(shared.clone()), ..BenchOptions::default() };
        let bench = Bench::open(folder.path(), &options).unwrap();
        Self { folder, shared, bench }
    }

    fn depot(&self) -> Depot {
        Depot::open(&self.bench.depot_dir(), HostCargo::in_sysroot(&self.bench.sysroot()).unwrap()).unwrap()
    }

    fn pin(&self, spec: &str) -> Pinned {
        let (toolchain, environment) = (self.bench.toolchain(), self.bench.environment());
        pin(&self.depot(), &spec.parse().unwrap(), &toolchain, &environment, &Options::default()).unwrap()
    }

    /// Time from the sources to the hashes.
    fn build(&self, pinned: &Pinned) -> (Duration, Outcome) {
        let running = self.bench.start(&pinned.request, &pinned.lock).unwrap();
        let mut begun = None;
        loop {
            match running.recv().unwrap() {
                BuildEvent::Fetching | BuildEvent::Arriving { .. } | BuildEvent::Retrying { .. } => {}
                BuildEvent::Building { .. } => {
                    begun.get_or_insert_with(Instant::now);
                }
                BuildEvent::Finished(outcome) => return (begun.unwrap().elapsed(), outcome),
                BuildEvent::Broken(reason) => panic!("{reason}"),
            }
        }
    }

    /// Time of cargo without a sandbox.
    fn plain(&self, pinned: &Pinned) -> Duration {
        let dir = tempfile::tempdir_in(self.folder.path()).unwrap();
        let source = dir.path().join("source");
        self.depot().obtain(&pinned.request, &pinned.lock, &source).unwrap();
        let bin = self.bench.sysroot().join("bin");
        let begun = Instant::now();
        let status = Command::new("nice")
            .args(["-n", "10"])
            .arg(bin.join("cargo"))
            .args(["build", "--release", "--locked", "--offline", "--bins"])
            .arg(format!("--jobs={}", pinned.request.limits.jobs))
            .current_dir(&source)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("HOME", dir.path())
            .env("CARGO_HOME", self.shared.join("cargo-home"))
            .env("CARGO_TARGET_DIR", dir.path().join("target"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        begun.elapsed()
    }

    /// Median of what a small crate takes beyond cargo's own time.
    fn starts(&self) -> String {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plain-binary");
        let pinned = self.pin(&fixture.display().to_string());
        let mut beyond: Vec<Duration> = (0..STARTS)
            .map(|_| {
                let (took, outcome) = self.build(&pinned);
                took.saturating_sub(cargos_own(&std::fs::read_to_string(outcome.transcript).unwrap()))
            })
            .collect();
        format!("{:.2}", median(&mut beyond).as_secs_f64())
    }
}

/// From cargo's last line: `Finished … in 0.31s`, or `in 1m 02s`.
fn cargos_own(transcript: &str) -> Duration {
    let line = transcript.lines().rfind(|line| line.contains("Finished")).unwrap();
    let words = line.rsplit(" in ").next().unwrap().split_whitespace();
    let part = |word: &str| match word.strip_suffix('m') {
        Some(minutes) => minutes.parse::<f64>().unwrap() * 60.0,
        None => word.trim_end_matches('s').parse().unwrap(),
    };
    Duration::from_secs_f64(words.map(part).sum())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn seconds(times: &[Duration]) -> String {
    let text: Vec<_> = times.iter().map(|time| format!("{:.1}", time.as_secs_f64())).collect();
    text.join(", ")
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').take(3).collect::<Vec<_>>().join(" ")
}
