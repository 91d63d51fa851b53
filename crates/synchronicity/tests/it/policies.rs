//! `trust`: whom a user trusts, by policies with names.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use synchronicity_core::group::Group;
use synchronicity_verify::policy::Policy;

use crate::audit::lock;
use crate::groups::group;
use crate::logs::Party;
use crate::look_up::log;
use crate::program::{Ran, run, run_with};
use crate::server::{Answer, Server};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("policies::a_group_is_shown_and_then_trusted_by_name", added),
        Trial::test("policies::nobody_is_trusted_without_a_decision", undecided),
        Trial::test("policies::a_person_at_a_terminal_is_asked_once", asked),
        Trial::test("policies::every_command_takes_the_name_and_finds_the_only_one_by_itself", by_name),
        Trial::test("policies::a_folder_puts_no_policy_in_the_place_of_a_trusted_one", shadowed),
        Trial::test("policies::a_policy_with_another_hash_than_the_pinned_one_decides_nothing", pinned),
        Trial::test("policies::names_are_given_moved_and_taken_back", names),
    ]
}

/// A node that serves what a client needs to trust this group.
pub(crate) fn node(group: &Group) -> Server {
    let (policy, file) = (group.policy_text(None).unwrap(), group.to_text());
    Server::start(move |path| match path {
        "/policy" => Answer::Whole(policy.clone().into_bytes()),
        "/group" => Answer::Whole(file.clone().into_bytes()),
        _ => Answer::Status(404),
    })
}

pub(crate) fn trust(dir: &Path, arguments: &[&str]) -> Ran {
    run(dir, [&["trust"], arguments].concat())
}

/// The hash of a group's policy.
pub(crate) fn hash(group: &Group) -> String {
    group.policy(None).unwrap().sha256().to_string()
}

/// The names that are trusted.
pub(crate) fn listed(dir: &Path) -> Vec<String> {
    let told = trust(dir, &["list", "--json"]).expect(0).json();
    told["policies"].as_array().unwrap().iter().map(|kept| kept["name"].as_str().unwrap().to_owned()).collect()
}

fn sample() -> Group {
    group(&Party::sample(), 3, 4)
}

fn added() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (group, node) = (sample(), node(&sample()));
    let ran = trust(dir.path(), &["add", &node.address, "--pin", &hash(&group)]).expect(0);
    assert_eq!(ran.out, "trusted as sample: synchronicity.example/sample, 3 of 4 builders\n");
    for told in [
        "builder builder-2",
        "fae6e47e+BNTiEN1P",
        "3 of 4 must sign the log",
        "3 of 4 must get the same bytes",
        &group.id().to_string(),
        &hash(&group),
    ] {
        assert!(ran.err.contains(told), "{told}: {}", ran.err);
    }
    assert_eq!(node.asked(), ["/policy", "/group"]);
    let shown = trust(dir.path(), &["show", "sample"]).expect(0).out;
    assert!(shown.contains(&format!("  sha256      {}\n", hash(&group))), "{shown}");
    let list = trust(dir.path(), &["list"]).expect(0).out;
    assert!(list.contains(&format!("3 of 4   {}\n", &hash(&group)[..16])), "{list}");
    assert!(shown.lines().chain(list.lines()).all(|line| line.len() <= 80), "{shown}{list}");
    // Once more changes nothing, and needs no decision.
    let kept = fs::read(dir.path().join(".policies/sample.toml"))?;
    let ran = trust(dir.path(), &["add", &node.address]).expect(0);
    assert!(ran.out.starts_with("already trusted as sample: "), "{}", ran.out);
    assert_eq!(fs::read(dir.path().join(".policies/sample.toml"))?, kept);
    // The same from files; a mirror without a group file is trusted with less known.
    fs::write(dir.path().join("policy.txt"), group.policy_text(None)?)?;
    fs::write(dir.path().join("group.toml"), group.to_text())?;
    trust(dir.path(), &["remove", "sample"]).expect(0);
    let told = trust(dir.path(), &["add", "policy.txt", "--group", "group.toml", "--name", "s", "--yes", "--json"]);
    let told = told.expect(0).json();
    assert_eq!((&told["name"], &told["threshold"], &told["signers_min"]), (&"s".into(), &3.into(), &3.into()));
    assert_eq!(told["sha256"], hash(&group));
    trust(dir.path(), &["remove", "s"]).expect(0);
    let ran = trust(dir.path(), &["add", "policy.txt", "--yes"]).expect(0);
    assert!(ran.err.contains("threshold not known"), "{}", ran.err);
    Ok(())
}

