//! Policies of several groups: each has a log of its own, and enough of them must agree.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};

use crate::audit::lock;
use crate::logs::{Log, Party, file_at};
use crate::look_up::binary;
use crate::policies::trust;
use crate::program::{Ran, run};
use crate::sample;
use crate::schema::Schemas;
use crate::server::{Answer, Server};
use crate::three::{Groups, NAMES};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("together::a_file_is_proven_where_enough_groups_built_it", enough),
        Trial::test("together::a_group_that_does_not_answer_has_no_vote_and_stops_nobody", silent),
        Trial::test("together::what_is_false_at_one_group_costs_its_vote_and_a_fork_ends_everything", false_at_one),
        Trial::test("together::an_audit_counts_the_groups_that_rebuilt_a_dependency", audited),
        Trial::test("together::settings_name_the_groups_and_pin_them_together", settings),
        Trial::test("together::each_group_is_judged_by_its_own_bundle_and_its_own_proof", bundles_and_proofs),
        Trial::test("together::groups_that_are_one_make_no_combination", refused),
    ]
}

fn log_of(name: &str, crates: &[(&str, &str)]) -> Log {
    let results = |content: &str| [0, 1, 2, 3].map(|_| Some(sample::built(&binary(content))));
    let crates: Vec<_> = crates.iter().map(|(name, content)| (*name, results(content))).collect();
    Log::by(Party::named(name), sample::history(&crates), &[0, 1, 2, 3])
}

/// All built crate-0; alder and birch crate-1, of which cedar has other bytes; alder alone crate-2.
fn groups() -> Groups {
    let same = |name| (name, name);
    let groups = Groups::of(vec![
        log_of("alder", &[same("crate-0"), same("crate-1"), same("crate-2")]),
        log_of("birch", &[same("crate-0"), same("crate-1")]),
        log_of("cedar", &[same("crate-0"), ("crate-1", "something else")]),
    ]);
    for name in ["crate-0", "crate-1", "crate-2", "nobodys"] {
        fs::write(groups.path().join(name), binary(name)).unwrap();
    }
    groups
}

impl Groups {
    fn verify_at(&self, places: &[String], arguments: &[&str]) -> Ran {
        let nodes = places.iter().flat_map(|place| ["--node", place]);
        run(self.path(), ["verify"].into_iter().chain(arguments.iter().copied()).chain(nodes))
    }

    fn verify(&self, arguments: &[&str]) -> Ran {
        self.verify_at(&self.places(), arguments)
    }
}

fn enough() -> Outcome {
    let groups = groups();
    let by = |file: &str, policy: &str, code| groups.verify(&[file, "--policy", policy]).expect(code);
    let ran = by("crate-0", "two", 0);
    assert_eq!(ran.out, "crate-0: crate-0 0.17.0, rustc 1.95.0, by alder, birch, cedar (3 of 3 groups)\n");
    assert_eq!(by("crate-1", "two", 0).out, "crate-1: crate-1 0.17.0, rustc 1.95.0, by alder, birch (2 of 3 groups)\n");
    let ran = by("crate-2", "two", 43);
    assert!(ran.err.contains("1 of 3 groups agree, and 2 must: birch: no group is known"), "{}", ran.err);
    assert!(ran.err.contains("cedar: no group is known to have built it"), "{}", ran.err);
    by("nobodys", "two", 41);
    by("crate-2", "one", 0);
    by("crate-1", "three", 43);
    // With the crate named, it is heard that one group has other bytes: too few is then a mismatch.
    let ran = groups.verify(&["crate-1", "--policy", "two", "--crate", "crate-1@0.17.0"]).expect(0);
    assert!(ran.err.contains("cedar has no vote: it is none of the artifacts of crate-1@0.17.0"), "{}", ran.err);
    groups.verify(&["crate-1", "--policy", "three", "--crate", "crate-1@0.17.0"]).expect(42);
    groups.verify(&["crate-0", "--policy", "two", "--crate", "crate-1@0.17.0"]).expect(40);
    // Every group's log is kept and remembered by itself.
    let seen = trust(groups.path(), &["show", "--json"]).expect(0).json();
    let origins: Vec<_> =
        seen["logs"].as_array().unwrap().iter().map(|seen| seen["origin"].as_str().unwrap()).collect();
    assert_eq!(origins, NAMES.map(|name| format!("synchronicity.example/{name}")));
    assert_eq!(fs::read_dir(groups.path().join(".cache"))?.count(), 9);
    let told = groups.verify(&["crate-1", "nobodys", "--policy", "two", "--json"]).expect(41).json();
    Schemas::new().check("verify", &told);
    assert_eq!(
        (&told["files"][0]["groups"][1]["name"], &told["files"][0]["groups"][1]["agrees"]),
        (&"birch".into(), &true.into())
    );
    assert_eq!(
        (&told["files"][0]["groups"][2]["exit"], &told["files"][0]["groups"][2]["agrees"]),
        (&41.into(), &false.into())
    );
    Ok(())
}

