//! One builder's link: the step `rebuild` of an in-toto layout, in the form that every in-toto since 0.9 reads.
//!
//! ```text
//! {"signatures":[{"keyid":"<64 hex digits>","sig":"<128 hex digits>"}],
//!  "signed":{"_type":"link","name":"rebuild","materials":{…},"products":{…},
//!            "byproducts":{},"command":[],"environment":{}}}
//! ```
//!
//! Signed is the canonical JSON of `signed`. It names no builder: those who agree sign equal bytes, which is what a
//! layout with a threshold asks for.

use serde::Deserialize;
use serde_json::{Value, json};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::Source;

use super::canonical_json::canonical;
use super::evidence::Evidence;
use super::key::{AttestationKey, PublicKey};

/// Name of the step.
pub const STEP: &str = "rebuild";

/// The largest link read, in bytes.
pub const LINK_BYTES_MAX: usize = 256 * 1024;

/// A link with one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedLink {
    signed: Value,
    key_id: String,
    signature: [u8; 64],
}

/// Bytes that are no link of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// More than [`LINK_BYTES_MAX`].
    #[error("a link of {0} bytes; at most {LINK_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not the JSON of a signed link.
    #[error("no signed in-toto link: {0}")]
    Json(String),
    /// Not exactly one signature of 64 bytes in lower-case hex.
    #[error("a builder's link has one signature, of 128 lower-case hex digits")]
    Signature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkText {
    signatures: Vec<SignatureText>,
    signed: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureText {
    keyid: String,
    sig: String,
}

/// What a link says, the same for every builder that agreed.
pub fn link(evidence: &Evidence<'_>) -> Value {
    let (request, source) = (&evidence.entry().request, &evidence.entry().request.source);
    let hashed = |sha256: &Digest| json!({ "sha256": sha256.to_string() });
    let mut products = serde_json::Map::new();
    for artifact in evidence.artifacts() {
        products.insert(artifact.name.as_str().to_owned(), hashed(&artifact.sha256));
    }
    let ending = match source {
        Source::Registry { .. } => "crate",
        Source::Fixture { .. } => "tar",
    };
    let archive = format!("{}-{}.{ending}", source.name(), source.version());
    json!({
        "_type": "link",
        "name": STEP,
        "materials": { archive: hashed(source.checksum()), "Cargo.lock": hashed(&request.lock.sha256) },
        "products": products,
        "byproducts": {},
        "command": [],
        "environment": {},
    })
}

impl SignedLink {
    /// Signs a link.
    pub fn sign(signed: Value, key: &AttestationKey) -> Self {
        let signature = key.sign(&message(&signed));
        Self { signed, key_id: key.public().key_id(), signature }
    }

    /// Reads a link. Nothing about it is verified yet.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LinkError> {
        if bytes.len() > LINK_BYTES_MAX {
            return Err(LinkError::TooLong(bytes.len()));
        }
        let text: LinkText = serde_json::from_slice(bytes).map_err(|error| LinkError::Json(error.to_string()))?;
        let [SignatureText { keyid, sig }] = <[_; 1]>::try_from(text.signatures).map_err(|_| LinkError::Signature)?;
        let signature = unhex(&sig).ok_or(LinkError::Signature)?;
        // What cannot be canonical was never signed, and could not be written back.
        canonical(&text.signed).map_err(|error| LinkError::Json(error.to_string()))?;
        Ok(Self { signed: text.signed, key_id: keyid, signature })
    }

    /// What is signed.
    pub fn signed(&self) -> &Value {
        &self.signed
    }

    /// Whether this key signed exactly `expected`, and the link says that.
    pub fn is_of(&self, key: &PublicKey, expected: &Value) -> bool {
        self.signed == *expected && self.key_id == key.key_id() && key.made(&self.signature, &message(expected))
    }

    /// The file, one line without its end.
    pub fn to_json(&self) -> String {
        let sig: String = self.signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let link = json!({ "signatures": [{ "keyid": self.key_id, "sig": sig }], "signed": self.signed });
        canonical(&link).expect("a link that was signed or compared holds texts only")
    }
}

/// The name under which in-toto looks for the link of a key.
pub fn file_name(key: &PublicKey) -> String {
    format!("{STEP}.{}.link", &key.key_id()[..8])
}

fn message(signed: &Value) -> Vec<u8> {
    canonical(signed).expect("a link of ours holds texts only").into_bytes()
}

fn unhex(text: &str) -> Option<[u8; 64]> {
    let digits = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 128 || !text.as_bytes().iter().all(digits) {
        return None;
    }
    let mut bytes = [0; 64];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}
