//! Each verdict, and each builder that does not do its part, from the command line to the verified proof.

use std::fs;

use serde_json::Value;

use crate::Test;
use crate::devnet::{Ended, fixture, run, texts};
use crate::machine::Need::{Docker, Embedded};
use crate::verifier::verify;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_plain_crate_is_reproduced_in_the_embedded_sandbox", &[Embedded], || plain("embedded")),
        Test::new("a_plain_crate_is_reproduced_in_docker", &[Docker], || plain("docker")),
        Test::new("both_sandboxes_get_the_same_bytes", &[Docker, Embedded], both_sandboxes),
        Test::new("a_proof_holds_for_its_file_and_policy_only", &[Embedded], proof),
        Test::new("a_build_time_diverges_in_the_embedded_sandbox", &[Embedded], || build_time("embedded")),
        Test::new("a_build_time_diverges_in_docker", &[Docker], || build_time("docker")),
        Test::new("the_network_is_unbuildable_in_the_embedded_sandbox", &[Embedded], || network("embedded")),
        Test::new("the_network_is_unbuildable_in_docker", &[Docker], || network("docker")),
        Test::new("a_library_without_a_lock_is_reproduced", &[Embedded], library),
        Test::new("one_liar_of_four_is_outvoted_and_named", &[Embedded], one_liar),
        Test::new("two_liars_of_four_leave_no_evidence", &[Embedded], two_liars),
        Test::new("a_silent_builder_is_named_and_not_waited_for", &[Embedded], silent),
        Test::new("several_crates_share_one_log", &[Embedded], several),
    ]
}

const ALL: [&str; 4] = ["builder-1", "builder-2", "builder-3", "builder-4"];

fn devnet(name: &str, words: &[&str]) -> Ended {
    run(&[&[fixture(name).as_str(), "--sandbox", "embedded"], words].concat())
}

fn builders(dissents: &Value) -> Vec<&str> {
    dissents.as_array().unwrap().iter().map(|dissent| dissent["builder"].as_str().unwrap()).collect()
}

fn plain(sandbox: &str) {
    let ended = run(&[&fixture("plain-binary"), "--sandbox", sandbox]);
    let told = ended.conclusion();
    assert_eq!((ended.code, told["verdict"].as_str()), (0, Some("reproduced")), "{}", ended.stderr);
    assert_eq!(texts(&told["agreeing"]), ALL);
    assert_eq!((&told["index"], &told["log_size"]), (&0.into(), &1.into()));
    assert!(told["cosigners"].as_array().unwrap().len() >= 3, "{told}");
    let proof_ms = told["proof_ms"].as_u64().unwrap();
    eprintln!("    proof after {proof_ms} ms, {sandbox}");
    assert!(proof_ms < 1000, "the proof came {proof_ms} ms after the last reveal");
    let verified: Vec<&Value> = ended.events.iter().filter(|event| event["event"] == "verified").collect();
    // The proof alone, then its one artifact.
    assert_eq!(verified.len(), 2);
    assert!(verified.iter().all(|event| event["exit"] == 0), "{verified:#?}");
}

fn both_sandboxes() {
    let hash = |sandbox| {
        let ended = run(&[&fixture("plain-binary"), "--sandbox", sandbox]);
        ended.conclusion()["artifacts"].clone()
    };
    assert_eq!(hash("docker"), hash("embedded"));
}

fn proof() {
    let ended = devnet("plain-binary", &[]);
    let folder = ended.results();
    let (proof, policy) = (folder.join("plain-binary-0.1.0.tlog-proof"), folder.join("policy.txt"));
    let artifact = folder.join("artifacts/plain-binary");
    assert_eq!(verify(&proof, None, &policy), 0);
    assert_eq!(verify(&proof, Some(&artifact), &policy), 0);
    assert_eq!(verify(&proof, Some(&policy), &policy), 42, "another file");

    let scratch = tempfile::tempdir().unwrap();
    let damaged = scratch.path().join("damaged");
    let bytes = fs::read(&proof).unwrap();
    // Every bit is flipped in the verify crate's own tests; here, that the program says so.
    for place in [0, bytes.len() / 2, bytes.len() - 2] {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1;
        fs::write(&damaged, bytes).unwrap();
        assert_eq!(verify(&damaged, None, &policy), 40, "byte {place}");
    }
    let other = devnet("plain-binary", &[]).results().join("policy.txt");
    fs::write(&damaged, bytes).unwrap();
    assert_eq!(verify(&damaged, None, &other), 40, "the policy of another group");
    assert_eq!(verify(&damaged, None, &scratch.path().join("none")), 2, "no policy");
}

