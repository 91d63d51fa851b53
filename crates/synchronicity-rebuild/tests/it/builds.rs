//! Real crates through whole benches, in both sandboxes.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use synchronicity_rebuild::bench::{Bench, BenchError, BenchOptions, SandboxChoice, StartError};
use synchronicity_rebuild::containment::Wall;
use synchronicity_rebuild::host_cargo::HostCargo;
use synchronicity_rebuild::image::Docker;
use synchronicity_rebuild::probe::offered;
use synchronicity_rebuild::recipe::{Options, Pinned, pin};
use synchronicity_rebuild::running::{BuildEvent, Outcome, Running};
use synchronicity_rebuild::source::Depot;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{Environment, Products};

use crate::orphans::processes;
use crate::require::may_skip;

type Answer = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let docker = Docker::find().and_then(|docker| docker.layer());
    if let Err(error) = &docker {
        eprintln!("SKIPPED: builds in Docker are not tested: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let embedded = Bench::open(folder.path(), &options(SandboxChoice::Embedded));
    if let Err(error) = &embedded {
        eprintln!("SKIPPED: builds in the embedded sandbox are not tested: {error}");
    }
    let has_docker = docker.is_ok();
    let (no_docker, no_embedded) = (may_skip("docker", !has_docker), may_skip("embedded", embedded.is_err()));
    let mut trials = Vec::new();
    let mut both = |name: &str, test: fn(SandboxChoice) -> Answer| {
        let trial = |sandbox: &str, choice| Trial::test(format!("{sandbox}::{name}"), move || test(choice));
        trials.push(trial("docker", SandboxChoice::Docker).with_ignored_flag(no_docker));
        trials.push(trial("embedded", SandboxChoice::Embedded).with_ignored_flag(no_embedded));
    };
    both("a_binary_with_a_published_lock_builds_twice_to_the_same_bytes", binary);
    both("a_library_without_a_lock_builds", library);
    both("a_library_that_forbids_warnings_builds_as_it_does_for_its_dependents", forbids_warnings);
    both("a_proc_macro_and_a_crate_with_c_in_its_build_script_build_twice_to_the_same_bytes", libraries);
    both("hostile_crates_are_contained_and_named_and_the_next_build_is_right", crate::hostile::contained);
    both("every_way_to_be_unbuildable_has_its_name", crate::unbuildable::named);
    both("builds_side_by_side_leave_what_they_leave_one_after_the_other", crate::side_by_side::same);
    both("a_build_is_begun_only_where_the_agreed_packages_are", crate::packages::needed);
    both("a_killed_build_leaves_nothing_behind", killed);
    both("a_killed_program_leaves_no_build_running", crate::orphans::nothing_is_left);
    both("a_request_for_another_environment_or_toolchain_is_refused", pins);
    trials.push(
        Trial::test("builds::both_sandboxes_leave_the_same_names", agreement)
            .with_ignored_flag(no_docker || no_embedded),
    );
    let auto = move || auto_choice(has_docker || !may_skip("docker", true));
    trials.push(
        Trial::test("builds::auto_takes_docker_where_it_answers_and_namespaces_elsewhere", auto)
            .with_ignored_flag(no_embedded),
    );
    let no_gvisor = no_docker || may_skip("gvisor", offered(SandboxChoice::Gvisor).is_empty());
    trials.push(Trial::test("gvisor::a_crate_has_the_same_bytes_as_in_docker", gvisor).with_ignored_flag(no_gvisor));
    trials.push(Trial::test("docker::the_container_is_hardened", hardening).with_ignored_flag(no_docker));
    trials.push(
        Trial::test("docker::the_dockerfile_of_a_recipe_repeats_the_build", crate::by_hand::dockerfile)
            .with_ignored_flag(no_docker),
    );
    // In Docker's image the linker may be another than the host's.
    trials.push(
        Trial::test("embedded::a_users_own_cargo_install_gives_the_same_bytes", crate::by_hand::install_script)
            .with_ignored_flag(no_embedded),
    );
    trials.push(
        Trial::test("embedded::a_bench_without_a_required_wall_is_not_opened", lacking_wall)
            .with_ignored_flag(no_embedded),
    );
    trials.push(
        Trial::test("embedded::a_bench_is_opened_by_one_program_at_a_time", one_program).with_ignored_flag(no_embedded),
    );
    trials
}

/// Toolchain, crates and downloads are fetched once for all trials, as several nodes of one machine do.
pub(crate) fn options(choice: SandboxChoice) -> BenchOptions {
    let shared = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("shared");
    BenchOptions { choice, shared: Some(shared), ..BenchOptions::default() }
}

pub(crate) struct Workshop {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) bench: Bench,
}

