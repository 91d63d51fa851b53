//! What an outside witness is asked, and what its answer means. No network here: bytes in, a decision out.

use synchronicity_verify::cosignature;
use synchronicity_verify::note::{NoteSignature, SignedNote, VerifierKey};
use thiserror::Error;

use super::request;

/// The largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a refusal that are told on.
const REASON_BYTES_MAX: usize = 200;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The witness's key.
    pub key: &'a VerifierKey,
    /// Text of the checkpoint.
    pub text: &'a str,
    /// Size of the checkpoint.
    pub size: u64,
    /// The size that the witness was thought to have cosigned last.
    pub old: u64,
    /// The latest time, in seconds, that a cosignature may state.
    pub latest_s: u64,
}

/// Why there is no cosignature.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// The witness has cosigned another size: ask again from there.
    #[error("it has cosigned size {0} last")]
    OtherSize(u64),
    /// The witness has cosigned more than this node has published.
    #[error("it has cosigned size {0} already, more than is published here; another member may be ahead")]
    Ahead(u64),
    /// The witness does not find the checkpoint consistent with the one that it cosigned last.
    #[error(
        "it does not find our log consistent with what it saw before ({0}): compare the published log with those of \
         the other members; if they differ, the log has forked"
    )]
    Inconsistent(String),
    /// Another refusal, which a repetition hardly mends.
    #[error("it refuses with status {0}: {1}")]
    Refused(u16, String),
    /// It cannot answer now.
    #[error("it does not answer: {0}")]
    Away(String),
    /// This node's own log cannot be read.
    #[error("the proof that the log only grew cannot be made: {0}")]
    Unproven(String),
    /// An answer that is none.
    #[error("its answer holds no valid cosignature of its key")]
    BadAnswer,
}

/// Reads the answer to a question.
///
/// # Errors
/// [`Trouble`] for everything but a good cosignature of the witness's key. Lines of other keys are ignored.
pub fn read(asked: &Asked<'_>, status: u16, body: &[u8]) -> Result<NoteSignature, Trouble> {
    match status {
        200 => cosigned(asked, body).ok_or(Trouble::BadAnswer),
        409 => {
            let size = std::str::from_utf8(body).ok().and_then(|body| request::size(body.strip_suffix('\n')?));
            match size {
                Some(size) if size > asked.size => Err(Trouble::Ahead(size)),
                // Older witnesses say so of another root at the same size.
                Some(size) if size == asked.old => Err(Trouble::Inconsistent(reason(body))),
                Some(size) => Err(Trouble::OtherSize(size)),
                None => Err(Trouble::BadAnswer),
            }
        }
        422 => Err(Trouble::Inconsistent(reason(body))),
        429 | 500.. => Err(Trouble::Away(format!("status {status}"))),
        _ => Err(Trouble::Refused(status, reason(body))),
    }
}

fn cosigned(asked: &Asked<'_>, body: &[u8]) -> Option<NoteSignature> {
    let note = [asked.text.as_bytes(), b"\n", body].concat();
    let note = SignedNote::parse(&note).ok().filter(|note| note.text == asked.text)?;
    let line = note.signature_of(asked.key)?;
    let time_s = cosignature::verify(asked.key, asked.text, line).ok()?;
    (time_s > 0 && time_s <= asked.latest_s).then(|| line.clone())
}

/// The beginning of what a stranger wrote, in one line that may be shown.
fn reason(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(REASON_BYTES_MAX)]);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