fn silent() -> Outcome {
    let groups = groups();
    let mut places = groups.places();
    places[2] = "http://127.0.0.1:1".to_owned();
    let verify = |file: &str| groups.verify_at(&places, &[file, "--policy", "two"]);
    let ran = verify("crate-0").expect(0);
    assert!(ran.out.ends_with("by alder, birch (2 of 3 groups)\n"), "{}", ran.out);
    // The group that is not reached might be the second one.
    assert!(verify("crate-2").expect(75).err.contains("cedar: "));
    groups.verify_at(&places, &["crate-1", "--policy", "three"]).expect(75);
    // A group that is asked nowhere has no vote either, and is not waited for.
    let ran = groups.verify_at(&places[..2], &["crate-2", "--policy", "two"]).expect(43);
    assert!(ran.err.contains("cedar: nowhere to look it up"), "{}", ran.err);
    // With the network cut, from what an earlier run left.
    groups.verify(&["crate-0", "--policy", "three"]).expect(0);
    for log in &groups.logs {
        fs::rename(log.path(), log.dir.path().join("gone"))?;
    }
    groups.verify_at(&[], &["crate-0", "--policy", "three", "--offline"]).expect(0);
    groups.verify_at(&[], &["crate-2", "--policy", "two", "--offline"]).expect(43);
    Ok(())
}

fn false_at_one() -> Outcome {
    let groups = groups();
    let folder = groups.logs[1].path();
    let liar = Server::start(move |path| match file_at(&folder, path) {
        Answer::Whole(mut bytes) if path.starts_with("/tile/entries") => {
            bytes[100] ^= 1;
            Answer::Whole(bytes)
        }
        answer => answer,
    });
    let mut places = groups.places();
    places[1] = liar.address.clone();
    let ran = groups.verify_at(&places, &["crate-0", "--policy", "two"]).expect(0);
    assert!(ran.out.ends_with("by alder, cedar (2 of 3 groups)\n"), "{}", ran.out);
    assert!(ran.err.contains("birch has no vote: "), "{}", ran.err);
    groups.verify_at(&places, &["crate-1", "--policy", "two"]).expect(40);
    groups.verify_at(&places, &["crate-0", "--policy", "three"]).expect(40);
    // The log of one group as another's policy would have it: signatures of nobody.
    let swapped = fs::read_to_string(groups.logs[0].file("checkpoint"))?;
    let claims = swapped.replace("synchronicity.example/alder", "synchronicity.example/birch");
    let impostor = Server::start(move |_| Answer::Whole(claims.clone().into_bytes()));
    places[1] = impostor.address.clone();
    groups.verify_at(&places, &["crate-1", "--policy", "two"]).expect(40);
    // A fork can only be the group's own doing.
    groups.verify(&["crate-0", "--policy", "two"]).expect(0);
    let fork = log_of("cedar", &[("crate-0", "crate-0"), ("crate-9", "crate-9"), ("crate-8", "crate-8")]);
    places = groups.places();
    places[2] = fork.path().display().to_string();
    let told = groups.verify_at(&places, &["nobodys", "--policy", "two", "--json"]).expect(40);
    assert!(told.err.contains("this log has forked"), "{}", told.err);
    fs::write(groups.path().join("Cargo.lock"), lock(&[("crate-0", "the archive")]))?;
    let nodes = places.iter().flat_map(|place| ["--node", place]);
    let ran = run(groups.path(), ["audit", "--policy", "one"].into_iter().chain(nodes)).expect(40);
    assert!(ran.err.contains("this log has forked"), "{}", ran.err);
    Ok(())
}