impl Workshop {
    pub(crate) fn open(choice: SandboxChoice) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let bench = Bench::open(folder.path(), &options(choice))?;
        Ok(Self { folder, bench })
    }

    pub(crate) fn pin(&self, spec: &str, change: impl FnOnce(&mut Options)) -> Result<Pinned, Failed> {
        let mut options = Options::default();
        change(&mut options);
        pin_with(&self.bench, spec, &options)
    }

    pub(crate) fn build(&self, pinned: &Pinned) -> Result<Outcome, Failed> {
        follow(&self.bench.start(&pinned.request, &pinned.lock)?)
    }

    /// What a build leaves on the bench: its transcript and its artifacts.
    pub(crate) fn left(&self) -> Vec<String> {
        let builds = fs::read_dir(self.folder.path().join("builds")).unwrap().flatten();
        let entries = builds.flat_map(|build| fs::read_dir(build.path()).unwrap().flatten());
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) fn containers(&self) -> Vec<String> {
        containers(self.folder.path())
    }
}

/// Waits for the end of a build; trouble of this machine is a failed test.
pub(crate) fn follow(running: &Running) -> Result<Outcome, Failed> {
    let mut compiled = 0;
    while let Some(event) = running.recv() {
        match event {
            BuildEvent::Fetching | BuildEvent::Arriving { .. } => {}
            BuildEvent::Building { .. } => compiled += 1,
            BuildEvent::Retrying { .. } => {}
            BuildEvent::Broken(reason) => return Err(reason.into()),
            BuildEvent::Finished(outcome) => {
                assert!(compiled > 0, "a build without a sign of life");
                assert!(outcome.transcript.is_file());
                assert_eq!(running.recv(), None, "nothing comes after the last event");
                return Ok(outcome);
            }
        }
    }
    Err("the events ended without a result".into())
}

fn pin_with(bench: &Bench, spec: &str, options: &Options) -> Result<Pinned, Failed> {
    let depot = Depot::open(&bench.depot_dir(), HostCargo::in_sysroot(&bench.sysroot())?)?;
    Ok(pin(&depot, &spec.parse()?, &bench.toolchain(), &bench.environment(), options)?)
}

/// A request for this bench, with the usual limits.
pub(crate) fn pin_for(bench: &Bench, spec: &str) -> Result<Pinned, Failed> {
    pin_with(bench, spec, &Options::default())
}

/// Containers of the bench in `folder`, running or not.
pub(crate) fn containers(folder: &Path) -> Vec<String> {
    let id = fs::read_to_string(folder.join("bench-id")).unwrap();
    let filter = format!("label=synchronicity.owner={id}");
    let output = Command::new("docker").args(["ps", "-aq", "--filter", &filter]).output();
    let Ok(output) = output else { return Vec::new() };
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

pub(crate) fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).display().to_string()
}

pub(crate) fn names(outcome: &Outcome) -> Vec<String> {
    let artifacts = outcome.result.artifacts().map(|artifacts| artifacts.iter());
    artifacts.into_iter().flatten().map(|artifact| artifact.name.to_string()).collect()
}

/// A small one; a larger one is built by whole groups, in the node's tests.
fn binary(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let pinned = workshop.pin("is_ci@1.2.0", |_| {})?;
    let started = Instant::now();
    let first = workshop.build(&pinned)?;
    let seconds = started.elapsed().as_secs_f32();
    assert_eq!(names(&first), ["is_ci"]);
    let artifact = &first.result.artifacts().unwrap().as_slice()[0];
    eprintln!("is_ci in {choice:?}: {seconds:.1} s, {} bytes, {}", artifact.size, artifact.sha256);
    let program = first.artifacts_dir.clone().unwrap().join("is_ci");
    assert_eq!(Digest::of(&fs::read(&program)?), artifact.sha256);
    assert!(Command::new(&program).env("CI", "true").status()?.success(), "what was built runs");
    assert_eq!(workshop.left(), ["artifacts", "transcript.txt"]);
    // Another bench is another folder, another container and another moment.
    assert_eq!(Workshop::open(choice)?.build(&pinned)?.result, first.result);
    Ok(())
}

fn library(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let pinned = workshop.pin(&fixture("library-without-lock"), |it| it.products = Some(Products::Library))?;
    let outcome = workshop.build(&pinned)?;
    assert_eq!(names(&outcome), ["liblibrary_without_lock.rlib", "liblibrary_without_lock.rmeta"]);
    assert_eq!(Workshop::open(choice)?.build(&pinned)?.result, outcome.result);
    Ok(())
}