fn undecided() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (group, node) = (sample(), node(&sample()));
    fs::write(dir.path().join("policy.txt"), group.policy_text(None)?)?;
    let add = |arguments: &[&str], code| trust(dir.path(), &[&["add"], arguments].concat()).expect(code).err;
    let told = add(&[&node.address], 2);
    assert!(told.contains("there is no terminal to ask on") && told.contains(&hash(&group)), "{told}");
    assert!(add(&["policy.txt"], 2).contains("there is no terminal to ask on"));
    assert!(add(&[&node.address, "--yes"], 2).contains("does not trust what a server says"));
    for place in [node.address.as_str(), "policy.txt"] {
        let told = add(&[place, "--yes", "--pin", &"0".repeat(64)], 40);
        assert!(told.contains(&format!("the policy has the hash {}", hash(&group))), "{told}");
        add(&[place, "--pin", "1234"], 2);
    }
    add(&["policy.txt", "--yes", "--name", "../x"], 2);
    add(&["absent.txt", "--yes"], 2);
    assert!(listed(dir.path()).is_empty());
    assert!(!dir.path().join(".policies").exists(), "nothing is made before there is something to keep");
    Ok(())
}

fn asked() -> Outcome {
    for (answer, code, kept) in
        [("y\n", 0, true), ("YES\n", 0, true), ("n\n", 1, false), ("\n", 1, false), ("", 1, false)]
    {
        let dir = tempfile::tempdir()?;
        let node = node(&sample());
        let command = format!("{} trust add {}", env!("CARGO_BIN_EXE_synchronicity"), node.address);
        // A terminal for the program, at which the answer is typed.
        let mut terminal = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .env("SYNCHRONICITY_POLICIES", dir.path().join(".policies"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        terminal.stdin.take().unwrap().write_all(answer.as_bytes())?;
        let ended = terminal.wait_with_output()?;
        let told = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(told.matches("[y/N]").count(), 1, "{told}");
        assert!(told.contains(&hash(&sample())), "{told}");
        assert_eq!(ended.status.code(), Some(code), "{answer:?}: {told}");
        assert_eq!(dir.path().join(".policies/sample.toml").exists(), kept, "{answer:?}: {told}");
    }
    Ok(())
}

fn by_name() -> Outcome {
    let log = log(3);
    let dir = log.dir.path();
    let run = |arguments: &[&str]| run(dir, arguments);
    assert!(run(&["verify", "crate-1", "--node", "log"]).expect(2).err.contains("trust add URL"));
    trust(dir, &["add", "policy", "--yes"]).expect(0);
    fs::write(dir.join("proof"), log.proof(1, 4))?;
    for named in [&[][..], &["--policy", "sample"]] {
        for (code, command) in [
            (0, &["verify", "crate-1", "--node", "log"][..]),
            (0, &["verify", "proof", "crate-1"]),
            (41, &["gate", "nobodys", "--node", "log"]),
            (0, &["lookup", "crate-1@0.17.0", "--bundle", "whole"]),
            (41, &["prove", "crate-1@0.17.0", "--node", &log.serve().address]),
        ] {
            if command[0] == "lookup" {
                run(&[&["bundle", "--out", "whole", "--node", "log"], named].concat()).expect(0);
            }
            run(&[command, named].concat()).expect(code);
        }
    }
    run(&["fsck", "log", "--policy", "sample"]).expect(0);
    // Of two, neither is taken by itself, unless it has the name for that.
    fs::write(dir.join("other"), Party::named("other").policy(3, 4).to_string())?;
    trust(dir, &["add", "other", "--yes"]).expect(0);
    let ran = run(&["verify", "crate-1", "--node", "log"]).expect(2);
    assert!(ran.err.contains("several are trusted: other, sample"), "{}", ran.err);
    trust(dir, &["rename", "sample", "default"]).expect(0);
    run(&["verify", "crate-1", "--node", "log"]).expect(0);
    run(&["verify", "crate-1", "--node", "log", "--policy", "other"]).expect(40);
    run(&["verify", "crate-1", "--policy", "sample"]).expect(2);
    // What was seen of its log is shown with it.
    let told = trust(dir, &["show", "default", "--json"]).expect(0).json();
    assert_eq!(told["seen"]["size"], 4);
    run(&["trust", "forget", "--policy", "default"]).expect(0);
    assert!(trust(dir, &["show", "default", "--json"]).expect(0).json()["seen"].is_null());
    Ok(())
}

fn shadowed() -> Outcome {
    let log = log(3);
    let dir = log.dir.path();
    trust(dir, &["add", "policy", "--yes", "--name", "alder"]).expect(0);
    // A policy of another group, under the trusted name, in the folder that somebody handed over.
    fs::write(dir.join("alder"), Party::named("mallory").policy(1, 1).to_string())?;
    let verify = |policy: &str| run(dir, ["verify", "crate-1", "--node", "log", "--policy", policy]);
    verify("alder").expect(0);
    verify("./alder").expect(40);
    fs::write(dir.join("Cargo.lock"), lock(&[("crate-0", "the archive")]))?;
    fs::write(dir.join("synchronicity.toml"), "policy = \"alder\"\nlogs = [\"log\"]\n")?;
    run(dir, ["audit"]).expect(0);
    fs::write(dir.join("synchronicity.toml"), "policy = \"./alder\"\nlogs = [\"log\"]\n")?;
    run(dir, ["audit"]).expect(40);
    // The command line goes before the settings.
    run(dir, ["audit", "--policy", "alder"]).expect(0);
    let nowhere = tempfile::tempdir()?;
    let variables = [("SYNCHRONICITY_POLICIES", nowhere.path())];
    let file = run_with(dir, ["verify", "crate-1", "--node", "log", "--policy", "policy"], &variables).expect(0);
    assert!(file.out.starts_with("crate-1: crate-1 0.17.0"), "a file needs no slash where no policy has its name");
    Ok(())
}

fn pinned() -> Outcome {
    let log = log(3);
    let dir = log.dir.path();
    let good = Policy::parse(&fs::read(log.policy())?)?.sha256().to_string();
    let bad = good.replace(|c: char| c.is_ascii_digit(), "0");
    let verify =
        |pin: &str| run(dir, ["verify", "crate-1", "--node", "log", "--policy", "policy", "--policy-sha256", pin]);
    verify(&good).expect(0);
    let ran = verify(&bad).expect(40);
    assert!(ran.err.contains(&format!("the policy has the hash {good}, and {bad} is asked for")), "{}", ran.err);
    assert_eq!(ran.out, "");
    verify("5f").expect(2);
    fs::write(dir.join("Cargo.lock"), lock(&[("crate-0", "the archive")]))?;
    let settings = |pin: &str| {
        fs::write(
            dir.join("synchronicity.toml"),
            format!("policy = \"policy\"\npolicy-sha256 = \"{pin}\"\nlogs = [\"log\"]\n"),
        )
    };
    settings(&good)?;
    run(dir, ["gate"]).expect(0);
    settings(&bad)?;
    run(dir, ["gate"]).expect(40);
    // Also where the command line names the policy: the project means this one.
    run(dir, ["gate", "--policy", "policy"]).expect(40);
    run(dir, ["gate", "--policy-sha256", &good]).expect(0);
    // A comment and an address are no other policy; a builder less is.
    fs::write(log.policy(), format!("# of CI\n{}", fs::read_to_string(log.policy())?))?;
    settings(&good)?;
    run(dir, ["gate"]).expect(0);
    fs::write(log.policy(), log.party.policy(2, 4).to_string())?;
    run(dir, ["gate"]).expect(40);
    Ok(())
}

fn names() -> Outcome {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    for name in ["alder", "birch"] {
        fs::write(dir.join("policy.txt"), Party::named(name).policy(3, 4).to_string())?;
        trust(dir, &["add", "policy.txt", "--yes"]).expect(0);
    }
    assert_eq!(listed(dir), ["alder", "birch"]);
    trust(dir, &["rename", "alder", "birch"]).expect(2);
    trust(dir, &["rename", "cedar", "dogwood"]).expect(2);
    trust(dir, &["rename", "alder", "Alder"]).expect(2);
    trust(dir, &["rename", "alder", "cedar"]).expect(0);
    assert_eq!(listed(dir), ["birch", "cedar"]);
    assert_eq!(trust(dir, &["show", "cedar", "--json"]).expect(0).json()["origin"], "synchronicity.example/alder");
    // A log that is known goes by its name, and a name is one policy's.
    fs::write(dir.join("policy.txt"), Party::named("alder").policy(3, 4).to_string())?;
    assert!(trust(dir, &["add", "policy.txt"]).expect(0).out.starts_with("already trusted as cedar"));
    trust(dir, &["add", "policy.txt", "--name", "elm", "--yes"]).expect(2);
    fs::write(dir.join("policy.txt"), Party::named("fir").policy(3, 4).to_string())?;
    trust(dir, &["add", "policy.txt", "--name", "cedar", "--yes"]).expect(2);
    trust(dir, &["remove", "cedar"]).expect(0);
    trust(dir, &["remove", "cedar"]).expect(2);
    trust(dir, &["show", "cedar"]).expect(2);
    trust(dir, &["add", "policy.txt", "--name", "cedar", "--yes"]).expect(0);
    Ok(())
}