fn audited() -> Outcome {
    let groups = groups();
    let archive = "the archive";
    let crates = ["crate-0", "crate-1", "crate-2", "nowhere"].map(|name| (name, archive));
    fs::write(groups.path().join("Cargo.lock"), lock(&crates))?;
    let places = groups.places();
    let audit_at = |places: &[String], arguments: &[&str]| {
        let nodes = places.iter().flat_map(|place| ["--node", place]);
        run(groups.path(), ["audit", "--policy", "two"].into_iter().chain(arguments.iter().copied()).chain(nodes))
    };
    let audit = |arguments: &[&str]| audit_at(&places, arguments);
    let out = audit(&["--all"]).expect(43).out;
    for line in [
        "deny  few-groups   crate-2 0.17.0                 1 of 3: alder\n",
        "warn  absent       nowhere 0.17.0                 no entry\n",
        "allow reproduced   crate-0 0.17.0                 3 of 3: alder, birch, cedar\n",
        "cedar: log synchronicity.example/cedar, at size 2\n",
    ] {
        assert!(out.contains(line), "{line}{out}");
    }
    assert!(out.lines().all(|line| line.len() <= 80), "{out}");
    let told = audit(&["--json"]).expect(43).json();
    let schemas = Schemas::new();
    schemas.check("audit", &told);
    assert_eq!(told["groups"].as_array().unwrap().len(), 3);
    assert_eq!(told["dependencies"][2]["groups"][1]["verdict"], "absent");
    // One group less changes nothing for what the others have; with two less nothing is decided.
    let told = audit_at(&places[..2], &["--json"]).expect(43).json();
    schemas.check("audit", &told);
    assert_eq!((&told["groups"][2]["name"], &told["groups"][2]["exit"]), (&"cedar".into(), &2.into()));
    let ran = audit_at(&["http://127.0.0.1:1".to_owned(), places[0].clone()], &[]).expect(75);
    assert!(ran.err.contains("1 of 3 groups agree, and 2 must"), "{}", ran.err);
    audit(&["--format", "sarif"]).expect(43);
    audit(&["--format", "junit"]).expect(43);
    let levels = |text: &str| fs::write(groups.path().join("synchronicity.toml"), text);
    levels("[levels]\nfew-groups = \"warn\"\n")?;
    audit(&[]).expect(0);
    levels("[[exception]]\ncrate = \"crate-2\"\nverdict = \"few-groups\"\nreason = \"new\"\nexpires = 9999-01-01\n")?;
    audit(&[]).expect(0);
    // Another archive is worse than too few groups.
    fs::write(groups.path().join("Cargo.lock"), lock(&[("crate-0", "a patched archive")]))?;
    audit(&[]).expect(42);
    Ok(())
}

fn settings() -> Outcome {
    let groups = groups();
    fs::write(groups.path().join("Cargo.lock"), lock(&[("crate-0", "the archive")]))?;
    let places = groups.places();
    let settings = |policy: &str, more: &str| {
        let text = format!("policy = {policy}\nlogs = {places:?}\n{more}\n[[file]]\npath = \"crate-1\"\n");
        fs::write(groups.path().join("synchronicity.toml"), text).unwrap();
        run(groups.path(), ["gate"])
    };
    // Files of the repository, and names of this user.
    let of = "{ any = 2, of = [\"alder.txt\", \"birch\", \"./cedar.txt\"] }";
    let ran = settings(of, "").expect(0);
    assert!(ran.out.contains("by alder.txt, birch (2 of 3 groups)"), "{}", ran.out);
    assert!(settings("\"two\"", "").expect(0).out.contains("by alder, birch (2 of 3 groups)"));
    settings("{ any = 3, of = [\"alder\", \"birch\", \"cedar\"] }", "").expect(43);
    settings("{ any = 4, of = [\"alder\", \"birch\", \"cedar\"] }", "").expect(2);
    settings("{ any = 2, of = [\"alder\", \"alder.txt\"] }", "").expect(2);
    settings("{ any = 2, of = [\"alder\", \"two\"] }", "").expect(2);
    settings("{ any = 2, of = [\"alder\", \"absent\"] }", "").expect(2);
    let told = trust(groups.path(), &["combine", "two", "--any", "2", "alder", "birch", "cedar", "--json"]).expect(0);
    let pin = told.json()["sha256"].as_str().unwrap().to_owned();
    settings(of, &format!("policy-sha256 = \"{pin}\"")).expect(0);
    settings("\"three\"", &format!("policy-sha256 = \"{pin}\"")).expect(40);
    let told = settings(of, "").expect(0);
    drop(told);
    let told = run(groups.path(), ["gate", "--json"]).expect(0).json();
    Schemas::new().check("gate", &told);
    assert_eq!(told["files"][0]["groups"][0]["name"], "alder.txt");
    Ok(())
}

