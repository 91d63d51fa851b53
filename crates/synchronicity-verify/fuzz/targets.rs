//! What holds for every parser, whatever bytes it gets: it does not panic, and what it accepts it writes back byte by
//! byte. Run by the fuzzer's programs and by the tests of the crate alike.

use std::str;
use std::sync::LazyLock;

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::fork::{self, Fork};
use synchronicity_verify::note::{NoteSignature, SignedNote, VerifierKey};
use synchronicity_verify::policy::Policy;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;
use synchronicity_verify::tile::{TilePath, encode_bundle, parse_bundle};
use synchronicity_verify::verify::{verify, verify_checkpoint};
use synchronicity_verify::{cosignature, note as notes};

/// Judges any bytes; panics if a promise is broken.
pub(crate) type Target = fn(&[u8]);

/// Every target by its name.
pub(crate) const ALL: [(&str, Target); 12] = [
    ("note", note),
    ("checkpoint", checkpoint),
    ("cosignature", cosignature),
    ("vkey", vkey),
    ("proof", proof),
    ("policy", policy),
    ("fork", fork),
    ("entry", entry),
    ("request", request),
    ("result", result),
    ("tile_path", tile_path),
    ("bundle", bundle),
];

/// The policy under which inputs are judged.
static POLICY: LazyLock<Policy> =
    LazyLock::new(|| Policy::parse(include_bytes!("../examples/sample.policy")).expect("the sample is a policy"));

pub(crate) fn note(data: &[u8]) {
    if let Ok(note) = SignedNote::parse(data) {
        assert_eq!(note.to_string().as_bytes(), data);
        let _ = verify_checkpoint(&note, &POLICY);
    }
}

pub(crate) fn checkpoint(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), text);
    }
}

/// One signature line, tried with every key of the policy.
pub(crate) fn cosignature(data: &[u8]) {
    let Some(line) = str::from_utf8(data).ok().and_then(NoteSignature::parse) else { return };
    assert_eq!(line.to_string().as_bytes(), data);
    for witness in POLICY.witnesses() {
        let _ = cosignature::verify(&witness.key, "text\n", &line);
    }
    let _ = notes::verify(POLICY.log(), "text\n", &line);
}

pub(crate) fn vkey(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
}

pub(crate) fn proof(data: &[u8]) {
    if let Ok(proof) = Proof::parse(data) {
        assert_eq!(proof.to_string().as_bytes(), data);
    }
    if let Ok(verified) = verify(data, &POLICY, None) {
        assert!(verified.index < verified.size && verified.cosigners.len() >= 3);
        assert!(verified.vouched_s.is_some());
    }
}

/// The one format that may be spelled in several ways: it is read again from what was written.
pub(crate) fn policy(data: &[u8]) {
    if let Ok(policy) = Policy::parse(data) {
        let written = policy.to_string();
        assert_eq!(Policy::parse(written.as_bytes()).expect("what was written can be read"), policy);
        let _ = policy.quorum_in_words();
        let everybody = vec![true; policy.witnesses().len()];
        assert!(policy.is_reached(&everybody), "a quorum that nobody can reach");
    }
}

pub(crate) fn fork(data: &[u8]) {
    if let Ok(fork) = Fork::parse(data) {
        assert_eq!(fork.to_string().as_bytes(), data);
    }
    if let Ok(verified) = fork::verify(data, &POLICY) {
        let [smaller, larger] = &verified.sides;
        assert!(smaller.size < larger.size || (smaller.size == larger.size && smaller.root < larger.root));
        assert!(!smaller.signers.is_empty() && !larger.signers.is_empty());
    }
}

pub(crate) fn entry(data: &[u8]) {
    if let Ok(entry) = Entry::from_bytes(data) {
        assert_eq!(entry.to_bytes(), data);
    }
}

pub(crate) fn request(data: &[u8]) {
    if let Ok(request) = BuildRequest::from_bytes(data) {
        assert_eq!(request.to_bytes(), data);
        assert_eq!(request.check(), Ok(()));
    }
}

pub(crate) fn result(data: &[u8]) {
    if let Ok(result) = BuildResult::from_bytes(data) {
        assert_eq!(result.to_bytes(), data);
    }
}

pub(crate) fn tile_path(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(tile) = text.parse::<TilePath>() {
        assert_eq!(tile.path(), text);
    }
}

/// The first byte says how many entries, less one, the bundle's path promises.
pub(crate) fn bundle(data: &[u8]) {
    let Some((count, bundle)) = data.split_first() else { return };
    let count = u16::from(*count) + 1;
    if let Ok(entries) = parse_bundle(bundle, count) {
        assert_eq!(entries.len(), usize::from(count));
        assert_eq!(encode_bundle(entries).expect("what was read can be written"), bundle);
    }
}
