use super::*;
use std::collections::BTreeMap;
use std::time::Duration;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{Features, Limits, Lock, LockGrade, Products, REQUEST_SCHEMA, Source};
use synchronicity_verify::result::{BuildResult, Failure};

use crate::running::{BuildEvent, Outcome};
use crate::sandbox::Finished;
use crate::scripted::ScriptedBuild;

/// A request for version `version` of a crate that exists only in scripts.
fn request(script: &Script, version: &str) -> BuildRequest {
    BuildRequest {
        schema: REQUEST_SCHEMA,
        source: Source::Registry {
            name: "tool".parse().unwrap(),
            version: version.parse().unwrap(),
            checksum: Digest::of(version.as_bytes()),
        },
        lock: Lock { grade: LockGrade::Published, sha256: Digest::of(b"") },
        toolchain: script.toolchain.clone(),
        environment: script.environment,
        target: script.toolchain.host.clone(),
        profile: "release".into(),
        features: Features { default: true, all: false, named: Vec::new() },
        products: Products::Binaries,
        env: BTreeMap::new(),
        rustflags: Vec::new(),
        limits: Limits {
            memory_bytes: 1 << 30,
            time_seconds: 60,
            disk_bytes: 1 << 20,
            processes: 10,
            transcript_bytes: 1 << 10,
            jobs: 1,
        },
    }
}

fn outcome(running: &Running) -> Outcome {
    match std::iter::from_fn(|| running.recv()).last() {
        Some(BuildEvent::Finished(outcome)) => outcome,
        other => panic!("no result: {other:?}"),
    }
}

fn failing(ends: Finished, prints: &str) -> ScriptedBuild {
    ScriptedBuild {
        takes: Duration::ZERO,
        prints: vec![prints.into()],
        leaves: BTreeMap::new(),
        ends,
        first_ends: None,
    }
}

#[test]
fn a_build_reports_its_stages_and_then_its_artifacts() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new().with("pkg:cargo/tool@1.0.0", "tool", b"a program");
    let bench = Bench::scripted(folder.path(), script.clone()).unwrap();
    let running = bench.start(&request(&script, "1.0.0"), b"").unwrap();
    assert_eq!(running.recv(), Some(BuildEvent::Fetching));
    assert_eq!(running.recv(), Some(BuildEvent::Building { compiled: String::new() }));
    assert_eq!(running.recv(), Some(BuildEvent::Building { compiled: "tool v1.0.0".into() }));
    let Some(BuildEvent::Finished(outcome)) = running.recv() else { panic!("no result") };
    assert_eq!(running.recv(), None);
    assert_eq!(outcome.result.artifacts().unwrap().as_slice()[0].sha256, Digest::of(b"a program"));
    assert_eq!(fs::read(outcome.artifacts_dir.unwrap().join("tool")).unwrap(), b"a program");
    assert_eq!(fs::read_to_string(outcome.transcript).unwrap(), "   Compiling tool v1.0.0\n");
}

#[test]
fn the_end_of_a_build_becomes_a_named_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut script = Script::new();
    for (version, ends, prints) in [
        ("1.0.0", Finished::Stopped(Failure::Memory), ""),
        ("2.0.0", Finished::Failed, "curl: (6) Could not resolve host: example.org"),
        ("3.0.0", Finished::Failed, "error[E0425]: cannot find value `x` in this scope"),
    ] {
        script.builds.insert(format!("pkg:cargo/tool@{version}"), failing(ends, prints));
    }
    let mut forgetful = failing(Finished::Succeeded, "");
    forgetful.leaves.insert("libtool.rmeta".into(), b"at the wrong place".to_vec());
    script.builds.insert("pkg:cargo/tool@4.0.0".into(), forgetful);
    script.builds.insert("pkg:cargo/tool@5.0.0".into(), failing(Finished::Succeeded, &"x".repeat(2000)));
    let bench = Bench::scripted(folder.path(), script.clone()).unwrap();
    for (version, failure) in [
        ("1.0.0", Failure::Memory),
        ("2.0.0", Failure::Network),
        ("3.0.0", Failure::Compile),
        ("4.0.0", Failure::Products),
        ("5.0.0", Failure::Transcript),
    ] {
        let outcome = outcome(&bench.start(&request(&script, version), b"").unwrap());
        assert_eq!(outcome.result, BuildResult::Failed(failure), "{version}");
        assert_eq!(outcome.artifacts_dir, None);
    }
}

