//! A build in a process of its own: fetch, build, collect, report.
//!
//! The worker is the same executable as the program that wants the build, started under a hidden argument. It alone
//! has the PATH with the hardened `docker`, it can be killed at any line without harm to the node, and it ends itself
//! when its standard input closes, which the kernel does for a parent that died.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::{Mode, umask};
use nix::unistd::getpgrp;
use synchronicity_verify::recipe;
use synchronicity_verify::request::{BuildRequest, Environment};
use synchronicity_verify::result::{BuildResult, Failure};

use crate::arrivals::Arrivals;
use crate::diagnose::{Diagnosis, diagnose};
use crate::docker::DockerSandbox;
use crate::docker_shim::{self, Shim};
use crate::embedded::EmbeddedSandbox;
use crate::host_cargo::{CargoError, HostCargo};
use crate::image::Docker;
use crate::invocation;
use crate::make::{Expected, Halt, broken, make};
use crate::manifest::ManifestError;
use crate::order::{Order, Report, Room};
use crate::retry::{self, Tried};
use crate::sandbox::{Identity, Job, Sandbox};
use crate::skeleton::SkeletonError;
use crate::source::Depot;
use crate::{fingerprint, folder, local, packages, room, seed};

/// The argument under which the executable becomes a worker.
const ARGUMENT: &str = "__synchronicity-worker";
/// How often it is reported that something comes.
const SAID_EVERY: Duration = Duration::from_millis(100);
/// How long a worker whose parent is gone tries to remove its container before it kills itself.
const REMOVAL_MAX: Duration = Duration::from_secs(15);

/// Takes this process over if it was started as a worker or as one of a worker's helpers, and does not return then.
///
/// Every program that uses a [`Bench`](crate::bench::Bench) calls this first in its `main`, before any thread exists.
pub fn main() {
    docker_shim::main();
    room::main();
    if std::env::args().nth(1).as_deref() != Some(ARGUMENT) {
        return;
    }
    // The user that builds run as must be able to read what is fetched, however private the program's own files are.
    umask(Mode::from_bits_truncate(0o022));
    let report = match order() {
        Ok(order) => work(&order),
        Err(reason) => Report::Broken { reason },
    };
    say(&report);
    std::process::exit(0);
}

/// The command that becomes a worker for `order`, without its pipes; `shim` is a folder for the stand-in of `docker`.
pub(crate) fn command(program: &Path, order: &Order, request: &BuildRequest, shim: &Path) -> io::Result<Command> {
    let mut worker = Command::new(program);
    worker.arg(ARGUMENT);
    if let Room::Docker { program: docker, labels, .. } = &order.room {
        let user = crate::docker::build_user();
        Shim::new(docker, labels, &user, &request.limits).install(shim, program, &mut worker)?;
    }
    Ok(worker)
}

fn say(report: &Report) {
    // Nobody listens to a worker whose parent is gone; it is about to end.
    if let Ok(line) = serde_json::to_string(report) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}

