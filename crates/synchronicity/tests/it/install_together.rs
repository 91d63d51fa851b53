//! `install` and `upgrade` by policies of several groups: enough of them must have got the same bytes.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use synchronicity_verify::digest::Digest;

use crate::logs::{Log, Party};
use crate::program::{Ran, run};
use crate::schema::Schemas;
use crate::store::{entries, keep, program};
use crate::three::{Groups, NAMES};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("install_together::the_newest_version_that_enough_groups_agree_on_is_installed", enough),
        Trial::test("install_together::too_few_groups_install_nothing_and_each_is_heard", too_few),
        Trial::test("install_together::a_silent_group_has_no_vote_and_a_fork_ends_everything", silent_or_forked),
        Trial::test("install_together::an_upgrade_waits_until_enough_groups_have_it", upgrades),
        Trial::test("install_together::bundles_and_a_mirror_are_enough_with_nobody_asked", bundles),
    ]
}

/// What each group built of `tool` and `side`, as `(spec, what the executable says)`: all have tool 1.0.0, cedar other
/// bytes for 2.0.0; alder alone knows 3.0.0; nobody but alder and birch knows side.
const BUILT: [&[(&str, &str)]; 3] = [
    &[("tool@1.0.0", "tool 1"), ("tool@2.0.0", "tool 2"), ("side@1.0.0", "side 1"), ("tool@3.0.0", "tool 3")],
    &[("tool@1.0.0", "tool 1"), ("tool@2.0.0", "tool 2"), ("side@1.0.0", "side 1")],
    &[("tool@1.0.0", "tool 1"), ("tool@2.0.0", "tool 2 of cedar")],
];

fn log_of(name: &str, built: &[(&str, &str)]) -> Log {
    let executables: Vec<_> =
        built.iter().map(|(spec, says)| [(spec.split('@').next().unwrap(), program(says, 5000))]).collect();
    let rounds: Vec<_> = built.iter().zip(&executables).map(|((spec, _), one)| (*spec, &one[..])).collect();
    let log = Log::by(Party::named(name), entries(&rounds), &[0, 1, 2, 3]);
    keep(&log, &rounds);
    log
}

fn groups() -> Groups {
    Groups::of(NAMES.iter().zip(BUILT).map(|(name, built)| log_of(name, built)).collect())
}

impl Groups {
    fn at(&self, places: &[String], arguments: &[&str]) -> Ran {
        let nodes = places.iter().flat_map(|place| ["--node", place]);
        run(self.path(), arguments.iter().copied().chain(["--root", "root"]).chain(nodes))
    }

    fn install(&self, policy: &str, arguments: &[&str]) -> Ran {
        self.at(&self.places(), &[&["install", "--policy", policy], arguments].concat())
    }

    fn says(&self, name: &str) -> Option<String> {
        let output = std::process::Command::new(self.path().join("root/bin").join(name)).output().ok()?;
        Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }
}

fn enough() -> Outcome {
    let groups = groups();
    let ran = groups.install("two", &["tool"]).expect(0);
    assert!(ran.out.starts_with("installed: tool 2.0.0, by alder, birch (2 of 3 groups)\n"), "{}", ran.out);
    assert!(ran.err.contains("tool 3.0.0 is passed over: only alder has these bytes"), "{}", ran.err);
    assert!(ran.err.contains("cedar has no vote: it got other bytes for tool 2.0.0, by entry 1"), "{}", ran.err);
    assert_eq!(groups.says("tool").as_deref(), Some("tool 2"));
    let record: Value = serde_json::from_slice(&fs::read(groups.path().join("root/.crates2.json"))?)?;
    let ours = &record["installs"].as_object().unwrap().values().next().unwrap()["synchronicity"];
    assert_eq!(ours["evidence"]["log"], "synchronicity.example/alder");
    assert_eq!(ours["also"][0], serde_json::json!({ "log": "synchronicity.example/birch", "entry": 1 }));
    // What is there is not fetched again because another group answers today.
    let ran = groups.at(&groups.places()[1..], &["install", "tool@1.0.0", "--policy", "two", "--force"]).expect(0);
    assert!(ran.out.contains("by birch, cedar (2 of 3 groups)"), "{}", ran.out);
    groups.logs.iter().for_each(|log| fs::remove_dir_all(log.file("artifacts")).unwrap());
    let ran = groups.install("three", &["tool@1.0.0"]).expect(0);
    assert!(ran.out.starts_with("installed already: tool 1.0.0, by alder, birch, cedar (3 of 3"), "{}", ran.out);
    let told = groups.install("two", &["tool@2.0.0", "--dry-run", "--json"]).expect(0).json();
    Schemas::new().check("install", &told);
    let votes = &told["crates"][0]["groups"];
    assert_eq!((&votes[1]["agrees"], &votes[1]["index"]), (&true.into(), &1.into()));
    assert_eq!((&votes[2]["agrees"], &votes[2]["exit"]), (&false.into(), &42.into()));
    let mut wrong = told;
    wrong["crates"][0]["groups"][0]["exit"] = "0".into();
    Schemas::new().refuse("install", &wrong);
    Ok(())
}

