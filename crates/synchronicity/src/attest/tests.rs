//! One evidence with known keys: what is signed, and what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};
use synchronicity_core::command::CommandKey;
use synchronicity_core::group::{Charter, Group, Member};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::note::{KeyKind, Signer};
use synchronicity_verify::proof::Proof;

use super::canonical_json::canonical;
use super::dsse::{ENVELOPE_BYTES_MAX, Envelope, EnvelopeError, PAYLOAD_TYPE, pae};
use super::evidence::{Evidence, NothingToAttest};
use super::key::{AttestationKey, PublicKey};
use super::link::{SignedLink, link};
use super::provenance::provenance;
use super::summary::{LEVEL, summary};

fn seed(what: &str, index: u8) -> [u8; 32] {
    Digest::of(format!("{what} {index}").as_bytes()).0
}

fn attestation_key(index: u8) -> AttestationKey {
    AttestationKey::from_seed(&seed("attestation", index))
}

/// The sample entry of the verifier, as if it were of a group whose members have keys that are known here.
fn evidence() -> (Group, Entry) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../synchronicity-verify/examples/sample.tlog-proof");
    let proof = Proof::parse(&std::fs::read(path).unwrap()).unwrap();
    let mut entry = Entry::from_bytes(&proof.entry).unwrap();
    let signer = |name: &str, kind| Signer::from_seed(name, kind, &seed(name, 0)).unwrap().verifier_key().clone();
    let origin = "synchronicity.example/sample";
    let member = |index: u8| Member {
        name: format!("builder-{index}"),
        consensus: CommandKey::from_seed(seed("consensus", index)).id().0,
        command: CommandKey::from_seed(seed("command", index)).id(),
        cosigner: signer(&format!("{origin}/builder-{index}"), KeyKind::Cosigner),
        attestation: CommandKey::from_seed(seed("attestation", index)).id().0,
        address: "192.0.2.1:4800".to_owned(),
        absent: false,
    };
    let group = Group::new(Charter {
        origin: origin.to_owned(),
        epoch: 0,
        log_key: signer(origin, KeyKind::Log),
        threshold: 3,
        commit_window_ms: 1000,
        reveal_window_ms: 1000,
        containment: Vec::new(),
        overrides: Vec::new(),
        members: (0..4).map(member).collect(),
    })
    .unwrap();
    entry.group = group.id();
    for (record, member) in entry.members.iter_mut().zip(group.members()) {
        record.builder = member.command;
    }
    (group, entry)
}

