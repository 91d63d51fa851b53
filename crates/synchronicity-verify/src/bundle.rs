//! A whole log in one file, so that whoever looks something up need not tell anybody what.
//!
//! ```text
//! synchronicity/bundle@v1
//! <number of bytes of the signed checkpoint, decimal>
//! <signed checkpoint, verbatim>(u16be length ‖ entry)*
//! ```
//!
//! Every entry under the checkpoint is there, in order. [`BundleReader`] takes the file in pieces and holds no more of
//! it than the piece, one entry, and the map.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::checkpoint::parse_decimal;
use crate::leaf::Leaf;
use crate::note::{NOTE_BYTES_MAX, NoteError, SignedNote};
use crate::policy::Policy;
use crate::replay::{Replay, ReplayError};
use crate::verify::{VerifiedCheckpoint, VerifyError, verify_signed_file};

const FIRST_LINE: &[u8] = b"synchronicity/bundle@v1\n";

/// Digits of the largest note's length, and the newline behind them.
const LENGTH_LINE_MAX: usize = 7;

/// The part of a bundle before the entries. Behind it come the entries as in the log's own entry bundles
/// ([`crate::tile::encode_bundle`]).
pub fn head(checkpoint: &SignedNote) -> Vec<u8> {
    let note = checkpoint.to_string();
    [FIRST_LINE, format!("{}\n", note.len()).as_bytes(), note.as_bytes()].concat()
}

/// Reads and verifies a bundle, piece by piece.
#[derive(Debug)]
pub struct BundleReader<'a> {
    policy: &'a Policy,
    /// What came and is not read yet.
    waiting: Vec<u8>,
    checkpoint: Option<(SignedNote, VerifiedCheckpoint)>,
    replay: Replay,
}

/// A bundle that was read to its end, and holds.
#[derive(Debug)]
pub struct VerifiedBundle {
    /// The checkpoint over all of it, as it is signed.
    pub note: SignedNote,
    /// The same, verified.
    pub checkpoint: VerifiedCheckpoint,
    /// The log, replayed: its map answers every lookup.
    pub replay: Replay,
}

/// Why a bundle is not accepted. Nothing that was read of it may be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Another kind of file.
    #[error("not a bundle: its first line must be synchronicity/bundle@v1, and its second a number of bytes")]
    Kind,
    /// The checkpoint is no signed note.
    #[error("bundle: {0}")]
    Note(#[from] NoteError),
    /// The signatures do not hold, or are too few.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// An entry that an honest group would not have logged there.
    #[error("entry {index}: {error}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong with it.
        error: ReplayError,
    },
    /// It ends within an entry, or before the last one.
    #[error("bundle is cut off after {read} of {size} entries: fetch it again")]
    Truncated {
        /// Entries that were read.
        read: u64,
        /// Entries under the checkpoint.
        size: u64,
    },
    /// More bytes than the checkpoint's entries.
    #[error("bundle goes on after the last entry under its checkpoint")]
    TooLong,
    /// The entries are not those of the checkpoint.
    #[error("the entries of the bundle do not hash to its checkpoint")]
    Root,
}

impl<'a> BundleReader<'a> {
    /// A reader at the beginning of a bundle.
    pub fn new(policy: &'a Policy) -> Self {
        Self { policy, waiting: Vec::new(), checkpoint: None, replay: Replay::new() }
    }

    /// Takes the next piece of the file, of any length, and tells `each` every leaf that it completes, with its index.
    /// The entries are to be believed only when [`BundleReader::finish`] says so.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn feed(&mut self, piece: &[u8], mut each: impl FnMut(u64, Leaf)) -> Result<(), BundleError> {
        self.waiting.extend_from_slice(piece);
        if self.checkpoint.is_none() && !self.read_head()? {
            return Ok(());
        }
        let size = self.checkpoint.as_ref().map_or(0, |(_, verified)| verified.checkpoint.size);
        let mut read = 0;
        while let Some(entry) = first_entry(&self.waiting[read..]) {
            let index = self.replay.size();
            if index == size {
                return Err(BundleError::TooLong);
            }
            read += 2 + entry.len();
            each(index, self.replay.append(entry).map_err(|error| BundleError::Entry { index, error })?);
        }
        self.waiting.drain(..read);
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`BundleError`] if it is not all there, or not what the checkpoint signs.
    pub fn finish(self) -> Result<VerifiedBundle, BundleError> {
        let (note, checkpoint) = self.checkpoint.ok_or(BundleError::Kind)?;
        let (read, size) = (self.replay.size(), checkpoint.checkpoint.size);
        if read < size {
            return Err(BundleError::Truncated { read, size });
        }
        if !self.waiting.is_empty() {
            return Err(BundleError::TooLong);
        }
        if self.replay.root() != checkpoint.checkpoint.root {
            return Err(BundleError::Root);
        }
        Ok(VerifiedBundle { note, checkpoint, replay: self.replay })
    }

    /// Whether the head is there; then it is read and taken from what waits.
    fn read_head(&mut self) -> Result<bool, BundleError> {
        let begin = self.waiting.len().min(FIRST_LINE.len());
        if self.waiting[..begin] != FIRST_LINE[..begin] {
            return Err(BundleError::Kind);
        }
        let rest = &self.waiting[begin..];
        let Some(end) = rest.iter().take(LENGTH_LINE_MAX).position(|byte| *byte == b'\n') else {
            return if rest.len() < LENGTH_LINE_MAX { Ok(false) } else { Err(BundleError::Kind) };
        };
        let number = core::str::from_utf8(&rest[..end]).ok().and_then(parse_decimal);
        let length = number.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= NOTE_BYTES_MAX);
        let Some(note) = rest.get(end + 1..end + 1 + length.ok_or(BundleError::Kind)?) else { return Ok(false) };
        let head = begin + end + 1 + note.len();
        let note = SignedNote::parse(note)?;
        let verified = verify_signed_file(&note, self.policy)?;
        self.checkpoint = Some((note, verified));
        self.waiting.drain(..head);
        Ok(true)
    }
}

/// The first entry, if all of it is there.
fn first_entry(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}
