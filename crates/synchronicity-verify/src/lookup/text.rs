//! Reads the text of an answer, one line at a time.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::iter::Peekable;
use core::str::Split;

use base64ct::{Base64, Encoding};

use super::{FIRST_LINE, LEAVES_MAX, LOOKUP_BYTES_MAX, LoggedEntry, Lookup};
use crate::checkpoint::{SIZE_MAX, parse_decimal, parse_hash};
use crate::entry::ENTRY_BYTES_MAX;
use crate::map::{MapKey, MapLeaf, MapProof};
use crate::note::{NoteError, SignedNote};
use crate::proof::PATH_MAX;

/// Bytes that are no answer file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupTextError {
    /// More than [`LOOKUP_BYTES_MAX`].
    #[error("answer of {0} bytes; at most {LOOKUP_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not UTF-8, or another first line.
    #[error("not an answer to a lookup: its first line must be {FIRST_LINE}")]
    Kind,
    /// No empty line before the checkpoint.
    #[error("answer is cut off: there is no checkpoint in it")]
    Truncated,
    /// No line with what was asked for.
    #[error("answer: its second line must be \"prefix\" and at most 64 hex digits")]
    Prefix,
    /// A line of the map's proof.
    #[error(
        "answer: the map's proof must be at most 256 lines with a hash and {LEAVES_MAX} with a key and its indices"
    )]
    Map,
    /// A line with an entry, or of its path, or something else in their place.
    #[error("answer: the lines before the checkpoint must be entries, each with an index and its inclusion proof")]
    Entry,
    /// The checkpoint is no signed note.
    #[error("answer: {0}")]
    Note(#[from] NoteError),
    /// Some other second spelling.
    #[error("answer is not spelled as this format spells it")]
    NotCanonical,
}

type Lines<'a> = Peekable<Split<'a, char>>;

pub(super) fn parse(bytes: &[u8]) -> Result<Lookup, LookupTextError> {
    if bytes.len() > LOOKUP_BYTES_MAX {
        return Err(LookupTextError::TooLong(bytes.len()));
    }
    let text = core::str::from_utf8(bytes).map_err(|_| LookupTextError::Kind)?;
    let (head, note) = text.split_once("\n\n").ok_or(LookupTextError::Truncated)?;
    let mut lines = head.split('\n').peekable();
    if lines.next() != Some(FIRST_LINE) {
        return Err(LookupTextError::Kind);
    }
    // An empty prefix leaves the space behind the word.
    let prefix = lines.next().and_then(|line| line.strip_prefix("prefix ")).and_then(|digits| digits.parse().ok());
    let prefix = prefix.ok_or(LookupTextError::Prefix)?;
    let proof = map_proof(&mut lines).ok_or(LookupTextError::Map)?;
    let mut entries = Vec::new();
    while lines.peek().is_some() {
        entries.push(entry(&mut lines).ok_or(LookupTextError::Entry)?);
    }
    if !entries.is_sorted_by(|a: &LoggedEntry, b| a.index < b.index) {
        return Err(LookupTextError::Entry);
    }
    let lookup = Lookup { prefix, proof, entries, checkpoint: SignedNote::parse(note.as_bytes())? };
    // Each parser above is strict already; this holds even where one of them should be wrong.
    if lookup.to_string() == text { Ok(lookup) } else { Err(LookupTextError::NotCanonical) }
}

fn map_proof(lines: &mut Lines<'_>) -> Option<MapProof> {
    let mut proof = MapProof::default();
    while let Some(hash) = lines.peek().and_then(|line| line.strip_prefix("sibling ")) {
        proof.siblings.push(parse_hash(hash)?);
        lines.next();
    }
    while let Some(line) = lines.peek().and_then(|line| line.strip_prefix("leaf ")) {
        let mut items = line.split(' ');
        let key = MapKey(parse_hash(items.next()?)?);
        let indices = items.map(index).collect::<Option<Vec<u64>>>()?;
        proof.leaves.push(MapLeaf { key, indices });
        lines.next();
    }
    (proof.siblings.len() <= 256 && proof.leaves.len() <= LEAVES_MAX).then_some(proof)
}

fn entry(lines: &mut Lines<'_>) -> Option<LoggedEntry> {
    let (number, entry) = lines.next()?.strip_prefix("entry ")?.split_once(' ')?;
    let index = index(number)?;
    let entry = Base64::decode_vec(entry).ok().filter(|entry| entry.len() <= ENTRY_BYTES_MAX)?;
    let mut path = Vec::new();
    while let Some(line) = lines.next_if(|line| !line.starts_with("entry ")) {
        path.push(parse_hash(line)?);
    }
    (path.len() <= PATH_MAX).then_some(LoggedEntry { index, entry, path })
}

fn index(text: &str) -> Option<u64> {
    parse_decimal(text).filter(|index| *index < SIZE_MAX)
}
