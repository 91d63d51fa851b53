//! `succeed`: from the policy that a client trusts to the one of the group's present members.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use synchronicity_verify::policy::Policy;

use crate::policies::trust;
use crate::program::{Ran, of_the_verifier, run};
use crate::server::{Answer, Server};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("succeed::a_succession_leads_to_the_policy_of_the_present_members", good),
        Trial::test("succeed::what_does_not_hold_is_refused_and_writes_nothing", refused),
        Trial::test("succeed::a_trusted_policy_follows_its_group_and_nothing_else", trusted),
        Trial::test("succeed::a_node_hands_its_succession_over_or_has_none_yet", from_a_node),
    ]
}

/// The policy and the subject of a published vector.
fn vector(name: &str) -> (Vec<u8>, Vec<u8>) {
    let bytes = fs::read(of_the_verifier("vectors").join(name)).unwrap();
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("policy-bytes: ")).unwrap().parse().unwrap();
    let (policy, subject) = bytes[end + 2..].split_at(length);
    (policy.to_vec(), subject.to_vec())
}

fn folder_of(name: &str) -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let (policy, subject) = vector(name);
    fs::write(dir.path().join("old.policy"), policy).unwrap();
    fs::write(dir.path().join("group.succession"), &subject).unwrap();
    (dir, subject)
}

fn succeed(dir: &Path, words: &[&str]) -> Ran {
    run(dir, [&["succeed", "--policy", "old.policy", "--out", "new.policy"], words].concat())
}

fn new_names(dir: &Path) -> Vec<String> {
    let policy = Policy::parse(&fs::read(dir.join("new.policy")).unwrap()).unwrap();
    policy.witnesses().iter().map(|witness| witness.name.clone()).collect()
}

fn good() -> Outcome {
    let (dir, _) = folder_of("succession_good");
    let told = succeed(dir.path(), &["group.succession", "--json"]).expect(0).json();
    let epochs: Vec<_> = told["steps"].as_array().unwrap().iter().map(|step| step["epoch"].as_u64()).collect();
    assert_eq!(epochs, [Some(1), Some(2)]);
    assert_eq!(new_names(dir.path()), ["builder-1", "builder-2", "builder-3", "builder-4"]);
    assert_eq!(told["policy"].as_str().unwrap(), fs::read_to_string(dir.path().join("new.policy")).unwrap());
    let words = succeed(dir.path(), &["group.succession"]).expect(0).out;
    assert!(words.contains("epoch 2: builder-1, builder-2, builder-3, builder-4; 3 must agree; 4 of 5"), "{words}");
    Ok(())
}

fn refused() -> Outcome {
    for name in
        ["succession_two_cosigners", "succession_second_step_too_few", "succession_of_a_build", "succession_crlf"]
    {
        let (dir, _) = folder_of(name);
        let told = succeed(dir.path(), &["group.succession", "--json"]).expect(40).json();
        assert!(told["error"].as_str().unwrap().contains("the policy is not followed"), "{name}: {told}");
        assert!(!dir.path().join("new.policy").exists(), "{name}");
    }
    let (dir, _) = folder_of("succession_good");
    succeed(dir.path(), &[]).expect(2);
    Ok(())
}

fn from_a_node() -> Outcome {
    let (dir, succession) = folder_of("succession_good");
    let server = Server::start(move |path: &str| match path {
        "/succession" => Answer::Whole(succession.clone()),
        _ => Answer::Status(404),
    });
    succeed(dir.path(), &["--node", &server.address]).expect(0);
    assert_eq!(new_names(dir.path()).len(), 4);
    let young = Server::start(|_: &str| Answer::Status(404));
    succeed(dir.path(), &["--node", &young.address]).expect(41);
    Ok(())
}

fn trusted() -> Outcome {
    let (dir, succession) = folder_of("succession_good");
    let dir = dir.path();
    trust(dir, &["add", "old.policy", "--name", "alder", "--yes"]).expect(0);
    let kept = || fs::read(dir.join(".policies/alder.toml")).unwrap();
    let old = kept();
    for name in ["succession_two_cosigners", "succession_second_step_too_few", "succession_of_a_build"] {
        fs::write(dir.join("bad.succession"), vector(name).1)?;
        trust(dir, &["update", "alder", "bad.succession"]).expect(40);
        assert_eq!(kept(), old, "{name}");
    }
    trust(dir, &["update", "birch", "group.succession"]).expect(2);
    trust(dir, &["update", "alder"]).expect(2);
    let young = Server::start(|_: &str| Answer::Status(404));
    trust(dir, &["update", "alder", "--node", &young.address]).expect(41);
    let server = Server::start(move |_: &str| Answer::Whole(succession.clone()));
    let told = trust(dir, &["update", "alder", "--node", &server.address]).expect(0).out;
    assert!(told.contains("epoch 2: builder-1, builder-2, builder-3, builder-4; 3 must agree"), "{told}");
    assert!(told.contains("no longer a builder: builder-0"), "{told}");
    // What is kept is what `succeed` writes, and the same succession leads no further.
    succeed(dir, &["group.succession"]).expect(0);
    let policy = Policy::parse(&fs::read(dir.join("new.policy"))?)?;
    let shown = trust(dir, &["show", "alder", "--json"]).expect(0).json();
    assert_eq!(shown["sha256"], policy.sha256().to_string());
    let told = trust(dir, &["update", "alder", "group.succession", "--json"]).expect(0).json();
    assert_eq!((&told["steps"], &told["weaker"]), (&serde_json::json!([]), &false.into()));
    Ok(())
}
