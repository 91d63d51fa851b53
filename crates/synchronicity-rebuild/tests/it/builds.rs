//! Real crates through whole benches, in both sandboxes.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use synchronicity_rebuild::bench::{Bench, BenchError, BenchOptions, SandboxChoice, StartError};
use synchronicity_rebuild::by_hand;
use synchronicity_rebuild::host_cargo::HostCargo;
use synchronicity_rebuild::image::Docker;
use synchronicity_rebuild::recipe::{Options, Pinned, pin};
use synchronicity_rebuild::running::{BuildEvent, Outcome};
use synchronicity_rebuild::source::Depot;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{Environment, Products};
use synchronicity_verify::result::{BuildResult, Failure};

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
    both("a_binary_with_a_published_lock_builds_twice_to_the_same_bytes", hexyl);
    both("a_library_without_a_lock_builds", library);
    both("a_proc_macro_and_a_crate_with_c_in_its_build_script_build_twice_to_the_same_bytes", libraries);
    both("a_build_script_finds_no_way_out_and_changes_nothing_after_the_build", walls);
    both("a_crate_that_needs_the_network_fails_by_that_name", network);
    both("a_build_past_its_time_fails_by_that_name", time);
    both("a_build_with_too_little_memory_disk_or_processes_fails_by_those_names", scarcity);
    both("a_build_that_prints_too_much_fails_by_that_name", transcript);
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
    trials.push(Trial::test("docker::the_container_is_hardened", hardening).with_ignored_flag(no_docker));
    // In Docker's image the linker may be another than the host's.
    trials.push(
        Trial::test("embedded::a_users_own_cargo_install_gives_the_same_bytes", own_install)
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
    BenchOptions { choice, shared: Some(shared), program: None }
}

struct Workshop {
    folder: tempfile::TempDir,
    bench: Bench,
}

