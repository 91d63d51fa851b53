//! The published vectors: one file per flaw. What they look like stands in `vectors/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;
use std::{fmt, fs, str};

use base64ct::{Base64, Encoding};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::membership::MembershipEntry;
use synchronicity_verify::merkle::{ProofMismatch, verify_consistency, verify_inclusion};
use synchronicity_verify::note::{SignedNote, VerifierKey};
use synchronicity_verify::policy::Policy;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;
use synchronicity_verify::succession::succeed;
use synchronicity_verify::tile::{TilePath, parse_bundle};
use synchronicity_verify::verify::{VerifyError, verify, verify_checkpoint};
use synchronicity_verify::{equivocation, fork};

use crate::{catalogue, fuzz, sample};

/// One vector: what is to be judged, and how it must be judged.
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) flaw: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) expect: &'static str,
    pub(crate) policy: Option<String>,
    pub(crate) file: Option<Digest>,
    pub(crate) subject: Vec<u8>,
}

#[test]
fn every_published_vector_is_judged_as_it_says() {
    let mut count = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let (fields, policy, subject) = read(&bytes);
        let file = fields.get("file").map(|hex| hex.parse().unwrap());
        let (outcome, reason) = judge(&fields["kind"], policy, subject, file.as_ref());
        assert_eq!(outcome, fields["expect"], "{}: {reason}", path.display());
        assert_eq!(reason, fields["reason"], "{}", path.display());
        count += 1;
    }
    assert_eq!(count, catalogue::all().len(), "files that no vector describes, or vectors without a file");
}

#[test]
fn the_published_vectors_are_what_the_catalogue_makes() {
    let names: BTreeSet<_> = catalogue::all().iter().map(|vector| vector.name).collect();
    assert_eq!(names.len(), catalogue::all().len(), "two vectors of one name");
    for vector in catalogue::all() {
        let published = fs::read(folder().join(vector.name)).unwrap_or_default();
        assert!(published == write(&vector), "{}: run the ignored test to publish it", vector.name);
    }
}

#[test]
fn the_table_of_what_verifiers_differ_on_names_vectors_that_exist() {
    let text = fs::read_to_string(folder().join("README.md")).unwrap();
    let (_, table) = text.split_once("## Where verifiers were seen to differ").unwrap();
    let names: Vec<_> = table.split('`').skip(1).step_by(2).filter(|name| name.contains('_')).collect();
    for name in &names {
        assert!(folder().join(name).is_file(), "{name}");
    }
    assert!(names.len() > 50);
}