fn build_time(sandbox: &str) {
    let ended = run(&[&fixture("embeds-build-time"), "--sandbox", sandbox]);
    let told = ended.conclusion();
    assert_eq!((ended.code, told["verdict"].as_str()), (41, Some("diverged")), "{}", ended.stderr);
    assert_eq!(builders(&told["dissenting"]).len(), 4);
    assert!(texts(&told["agreeing"]).is_empty());
    assert_eq!(verify_proof_of(&ended, "embeds-build-time"), 41);
    // Each builder embedded another moment, and a node says so, with what another one handed over.
    let told = &ended.event("explained")["told"];
    assert_eq!(told["state"], "explained", "{told:#}");
    let artifact = &told["explanation"]["artifacts"][0];
    assert_eq!(
        (&artifact["name"], &artifact["differences"][0]["cause"]),
        (&"embeds-build-time".into(), &"build-time".into())
    );
    assert!(told["advice"].as_str().is_some_and(|advice| advice.contains("never evidence")));
    let written = fs::read(ended.results().join("explanation.json")).unwrap();
    assert_eq!(&serde_json::from_slice::<Value>(&written).unwrap(), told);
}

fn network(sandbox: &str) {
    let ended = run(&[&fixture("needs-network"), "--sandbox", sandbox]);
    let told = ended.conclusion();
    assert_eq!((ended.code, told["verdict"].as_str()), (41, Some("unbuildable")), "{}", ended.stderr);
    assert_eq!(told["failure"]["failure"], "needs-network");
    assert!(told["failure"]["advice"].as_str().is_some_and(|advice| advice.len() > 20), "{told}");
    assert_eq!(texts(&told["agreeing"]), ALL);
    assert!(ended.results().join("transcript-builder-1.txt").is_file());
    assert_eq!(verify_proof_of(&ended, "needs-network"), 41);
}

fn verify_proof_of(ended: &Ended, name: &str) -> i32 {
    let folder = ended.results();
    verify(&folder.join(format!("{name}-0.1.0.tlog-proof")), None, &folder.join("policy.txt"))
}

fn library() {
    let ended = devnet("library-without-lock", &[]);
    assert_eq!((ended.code, ended.conclusion()["verdict"].as_str()), (0, Some("reproduced")), "{}", ended.stderr);
    let artifacts = ended.conclusion()["artifacts"].as_array().unwrap();
    let ends = |end: &str| artifacts.iter().any(|artifact| artifact["name"].as_str().unwrap().ends_with(end));
    assert!(ends(".rlib") && ends(".rmeta"), "{artifacts:#?}");
}

fn one_liar() {
    let ended = devnet("plain-binary", &["--liar", "1"]);
    let told = ended.conclusion();
    assert_eq!((ended.code, told["verdict"].as_str()), (0, Some("reproduced")), "{}", ended.stderr);
    assert_eq!(texts(&told["agreeing"]), ALL[..3]);
    assert_eq!(builders(&told["dissenting"]), ["builder-4"]);
    assert_ne!(told["dissenting"][0]["artifacts"][0]["sha256"], told["artifacts"][0]["sha256"]);
}

fn two_liars() {
    let ended = devnet("plain-binary", &["--liar", "2"]);
    let told = ended.conclusion();
    assert_eq!((ended.code, told["verdict"].as_str()), (41, Some("diverged")), "{}", ended.stderr);
    assert_eq!(builders(&told["dissenting"]), ALL);
    // What a liar revealed nobody has.
    let told = &ended.event("explained")["told"];
    assert_eq!(told["state"], "pending");
    assert!(told["reason"].as_str().is_some_and(|reason| reason.contains("does not have the artifact")), "{told:#}");
}

fn silent() {
    let ended = devnet("plain-binary", &["--silent", "1"]);
    let told = ended.conclusion();
    assert_eq!((ended.code, told["verdict"].as_str()), (0, Some("reproduced")), "{}", ended.stderr);
    assert_eq!(texts(&told["silent"]), ["builder-4"]);
}

fn several() {
    let ended = devnet("plain-binary", &[&fixture("library-without-lock")]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let told = ended.events.iter().filter(|event| event["event"] == "concluded");
    let mut places: Vec<u64> = told.map(|told| told["index"].as_u64().unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, [0, 1]);
}
