//! The body of `add-checkpoint` (C2SP `tlog-witness`), read and written.
//!
//! ```text
//! old <size in decimal> \n
//! <base64 of a hash> \n           at most 63: the consistency proof from the old size
//! \n
//! <signed checkpoint>             origin \n size \n base64 of the root \n, perhaps extension lines, then signatures
//! ```
//!
//! A log of somebody else may have extension lines in its checkpoints, which those of this project's logs never have: a
//! witness vouches for the first three lines and for nothing else. Every other line has one spelling.

use base64ct::{Base64, Encoding};
use synchronicity_verify::checkpoint::SIZE_MAX;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{NoteError, SignedNote};
use thiserror::Error;

/// The largest body that is read, in bytes: room for the longest proof and for 16 post-quantum signatures.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// The most hashes of a consistency proof.
pub const PATH_MAX: usize = 63;

/// A request to cosign a checkpoint. Nothing about it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness is thought to have cosigned last.
    pub old: u64,
    /// Consistency proof from there to the checkpoint.
    pub path: Vec<Digest>,
    /// The checkpoint with its signatures.
    pub note: SignedNote,
    /// Its first line.
    pub origin: String,
    /// Its second line.
    pub size: u64,
    /// Its third line.
    pub root: Digest,
}

/// Bytes that are no such request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// More than [`BODY_BYTES_MAX`].
    #[error("a request of more than {BODY_BYTES_MAX} bytes")]
    TooLong,
    /// No line `old SIZE` at the beginning.
    #[error("the first line must be \"old\" and a size in decimal, below 2^63 and without leading zeros")]
    Old,
    /// A line of the proof that is no hash, or too many of them.
    #[error("between the old size and an empty line there must be at most {PATH_MAX} hashes of 32 bytes in base64")]
    Path,
    /// What follows the empty line is no signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text of the note is no checkpoint.
    #[error("the checkpoint must begin with its origin, its size in decimal and its root hash in base64, a line each")]
    Checkpoint,
}

impl AddCheckpoint {
    /// Reads a body.
    ///
    /// # Errors
    /// [`RequestError`], whatever the bytes are.
    pub fn parse(bytes: &[u8]) -> Result<AddCheckpoint, RequestError> {
        if bytes.len() > BODY_BYTES_MAX {
            return Err(RequestError::TooLong);
        }
        let (old, mut rest) = line(bytes).ok_or(RequestError::Old)?;
        let old = old.strip_prefix("old ").and_then(size).ok_or(RequestError::Old)?;
        let mut path = Vec::new();
        loop {
            let (text, after) = line(rest).ok_or(RequestError::Path)?;
            rest = after;
            if text.is_empty() {
                break;
            }
            path.push(hash(text).filter(|_| path.len() < PATH_MAX).ok_or(RequestError::Path)?);
        }
        let note = SignedNote::parse(rest)?;
        let (origin, size, root) = checkpoint(&note.text).ok_or(RequestError::Checkpoint)?;
        Ok(AddCheckpoint { old, path, origin: origin.to_owned(), size, root, note })
    }

    /// The body of a request, as a client sends it.
    pub fn body(old: u64, path: &[Digest], note: &SignedNote) -> String {
        let path: String = path.iter().map(|hash| format!("{}\n", Base64::encode_string(&hash.0))).collect();
        format!("old {old}\n{path}\n{note}")
    }
}

/// A size as the protocol spells it, in requests and in answers.
pub fn size(text: &str) -> Option<u64> {
    let size: u64 = text.parse().ok().filter(|size| *size <= SIZE_MAX)?;
    // The standard parser also takes a plus sign and leading zeros.
    (size.to_string() == text).then_some(size)
}

/// The first line, without its newline, and what comes after it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

fn hash(text: &str) -> Option<Digest> {
    let mut hash = [0; 32];
    match Base64::decode(text, &mut hash) {
        Ok(bytes) if bytes.len() == 32 => Some(Digest(hash)),
        _ => None,
    }
}

fn checkpoint(text: &str) -> Option<(&str, u64, Digest)> {
    let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
    let [origin, tree_size, root, extensions @ ..] = lines.as_slice() else { return None };
    if origin.is_empty() || extensions.iter().any(|line| line.is_empty()) {
        return None;
    }
    Some((origin, size(tree_size)?, hash(root)?))
}
