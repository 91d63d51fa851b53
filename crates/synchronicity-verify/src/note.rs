//! Signed notes (C2SP `signed-note`): a text that ends in a newline, a blank line, and signature lines.
//!
//! ```text
//! line = "— " name " " base64(key id ‖ signature) "\n"        the dash is U+2014
//! ```
//!
//! A note is UTF-8 without control characters but newline; the text ends at the *last* blank line. A note with a
//! second spelling of anything, or with two lines of one (name, key id), is refused.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};

pub use crate::key::{KEY_NAME_BYTES_MAX, KeyError, KeyKind, Signer, VerifierKey, check_key_name};

/// The largest note, in bytes: [`SIGNATURES_MAX`] post-quantum signatures fit.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;

/// The most signature lines that a note can have. The specification asks for at least 16.
pub const SIGNATURES_MAX: usize = 64;

/// A parsed note. Nothing about its signatures is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    /// The text, with its final newline.
    pub text: String,
    /// The signature lines, in the order of the note.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Id of the key; name and id together say which key it is.
    pub key_id: u32,
    /// What the key's algorithm defines: 64 bytes for type `01`, 8 + 64 for type `04`.
    pub signature: Vec<u8>,
}

/// Bytes that are no signed note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More than [`NOTE_BYTES_MAX`].
    #[error("signed note of {0} bytes; at most {NOTE_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not UTF-8, or with a control character other than newline.
    #[error("signed note is not plain text: it must be UTF-8 with no control characters but newline")]
    NotText,
    /// No blank line before the signatures, no text, or no final newline.
    #[error("signed note is cut off: it must be text, a blank line, and lines that each end in a newline")]
    Truncated,
    /// A line below the blank line that is no signature.
    #[error("signed note: signature line {0} is malformed")]
    Line(usize),
    /// More than [`SIGNATURES_MAX`] lines.
    #[error("signed note with more than {SIGNATURES_MAX} signature lines")]
    TooMany,
    /// Two lines of one key, good or bad.
    #[error("signed note: two signature lines of key {name}+{key_id:08x}")]
    Duplicate {
        /// Name of the key.
        name: String,
        /// Id of the key.
        key_id: u32,
    },
}

/// A signature that does not hold, or is none of this key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature of {name} does not verify")]
pub struct BadSignature {
    /// Name of the key.
    pub name: String,
}

/// A key asked to sign what is not its kind of statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key {name} is not of the kind that signs this; log keys sign notes, cosigner keys cosign checkpoints")]
pub struct WrongKind {
    /// Name of the key.
    pub name: String,
}

impl SignedNote {
    /// Reads a note; refuses everything that [`SignedNote`]'s `Display` would not write back byte by byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let note = plain_text(bytes).ok_or(NoteError::NotText)?;
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Truncated)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Truncated)?;
        let mut signatures: Vec<NoteSignature> = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            let signature = NoteSignature::parse(line).ok_or(NoteError::Line(number + 1))?;
            if signatures.len() == SIGNATURES_MAX {
                return Err(NoteError::TooMany);
            }
            if signatures.iter().any(|other| other.key_id == signature.key_id && other.name == signature.name) {
                return Err(NoteError::Duplicate { name: signature.name, key_id: signature.key_id });
            }
            signatures.push(signature);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The line of this key, if there is one.
    pub fn signature_of(&self, key: &VerifierKey) -> Option<&NoteSignature> {
        self.signatures.iter().find(|signature| signature.is_of(key))
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    /// Reads one line, without its newline.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, blob) = line.strip_prefix("— ")?.split_once(' ')?;
        check_key_name(name).ok()?;
        let blob = Base64::decode_vec(blob).ok()?;
        let (key_id, signature) = blob.split_first_chunk()?;
        let signature =
            NoteSignature { name: name.to_owned(), key_id: u32::from_be_bytes(*key_id), signature: signature.to_vec() };
        (!signature.signature.is_empty()).then_some(signature)
    }

    /// Whether the line claims to be of this key.
    pub fn is_of(&self, key: &VerifierKey) -> bool {
        self.key_id == key.id() && self.name == key.name()
    }
}

impl fmt::Display for NoteSignature {
    /// The line, without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blob = self.key_id.to_be_bytes().to_vec();
        blob.extend_from_slice(&self.signature);
        write!(f, "— {} {}", self.name, Base64::encode_string(&blob))
    }
}

/// Signs a note's text (which ends in a newline) with a key of type `01`.
pub fn sign(signer: &Signer, text: &str) -> Result<NoteSignature, WrongKind> {
    let key = signer.verifier_key();
    if key.kind() != KeyKind::Log {
        return Err(WrongKind { name: key.name().to_owned() });
    }
    let signature = signer.sign_bytes(text.as_bytes()).to_vec();
    Ok(NoteSignature { name: key.name().to_owned(), key_id: key.id(), signature })
}

/// Verifies a line of type `01`: Ed25519 over the text.
pub fn verify(key: &VerifierKey, text: &str, line: &NoteSignature) -> Result<(), BadSignature> {
    let good = key.kind() == KeyKind::Log
        && line.is_of(key)
        && <&[u8; 64]>::try_from(line.signature.as_slice()).is_ok_and(|signature| key.made(signature, text.as_bytes()));
    if good { Ok(()) } else { Err(BadSignature { name: key.name().to_owned() }) }
}

/// UTF-8 with no ASCII control character but newline.
pub(crate) fn plain_text(bytes: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(bytes).ok()?;
    text.bytes().all(|byte| byte >= 0x20 || byte == b'\n').then_some(text)
}
