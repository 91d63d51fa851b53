//! `gate`: the step of CI.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::audit::lock;
use crate::logs::Log;
use crate::look_up::log;
use crate::program::{Ran, command, run};
use crate::schema::Schemas;

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("gate::it_is_open_only_where_dependencies_and_files_hold", open),
        Trial::test("gate::its_code_is_the_gravest_of_what_was_found", codes),
        Trial::test("gate::what_it_prints_for_programs_is_as_its_schema_says", json),
        Trial::test("gate::the_commands_in_the_documents_are_commands_of_this_program", documents),
        Trial::test("gate::a_file_from_elsewhere_moves_on_only_if_a_group_built_it", quarantine),
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

/// Every command for people and for CI that docs/client.md and the README show.
fn documents() -> Outcome {
    let dir = tempfile::tempdir()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tried = 0;
    for document in ["docs/client.md", "README.md", "action.yml"] {
        let text = fs::read_to_string(root.join(document))?;
        let begins =
            ["$ synchronicity ", "- run: synchronicity ", "run: synchronicity ", "- synchronicity ", "synchronicity "];
        for line in text.lines().filter_map(|line| line.strip_prefix("    ")) {
            let line = line.trim_start();
            let Some(line) = begins.iter().find_map(|begin| line.strip_prefix(begin)) else { continue };
            let mut line = line.to_owned();
            for node in ["${{ vars.SYNCHRONICITY_NODE }}", "\"$SYNCHRONICITY_NODE\"", "\"$NODE\""] {
                line = line.replace(node, "http://node.example");
            }
            // What follows is the shell's.
            let words = line.split_whitespace().take_while(|word| !["#", ">", "&&", "||"].contains(word));
            let ran = run(dir.path(), words.chain(["--help"]));
            assert_eq!(ran.code, 0, "{document}: {line}: {}", ran.err);
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried}");
    Ok(())
}

/// The line that docs/client.md has for whoever fetches executables with another tool.
fn quarantine() -> Outcome {
    let log = project();
    let dir = log.dir.path();
    fs::create_dir(dir.join("bin"))?;
    for (file, moves) in [("crate-0", true), ("altered", false)] {
        fs::write(dir.join("altered"), "\x7fELF\0 no group built this")?;
        let script = format!("\"$0\" verify {file} --crate crate-0 && mv {file} bin/");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).arg(env!("CARGO_BIN_EXE_synchronicity"));
        for (name, value) in command(dir).get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.env("SYNCHRONICITY_POLICY", "policy").env("SYNCHRONICITY_NODE", "log");
        let ran = shell.current_dir(dir).output()?;
        assert_eq!((ran.status.success(), dir.join("bin").join(file).exists()), (moves, moves), "{ran:?}");
    }
    Ok(())
}