impl Workshop {
    fn open(choice: SandboxChoice) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let bench = Bench::open(folder.path(), &options(choice))?;
        Ok(Self { folder, bench })
    }

    fn pin(&self, spec: &str, change: impl FnOnce(&mut Options)) -> Result<Pinned, Failed> {
        let mut options = Options::default();
        change(&mut options);
        pin_with(&self.bench, spec, &options)
    }

    fn build(&self, pinned: &Pinned) -> Result<Outcome, Failed> {
        let running = self.bench.start(&pinned.request, &pinned.lock)?;
        let mut compiled = 0;
        while let Some(event) = running.recv() {
            match event {
                BuildEvent::Fetching => {}
                BuildEvent::Building { .. } => compiled += 1,
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

    /// What a build leaves on the bench: its transcript and its artifacts.
    fn left(&self) -> Vec<String> {
        let builds = fs::read_dir(self.folder.path().join("builds")).unwrap().flatten();
        let entries = builds.flat_map(|build| fs::read_dir(build.path()).unwrap().flatten());
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn containers(&self) -> Vec<String> {
        containers(self.folder.path())
    }
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

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).display().to_string()
}

fn names(outcome: &Outcome) -> Vec<String> {
    let artifacts = outcome.result.artifacts().map(|artifacts| artifacts.iter());
    artifacts.into_iter().flatten().map(|artifact| artifact.name.to_string()).collect()
}

fn hexyl(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let pinned = workshop.pin("hexyl@0.17.0", |_| {})?;
    let started = Instant::now();
    let first = workshop.build(&pinned)?;
    let seconds = started.elapsed().as_secs_f32();
    assert_eq!(names(&first), ["hexyl"]);
    let artifact = &first.result.artifacts().unwrap().as_slice()[0];
    eprintln!("hexyl in {choice:?}: {seconds:.1} s, {} bytes, {}", artifact.size, artifact.sha256);
    let program = first.artifacts_dir.clone().unwrap().join("hexyl");
    assert_eq!(Digest::of(&fs::read(&program)?), artifact.sha256);
    assert!(Command::new(&program).arg("--version").output()?.stdout.starts_with(b"hexyl 0.17.0"));
    assert_eq!(workshop.left(), ["artifacts", "transcript.txt"]);
    // Another bench is another folder, another container and another moment.
    assert_eq!(Workshop::open(choice)?.build(&pinned)?.result, first.result);
    Ok(())
}

/// The script alone, in a home and a folder of the user's, outside of every sandbox.
fn own_install() -> Answer {
    let workshop = Workshop::open(SandboxChoice::Embedded)?;
    let pinned = workshop.pin("diffr@0.1.5", |_| {})?;
    assert_eq!(pinned.request.products, Products::Installed);
    let outcome = workshop.build(&pinned)?;
    let home = tempfile::tempdir()?;
    let path = std::env::join_paths([workshop.bench.sysroot().join("bin"), "/usr/bin".into(), "/bin".into()])?;
    let output = Command::new("/bin/sh")
        .args(["-c", &by_hand::install_script(&pinned.request).unwrap()])
        .env_clear()
        .envs([("HOME", home.path()), ("ROOT", &home.path().join("a root")), ("TMPDIR", home.path())])
        .env("PATH", path)
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let installed = Digest::of(&fs::read(home.path().join("a root/bin/diffr"))?);
    let artifact = &outcome.result.artifacts().unwrap().as_slice()[0];
    assert_eq!(artifact.sha256, installed);
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

fn libraries(choice: SandboxChoice) -> Answer {
    for (spec, expected) in [
        ("serde_derive@1.0.228", &["libserde_derive.so"][..]),
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

fn walls(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let outcome = workshop.build(&workshop.pin(&fixture("tests-its-walls"), |_| {})?)?;
    let said = fs::read_to_string(&outcome.transcript)?;
    assert!(said.contains("all walls were tested") && !said.contains("ESCAPED"), "{said}");
    let artifact = &outcome.result.artifacts().unwrap().as_slice()[0];
    let product = outcome.artifacts_dir.unwrap().join("tests-its-walls");
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(Digest::of(&fs::read(&product)?), artifact.sha256, "the product changed after the build");
    assert_eq!(Command::new(&product).output()?.stdout, b"built within walls\n");
    assert_eq!(workshop.left(), ["artifacts", "transcript.txt"]);
    Ok(())
}

fn network(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let outcome = workshop.build(&workshop.pin(&fixture("needs-network"), |_| {})?)?;
    assert_eq!(outcome.result, BuildResult::Failed(Failure::Network), "{}", fs::read_to_string(&outcome.transcript)?);
    assert_eq!(outcome.artifacts_dir, None);
    Ok(())
}

fn time(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let outcome = workshop.build(&workshop.pin("hexyl@0.17.0", |it| it.limits.time_seconds = 2)?)?;
    assert_eq!(outcome.result, BuildResult::Failed(Failure::Time));
    assert_eq!(workshop.containers(), [""; 0]);
    Ok(())
}

fn scarcity(choice: SandboxChoice) -> Answer {
    type Change = fn(&mut Options);
    let scarce: [(Failure, Change); 3] = [
        (Failure::Memory, |it| it.limits.memory_bytes = 100 << 20),
        (Failure::Disk, |it| it.limits.disk_bytes = 3 << 20),
        (Failure::Processes, |it| it.limits.processes = 8),
    ];
    let workshop = Workshop::open(choice)?;
    for (failure, change) in scarce {
        let outcome = workshop.build(&workshop.pin("hexyl@0.17.0", change)?)?;
        let said = fs::read_to_string(&outcome.transcript)?;
        assert_eq!(outcome.result, BuildResult::Failed(failure), "{said}");
    }
    Ok(())
}

fn transcript(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let outcome = workshop.build(&workshop.pin("hexyl@0.17.0", |it| it.limits.transcript_bytes = 100)?)?;
    assert_eq!(outcome.result, BuildResult::Failed(Failure::Transcript));
    assert!(fs::read_to_string(&outcome.transcript)?.contains("exceeds its limit of 100 bytes"));
    Ok(())
}

fn killed(choice: SandboxChoice) -> Answer {
    let workshop = Workshop::open(choice)?;
    let pinned = workshop.pin("hexyl@0.17.0", |_| {})?;
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
    assert_eq!(names(&workshop.build(&pinned)?), ["hexyl"]);
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

fn one_program() -> Answer {
    let workshop = Workshop::open(SandboxChoice::Embedded)?;
    let second = Bench::open(workshop.folder.path(), &options(SandboxChoice::Embedded));
    assert!(matches!(second, Err(BenchError::InUse(_))));
    Ok(())
}

/// What Docker itself says about a container while its build runs.
fn hardening() -> Answer {
    let workshop = Workshop::open(SandboxChoice::Docker)?;
    let pinned = workshop.pin("hexyl@0.17.0", |_| {})?;
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
    let processes = Command::new("docker").args(["top", &containers[0], "-o", "uid"]).output()?;
    let owners = String::from_utf8_lossy(&processes.stdout).into_owned();
    assert!(!owners.lines().any(|owner| owner.trim() == "0"), "a process of the build is root: {owners}");
    Ok(())
}
