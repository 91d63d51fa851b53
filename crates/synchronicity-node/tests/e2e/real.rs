//! Crates of crates.io: one of each kind that builds differently.

use crate::Test;
use crate::devnet::run;
use crate::machine::Need::{Docker, Embedded, Registry};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("hexyl_is_reproduced_in_the_embedded_sandbox", &[Embedded, Registry], || hexyl("embedded", &TWO)),
        Test::new("hexyl_is_reproduced_in_docker", &[Docker, Registry], || hexyl("docker", &[])),
        Test::new("small_crates_of_every_kind_are_reproduced_embedded", &[Embedded, Registry], || kinds("embedded")),
        Test::new("small_crates_of_every_kind_are_reproduced_in_docker", &[Docker, Registry], || kinds("docker")),
    ]
}

/// Each builder of a group compiles everything for itself, on the same two processors: what is not about the group is
/// shown with two.
const TWO: [&str; 2] = ["--builders", "2"];

/// An executable with a published lock.
fn hexyl(sandbox: &str, of: &[&str]) {
    let ended = run(&[&["hexyl@0.17.0", "--sandbox", sandbox], of].concat());
    let told = ended.conclusion();
    assert_eq!((ended.code, told["verdict"].as_str()), (0, Some("reproduced")), "{}", ended.stderr);
    assert_eq!(told["artifacts"][0]["name"], "hexyl");
    let hexyl = ended.results().join("artifacts/hexyl");
    let output = std::process::Command::new(hexyl).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "hexyl 0.17.0", "what was rebuilt runs");
}

/// A library without a lock, a proc macro, and a crate whose build script compiles C. Each the smallest of its kind.
fn kinds(sandbox: &str) {
    let kinds = [("fnv@1.0.7", "libfnv.rlib"), ("paste@1.0.15", "libpaste.so"), ("lz4-sys@1.11.1", "liblz4_sys.rlib")];
    let words: Vec<&str> = kinds.iter().map(|(spec, _)| *spec).chain(["--sandbox", sandbox]).chain(TWO).collect();
    let ended = run(&words);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for (spec, artifact) in kinds {
        let (name, _) = spec.split_once('@').unwrap();
        let of_it = |event: &&serde_json::Value| event["name_version"].as_str().is_some_and(|of| of.starts_with(name));
        let told = ended.events.iter().filter(|event| event["event"] == "concluded").find(of_it).unwrap();
        assert_eq!(told["verdict"], "reproduced", "{told:#?}");
        let artifacts = told["artifacts"].as_array().unwrap();
        assert!(artifacts.iter().any(|found| found["name"] == artifact), "{spec}: {artifacts:#?}");
    }
}
