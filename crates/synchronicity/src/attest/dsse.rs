//! The envelope of statements (DSSE v1): a payload, and signatures over its pre-authentication encoding.
//!
//! ```text
//! PAE      = "DSSEv1" SP length of type SP type SP length of payload SP payload       lengths in decimal ASCII
//! envelope = {"payload":"<base64>","payloadType":"application/vnd.in-toto+json",
//!             "signatures":[{"keyid":"<64 hex digits>","sig":"<base64>"}]}
//! ```
//!
//! Stricter than the specification where it leaves a choice: one payload type, standard base64 with padding, no unknown
//! fields, each key once.

use base64ct::{Base64, Encoding};
use serde::Deserialize;
use serde_json::json;
use synchronicity_core::group::MEMBERS_MAX;

use super::canonical_json::canonical;
use super::key::{AttestationKey, PublicKey};

/// What the payload is: an in-toto statement in JSON.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Media type of an envelope.
pub const MEDIA_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

/// The largest envelope read, in bytes: a statement with the most artifacts stays far below.
pub const ENVELOPE_BYTES_MAX: usize = 256 * 1024;

/// A payload of [`PAYLOAD_TYPE`], and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    signatures: Vec<EnvelopeSignature>,
}

/// One signature: the key's [id](PublicKey::key_id), and 64 bytes of Ed25519 over the [`pae`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// Which key.
    pub key_id: String,
    /// The signature.
    pub signature: [u8; 64],
}

/// Bytes that are no envelope of a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More than [`ENVELOPE_BYTES_MAX`].
    #[error("an envelope of {0} bytes; at most {ENVELOPE_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not the JSON of an envelope.
    #[error("no DSSE envelope: {0}")]
    Json(String),
    /// A payload of another type.
    #[error("an envelope around {0:?}, not around an in-toto statement")]
    PayloadType(String),
    /// Base64 that is not standard, padded and exact.
    #[error("the {0} of the envelope is not base64")]
    Base64(&'static str),
    /// No signature, more than a group has members, or two of one key.
    #[error("an envelope must have 1 to {MEMBERS_MAX} signatures, each of another key")]
    Signatures,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnvelopeText {
    payload: String,
    payload_type: String,
    signatures: Vec<SignatureText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureText {
    keyid: String,
    sig: String,
}

/// What is signed: the type and the payload, each behind its length, so that no two pairs have one encoding.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl Envelope {
    /// Signs a statement.
    pub fn sign(payload: Vec<u8>, key: &AttestationKey) -> Self {
        let signature = key.sign(&pae(PAYLOAD_TYPE, &payload));
        let signatures = vec![EnvelopeSignature { key_id: key.public().key_id(), signature }];
        Self { payload, signatures }
    }

    /// Reads an envelope. Nothing about its signatures is verified yet.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(EnvelopeError::TooLong(bytes.len()));
        }
        let text: EnvelopeText =
            serde_json::from_slice(bytes).map_err(|error| EnvelopeError::Json(error.to_string()))?;
        if text.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::PayloadType(text.payload_type));
        }
        let payload = Base64::decode_vec(&text.payload).map_err(|_| EnvelopeError::Base64("payload"))?;
        let mut signatures: Vec<EnvelopeSignature> = Vec::new();
        for SignatureText { keyid: key_id, sig } in text.signatures {
            let sig = Base64::decode_vec(&sig).map_err(|_| EnvelopeError::Base64("signature"))?;
            let signature = sig.try_into().map_err(|_| EnvelopeError::Base64("signature"))?;
            if signatures.len() == MEMBERS_MAX || signatures.iter().any(|other| other.key_id == key_id) {
                return Err(EnvelopeError::Signatures);
            }
            signatures.push(EnvelopeSignature { key_id, signature });
        }
        if signatures.is_empty() { Err(EnvelopeError::Signatures) } else { Ok(Self { payload, signatures }) }
    }

    /// The statement.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures.
    pub fn signatures(&self) -> &[EnvelopeSignature] {
        &self.signatures
    }

    /// Whether the envelope has a signature of this key, and it holds.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let key_id = key.key_id();
        let message = pae(PAYLOAD_TYPE, &self.payload);
        self.signatures.iter().any(|line| line.key_id == key_id && key.made(&line.signature, &message))
    }

    /// The signatures of both; `None` if they are around different payloads.
    pub fn merged(mut self, other: Self) -> Option<Self> {
        if self.payload != other.payload {
            return None;
        }
        for signature in other.signatures {
            if self.signatures.iter().all(|known| known.key_id != signature.key_id) {
                self.signatures.push(signature);
            }
        }
        // One envelope for one set of signers, in whichever order they answered.
        self.signatures.sort_by(|a, b| a.key_id.cmp(&b.key_id));
        Some(self)
    }

    /// The envelope as JSON, one line without its end.
    pub fn to_json(&self) -> String {
        let signature =
            |line: &EnvelopeSignature| json!({ "keyid": line.key_id, "sig": Base64::encode_string(&line.signature) });
        let envelope = json!({
            "payload": Base64::encode_string(&self.payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": self.signatures.iter().map(signature).collect::<Vec<_>>(),
        });
        canonical(&envelope).expect("an envelope holds texts only")
    }
}
