//! Checkpoints (C2SP `tlog-checkpoint`): what a log says about itself at one size.
//!
//! ```text
//! origin \n
//! size in decimal \n
//! base64 of the root hash \n
//! ```
//!
//! Extension lines are refused: builders would sign what they did not compute.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::string::ToString;
use core::fmt;
use core::str::FromStr;

use base64ct::{Base64, Encoding};

use crate::digest::Digest;
use crate::key::check_key_name;
use crate::merkle::EMPTY_ROOT;

/// The largest tree: other implementations hold sizes in signed integers.
pub const SIZE_MAX: u64 = i64::MAX as u64;

/// The text of a checkpoint. Written by `Display`, read by `FromStr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Identity of the log; also the name of its key.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the Merkle tree over them.
    pub root: Digest,
}

/// A text that is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not exactly three lines that end in a newline.
    #[error("checkpoint: must be origin, size and root hash on a line each, and nothing else")]
    Lines,
    /// The origin cannot be the name of a key.
    #[error("checkpoint: the origin must be a key name, without spaces and plus signs")]
    Origin,
    /// Not a decimal number in its one spelling, or above [`SIZE_MAX`].
    #[error("checkpoint: the size must be a decimal number below 2^63 without leading zeros")]
    Size,
    /// Not 32 bytes in base64, or not the empty root for size 0.
    #[error("checkpoint: the root hash must be 32 bytes in base64, and the empty tree's for size 0")]
    Root,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, Base64::encode_string(&self.root.0))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        check_key_name(origin).map_err(|_| CheckpointError::Origin)?;
        let size = parse_decimal(size).filter(|size| *size <= SIZE_MAX).ok_or(CheckpointError::Size)?;
        let root = parse_hash(root).ok_or(CheckpointError::Root)?;
        if size == 0 && root != EMPTY_ROOT {
            return Err(CheckpointError::Root);
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// ASCII digits without leading zeros: the one spelling of a number.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    // The standard parser also takes a plus sign and leading zeros.
    (number.to_string() == text).then_some(number)
}

/// 32 bytes in padded base64 with zero trailing bits.
pub(crate) fn parse_hash(text: &str) -> Option<Digest> {
    let mut hash = [0; 32];
    match Base64::decode(text, &mut hash) {
        Ok(bytes) if bytes.len() == 32 => Some(Digest(hash)),
        _ => None,
    }
}
