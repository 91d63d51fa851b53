//! `gate`: the step of CI.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};

use crate::audit::lock;
use crate::logs::Log;
use crate::look_up::log;
use crate::program::{Ran, run};
use crate::schema::Schemas;

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("gate::it_is_open_only_where_dependencies_and_files_hold", open),
        Trial::test("gate::its_code_is_the_gravest_of_what_was_found", codes),
        Trial::test("gate::what_it_prints_for_programs_is_as_its_schema_says", json),
        Trial::test("gate::without_anything_to_decide_on_it_is_not_open", nothing),
    ]
}

fn project() -> Log {
    let log = log(3);
    fs::write(log.dir.path().join("Cargo.lock"), lock(&[("crate-0", "the archive"), ("nowhere", "the archive")]))
        .unwrap();
    fs::write(log.dir.path().join("synchronicity.toml"), "policy = \"policy\"\nlogs = [\"log\"]\n").unwrap();
    log
}

fn gate(log: &Log, more: &[&str]) -> Ran {
    run(log.dir.path(), [&["gate"], more].concat())
}

fn settings(log: &Log, more: &str) {
    fs::write(log.dir.path().join("synchronicity.toml"), format!("policy = \"policy\"\nlogs = [\"log\"]\n{more}"))
        .unwrap();
}

fn open() -> Outcome {
    let log = project();
    let ran = gate(&log, &[]).expect(0);
    assert!(ran.out.contains("warn  absent       nowhere 0.17.0") && ran.out.ends_with("\ngate open\n"), "{}", ran.out);
    settings(&log, "[[file]]\npath = \"crate-1\"\ncrate = \"crate-1@0.17.0\"\n");
    let ran = gate(&log, &["crate-2=crate-2"]).expect(0);
    assert!(
        ran.out.contains("\ncrate-2: crate-2 0.17.0, ") && ran.out.contains("crate-1: crate-1 0.17.0, "),
        "{}",
        ran.out
    );
    // With the network cut, from what the first run left.
    fs::rename(log.path(), log.dir.path().join("gone"))?;
    gate(&log, &["--offline"]).expect(0);
    gate(&log, &[]).expect(75);
    Ok(())
}

fn codes() -> Outcome {
    let log = project();
    let ran = gate(&log, &["nobodys"]).expect(41);
    assert!(ran.out.ends_with("\ngate closed: exit code 41\n") && ran.err.contains("no group is known"), "{}", ran.out);
    gate(&log, &["nobodys=crate-1@0.17.0"]).expect(42);
    gate(&log, &["crate-2=crate-1@0.17.0"]).expect(40);
    gate(&log, &["crate-2=crate-2@0.16.0", "nobodys"]).expect(40);
    gate(&log, &["absent"]).expect(2);
    gate(&log, &["crate-1=no crate"]).expect(2);
    settings(&log, "[levels]\nabsent = \"deny\"\n");
    gate(&log, &["crate-1"]).expect(41);
    gate(&log, &["nobodys=crate-1@0.17.0"]).expect(42);
    fs::write(log.dir.path().join("Cargo.lock"), lock(&[("crate-0", "another archive")]))?;
    gate(&log, &["crate-1"]).expect(42);
    settings(&log, "[level]\nabsent = \"deny\"\n");
    gate(&log, &["crate-1"]).expect(2);
    fs::remove_file(log.dir.path().join("synchronicity.toml"))?;
    let ran = gate(&log, &["crate-1"]).expect(2);
    assert!(ran.err.contains("no policy"), "{}", ran.err);
    Ok(())
}

fn json() -> Outcome {
    let (log, schemas) = (project(), Schemas::new());
    let told = gate(&log, &["--json", "crate-1", "nobodys"]).expect(41).json();
    schemas.check("gate", &told);
    schemas.check("audit", &told["audit"]);
    assert_eq!((told["open"].as_bool(), told["exit"].as_u64()), (Some(false), Some(41)));
    assert_eq!(told["files"][0]["evidence"]["index"], 1);
    let told = gate(&log, &["--json"]).expect(0).json();
    schemas.check("gate", &told);
    assert_eq!(told["open"].as_bool(), Some(true));
    schemas.check("failure", &gate(&log, &["--json", "--bundle", "absent"]).expect(2).json());
    // And of `verify`, which has the same files.
    let verified =
        |more: &[&str]| run(log.dir.path(), [&["verify", "--policy", "policy", "--offline", "--json"], more].concat());
    schemas.check("verify", &verified(&["crate-1", "nobodys", "absent"]).expect(41).json());
    let mut wrong = told;
    wrong["open"] = "yes".into();
    schemas.refuse("gate", &wrong);
    schemas.refuse("gate", &serde_json::json!({}));
    Ok(())
}

fn nothing() -> Outcome {
    let log = project();
    fs::remove_file(log.dir.path().join("Cargo.lock"))?;
    let ran = gate(&log, &[]).expect(2);
    assert!(ran.err.contains("nothing to decide on"), "{}", ran.err);
    let told = gate(&log, &["crate-1", "--json"]).expect(0).json();
    assert!(told["audit"].is_null());
    gate(&log, &["--lock", "Cargo.lock"]).expect(2);
    Ok(())
}
