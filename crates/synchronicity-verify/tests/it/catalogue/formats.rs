use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult, Failure};

use crate::sample::{self, built};
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [requests(), results(), entries()].into_iter().flatten().collect()
}

/// The bytes as one line of hex.
pub(super) fn vector(
    kind: &'static str,
    name: &'static str,
    expect: &'static str,
    flaw: &'static str,
    bytes: &[u8],
) -> Vector {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    super::vector(kind, name, expect, flaw, digits + "\n")
}

fn requests() -> Vec<Vector> {
    let good = sample::request().to_bytes();
    let edited = |at: std::ops::Range<usize>, with: &[u8]| {
        let mut bytes = good.clone();
        bytes.splice(at, with.iter().copied());
        bytes
    };
    let changed = |change: fn(&mut BuildRequest)| {
        let mut request = sample::request();
        change(&mut request);
        request.to_bytes()
    };
    // A map of twelve pairs, of which the first is schema 1 under key 0.
    assert_eq!(good[..3], [0xac, 0x00, 0x01]);
    let unknown = [&[0xad], &good[1..], &[0x0c, 0x00]].concat();
    let indefinite = [&[0xbf], &good[1..], &[0xff]].concat();
    let refused = |name, flaw, bytes: &[u8]| vector("request", name, "refused", flaw, bytes);
    vec![
        vector("request", "request_good", "accepted", "none", &good),
        refused("request_unknown_field", "a field that nobody knows", &unknown),
        refused("request_indefinite_map", "a map without a length", &indefinite),
        refused("request_key_twice", "two values under one key", &edited(0..3, &[0xad, 0x00, 0x01, 0x00, 0x01])),
        refused("request_schema_in_two_bytes", "a second spelling of a number", &edited(2..3, &[0x18, 0x01])),
        refused("request_trailing_byte", "a byte after the end", &edited(good.len()..good.len(), &[0x00])),
        refused("request_cut_off", "the last byte is missing", &good[..good.len() - 1]),
        refused("request_of_schema_two", "a schema that nobody knows", &changed(|request| request.schema = 2)),
        refused(
            "request_features_unsorted",
            "features in another order",
            &changed(|request| request.features.named = vec!["b".to_owned(), "a".to_owned()]),
        ),
        refused(
            "request_target_is_a_flag",
            "it would be read as a flag",
            &changed(|request| request.target = "--help".to_owned()),
        ),
        refused("request_without_memory", "a limit of zero", &changed(|request| request.limits.memory_bytes = 0)),
    ]
}

fn results() -> Vec<Vector> {
    let artifact = |name: &str| Artifact { name: name.parse().unwrap(), size: 1, sha256: Digest::of(name.as_bytes()) };
    let two = BuildResult::Built(Artifacts::new(vec![artifact("a"), artifact("b")]).unwrap()).to_bytes();
    let (head, artifacts) = two.split_at(4);
    let (a, b) = artifacts.split_at(artifacts.len() / 2);
    let mut slash = built("x").to_bytes();
    let at = slash.windows(5).position(|name| name == b"hexyl").unwrap();
    slash[at..at + 5].copy_from_slice(b"../xy");
    let refused = |name, flaw, bytes: &[u8]| vector("result", name, "refused", flaw, bytes);
    let last = Failure::NoTargets;
    vec![
        vector("result", "result_good_artifacts", "accepted", "none", &two),
        vector("result", "result_good_failure", "accepted", "none", &BuildResult::Failed(Failure::Network).to_bytes()),
        vector("result", "result_good_failure_last", "accepted", "none", &BuildResult::Failed(last).to_bytes()),
        refused("result_failure_next", "the first number without a failure", &[0x82, 0x01, 0x81, last as u8 + 1]),
        refused("result_artifacts_unsorted", "artifacts in another order", &[head, b, a].concat()),
        refused("result_artifact_twice", "one name twice", &[head, a, a].concat()),
        refused("result_without_artifacts", "a build without products", &[0x82, 0x00, 0x81, 0x80]),
        refused("result_path_in_artifact_name", "a name that leaves its folder", &slash),
        refused("result_unknown_failure", "a failure that nobody knows", &[0x82, 0x01, 0x81, 0x17]),
        refused("result_failure_in_two_bytes", "a second spelling of a number", &[0x82, 0x01, 0x81, 0x18, 0x01]),
    ]
}

fn entries() -> Vec<Vector> {
    let good = sample::reproduced();
    let mut null = good.to_bytes();
    // The last pair of the last member is its attestation: a present null is a second spelling of an absent one.
    // Behind it stands the root of the map, as long as an attestation.
    let at = null.len() - 2 * 35;
    assert_eq!(null[at..at + 3], [0x04, 0x58, 0x20]);
    null.splice(at + 1..at + 35, [0xf6]);
    vec![
        vector("entry", "entry_good", "accepted", "none", &good.to_bytes()),
        vector("entry", "entry_attestation_null", "refused", "null where the field must be absent", &null),
        vector("entry", "entry_of_many_bytes", "refused", "more bytes than a bundle holds", &[0; 65_536]),
    ]
}
