//! The proof file (C2SP `tlog-proof`): an entry, where it stands in the log, and the log's signed checkpoint.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64 of the entry>
//! index <decimal>
//! <base64 of a hash>              from the leaf's sibling up to the root's child
//! ...
//!
//! <signed checkpoint, verbatim>
//! ```
//!
//! The specification leaves `extra` to the application and does not authenticate it. Here it carries the entry, so
//! that one file suffices; it is trusted only because its leaf hash leads to the signed root.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};

use crate::checkpoint::{SIZE_MAX, parse_decimal, parse_hash};
use crate::digest::Digest;
use crate::entry::ENTRY_BYTES_MAX;
use crate::note::{NOTE_BYTES_MAX, NoteError, SignedNote};

/// The largest proof file, in bytes: the largest entry, the longest path and the largest note fit.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + 96 * 1024;

/// The longest path: a tree of fewer than 2^63 leaves is no deeper.
pub const PATH_MAX: usize = 63;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A parsed proof file. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Canonical bytes of the entry: the leaf.
    pub entry: Vec<u8>,
    /// Index of the entry in the log, from 0.
    pub index: u64,
    /// Hashes from the leaf's sibling up to the root's child.
    pub path: Vec<Digest>,
    /// The signed checkpoint.
    pub checkpoint: SignedNote,
}

/// Bytes that are no proof file of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// More than [`PROOF_BYTES_MAX`].
    #[error("proof file of {0} bytes; at most {PROOF_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not UTF-8, or another first line.
    #[error("not a proof file: its first line must be {FIRST_LINE}")]
    Kind,
    /// No blank line between the path and the checkpoint.
    #[error("proof file is cut off: there is no checkpoint in it")]
    Truncated,
    /// No line with the entry, or not base64, or too large an entry.
    #[error("proof file: its second line must be \"extra\" and the log entry in base64")]
    Extra,
    /// No line with the index, or not a number in its one spelling.
    #[error("proof file: the line after the entry must be \"index\" and a decimal number below 2^63")]
    Index,
    /// A line of the path that is no hash, or more than [`PATH_MAX`] of them.
    #[error("proof file: the lines after the index must be at most {PATH_MAX} hashes of 32 bytes in base64")]
    Path,
    /// The checkpoint is no signed note.
    #[error("proof file: {0}")]
    Note(#[from] NoteError),
    /// Some other second spelling.
    #[error("proof file is not spelled as this format spells it")]
    NotCanonical,
}

impl Proof {
    /// Reads a proof file; refuses everything that `Display` would not write back byte by byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(ProofError::TooLong(bytes.len()));
        }
        let text = core::str::from_utf8(bytes).map_err(|_| ProofError::Kind)?;
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::Truncated)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofError::Kind);
        }
        let extra = lines.next().and_then(|line| line.strip_prefix("extra ")).ok_or(ProofError::Extra)?;
        let entry = Base64::decode_vec(extra).map_err(|_| ProofError::Extra)?;
        if entry.len() > ENTRY_BYTES_MAX {
            return Err(ProofError::Extra);
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(parse_decimal);
        let index = index.filter(|index| *index < SIZE_MAX).ok_or(ProofError::Index)?;
        let path = lines.map(parse_hash).collect::<Option<Vec<_>>>();
        let path = path.filter(|path| path.len() <= PATH_MAX).ok_or(ProofError::Path)?;
        let proof = Self { entry, index, path, checkpoint: SignedNote::parse(note.as_bytes())? };
        // Each parser above is strict already; this holds even where one of them should be wrong.
        if proof.to_string() == text { Ok(proof) } else { Err(ProofError::NotCanonical) }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.entry, self.index, &self.path, &self.checkpoint.to_string()))
    }
}

/// The proof file of these parts, as [`Proof`] displays it: for whoever makes many under one checkpoint, the text of
/// which ([`SignedNote`]'s `Display`) is then made once.
pub fn text(entry: &[u8], index: u64, path: &[Digest], checkpoint: &str) -> String {
    // A hash takes a line of 45; words and number take less than 64.
    let length = 64 + Base64::encoded_len(entry) + 45 * path.len() + checkpoint.len();
    let mut text = String::with_capacity(length);
    text.extend([FIRST_LINE, "\nextra "]);
    push_base64(&mut text, entry);
    text.extend(["\nindex ", &index.to_string(), "\n"]);
    for hash in path {
        push_base64(&mut text, &hash.0);
        text.push('\n');
    }
    text.extend(["\n", checkpoint]);
    text
}

/// Without a second buffer as long as the text: servers call this often.
fn push_base64(text: &mut String, bytes: &[u8]) {
    // Whole groups of three bytes, so that the parts in a row are the encoding of the whole.
    for part in bytes.chunks(192) {
        let mut encoded = [0; 256];
        // It fits: four digits for three bytes.
        text.push_str(Base64::encode(part, &mut encoded).unwrap_or_default());
    }
}
