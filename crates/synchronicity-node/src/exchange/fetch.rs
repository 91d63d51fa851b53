//! An artifact on its way from another member: piece by piece, in order, hashed while it is written.
//!
//! Size and hash are those of the signed result that its builder revealed, so nothing that the giver says is believed: each
//! piece must have exactly the length that is due, so the number of pieces is bounded, and the whole must have the hash.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};
use synchronicity_verify::digest::Digest;
use thiserror::Error;

use super::parcel::{PIECE_BYTES, Parcel};

/// A fetch under way.
#[derive(Debug)]
pub struct Fetch<W> {
    sha256: Digest,
    size: u64,
    offset: u64,
    hash: Sha256,
    to: W,
}

/// What a piece did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next one is to be asked for.
    More,
    /// It came before: an answer to a question that was asked twice.
    Again,
    /// All is there, and it is what it should be.
    Whole,
}

/// Why nothing more is taken from this giver.
#[derive(Debug, Error)]
pub enum Refused {
    /// Not the length, or not the place, that was asked for.
    #[error("gave {got} bytes at {at} where {due} bytes at {offset} were due")]
    Piece {
        /// Bytes that came.
        got: usize,
        /// Where they belong, as the giver says.
        at: u64,
        /// Bytes that were due.
        due: u64,
        /// Where.
        offset: u64,
    },
    /// The whole is another file.
    #[error("gave other bytes: their SHA-256 is {got}")]
    Hash {
        /// The hash of what came.
        got: Digest,
    },
    /// This machine's disk.
    #[error("cannot write what comes: {0}")]
    Disk(#[from] io::Error),
}

impl<W: Write> Fetch<W> {
    /// Nothing of it is there yet. `size` in bytes, as revealed, at least 1.
    pub fn new(sha256: Digest, size: u64, to: W) -> Fetch<W> {
        Fetch { sha256, size, offset: 0, hash: Sha256::new(), to }
    }

    /// What to ask for now.
    pub fn ask(&self) -> Parcel<'static> {
        Parcel::Ask { sha256: self.sha256, offset: self.offset }
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// [`Refused`]; then the fetch is over.
    pub fn take(&mut self, at: u64, bytes: &[u8]) -> Result<Step, Refused> {
        if at < self.offset {
            return Ok(Step::Again);
        }
        let due = (self.size - self.offset).min(PIECE_BYTES as u64);
        if at != self.offset || bytes.len() as u64 != due {
            return Err(Refused::Piece { got: bytes.len(), at, due, offset: self.offset });
        }
        self.hash.update(bytes);
        self.to.write_all(bytes)?;
        self.offset += due;
        if self.offset < self.size {
            return Ok(Step::More);
        }
        self.to.flush()?;
        let got = Digest(self.hash.clone().finalize().into());
        if got == self.sha256 { Ok(Step::Whole) } else { Err(Refused::Hash { got }) }
    }
}