fn too_few() -> Outcome {
    let groups = groups();
    for (policy, spec, code, words) in [
        ("two", "tool@3.0.0", 43, "1 of 3 groups agree, and 2 must: birch: there is no evidence for tool@3.0.0"),
        ("three", "tool@2.0.0", 42, "2 of 3 groups agree, and 3 must: cedar: it got other bytes for tool 2.0.0"),
        ("three", "side", 43, "2 of 3 groups agree, and 3 must: cedar: there is no evidence for side"),
        ("two", "absent", 41, "0 of 3 groups agree, and 2 must: alder: there is no evidence for absent"),
    ] {
        let ran = groups.install(policy, &[spec]).expect(code);
        assert!(ran.err.contains(words), "{spec}: {}", ran.err);
        assert!(ran.out.is_empty() && !groups.path().join("root/bin").exists(), "{spec}: {}", ran.out);
    }
    let ran = groups.install("one", &["tool", "--dry-run"]).expect(0);
    assert!(ran.out.starts_with("would be installed: tool 3.0.0, by alder (1 of 3 groups)"), "{}", ran.out);
    let ran = groups.install("three", &["tool", "--dry-run"]).expect(0);
    assert!(ran.out.starts_with("would be installed: tool 1.0.0, by alder, birch, cedar"), "{}", ran.out);
    Ok(())
}

fn silent_or_forked() -> Outcome {
    let groups = groups();
    let mut places = groups.places();
    places[1] = "http://127.0.0.1:1".to_owned();
    // Birch might be the second one for side; for tool 1.0.0 nobody needs it.
    let ran = groups.at(&places, &["install", "side", "--policy", "two"]).expect(75);
    assert!(ran.err.contains("1 of 3 groups agree, and 2 must: birch: "), "{}", ran.err);
    let ran = groups.at(&places, &["install", "tool@1.0.0", "--policy", "two"]).expect(0);
    assert!(ran.out.contains("by alder, cedar (2 of 3 groups)"), "{}", ran.out);
    // Bytes that no group signed, wherever they lie: the others have the right ones, until none has.
    let two = Digest::of(&program("side 1", 5000)).to_string();
    fs::write(groups.logs[0].file("artifacts").join(&two), "other")?;
    groups.install("two", &["side"]).expect(0);
    assert_eq!(groups.says("side").as_deref(), Some("side 1"));
    run(groups.path(), ["uninstall", "side", "--root", "root"]).expect(0);
    fs::write(groups.logs[1].file("artifacts").join(&two), "another")?;
    groups.install("two", &["side"]).expect(40);
    assert_eq!(groups.says("side"), None);
    // A fork can only be the group's own doing.
    let fork = log_of("cedar", &[("tool@1.0.0", "tool 1"), ("tool@9.0.0", "tool 9")]);
    places = groups.places();
    places[2] = fork.path().display().to_string();
    let ran = groups.at(&places, &["install", "tool@2.0.0", "--policy", "two"]).expect(40);
    assert!(ran.err.contains("this log has forked"), "{}", ran.err);
    assert_eq!(groups.says("tool").as_deref(), Some("tool 1"));
    Ok(())
}

fn upgrades() -> Outcome {
    let groups = groups();
    groups.logs[1].publish(1, &[0, 1, 2, 3]);
    let upgrade = ["upgrade", "--policy", "two"];
    assert!(groups.install("two", &["tool"]).expect(0).out.contains("installed: tool 1.0.0, by alder, birch, cedar"));
    let ran = groups.at(&groups.places(), &upgrade).expect(0);
    assert!(ran.out.starts_with("installed already: tool 1.0.0"), "{}", ran.out);
    groups.logs[1].publish(3, &[0, 1, 2, 3]);
    let ran = groups.at(&groups.places(), &upgrade).expect(0);
    assert!(ran.out.starts_with("installed: tool 2.0.0 in place of 1.0.0, by alder, birch"), "{}", ran.out);
    // With fewer groups that know it, what is there is newer, and stays.
    let ran = groups.at(&groups.places()[1..], &upgrade).expect(0);
    assert!(ran.out.starts_with("left as it is: tool 2.0.0"), "{}", ran.out);
    assert_eq!(groups.says("tool").as_deref(), Some("tool 2"));
    Ok(())
}

fn bundles() -> Outcome {
    let groups = groups();
    for (name, place) in NAMES.iter().zip(groups.places()) {
        let out = format!("{name}.bundle");
        run(groups.path(), ["bundle", "--policy", name, "--node", &place, "--out", &out]).expect(0);
    }
    let of = |names: &[&str], arguments: &[&str]| {
        let bundles: Vec<_> = names.iter().map(|name| format!("{name}.bundle")).collect();
        let bundles = bundles.iter().flat_map(|bundle| ["--bundle", bundle]);
        let words = ["install", "tool@2.0.0", "--policy", "two", "--root", "root", "--cache", "none"];
        run(groups.path(), words.into_iter().chain(bundles).chain(arguments.iter().copied()))
    };
    let mirror = groups.places()[0].clone();
    of(&["alder", "cedar"], &["--mirror", &mirror]).expect(42);
    of(&["alder"], &["--mirror", &mirror]).expect(43);
    of(&["birch", "alder"], &[]).expect(75);
    let ran = of(&["birch", "alder"], &["--mirror", &mirror]).expect(0);
    assert!(ran.out.starts_with("installed: tool 2.0.0, by alder, birch (2 of 3 groups)"), "{}", ran.out);
    assert_eq!(groups.says("tool").as_deref(), Some("tool 2"));
    Ok(())
}
