//! `verify FILE...`: files whose evidence is found by their content alone.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::logs::Log;
use crate::program::{Ran, run};
use crate::sample;

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("look_up::a_file_is_found_by_its_content_and_the_node_is_not_told_which", found),
        Trial::test("look_up::what_was_fetched_once_answers_offline", offline),
        Trial::test("look_up::only_what_is_new_in_the_log_is_fetched", incremental),
        Trial::test("look_up::the_policys_own_address_of_the_log_is_asked", policy_address),
        Trial::test("look_up::a_proof_beside_the_file_is_enough_and_is_decisive", beside),
        Trial::test("look_up::a_crate_that_is_named_must_be_the_one", pinned),
        Trial::test("look_up::a_file_that_nobody_built_is_told_from_one_that_differs", not_proven),
        Trial::test("look_up::several_files_have_a_line_each_and_the_gravest_code", several),
        Trial::test("look_up::old_evidence_is_refused_where_fresh_is_wanted", too_old),
    ]
}

/// What a compiler makes: bytes that are no text.
pub(crate) fn binary(name: &str) -> String {
    format!("\x7fELF\x02\x01\x01\0 the binary of {name}")
}

/// A log in which each of `size` crates has its own binary, and `crate-0` to `crate-2` as files beside it; and one
/// crate, `odd`, on which nobody agreed.
pub(crate) fn log(size: usize) -> Log {
    let names: Vec<String> = (0..size).map(|index| format!("crate-{index}")).collect();
    let results = |name: &str| [0, 1, 2, 3].map(|_| Some(sample::built(&binary(name))));
    let mut crates: Vec<_> = names.iter().map(|name| (name.as_str(), results(name))).collect();
    let odd = [Some(sample::built("one")), Some(sample::built("two")), Some(sample::built("three")), None];
    crates.push(("odd", odd));
    let log = Log::of(sample::history(&crates), &[0, 1, 2, 3]);
    for name in ["crate-0", "crate-1", "crate-2", "nobodys"] {
        fs::write(log.dir.path().join(name), binary(name)).unwrap();
    }
    log
}

pub(crate) fn verify(log: &Log, arguments: &[&str]) -> Ran {
    run(log.dir.path(), [&["verify", "--policy", "policy"], arguments].concat())
}

fn found() -> Outcome {
    let log = log(5);
    let node = log.serve();
    let ran = verify(&log, &["crate-1", "--node", &node.address]).expect(0);
    let start = "crate-1: crate-1 0.17.0, rustc 1.95.0, 4 of 4 builders, entry 1, ";
    assert!(ran.out.starts_with(start) && ran.out.ends_with(" ago\n"), "{}", ran.out);
    assert_eq!(ran.out.lines().count(), 1);
    assert_eq!(ran.err, "");
    for path in node.asked() {
        assert!(path == "/checkpoint" || path.starts_with("/tile/entries/"), "the node is told {path}");
    }
    // The same from a copy of the log's files, and from a bundle.
    verify(&log, &["crate-1", "--node", "log", "--cache", "another"]).expect(0);
    run(log.dir.path(), ["bundle", "--policy", "policy", "--out", "whole", "--node", "log"]).expect(0);
    let ran = verify(&log, &["crate-1", "--bundle", "whole", "--cache", "none"]).expect(0);
    assert!(ran.out.starts_with(start), "{}", ran.out);
    assert!(!log.dir.path().join("none").exists(), "a bundle leaves no copy");
    Ok(())
}

fn offline() -> Outcome {
    let log = log(3);
    let ran = verify(&log, &["crate-0", "--offline"]).expect(2);
    assert!(ran.err.contains("this machine has no copy of the log"), "{}", ran.err);
    let ran = verify(&log, &["crate-0"]).expect(2);
    assert!(ran.err.contains("nowhere to look it up"), "{}", ran.err);
    verify(&log, &["crate-0", "--node", "log"]).expect(0);
    fs::rename(log.path(), log.dir.path().join("gone"))?;
    verify(&log, &["crate-0", "--offline"]).expect(0);
    // Evidence that is here is not asked for again; what is not here is.
    verify(&log, &["crate-0", "--node", "http://127.0.0.1:1"]).expect(0);
    verify(&log, &["nobodys", "--node", "http://127.0.0.1:1"]).expect(75);
    verify(&log, &["nobodys", "--offline"]).expect(41);
    Ok(())
}

