//! The keys that sign attestations: Ed25519, one for each member, for nothing else.

use std::fmt;

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use synchronicity_verify::digest::Digest;

/// A member's secret attestation key. Never printed.
pub struct AttestationKey(SigningKey);

/// The public half, as the group file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl AttestationKey {
    /// The key of a 32-byte secret seed (RFC 8032 secret key).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature over these bytes, the same whenever it is asked for.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for AttestationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttestationKey(secret)")
    }
}

impl PublicKey {
    /// The key with this 32-byte encoding; `None` if it is no point of large order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().filter(|point| !point.is_weak()).map(Self)
    }

    /// How envelopes and links name the key: as securesystemslib does by itself for a key that it reads from PEM, so that
    /// its users need not be told. 64 lower-case hex digits:
    ///
    /// ```text
    /// SHA-256({"keytype":"ed25519","keyval":{"public":"<64 hex digits>"},"scheme":"ed25519"})
    /// ```
    pub fn key_id(&self) -> String {
        let public = Digest(*self.0.as_bytes());
        let text = format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#);
        Digest::of(text.as_bytes()).to_string()
    }

    /// Whether this key made `signature` over `message`, by the strict rules.
    pub fn made(&self, signature: &[u8; 64], message: &[u8]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }

    /// The key as other tools read it: SubjectPublicKeyInfo (RFC 8410) in PEM.
    pub fn to_pem(&self) -> String {
        // A sequence of the algorithm 1.3.101.112 and a bit string: the same for every key of this kind.
        let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        der.extend_from_slice(self.0.as_bytes());
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", Base64::encode_string(&der))
    }
}