fn order() -> Result<Order, String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    let order: Order = serde_json::from_str(&line).map_err(|error| format!("a worker got no order: {error}"))?;
    let container = match &order.room {
        Room::Docker { program, labels, .. } => Some((Docker::at(program.clone()), labels.build_label())),
        Room::Embedded { .. } => None,
    };
    thread::spawn(move || {
        // Ends when the parent closes its side, or is gone.
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        if let Some((docker, label)) = container {
            // Whatever becomes of it: the worker ends, soon and with all of its helpers.
            let removing = thread::spawn(move || docker.sweep(&label));
            let since = Instant::now();
            while !removing.is_finished() && since.elapsed() < REMOVAL_MAX {
                thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = killpg(getpgrp(), Signal::SIGKILL);
    });
    Ok(order)
}

fn work(order: &Order) -> Report {
    let tried = match order.request().map_err(Halt::Broken).and_then(|request| build(order, &request)) {
        Ok(tried) => tried,
        Err(halt) => Tried { result: Err(halt), first: None },
    };
    let result = match tried.result {
        Ok(result) => result,
        Err(Halt::Broken(reason)) => return Report::Broken { reason },
        Err(Halt::Failed(failure, reason) | Halt::Chance(failure, reason)) => {
            note(order, &format!("[{failure}: {reason}]"));
            BuildResult::Failed(failure)
        }
    };
    // What was built from is of no more use, and may be large.
    for name in [SOURCE, FETCHED, TARGET, SCRATCH] {
        if let Err(error) = folder::wipe(&order.folder.join(name)) {
            return Report::Broken { reason: format!("{} cannot be removed: {error}", order.folder.display()) };
        }
    }
    Report::Finished { result: result.to_bytes(), first: tried.first }
}

const FETCHED: &str = "fetched";
const SOURCE: &str = "source";
const TARGET: &str = "target";
const SCRATCH: &str = "scratch";

/// An error says that nothing was tried.
fn build(order: &Order, request: &BuildRequest) -> Result<Tried, Halt> {
    let begun = Instant::now();
    // The group admits no other, but the one who asks here may be no group.
    if !recipe::is_standard(request) || request.target != request.toolchain.host {
        let reason = "only the standard recipe and the toolchain's own target are built".to_owned();
        return Err(Halt::Failed(Failure::Unsupported, reason));
    }
    still_pinned(&order.room, request)?;
    has_packages(order)?;
    say(&Report::Fetching);
    let expected = fetch(order, request)?;
    let limit = Duration::from_secs(request.limits.time_seconds);
    // A trial is to show what its circumstances make of a build, once.
    let has_time = || order.trial.is_none() && retry::has_time(order.patience, begun.elapsed(), limit);
    Ok(retry::at_most_twice(
        || attempt(order, request, &expected),
        has_time,
        |first| {
            note(
                order,
                &format!("[{first}]\n[this may be chance: it is tried once more, and the second result counts]"),
            );
            say(&Report::Retrying { first: first.to_owned() });
        },
    ))
}

fn attempt(order: &Order, request: &BuildRequest, expected: &Expected) -> Result<BuildResult, Halt> {
    for name in [SOURCE, TARGET, SCRATCH] {
        folder::fresh(&order.folder.join(name)).map_err(broken)?;
    }
    folder::copy_source(&order.folder.join(FETCHED), &order.folder.join(SOURCE)).map_err(broken)?;
    let job = Job {
        source: order.folder.join(SOURCE),
        cargo_home: order.cargo_home.clone(),
        rustup_home: order.rustup_home.clone(),
        scratch: order.folder.join(SCRATCH),
        target: order.folder.join(TARGET),
        command: invocation::command(request),
        env: invocation::environment(request),
        limits: request.limits,
        identity: Identity::default(),
    };
    let job = match &order.trial {
        Some(trial) => trial.conditions.apply(job),
        None => job,
    };
    let sandbox: &dyn Sandbox = match &order.room {
        Room::Docker { program, labels, gvisor } => {
            &DockerSandbox { docker: Docker::at(program.clone()), labels: labels.clone(), gvisor: *gvisor }
        }
        Room::Embedded { program, required } => {
            &EmbeddedSandbox { required: required.clone(), ..EmbeddedSandbox::new(program.clone()) }
        }
    };
    make(sandbox, &job, expected, &order.folder, &mut |report| say(&report))
}

/// The image's name may point to another image by now, and the host's packages may have been upgraded, since the bench
/// was opened: then a build would be evidence about something else than what the request pins.
fn still_pinned(room: &Room, request: &BuildRequest) -> Result<(), Halt> {
    let now = match room {
        Room::Docker { program, .. } => {
            Environment::Image { layer: Docker::at(program.clone()).layer().map_err(broken)? }
        }
        Room::Embedded { .. } => {
            Environment::Host { fingerprint: fingerprint::of_this_host(&request.toolchain).map_err(broken)? }
        }
    };
    if now == request.environment {
        return Ok(());
    }
    Err(broken("the sandbox image or the host's compilers changed since this program was started: start it again"))
}

/// Without them the build would fail, and say something of this machine instead of the crate.
fn has_packages(order: &Order) -> Result<(), Halt> {
    let docker = match &order.room {
        Room::Docker { program, .. } => Some(Docker::at(program.clone())),
        Room::Embedded { .. } => None,
    };
    let lacking = packages::lacking_in(docker.as_ref(), &order.packages).map_err(Halt::Broken)?;
    if lacking.is_empty() { Ok(()) } else { Err(Halt::Broken(packages::advice(docker.is_some(), &lacking))) }
}

/// Source and dependencies, by checksum and before the sealed build.
fn fetch(order: &Order, request: &BuildRequest) -> Result<Expected, Halt> {
    let sysroot = order.rustup_home.join("toolchains").join(seed::toolchain_name(&request.toolchain));
    let cargo = HostCargo::in_sysroot(&sysroot).map_err(broken)?;
    let arrived = Arc::new(Arrived::default());
    let told = arrived.clone();
    let depot =
        Depot::open(&order.depot, cargo).map_err(broken)?.telling(Arrivals::told_to(move |bytes| told.add(bytes)));
    let source = order.folder.join(FETCHED);
    let halt = |failure: Option<Failure>, reason: String| match failure {
        Some(failure) => Halt::Failed(failure, reason),
        None => Halt::Broken(reason),
    };
    match order.trial.as_ref().and_then(|trial| trial.archive.as_ref()) {
        Some(archive) => local::unpack(archive, request, &order.lock, &source)
            .map_err(|error| halt(error.failure(), error.to_string()))?,
        None => {
            depot.obtain(request, &order.lock, &source).map_err(|error| halt(error.failure(), error.to_string()))?
        }
    }
    depot.vendor(request, &source, &order.cargo_home).map_err(|error| halt(error.failure(), error.to_string()))?;
    arrived.end();
    let manifest = depot.manifest(&source).map_err(unreadable)?;
    let names = manifest
        .expected(&request.features, request.products)
        .map_err(|error| Halt::Failed(error.failure(), error.to_string()))?;
    let names = names.iter().map(ToString::to_string).collect();
    Ok(Expected { folder: invocation::products_folder(request), names })
}

/// What has come so far, reported a few times in a second and at the end.
#[derive(Default)]
struct Arrived(Mutex<(u64, Option<Instant>)>);

impl Arrived {
    fn add(&self, bytes: u64) {
        let mut so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sum, said) = &mut *so_far;
        *sum += bytes;
        if said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
            say(&Report::Arriving { bytes: *sum });
            *said = Some(Instant::now());
        }
    }

    fn end(&self) {
        let (bytes, said) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some() {
            say(&Report::Arriving { bytes });
        }
    }
}

