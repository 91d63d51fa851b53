//! `verify --installed`: what cargo recorded, held against the log.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::logs::Log;
use crate::look_up::{binary, log, verify};
use crate::program::Ran;
use crate::schema::Schemas;

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("installed::every_recorded_executable_has_a_row_of_at_most_80_columns", table),
        Trial::test("installed::bytes_of_another_crate_or_of_nobody_are_told_apart", verdicts),
        Trial::test("installed::a_record_that_is_hostile_or_absent_is_a_usage_error", bad_records),
    ]
}

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A root of cargo's with these crates recorded: name, version, source, and what its executable is.
fn root(log: &Log, installs: &[(&str, &str, &str, Option<&str>)]) {
    let root = log.dir.path().join("root");
    fs::create_dir_all(root.join("bin")).unwrap();
    let mut record = serde_json::Map::new();
    for (name, version, source, content) in installs {
        record.insert(
            format!("{name} {version} ({source})"),
            json!({ "version_req": null, "bins": [name], "profile": "release" }),
        );
        if let Some(content) = content {
            fs::write(root.join("bin").join(name), binary(content)).unwrap();
        }
    }
    fs::write(root.join(".crates2.json"), json!({ "installs": record }).to_string()).unwrap();
}

fn installed(log: &Log, more: &[&str]) -> Ran {
    verify(log, &[&["--installed", "--root", "root", "--node", "log"], more].concat())
}

fn table() -> Outcome {
    let log = log(4);
    let long = "a-name-that-is-far-longer-than-any-column-of-a-table-for-people";
    root(&log, &[("crate-1", "0.17.0", CRATES_IO, Some("crate-1")), (long, "1.0.0-alpha.beta.gamma", CRATES_IO, None)]);
    let ran = installed(&log, &[]).expect(2);
    assert!(ran.out.lines().all(|line| line.len() <= 80), "{}", ran.out);
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["EXECUTABLE", "CRATE", "VERDICT", "BY"]);
    assert!(
        lines.iter().any(|line| line.starts_with("crate-1 ") && line.contains(" reproduced  4 of 4, entry ")),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("1 of 2 executables are what a group built\n"), "{}", ran.out);
    // The same where cargo would look.
    let root = log.dir.path().join("root");
    let ran = crate::program::run_with(
        log.dir.path(),
        ["verify", "--installed", "--policy", "policy", "--offline"],
        &[("CARGO_INSTALL_ROOT", root.as_path())],
    );
    ran.expect(2);
    Ok(())
}

fn verdicts() -> Outcome {
    let log = log(6);
    let git = "git+https://example.org/twin#1";
    let rows: [(&str, &str, &str, Option<&str>); 10] = [
        ("crate-0", "0.17.0", CRATES_IO, Some("crate-0")),
        ("crate-1", "0.17.0", CRATES_IO, Some("altered")),
        ("crate-2", "0.16.0", CRATES_IO, Some("crate-2")),
        ("crate-3", "0.17.0", CRATES_IO, None),
        // Of elsewhere: the very crate, and another one of its name.
        ("crate-4", "0.17.0", git, Some("crate-4")),
        ("crate-5", "0.17.0", git, Some("altered")),
        ("odd", "0.17.0", CRATES_IO, Some("odd")),
        ("own", "0.1.0", "path+file:///home/me/own", Some("own")),
        ("twin", "0.1.0", git, Some("crate-3")),
        ("zwölf", "0.1.0", git, Some("crate-3")),
    ];
    root(&log, &rows);
    let told = installed(&log, &["--json"]).expect(40).json();
    let found: Vec<_> = told["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (file["crate"]["name"].as_str().unwrap(), file["verdict"].as_str().unwrap(), file["exit"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("crate-0", "reproduced", 0),
        ("crate-1", "different", 42),
        ("crate-2", "invalid", 40),
        ("crate-3", "unread", 2),
        ("crate-4", "reproduced", 0),
        ("crate-5", "no evidence", 41),
        ("odd", "no evidence", 41),
        ("own", "no evidence", 41),
        ("twin", "invalid", 40),
        ("zwölf", "invalid", 40),
    ];
    assert_eq!(found, expected);
    assert_eq!(told["exit"], 40);
    Schemas::new().check("verify", &told);
    let table = installed(&log, &[]).expect(40).out;
    assert!(table.lines().all(|line| line.len() <= 80) && table.contains("DIFFERENT"), "{table}");
    Ok(())
}

fn bad_records() -> Outcome {
    let log = log(1);
    let ran = installed(&log, &[]).expect(2);
    assert!(ran.err.contains("cargo has no record of what it installed"), "{}", ran.err);
    let path = log.dir.path().join("root/.crates2.json");
    fs::create_dir_all(log.dir.path().join("root/bin"))?;
    let escape = json!({ "installs": { format!("crate-0 0.17.0 ({CRATES_IO})"): { "bins": ["../../crate-0"] } } });
    let records = [Value::Null.to_string(), "{".into(), escape.to_string(), "[".repeat(100_000)];
    for record in records {
        fs::write(&path, record)?;
        let ran = installed(&log, &[]).expect(2);
        assert!(ran.out.is_empty() && ran.err.contains("nothing was looked up"), "{} {}", ran.out, ran.err);
    }
    // Of nothing it is not said that all of it is what a group built.
    for record in [json!({ "installs": {} }), json!({ "installs": { "own 0.1.0 (path+file:///own)": { "bins": [] } } })]
    {
        fs::write(&path, record.to_string())?;
        let ran = installed(&log, &[]).expect(2);
        assert!(ran.out.is_empty() && ran.err.contains("cargo has recorded no executable"), "{} {}", ran.out, ran.err);
    }
    // Far beyond what any cargo writes: refused unread.
    let huge = fs::File::create(&path)?;
    huge.set_len(1 << 34)?;
    let ran = installed(&log, &[]).expect(2);
    assert!(ran.err.contains("so it is no record of cargo"), "{}", ran.err);
    verify(&log, &["--installed", "crate-0", "--root", "root"]).expect(2);
    Ok(())
}