#[test]
fn the_example_of_the_front_page_is_the_sample() {
    for (path, text) in examples() {
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
}

/// `cargo test -p synchronicity-verify -- --ignored publish` after a change to the catalogue or to a message.
#[test]
#[ignore = "writes the vectors; the other tests check them"]
fn publish_the_vectors() {
    for vector in catalogue::all() {
        fs::write(folder().join(vector.name), write(&vector)).unwrap();
    }
    for (path, text) in examples() {
        fs::write(path, text).unwrap();
    }
    for (path, bytes) in fuzz::seeds() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn examples() -> [(PathBuf, String); 2] {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    [
        (folder.join("sample.policy"), sample::policy(3).to_string()),
        (folder.join("sample.tlog-proof"), sample::good_proof().to_string()),
    ]
}

fn judge(kind: &str, policy: &[u8], subject: &[u8], file: Option<&Digest>) -> (String, String) {
    let policy = || Policy::parse(policy).unwrap();
    let decision = match kind {
        "proof" => return judge_proof(verify(subject, &policy(), file).map(|verified| verified.is_evidence())),
        "checkpoint" => match SignedNote::parse(subject) {
            Ok(note) => return judge_proof(verify_checkpoint(&note, &policy()).map(|_| true)),
            Err(error) => return ("invalid".to_owned(), error.to_string()),
        },
        "fork" => match fork::verify(subject, &policy()) {
            Ok(_) => return ("verified".to_owned(), String::new()),
            Err(error) => return ("invalid".to_owned(), error.to_string()),
        },
        "equivocation" => match equivocation::verify(subject) {
            Ok(_) => return ("verified".to_owned(), String::new()),
            Err(error) => return ("invalid".to_owned(), error.to_string()),
        },
        "succession" => match succeed(&policy(), subject) {
            Ok(_) => return ("verified".to_owned(), String::new()),
            Err(error) => return ("invalid".to_owned(), error.to_string()),
        },
        "policy" => Policy::parse(subject).map(drop).map_err(|error| error.to_string()),
        "key" => parse_text::<VerifierKey>(subject),
        "tile-path" => parse_text::<TilePath>(subject),
        "bundle" => {
            let (count, hex) = subject.split_at(subject.iter().position(|byte| *byte == b' ').unwrap());
            let count = str::from_utf8(count).unwrap().parse().unwrap();
            parse_bundle(&unhex(&hex[1..]), count).map(drop).map_err(|error| error.to_string())
        }
        "inclusion" | "consistency" => judge_tree(kind, subject).map_err(|error| error.to_string()),
        "request" => BuildRequest::from_bytes(&unhex(subject)).map(drop).map_err(|error| error.to_string()),
        "result" => BuildResult::from_bytes(&unhex(subject)).map(drop).map_err(|error| error.to_string()),
        "entry" => Entry::from_bytes(&unhex(subject)).map(drop).map_err(|error| error.to_string()),
        "membership" => MembershipEntry::from_bytes(&unhex(subject)).map(drop).map_err(|error| error.to_string()),
        other => panic!("no such kind: {other}"),
    };
    match decision {
        Ok(()) => ("accepted".to_owned(), String::new()),
        Err(reason) => ("refused".to_owned(), reason),
    }
}

fn parse_text<T: FromStr<Err: fmt::Display>>(subject: &[u8]) -> Result<(), String> {
    str::from_utf8(subject).unwrap().parse::<T>().map(drop).map_err(|error| error.to_string())
}

/// Lines with names, in their order, and then the path.
fn judge_tree(kind: &str, subject: &[u8]) -> Result<(), ProofMismatch> {
    let mut lines = str::from_utf8(subject).unwrap().lines();
    let hash = |text: &str| Digest(Base64::decode_vec(text).unwrap().try_into().unwrap());
    let mut value = |name: &str| lines.next().unwrap().strip_prefix(name).unwrap().trim().to_owned();
    let number = |text: String| text.parse().unwrap();
    if kind == "inclusion" {
        let (leaf, index, size) = (hash(&value("leaf")), number(value("index")), number(value("size")));
        let root = hash(&value("root"));
        verify_inclusion(&leaf, index, size, &lines.map(hash).collect::<Vec<_>>(), &root)
    } else {
        let (old, new) = (number(value("old")), number(value("new")));
        let (old_root, new_root) = (hash(&value("old-root")), hash(&value("new-root")));
        verify_consistency(old, new, &lines.map(hash).collect::<Vec<_>>(), &old_root, &new_root)
    }
}

fn judge_proof(decision: Result<bool, VerifyError>) -> (String, String) {
    let outcome = match &decision {
        Ok(true) => "verified",
        Ok(false) => "no-evidence",
        Err(VerifyError::Invalid(_)) => "invalid",
        Err(VerifyError::BelowThreshold { .. }) => "below-threshold",
        Err(VerifyError::Mismatch { .. }) => "mismatch",
    };
    (outcome.to_owned(), decision.err().map(|error| error.to_string()).unwrap_or_default())
}

fn write(vector: &Vector) -> Vec<u8> {
    let policy = vector.policy.clone().unwrap_or_default();
    let (_, reason) = judge(vector.kind, policy.as_bytes(), &vector.subject, vector.file.as_ref());
    let mut text =
        format!("flaw: {}\nkind: {}\nexpect: {}\nreason: {reason}\n", vector.flaw, vector.kind, vector.expect);
    if let Some(file) = vector.file {
        text += &format!("file: {file}\n");
    }
    text += &format!("policy-bytes: {}\n\n{policy}", policy.len());
    [text.into_bytes(), vector.subject.clone()].concat()
}

fn read(bytes: &[u8]) -> (BTreeMap<String, String>, &[u8], &[u8]) {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
    let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    let fields: BTreeMap<_, _> = str::from_utf8(&bytes[..end]).unwrap().lines().map(field).collect();
    let (policy, subject) = bytes[end + 2..].split_at(fields["policy-bytes"].parse().unwrap());
    (fields, policy, subject)
}

pub(crate) fn unhex(text: &[u8]) -> Vec<u8> {
    let digits = str::from_utf8(text).unwrap().trim_end();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