#[test]
fn the_pre_authentication_encoding_is_that_of_the_specification() {
    let hello = pae("http://example.com/HelloWorld", b"hello world");
    assert_eq!(hello, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    assert_eq!(pae("é", "ü\0".as_bytes()), "DSSEv1 2 é 3 ü\0".as_bytes());
}

#[test]
fn a_provenance_says_exactly_this() {
    let (group, entry) = evidence();
    let evidence = Evidence::new(&entry, &group).unwrap();
    let payload = provenance(&evidence, &group.members()[1].command).unwrap();
    let said: Value = serde_json::from_slice(&payload).unwrap();
    let text = serde_json::to_string_pretty(&said).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/attest/provenance_sample.json");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap());
    assert_eq!(canonical(&said).unwrap().as_bytes(), payload, "the payload is canonical");
}

#[test]
fn a_summary_claims_no_level_of_slsa_and_is_signed_by_several_in_one_envelope() {
    let (group, entry) = evidence();
    let payload = summary(&Evidence::new(&entry, &group).unwrap());
    let said: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(said["predicate"]["verifiedLevels"], json!([LEVEL, "SLSA_BUILD_LEVEL_UNEVALUATED"]));
    let [first, second] = [0, 1].map(|index| Envelope::sign(payload.clone(), &attestation_key(index)));
    let merged = first.clone().merged(second.clone()).unwrap();
    assert_eq!(second.merged(first.clone()).unwrap(), merged, "in whichever order");
    let read = Envelope::parse(merged.to_json().as_bytes()).unwrap();
    assert!((0..2).all(|index| read.is_signed_by(&attestation_key(index).public())));
    assert!(!read.is_signed_by(&attestation_key(2).public()));
    assert_eq!(first.merged(Envelope::sign(b"{}".to_vec(), &attestation_key(1))), None);
}

#[test]
fn only_builders_that_agreed_in_a_reproduced_entry_of_this_group_attest() {
    let (group, mut entry) = evidence();
    entry.members[2].opening = None;
    let evidence = Evidence::new(&entry, &group).unwrap();
    assert_eq!(evidence.agreeing().len(), 3);
    assert_eq!(provenance(&evidence, &group.members()[2].command), None);
    entry.verdict = synchronicity_verify::entry::Verdict::Diverged;
    assert!(matches!(Evidence::new(&entry, &group), Err(NothingToAttest::Verdict(_))));
    entry.group = Digest::of(b"another");
    assert!(matches!(Evidence::new(&entry, &group), Err(NothingToAttest::Group { .. })));
}

#[test]
fn a_link_holds_for_its_key_and_its_content_only() {
    let (group, entry) = evidence();
    let expected = link(&Evidence::new(&entry, &group).unwrap());
    let signed = SignedLink::sign(expected.clone(), &attestation_key(0));
    let read = SignedLink::parse(signed.to_json().as_bytes()).unwrap();
    assert!(read.is_of(&attestation_key(0).public(), &expected));
    assert!(!read.is_of(&attestation_key(1).public(), &expected));
    let changed = signed.to_json().replace("\"rebuild\"", "\"another\"");
    assert!(!SignedLink::parse(changed.as_bytes()).unwrap().is_of(&attestation_key(0).public(), &expected));
    let fraction = signed.to_json().replace("\"rebuild\"", "0.5");
    assert!(SignedLink::parse(fraction.as_bytes()).is_err(), "what cannot be written back is not read");
}

#[test]
fn an_envelope_has_one_spelling_and_limits() {
    let json = Envelope::sign(b"{}".to_vec(), &attestation_key(0)).to_json();
    let refused = |json: String| Envelope::parse(json.as_bytes()).unwrap_err();
    assert!(matches!(refused(json.replace(PAYLOAD_TYPE, "text/plain")), EnvelopeError::PayloadType(_)));
    assert!(matches!(refused(json.replace("e30=", "e30")), EnvelopeError::Base64(_)));
    assert!(matches!(refused(json.replacen('{', "{\"more\":1,", 1)), EnvelopeError::Json(_)));
    assert_eq!(
        refused(format!("{json}{}", " ".repeat(ENVELOPE_BYTES_MAX))),
        EnvelopeError::TooLong(json.len() + ENVELOPE_BYTES_MAX)
    );
    let mut twice: Value = serde_json::from_str(&json).unwrap();
    let line = twice["signatures"][0].clone();
    twice["signatures"] = json!([line, line]);
    assert_eq!(refused(twice.to_string()), EnvelopeError::Signatures);
    twice["signatures"] = json!([]);
    assert_eq!(refused(twice.to_string()), EnvelopeError::Signatures);
    assert_eq!(PublicKey::from_bytes(&[0; 32]), None);
}

#[test]
fn canonical_json_sorts_keys_escapes_two_characters_and_has_no_fractions() {
    let value = json!({ "é": [1, true, null], "b": { "z": -1, "y": "q\"\\/" }, "B": [] });
    assert_eq!(canonical(&value).unwrap(), r#"{"B":[],"b":{"y":"q\"\\/","z":-1},"é":[1,true,null]}"#);
    assert_eq!(canonical(&json!("\n")).unwrap(), "\"\n\"", "as OLPC has it, raw");
    assert!(canonical(&json!([1.5])).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[^\\p{Cc}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[^\\p{Cc}]{0,6}", inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_json_without_control_characters_reads_back_and_is_its_own_canonical_form(value in any_json()) {
        let text = canonical(&value).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(canonical(&read).unwrap(), text);
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..400, value: u8) {
        let _ = (Envelope::parse(&bytes), SignedLink::parse(&bytes));
        let mut good = Envelope::sign(b"{}".to_vec(), &attestation_key(0)).to_json().into_bytes();
        let at = at % good.len();
        good[at] = value;
        let _ = Envelope::parse(&good);
    }
}