fn bundles_and_proofs() -> Outcome {
    let groups = groups();
    for (name, place) in NAMES.iter().zip(groups.places()) {
        let out = format!("{name}.bundle");
        run(groups.path(), ["bundle", "--policy", name, "--node", &place, "--out", &out]).expect(0);
    }
    let verify = |arguments: &[&str]| run(groups.path(), [&["verify", "--policy", "two"], arguments].concat());
    let bundles =
        ["--bundle", "cedar.bundle", "--bundle", "alder.bundle", "--bundle", "birch.bundle", "--cache", "none"];
    let ran = verify(&[&["crate-0"], &bundles[..]].concat()).expect(0);
    assert!(ran.out.ends_with("by alder, birch, cedar (3 of 3 groups)\n"), "{}", ran.out);
    verify(&[&["crate-2"], &bundles[..]].concat()).expect(43);
    verify(&[&["crate-0"], &bundles[..2], &bundles[6..]].concat()).expect(43);
    run(groups.path(), ["verify", "--policy", "alder", "crate-0", "--bundle", "alder.bundle", "--bundle", "x"])
        .expect(2);
    // `lookup` says what each group has, and whether they got the same bytes.
    let lookup =
        |arguments: &[&str]| run(groups.path(), [&["lookup", "--policy", "two"], arguments, &bundles[..6]].concat());
    let out = lookup(&["crate-1@0.17.0"]).expect(0).out;
    assert!(
        out.contains("alder: crate-1 0.17.0: one entry") && out.contains("cedar: crate-1 0.17.0: one entry"),
        "{out}"
    );
    assert!(out.ends_with("\n2 of 3 groups got the same bytes: alder, birch\n"), "{out}");
    let told = lookup(&["--file", "crate-1", "--json"]).expect(0).json();
    assert_eq!((&told["agree"], &told["needed"]), (&serde_json::json!(["alder", "birch"]), &2.into()));
    assert!(lookup(&["crate-2@0.17.0"]).expect(43).err.contains("birch: no evidence"));
    lookup(&["nobodys@0.17.0"]).expect(41);
    run(groups.path(), ["lookup", "crate-1@0.17.0", "--policy", "two", "--answer", "x"]).expect(2);
    // A proof is its own group's: the others are looked up, here in their bundles.
    fs::write(groups.path().join("crate-2.tlog-proof"), groups.logs[0].proof(2, 3))?;
    verify(&[&["crate-2"], &bundles[2..4]].concat()).expect(43);
    fs::write(groups.path().join("crate-1.tlog-proof"), groups.logs[0].proof(1, 3))?;
    let ran = verify(&[&["crate-1"], &bundles[4..]].concat()).expect(0);
    assert!(ran.out.ends_with("by alder, birch (2 of 3 groups)\n"), "{}", ran.out);
    // What does not say whose it is counts against all.
    fs::write(groups.path().join("crate-1.tlog-proof"), "c2sp.org/tlog-proof@v1\n")?;
    verify(&[&["crate-1"], &bundles[..]].concat()).expect(40);
    // A proof by itself is one group's, and commands that are about one log want one.
    fs::write(groups.path().join("proof"), groups.logs[0].proof(1, 3))?;
    assert!(verify(&["proof", "crate-1"]).expect(2).err.contains("this command is about the log of one"));
    run(groups.path(), ["bundle", "--policy", "two", "--node", &groups.places()[0], "--out", "x"]).expect(2);
    Ok(())
}

fn refused() -> Outcome {
    let groups = groups();
    let combine = |arguments: &[&str]| trust(groups.path(), &[&["combine"], arguments].concat());
    // The builders of one group under a log of another name.
    let (alder, other) = (Party::named("alder"), Party::named("other"));
    let keys = alder.policy(3, 4).to_string();
    let (log, builders) = keys.split_once('\n').unwrap();
    assert!(log.starts_with("log "));
    fs::write(groups.path().join("other.txt"), format!("log {}\n{builders}", other.log_signer().verifier_key()))?;
    trust(groups.path(), &["add", "other.txt", "--yes"]).expect(0);
    let ran = combine(&["twice", "--any", "2", "alder", "other"]).expect(2);
    assert!(ran.err.contains("alder and other have 4 keys in common, enough to sign for both"), "{}", ran.err);
    combine(&["twice", "--any", "2", "alder", "alder"]).expect(2);
    combine(&["twice", "--any", "3", "alder", "birch"]).expect(2);
    combine(&["twice", "--any", "0", "alder", "birch"]).expect(2);
    combine(&["twice", "--any", "1", "alder"]).expect(2);
    combine(&["twice", "--any", "1", "alder", "absent"]).expect(2);
    combine(&["twice", "--any", "1", "alder", "two"]).expect(2);
    combine(&["alder", "--any", "1", "alder", "birch"]).expect(2);
    combine(&["two", "--any", "1", "alder", "birch", "cedar"]).expect(2);
    assert!(!groups.path().join(".policies/twice.toml").exists());
    // A part of a combination stays what it is.
    let ran = trust(groups.path(), &["remove", "alder"]).expect(2);
    assert!(ran.err.contains("alder is a part of one"), "{}", ran.err);
    trust(groups.path(), &["rename", "alder", "elm"]).expect(2);
    for name in ["one", "two", "three"] {
        trust(groups.path(), &["remove", name]).expect(0);
    }
    trust(groups.path(), &["remove", "alder"]).expect(0);
    let shown = trust(groups.path(), &["list"]).expect(0).out;
    assert!(shown.lines().all(|line| line.len() <= 80), "{shown}");
    Ok(())
}