/// Every builder's cargo is the pinned one, so a manifest that it refuses is refused everywhere.
fn unreadable(error: ManifestError) -> Halt {
    let failure = match &error {
        // Its bytes are pinned: every builder finds the same fault in it.
        ManifestError::Foreign { .. } | ManifestError::Skeleton(SkeletonError::Manifest(_)) => Failure::Unsupported,
        ManifestError::Cargo(CargoError::Failed { stderr, .. }) => {
            match diagnose(&stderr.lines().map(str::to_owned).collect::<Vec<_>>(), false) {
                Diagnosis::Crate(failure) => failure,
                Diagnosis::Ours(_) => return broken(error),
            }
        }
        _ => return broken(error),
    };
    Halt::Failed(failure, error.to_string())
}

/// Adds a line of ours to the transcript, which may not exist yet.
fn note(order: &Order, line: &str) {
    let file = std::fs::File::options().create(true).append(true).open(Order::transcript(&order.folder));
    // The result stands without its explanation.
    let _ = file.and_then(|mut file| writeln!(file, "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skeleton::Skeleton;

    #[test]
    fn a_manifest_that_is_not_text_or_no_toml_or_too_large_is_the_crates_fault() {
        let large = vec![b'#'; (1 << 20) + 1];
        for manifest in [b"\xff\xfe".as_slice(), b"[package", &large] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
            let error = ManifestError::Skeleton(Skeleton::of(folder.path()).unwrap_err());
            assert!(matches!(unreadable(error), Halt::Failed(Failure::Unsupported, _)));
        }
    }
}