fn incremental() -> Outcome {
    let log = log(299);
    log.publish(270, &[0, 1, 2, 3]);
    let node = log.serve();
    let verify = |name: &str| self::verify(&log, &[name, "--node", &node.address]);
    fs::write(log.dir.path().join("crate-280"), binary("crate-280"))?;
    verify("crate-280").expect(41);
    assert!(node.asked().iter().any(|path| path == "/tile/entries/000"));
    let before = node.asked().len();
    log.publish(300, &[0, 1, 2, 3]);
    verify("crate-280").expect(0);
    let asked: Vec<String> = node.asked().split_off(before);
    let entries: Vec<_> = asked.iter().filter(|path| path.starts_with("/tile/entries")).collect();
    assert_eq!(entries, ["/tile/entries/001.p/44"]);
    // An entry of before the growth is there still.
    fs::write(log.dir.path().join("crate-7"), binary("crate-7"))?;
    self::verify(&log, &["crate-7", "--offline"]).expect(0);
    Ok(())
}

fn policy_address() -> Outcome {
    let log = log(3);
    let node = log.serve();
    let policy = fs::read_to_string(log.policy())?;
    let (first, rest) = policy.split_once('\n').unwrap();
    assert!(first.starts_with("log "));
    fs::write(log.policy(), format!("{first} {}\n{rest}", node.address))?;
    verify(&log, &["crate-2"]).expect(0);
    assert!(!node.asked().is_empty());
    let asked = node.asked().len();
    verify(&log, &["nobodys", "--offline"]).expect(41);
    assert_eq!(node.asked().len(), asked, "--offline asks nobody");
    Ok(())
}

fn beside() -> Outcome {
    let log = log(4);
    let dir = log.dir.path();
    let proof = log.proof(1, 4);
    for name in ["crate-1.tlog-proof", "crate-1-0.17.0.tlog-proof"] {
        fs::write(dir.join(name), &proof)?;
        let ran = verify(&log, &["crate-1"]).expect(0);
        assert!(ran.out.contains("crate-1 0.17.0, ") && ran.out.contains("entry 1, "), "{}", ran.out);
        fs::remove_file(dir.join(name))?;
    }
    verify(&log, &["crate-1"]).expect(2);
    // Named like the file, it is the one that decides.
    for (bytes, code) in [(log.proof(2, 4), 42), (log.proof(4, 5), 41), (proof[..proof.len() - 9].to_vec(), 40)] {
        fs::write(dir.join("crate-1.tlog-proof"), bytes)?;
        verify(&log, &["crate-1", "--node", "log"]).expect(code);
    }
    fs::remove_file(dir.join("crate-1.tlog-proof"))?;
    // Others in the folder are about other files, or nothing.
    fs::write(dir.join("x.tlog-proof"), log.proof(2, 4))?;
    fs::write(dir.join("y.tlog-proof"), b"c2sp.org/tlog-proof@v1\n")?;
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    // Nor is what is no file waited for.
    assert!(std::process::Command::new("mkfifo").arg(dir.join("a.tlog-proof")).status()?.success());
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    // With --proof nothing else is looked for.
    fs::write(dir.join("given"), &proof)?;
    verify(&log, &["crate-1", "--proof", "given"]).expect(0);
    verify(&log, &["crate-1", "--proof", "x.tlog-proof", "--node", "log"]).expect(42);
    verify(&log, &["crate-1", "--proof", "absent"]).expect(2);
    Ok(())
}

