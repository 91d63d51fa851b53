//! What both kinds of statement share: subjects, and the names of groups and members as URIs.

use serde_json::{Value, json};
use synchronicity_core::group::Member;
use synchronicity_verify::digest::Digest;

use super::canonical_json::canonical;
use super::evidence::Evidence;

/// An in-toto Statement v1 about the agreed artifacts, in canonical JSON.
pub(super) fn statement(evidence: &Evidence<'_>, predicate_type: &str, predicate: Value) -> Vec<u8> {
    let subject = evidence
        .artifacts()
        .iter()
        .map(|artifact| json!({ "name": artifact.name.as_str(), "digest": { "sha256": artifact.sha256.to_string() } }));
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject.collect::<Vec<_>>(),
        "predicateType": predicate_type,
        "predicate": predicate,
    });
    canonical(&statement).expect("a statement holds texts and whole numbers").into_bytes()
}

/// `https://<origin>`: an origin is a URL without its scheme.
pub(super) fn group_uri(evidence: &Evidence<'_>) -> String {
    format!("https://{}", escaped(evidence.group().origin()))
}

/// `https://<origin>/builders/<member>`: the same member under another group's origin is another builder.
pub(super) fn builder_uri(evidence: &Evidence<'_>, member: &Member) -> String {
    format!("{}/builders/{}", group_uri(evidence), member.name)
}

/// The entry, by the SHA-256 of its canonical bytes.
pub(super) fn entry_descriptor(evidence: &Evidence<'_>) -> Value {
    let sha256 = Digest::of(&evidence.entry().to_bytes()).to_string();
    json!({
        "name": "entry",
        "uri": format!("{}/entries/{sha256}", group_uri(evidence)),
        "digest": { "sha256": sha256 },
    })
}

/// Percent-encodes what a URI may not hold as it is. Slashes and colons stay: an origin has hosts, ports and paths.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
