//! What a real group attests, checked by the unmodified tools of others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::Test;
use crate::devnet::PROGRAM;
use crate::machine::Need::{AttestTools, CosignTool, Embedded};
use crate::quartet::Quartet;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("in_toto_and_securesystemslib_accept_what_a_group_attests", &[Embedded, AttestTools], python),
        Test::new("cosign_accepts_the_provenance_of_a_builder", &[Embedded, CosignTool], cosign),
    ]
}

/// Where `scripts/attest-tools.sh` puts the programs.
pub(crate) fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("attest-tools/bin")
}

/// A group that reproduced the smallest fixture, with what all its builders attest in `out`.
struct Attested {
    _quartet: Quartet,
    root: tempfile::TempDir,
    told: Value,
}

impl Attested {
    fn found() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut quartet = Quartet::found(root.path());
        quartet.start(&[]);
        quartet.submit();
        // Every node serves only what its own log has reached.
        for index in 0..4 {
            quartet.concludes(index);
        }
        for (path, file) in [("proof/index/0", "proof"), ("policy", "policy")] {
            let url = format!("{}/{path}", quartet.url(0));
            fs::write(root.path().join(file), ureq::get(&url).call().unwrap().body_mut().read_to_vec().unwrap())
                .unwrap();
        }
        let mut attest = Command::new(PROGRAM);
        attest
            .current_dir(root.path())
            .args(["attest", "proof", "--policy", "policy", "--out", "out", "--json", "--node"]);
        let output = attest.args((0..4).map(|index| quartet.url(index))).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = serde_json::from_slice(&output.stdout).unwrap();
        Self { _quartet: quartet, root, told }
    }

    fn files(&self, what: &str) -> Vec<PathBuf> {
        let written = self.told["written"].as_array().unwrap().iter().filter(|file| file["what"] == what);
        written.map(|file| self.root.path().join(file["path"].as_str().unwrap())).collect()
    }
}

fn python() {
    let attested = Attested::found();
    let keys = attested.files("public key");
    assert_eq!(keys.len(), 4, "{}", attested.told);
    envelopes(&attested, &keys);
    links(&attested, &keys);
}

fn envelopes(attested: &Attested, keys: &[PathBuf]) {
    let provenances = attested.files("SLSA provenance");
    assert_eq!(provenances.len(), 4);
    for provenance in &provenances {
        let predicate = ["--predicate-type", "https://slsa.dev/provenance/v1"];
        accepted(&dsse(provenance, &[&["--threshold", "1"], &predicate[..]].concat(), keys));
        refused(&dsse(provenance, &["--threshold", "2"], keys), "do not match threshold");
    }
    let summary = &attested.files("SLSA verification summary")[0];
    let predicate = ["--predicate-type", "https://slsa.dev/verification_summary/v1"];
    accepted(&dsse(summary, &[&["--threshold", "3"], &predicate[..]].concat(), keys));
    accepted(&dsse(summary, &["--threshold", "4"], keys));
    refused(&dsse(summary, &["--threshold", "3"], &keys[..2]), "can't be less than threshold");
    // Another payload under the same signatures.
    let mut changed: Value = serde_json::from_slice(&fs::read(summary).unwrap()).unwrap();
    changed["payload"] =
        serde_json::from_slice::<Value>(&fs::read(&provenances[0]).unwrap()).unwrap()["payload"].clone();
    fs::write(summary, changed.to_string()).unwrap();
    refused(&dsse(summary, &["--threshold", "1"], keys), "do not match threshold");
}

/// Three of four functionaries are needed: four and three links are enough, two are not.
fn links(attested: &Attested, keys: &[PathBuf]) {
    let links = attested.files("in-toto link");
    assert_eq!(links.len(), 4);
    let layout = attested.root.path().join("layout");
    let mut make = script("in_toto_layout.py");
    make.args(["--threshold", "3", "--product", "plain-binary", "--out"]).arg(&layout).args(keys);
    accepted(&make.output().unwrap());
    let verify = || {
        let mut verify = Command::new(tools().join("in-toto-verify"));
        verify.current_dir(&layout).args(["--layout", "root.layout", "--verification-keys", "owner.pub", "--link-dir"]);
        verify.arg(attested.root.path().join("out")).stdin(Stdio::null()).output().unwrap()
    };
    accepted(&verify());
    fs::remove_file(&links[0]).unwrap();
    accepted(&verify());
    // One signature of the three that stay is damaged.
    let mut link: Value = serde_json::from_slice(&fs::read(&links[1]).unwrap()).unwrap();
    let sig = link["signatures"][0]["sig"].as_str().unwrap();
    let digit = if sig.starts_with('0') { "1" } else { "0" };
    link["signatures"][0]["sig"] = format!("{digit}{}", &sig[1..]).into();
    fs::write(&links[1], link.to_string()).unwrap();
    refused(&verify(), "requires");
}

fn cosign() {
    let attested = Attested::found();
    let home = attested.root.path().join("builder-1/artifacts");
    let artifact = fs::read_dir(home).unwrap().next().unwrap().unwrap().path();
    let (provenances, keys) = (attested.files("SLSA provenance"), attested.files("public key"));
    for (provenance, key) in provenances.iter().zip(&keys) {
        let mut verify = Command::new("cosign");
        verify.args(["verify-blob-attestation", "--insecure-ignore-tlog", "--type", "slsaprovenance1", "--key"]);
        verify.arg(key).arg("--signature").arg(provenance).arg(&artifact);
        accepted(&verify.output().unwrap());
    }
}

fn script(name: &str) -> Command {
    let mut command = Command::new(tools().join("python3"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/python").join(name)).stdin(Stdio::null());
    command
}

fn dsse(envelope: &Path, words: &[&str], keys: &[PathBuf]) -> Output {
    script("dsse_verify.py").args(words).arg(envelope).args(keys).output().unwrap()
}

#[track_caller]
fn accepted(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn refused(output: &Output, why: &str) {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && said.contains(why), "{said}");
}
