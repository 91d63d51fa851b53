//! Cosignatures of witnesses that are no builders: a node has them on its checkpoint and on nothing else, because most
//! policies do not name them, and a file with a line that the policy does not name is refused.

use std::fmt::Display;

use synchronicity_verify::cosignature;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;

use crate::source::Source;

/// How often a file is fetched again because the log has grown beyond it meanwhile.
const ATTEMPTS_MAX: usize = 3;

/// A file that ends in a signed checkpoint, as `read` gets it from `node`, with the lines that the policy needs and the
/// node's own checkpoint has. What `parse` does not take stays as it is, for the verifier to refuse.
///
/// # Errors
/// What `read` said.
pub(crate) fn completed<T: Display, E>(
    (node, policy): (&Source, &Policy),
    read: impl Fn() -> Result<Vec<u8>, E>,
    parse: impl Fn(&[u8]) -> Option<T>,
    checkpoint: impl Fn(&mut T) -> &mut SignedNote,
) -> Result<Vec<u8>, E> {
    let mut attempts = 0;
    loop {
        let bytes = read()?;
        attempts += 1;
        let Some(mut file) = parse(&bytes) else { return Ok(bytes) };
        let note = checkpoint(&mut file);
        match lines(note, policy, node) {
            Lines::Added(with_lines) => {
                *note = with_lines;
                return Ok(file.to_string().into_bytes());
            }
            Lines::Moved if attempts < ATTEMPTS_MAX => {}
            Lines::Moved | Lines::None => return Ok(bytes),
        }
    }
}

/// The note without the lines that the policy does not name: a file with one of those is refused, a checkpoint is not.
pub(crate) fn named(mut note: SignedNote, policy: &Policy) -> SignedNote {
    let keys = || policy.witnesses().iter().map(|witness| &witness.key).chain([policy.log()]);
    note.signatures.retain(|line| keys().any(|key| line.is_of(key)));
    note
}

/// What a node has beside the signatures of a file.
enum Lines {
    /// Nothing that is needed.
    None,
    /// Lines of witnesses that the policy names and the file lacks: the same checkpoint with them.
    Added(SignedNote),
    /// The lines of another checkpoint by now.
    Moved,
}

fn lines(note: &SignedNote, policy: &Policy, node: &Source) -> Lines {
    let witnesses = policy.witnesses();
    let present: Vec<bool> = witnesses.iter().map(|witness| note.signature_of(&witness.key).is_some()).collect();
    if policy.is_reached(&present) {
        return Lines::None;
    }
    let Some(newest) = node.checkpoint().ok().and_then(|bytes| SignedNote::parse(&bytes).ok()) else {
        return Lines::None;
    };
    if newest.text != note.text {
        return Lines::Moved;
    }
    let missing = witnesses.iter().zip(present).filter(|(_, present)| !present);
    let lines = missing.filter_map(|(witness, _)| {
        let line = newest.signature_of(&witness.key)?;
        // A line that does not hold would make the whole file false.
        cosignature::verify(&witness.key, &note.text, line).is_ok().then(|| line.clone())
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return Lines::None;
    }
    let signatures = note.signatures.iter().cloned().chain(lines).collect();
    Lines::Added(SignedNote { text: note.text.clone(), signatures })
}