fn pinned() -> Outcome {
    let log = log(4);
    let verify = |file: &str, spec: &str| verify(&log, &[file, "--crate", spec, "--node", "log"]);
    for good in ["crate-1@0.17.0", "crate-1"] {
        verify("crate-1", good).expect(0);
    }
    for other in ["crate-2@0.17.0", "crate-1@0.16.0", "crate-1@0.18.0", "crate-2", "absent"] {
        let ran = verify("crate-1", other).expect(40);
        assert!(ran.err.contains("it is pkg:cargo/crate-1@0.17.0"), "{}", ran.err);
    }
    let proof = log.proof(1, 4);
    fs::write(log.dir.path().join("crate-1.tlog-proof"), proof)?;
    // The proof beside it is of a lower version.
    let ran = verify("crate-1", "crate-1@0.17.1").expect(40);
    assert!(ran.err.contains("is about pkg:cargo/crate-1@0.17.0, not about"), "{}", ran.err);
    Ok(())
}

fn not_proven() -> Outcome {
    let log = log(4);
    let verify = |more: &[&str]| verify(&log, &[&["nobodys", "--node", "log"], more].concat());
    let ran = verify(&[]).expect(41);
    assert_eq!(ran.out, "nobodys: not proven (exit code 41)\n");
    assert!(ran.err.contains("is nowhere in") && ran.err.contains("no evidence against it"), "{}", ran.err);
    let ran = verify(&["--crate", "crate-1@0.17.0"]).expect(42);
    assert!(ran.err.contains("none of the artifacts of crate-1@0.17.0"), "{}", ran.err);
    let ran = verify(&["--crate", "absent@0.17.0"]).expect(41);
    assert!(ran.err.contains("there is no evidence for absent@0.17.0"), "{}", ran.err);
    let ran = verify(&["--crate", "odd@0.17.0"]).expect(41);
    assert!(ran.err.contains("entry 4 says diverged"), "{}", ran.err);
    verify(&["--crate", "crate-1"]).expect(41);
    Ok(())
}

fn several() -> Outcome {
    let log = log(4);
    let files = ["crate-0", "crate-1", "nobodys", "crate-2"];
    let ran = verify(&log, &[&files[..], &["--node", "log"]].concat()).expect(41);
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.len(), 4);
    for (line, file) in lines.iter().zip(files) {
        assert!(line.starts_with(&format!("{file}: ")) && line.len() <= 80, "{line}");
    }
    let told = verify(&log, &[&files[..], &["--json", "--offline"]].concat()).expect(41).json();
    assert_eq!(told["files"][0]["evidence"]["purl"], "pkg:cargo/crate-0@0.17.0");
    assert_eq!(told["files"][0]["evidence"]["artifact"], "hexyl");
    assert_eq!((&told["files"][2]["exit"], &told["files"][2]["evidence"]), (&41.into(), &serde_json::Value::Null));
    // A file that cannot be read does not hide what is worse.
    verify(&log, &["crate-0", "absent", "--offline"]).expect(2);
    verify(&log, &["crate-0", "absent", "nobodys", "--offline"]).expect(41);
    // A proof is compared with one file.
    fs::write(log.dir.path().join("proof"), log.proof(0, 4))?;
    verify(&log, &["proof", "crate-0"]).expect(0);
    verify(&log, &["proof", "crate-1"]).expect(42);
    verify(&log, &["proof", "crate-0", "crate-1"]).expect(2);
    Ok(())
}

fn too_old() -> Outcome {
    let log = log(3);
    verify(&log, &["crate-0", "--node", "log", "--max-age", "9999w"]).expect(0);
    let ran = verify(&log, &["crate-0", "--node", "log", "--max-age", "1h"]).expect(75);
    assert!(ran.err.contains("too old"), "{}", ran.err);
    fs::write(log.dir.path().join("crate-0.tlog-proof"), log.proof(0, 4))?;
    verify(&log, &["crate-0", "--max-age", "1h", "--offline"]).expect(75);
    let copies = fs::read_dir(log.dir.path().join(".cache"))?.count();
    assert_eq!(copies, 3, "entries, index and checkpoint in {}", Path::new(".cache").display());
    Ok(())
}
