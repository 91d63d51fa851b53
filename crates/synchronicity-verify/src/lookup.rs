//! The answer to "what does the log say of this crate, or of this file?", with a proof that it is all that it says.
//!
//! ```text
//! synchronicity/lookup@v1
//! prefix <0 to 64 hex digits>                what was asked for
//! sibling <base64 of a hash>                 of the map's proof, from the root down
//! leaf <base64 of a key> <index>...          of the map's proof
//! entry <index> <base64 of the entry>        rising: every index of the leaves, and the last entry of the log
//! <base64 of a hash>                         its inclusion proof, from the leaf's sibling up to the root's child
//!
//! <signed checkpoint, verbatim>
//! ```
//!
//! The last entry is there because it states the root of the map of the whole log, under which the leaves are proven to
//! be all. The answer of a log without entries has neither siblings, leaves nor entries. Items are separated by one
//! space, numbers are decimal, and every value has one spelling.

use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};

use crate::checkpoint::Checkpoint;
use crate::digest::Digest;
use crate::entry::Entry;
use crate::leaf::Leaf;
use crate::map::{MapKey, MapMismatch, MapProof, Prefix};
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::note::SignedNote;
use crate::policy::Policy;
use crate::verify::{Invalid, VerifiedCheckpoint, VerifyError, verify_signed_file};

mod text;

pub use text::LookupTextError;

/// The largest answer, in bytes.
pub const LOOKUP_BYTES_MAX: usize = 16 << 20;

/// The most keys that an answer lists.
pub const LEAVES_MAX: usize = 4096;

pub(crate) const FIRST_LINE: &str = "synchronicity/lookup@v1";

/// A parsed answer. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// What was asked for.
    pub prefix: Prefix,
    /// What the map has there.
    pub proof: MapProof,
    /// The entries that the proof names, and the last one of the log; by rising index, each once.
    pub entries: Vec<LoggedEntry>,
    /// The signed checkpoint.
    pub checkpoint: SignedNote,
}

/// An entry and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Index in the log, from 0.
    pub index: u64,
    /// Canonical bytes.
    pub entry: Vec<u8>,
    /// Inclusion proof under the answer's checkpoint.
    pub path: Vec<Digest>,
}

/// What a log says of a crate or a file: everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Every entry that stands under the key, with its index, rising. None means that there is no evidence at this size
    /// of the log, and never that a crate is not reproducible.
    pub entries: Vec<(u64, Entry)>,
    /// The checkpoint that the answer holds for, and who cosigned it when.
    pub checkpoint: VerifiedCheckpoint,
}

/// Why an answer is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The signatures do not hold, or are too few.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// No answer file.
    #[error("{0}")]
    Text(#[from] LookupTextError),
    /// The prefix in it does not cover the key that is looked up.
    #[error("the answer is about keys that begin with {0:?}, and this one does not")]
    OtherKey(String),
    /// The last entry is missing, so that nothing states the root of the map.
    #[error("the answer lacks the log's last entry, which states the root of the map")]
    NoLastEntry,
    /// The map's proof does not lead to the root that the last entry states.
    #[error("{0}")]
    Map(#[from] MapMismatch),
    /// The entries are not those that the map names.
    #[error("the answer does not hold exactly the entries that the map names")]
    Entries,
    /// The map names an entry that is about something else.
    #[error("the map lists entry {0} under a key that is not one of its own")]
    Misplaced(u64),
}

impl From<Invalid> for LookupError {
    fn from(invalid: Invalid) -> Self {
        Self::Verify(invalid.into())
    }
}

/// Decides whether `answer` (the bytes of an answer file) holds under `policy`, and gives all that the log has under
/// `key`.
///
/// # Errors
/// [`LookupError`]; then nothing in the answer may be believed.
pub fn verify(answer: &[u8], policy: &Policy, key: &MapKey) -> Result<Answer, LookupError> {
    let lookup = Lookup::parse(answer)?;
    if !lookup.prefix.covers(key) {
        return Err(LookupError::OtherKey(lookup.prefix.to_string()));
    }
    let checkpoint = verify_signed_file(&lookup.checkpoint, policy)?;
    let entries = lookup.included(&checkpoint.checkpoint)?;
    lookup.check_map(&checkpoint.checkpoint, &entries)?;
    let under = lookup.proof.indices(key);
    let entries = entries.into_iter().filter(|(index, _)| under.contains(index));
    let entries = entries.filter_map(|(index, leaf)| Some((index, leaf.into_build()?))).collect();
    Ok(Answer { entries, checkpoint })
}

impl Lookup {
    /// Reads an answer file; refuses everything that `Display` would not write back byte by byte.
    ///
    /// # Errors
    /// [`LookupTextError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LookupTextError> {
        text::parse(bytes)
    }

    /// Every entry, read strictly and shown to stand in the log.
    fn included(&self, checkpoint: &Checkpoint) -> Result<Vec<(u64, Leaf)>, LookupError> {
        let read = |logged: &LoggedEntry| {
            let hash = leaf_hash(&logged.entry);
            verify_inclusion(&hash, logged.index, checkpoint.size, &logged.path, &checkpoint.root)
                .map_err(Invalid::from)?;
            let leaf = Leaf::from_bytes(&logged.entry).map_err(Invalid::from)?;
            Ok((logged.index, leaf))
        };
        self.entries.iter().map(read).collect()
    }

    /// Whether the entries are those of the map under its root in the last of them, and that one.
    fn check_map(&self, checkpoint: &Checkpoint, entries: &[(u64, Leaf)]) -> Result<(), LookupError> {
        let Some(last) = checkpoint.size.checked_sub(1) else {
            let empty = entries.is_empty() && self.proof == MapProof::default();
            return if empty { Ok(()) } else { Err(LookupError::Entries) };
        };
        let (_, newest) = entries.last().filter(|(index, _)| *index == last).ok_or(LookupError::NoLastEntry)?;
        self.proof.verify(&self.prefix, &newest.map_root())?;
        let mut named: Vec<u64> = self.proof.leaves.iter().flat_map(|leaf| &leaf.indices).copied().collect();
        named.push(last);
        named.sort_unstable();
        named.dedup();
        if !named.iter().eq(entries.iter().map(|(index, _)| index)) {
            return Err(LookupError::Entries);
        }
        for leaf in &self.proof.leaves {
            for index in &leaf.indices {
                let entry = entries.binary_search_by_key(index, |(index, _)| *index).map(|at| &entries[at].1);
                let own = entry.is_ok_and(|entry| entry.keys().contains(&leaf.key));
                if !own {
                    return Err(LookupError::Misplaced(*index));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\nprefix {}", self.prefix)?;
        for sibling in &self.proof.siblings {
            writeln!(f, "sibling {}", Base64::encode_string(&sibling.0))?;
        }
        for leaf in &self.proof.leaves {
            write!(f, "leaf {}", Base64::encode_string(&leaf.key.0.0))?;
            leaf.indices.iter().try_for_each(|index| write!(f, " {index}"))?;
            writeln!(f)?;
        }
        for logged in &self.entries {
            writeln!(f, "entry {} {}", logged.index, Base64::encode_string(&logged.entry))?;
            logged.path.iter().try_for_each(|hash| writeln!(f, "{}", Base64::encode_string(&hash.0)))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