fn forbids_warnings(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let outcome = workshop.build(&workshop.pin(&fixture("forbids-warnings"), |_| {})?)?;
    let said = fs::read_to_string(&outcome.transcript)?;
    assert_eq!(names(&outcome), ["libforbids_warnings.rlib", "libforbids_warnings.rmeta"], "{said}");
    assert!(said.contains("warning: unused variable"), "its maintainer can still read the warning: {said}");
    Ok(())
}

fn libraries(choice: SandboxChoice) -> Answer {
    for (spec, expected) in [
        ("paste@1.0.15", &["libpaste.so"][..]),
        ("lz4-sys@1.11.1+lz4-1.10.0", &["liblz4_sys.rlib", "liblz4_sys.rmeta"]),
    ] {
        let workshop = Workshop::open(choice)?;
        let pinned = workshop.pin(spec, |_| {})?;
        let outcome = workshop.build(&pinned)?;
        assert_eq!(names(&outcome), expected, "{}", fs::read_to_string(&outcome.transcript)?);
        assert_eq!(Workshop::open(choice)?.build(&pinned)?.result, outcome.result, "{spec}");
    }
    Ok(())
}

fn killed(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let pinned = workshop.pin("diffr@0.1.5", |_| {})?;
    let running = workshop.bench.start(&pinned.request, &pinned.lock)?;
    let mut visible = false;
    while let Some(event) = running.recv() {
        match event {
            BuildEvent::Building { compiled } if !compiled.is_empty() && !visible => {
                // On a busy machine one look at /proc can fall between two processes of the build: the next event is
                // as good a moment. A build that nobody ever sees ends, and that fails below.
                visible = !processes(workshop.folder.path()).is_empty();
                if visible {
                    running.kill();
                }
            }
            BuildEvent::Broken(reason) => assert!(reason.contains("killed"), "{reason}"),
            BuildEvent::Finished(outcome) => return Err(format!("it ended in spite of the kill: {outcome:?}").into()),
            _ => {}
        }
    }
    assert_eq!(workshop.containers(), [""; 0]);
    // The kernel takes a moment to kill a namespace after its owner.
    let since = Instant::now();
    while !processes(workshop.folder.path()).is_empty() {
        let left = processes(workshop.folder.path());
        assert!(since.elapsed() < Duration::from_secs(5), "processes of the build are left: {left:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    // The next build of the same request starts from nothing.
    assert_eq!(names(&workshop.build(&pinned)?), ["diffr"]);
    assert_eq!(workshop.left(), ["artifacts", "transcript.txt"]);
    Ok(())
}

fn pins(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let pinned = workshop.pin(&fixture("plain-binary"), |_| {})?;
    let mut other = pinned.request.clone();
    other.environment = Environment::Host { fingerprint: Digest::of(b"another host") };
    assert!(matches!(workshop.bench.start(&other, &pinned.lock), Err(StartError::Pin { .. })));
    let mut other = pinned.request.clone();
    other.toolchain.commit = "0".repeat(40);
    assert!(matches!(workshop.bench.start(&other, &pinned.lock), Err(StartError::Pin { .. })));
    Ok(())
}

fn agreement() -> Answer {
    let build = |choice| -> Result<Outcome, Failed> {
        let workshop = Workshop::open(choice)?;
        workshop.build(&workshop.pin(&fixture("plain-binary"), |_| {})?)
    };
    let (docker, embedded) = (build(SandboxChoice::Docker)?, build(SandboxChoice::Embedded)?);
    assert_eq!(names(&docker), ["plain-binary"]);
    assert_eq!(names(&docker), names(&embedded));
    eprintln!("plain-binary has the same bytes in both sandboxes: {}", docker.result == embedded.result);
    Ok(())
}

fn gvisor() -> Answer {
    let build = |choice| -> Result<Outcome, Failed> {
        let workshop = Workshop::open(choice)?;
        workshop.build(&workshop.pin(&fixture("plain-binary"), |_| {})?)
    };
    let inside = build(SandboxChoice::Gvisor)?;
    assert_eq!(inside.result, build(SandboxChoice::Docker)?.result, "{}", fs::read_to_string(inside.transcript)?);
    let workshop = Workshop::open(SandboxChoice::Gvisor)?;
    assert_eq!(workshop.bench.name(), "gvisor");
    assert!(workshop.bench.walls().contains(&Wall::Gvisor));
    Ok(())
}

fn auto_choice(docker: bool) -> Answer {
    let folder = tempfile::tempdir()?;
    let open = |choice| Bench::open(folder.path(), &options(choice));
    assert_eq!(open(SandboxChoice::Auto)?.name(), if docker { "docker" } else { "embedded" });
    assert_eq!(open(SandboxChoice::Embedded)?.name(), "embedded");
    match open(SandboxChoice::Docker) {
        Ok(bench) => assert_eq!((bench.name(), docker), ("docker", true)),
        Err(error) => assert!(!docker && error.to_string().contains("the embedded sandbox"), "{error}"),
    }
    Ok(())
}

fn lacking_wall() -> Answer {
    let open = |choice, required: &[Wall]| {
        let required = required.iter().copied().collect();
        Bench::open(tempfile::tempdir()?.path(), &BenchOptions { required, ..options(choice) })
            .map_err(|error| (matches!(error, BenchError::Walls { .. }), error.to_string()))
            .map_or_else(|error| Ok::<_, Failed>(Err(error)), |bench| Ok(Ok(bench.name())))
    };
    assert_eq!(open(SandboxChoice::Embedded, &[Wall::Seccomp])?, Ok("embedded"));
    let (by_name, said) = open(SandboxChoice::Embedded, &[Wall::Seccomp, Wall::Gvisor])?.unwrap_err();
    assert!(
        by_name && said.starts_with("the sandbox embedded on this machine has no gvisor, which the group"),
        "{said}"
    );
    // What Docker lacks, the other one may have.
    if open(SandboxChoice::Embedded, &[Wall::Landlock])?.is_ok() {
        assert_eq!(open(SandboxChoice::Auto, &[Wall::Landlock])?, Ok("embedded"));
    }
    Ok(())
}

fn one_program() -> Answer {
    let workshop = Workshop::open(SandboxChoice::Embedded)?;
    let second = Bench::open(workshop.folder.path(), &options(SandboxChoice::Embedded));
    assert!(matches!(second, Err(BenchError::InUse(_))));
    Ok(())
}

/// What Docker itself says about a container while its build runs.
fn hardening() -> Answer {
    let workshop = Workshop::open(SandboxChoice::Docker)?;
    let pinned = workshop.pin("diffr@0.1.5", |_| {})?;
    let running = workshop.bench.start(&pinned.request, &pinned.lock)?;
    while !matches!(running.recv().ok_or("no build")?, BuildEvent::Building { compiled } if !compiled.is_empty()) {}
    let containers = workshop.containers();
    assert_eq!(containers.len(), 1);
    let output = Command::new("docker").args(["inspect", &containers[0]]).output()?;
    let inspected: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let (host, config) = (&inspected[0]["HostConfig"], &inspected[0]["Config"]);
    let limits = pinned.request.limits;
    assert_eq!(host["NetworkMode"], "none");
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["CapDrop"][0], "ALL");
    assert_eq!(host["SecurityOpt"][0], "no-new-privileges");
    assert_eq!(host["PidsLimit"], limits.processes);
    assert_eq!(host["Memory"], limits.memory_bytes);
    assert_eq!(host["MemorySwap"], limits.memory_bytes);
    assert_eq!(config["Hostname"], "builder");
    assert!(config["User"].as_str().is_some_and(|user| !user.is_empty() && !user.starts_with("0:")));
    let mounts = inspected[0]["Mounts"].as_array().ok_or("no mounts")?;
    let mut writable = mounts.iter().filter(|mount| mount["RW"] == true).map(|mount| &mount["Destination"]);
    assert_eq!(writable.next().ok_or("no target")?, "/opt/rustwide/target");
    assert_eq!(writable.next(), None, "only the target can be written");
    assert_eq!(host["CpuQuota"], 100_000 * u64::from(limits.jobs));
    let shown = mounts.iter().any(|mount| mount["Destination"] == "/opt/rustwide/cargo-home");
    assert!(!shown, "the locks of the cargo home are shown");
    let processes = Command::new("docker").args(["top", &containers[0], "-o", "pid"]).output()?;
    let numbers = String::from_utf8_lossy(&processes.stdout).into_owned();
    let mut looked_at = 0;
    for number in numbers.lines().filter_map(|line| line.trim().parse::<u32>().ok()) {
        // A compiler may have ended since.
        let Ok(status) = fs::read_to_string(format!("/proc/{number}/status")) else { continue };
        assert!(!status.contains("Uid:\t0\t"), "a process of the build is root: {status}");
        for line in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
            assert!(status.contains(line), "{line} is not in {status}");
        }
        looked_at += 1;
    }
    assert!(looked_at >= 2, "the container has an init process and one that it waits for");
    Ok(())
}