#[test]
fn a_build_that_was_unlucky_once_is_built_and_the_one_who_asked_knows() {
    let folder = tempfile::tempdir().unwrap();
    let mut script = Script::new().with("pkg:cargo/tool@1.0.0", "tool", b"a program");
    let bench = |script: &Script| Bench::scripted(folder.path(), script.clone()).unwrap();
    let at_once = outcome(&bench(&script).start(&request(&script, "1.0.0"), b"").unwrap());
    assert_eq!(at_once.retried, None);
    for first in [Finished::Stopped(Failure::Time), Finished::Stopped(Failure::Memory)] {
        script.builds.get_mut("pkg:cargo/tool@1.0.0").unwrap().first_ends = Some(first);
        let second = outcome(&bench(&script).start(&request(&script, "1.0.0"), b"").unwrap());
        assert_eq!(second.result, at_once.result, "builders agree, however often each of them tried");
        assert!(second.retried.unwrap().starts_with("out-of-"));
        let said = fs::read_to_string(second.transcript).unwrap();
        assert_eq!(said.matches("Compiling tool").count(), 2, "{said}");
    }
    script.builds.get_mut("pkg:cargo/tool@1.0.0").unwrap().first_ends = Some(Finished::Stopped(Failure::Disk));
    let failed = outcome(&bench(&script).start(&request(&script, "1.0.0"), b"").unwrap());
    assert_eq!((failed.result, failed.retried), (BuildResult::Failed(Failure::Disk), None));
}

#[test]
fn trouble_of_this_machine_is_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new();
    let bench = Bench::scripted(folder.path(), script.clone()).unwrap();
    let running = bench.start(&request(&script, "1.0.0"), b"").unwrap();
    assert!(matches!(running.recv(), Some(BuildEvent::Broken(reason)) if reason.contains("pkg:cargo/tool@1.0.0")));
    assert_eq!(running.recv(), None);
}

#[test]
fn a_request_that_pins_something_else_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new().with("pkg:cargo/tool@1.0.0", "tool", b"a program");
    let bench = Bench::scripted(folder.path(), script.clone()).unwrap();
    let mut other = request(&script, "1.0.0");
    other.toolchain.release = "1.96.0".into();
    let error = bench.start(&other, b"").unwrap_err().to_string();
    assert!(error.starts_with("the request pins rustc 1.96.0"), "{error}");
    let mut other = request(&script, "1.0.0");
    other.environment = Environment::Image { layer: Digest::of(b"an image") };
    let error = bench.start(&other, b"").unwrap_err().to_string();
    assert!(error.contains("the image with layer sha256:"), "{error}");
    assert_eq!(fs::read_dir(folder.path().join("builds")).unwrap().count(), 0);
}

#[test]
fn only_the_newest_ended_builds_keep_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut script = Script::new();
    for patch in 0..12 {
        script = script.with(&format!("pkg:cargo/tool@1.0.{patch}"), "tool", &[patch]);
    }
    let bench = Bench::scripted(folder.path(), script.clone()).unwrap();
    let mut outcomes = Vec::new();
    for patch in 0..12 {
        outcomes.push(outcome(&bench.start(&request(&script, &format!("1.0.{patch}")), b"").unwrap()));
        std::thread::sleep(Duration::from_millis(5));
    }
    let kept: Vec<bool> = outcomes.iter().map(|outcome| outcome.transcript.exists()).collect();
    assert_eq!(kept, [vec![false; 12 - ENDED_KEPT - 1], vec![true; ENDED_KEPT + 1]].concat());
    drop(bench);
    Bench::scripted(folder.path(), script).unwrap();
    assert!(outcomes.iter().all(|outcome| !outcome.transcript.exists()), "opening a bench empties it");
}

#[test]
fn one_folder_serves_one_program_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Bench::scripted(folder.path(), Script::new()).unwrap();
    assert!(matches!(Bench::scripted(folder.path(), Script::new()), Err(BenchError::InUse(_))));
    drop(first);
    assert!(Bench::scripted(folder.path(), Script::new()).is_ok());
}

#[test]
fn a_bench_keeps_its_name_and_two_benches_have_two() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let name = identity(&a).unwrap();
    assert_eq!(identity(&a).unwrap(), name);
    assert_ne!(identity(&b).unwrap(), name);
    fs::write(&a, "not a name").unwrap();
    assert_ne!(identity(&a).unwrap(), "not a name");
}

#[test]
fn sandboxes_are_chosen_by_name() {
    assert_eq!("embedded".parse(), Ok(SandboxChoice::Embedded));
    let error = "podman".parse::<SandboxChoice>().unwrap_err().to_string();
    assert_eq!(error, "no sandbox is named \"podman\": use auto, docker, gvisor or embedded");
}

#[test]
fn a_folder_that_another_user_has_closed_is_found_on_the_way() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (home, inner) = (folder.path().join("home"), folder.path().join("home/inner"));
    fs::create_dir_all(&inner).unwrap();
    if !geteuid().is_root() || chown(&home, Some(12_345), None).is_err() {
        assert_eq!(closed_to_builds(&inner), None, "an ordinary user stays who it is");
        return;
    }
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(closed_to_builds(&inner), Some(home.clone()));
    fs::set_permissions(&home, fs::Permissions::from_mode(0o711)).unwrap();
    assert_eq!(closed_to_builds(&inner), None);
}
