//! Asking a node, and how much it is told.

use miette::Diagnostic;
use synchronicity_rebuild::download::DownloadError;
use synchronicity_verify::lookup::{LOOKUP_BYTES_MAX, Lookup};
use synchronicity_verify::map::{MapKey, Prefix};
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::verify::verify_checkpoint;

use crate::exit::{self, Stop};
use crate::outside::completed;
use crate::source::{Source, SourceError};

/// How many entries share what a node is told, at least. Each stands under two keys or more.
const CROWD: u64 = 32;

/// Why a node gave no answer.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum AskError {
    #[error("there is no answer: {0}")]
    #[diagnostic(help("ask another node of the group: every node publishes the same log"))]
    Fetch(SourceError),
    #[error("{0} serves no lookups: it is no node of this version, or a copy of a log's files only")]
    #[diagnostic(help("ask a node, or fetch the whole log with `bundle` and look it up there"))]
    NoLookups(String),
    #[error("{node} does not list so many keys as begin with {prefix:?}")]
    #[diagnostic(help("tell it more digits, as in --reveal {more}, or fetch the whole log with `bundle`"))]
    TooMany { node: String, prefix: String, more: usize },
    #[error("{place}: {error}")]
    #[diagnostic(help(
        "how much of the key to reveal depends on the log's size, and nobody vouches for that: use --reveal"
    ))]
    Checkpoint { place: String, error: String },
}

/// The answer of a node, not verified yet, and its address.
pub(super) fn ask(node: &Source, policy: &Policy, key: &MapKey, reveal: Option<u8>) -> Result<(String, Vec<u8>), Stop> {
    let digits = match reveal {
        Some(digits) => digits,
        None => digits_for(size(node, policy)?),
    };
    let prefix = Prefix::of(key, digits).to_string();
    let name = format!("lookup/{prefix}");
    let read = || node.read(&name, LOOKUP_BYTES_MAX as u64);
    let parse = |bytes: &[u8]| Lookup::parse(bytes).ok();
    let fetched = completed((node, policy), read, parse, |answer| &mut answer.checkpoint);
    let bytes = fetched.map_err(|error| match error {
        SourceError::Absent(_) => Stop::new(exit::TRY_LATER, AskError::NoLookups(node.to_string())),
        SourceError::Server(DownloadError::Refused { status: 413 | 422, .. }) => {
            let more = usize::from(digits) + 1;
            Stop::new(exit::USAGE, AskError::TooMany { node: node.to_string(), prefix, more })
        }
        error => Stop::new(error.code(), AskError::Fetch(error)),
    })?;
    Ok((node.place(&name), bytes))
}

/// The size of the log, as a quorum signed it: a node that made it up could ask for more of the key.
fn size(node: &Source, policy: &Policy) -> Result<u64, Stop> {
    let stop = |code, error| Stop::new(code, AskError::Checkpoint { place: node.place("checkpoint"), error });
    let bytes = node.checkpoint().map_err(|error| match error {
        SourceError::Absent(_) => Stop::new(exit::TRY_LATER, AskError::Fetch(error)),
        error => Stop::new(error.code(), AskError::Fetch(error)),
    })?;
    let note = SignedNote::parse(&bytes).map_err(|error| stop(exit::INVALID, error.to_string()))?;
    let verified = verify_checkpoint(&note, policy).map_err(|error| stop(exit::refused(&error), error.to_string()))?;
    Ok(verified.checkpoint.size)
}

/// The most digits for which [`CROWD`] entries of a log of `size` begin alike, on average.
fn digits_for(size: u64) -> u8 {
    let mut digits = 0;
    let mut crowd = size / 16;
    while crowd >= CROWD {
        (digits, crowd) = (digits + 1, crowd / 16);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_log_reveals_more_digits_and_leaves_a_crowd() {
        for (size, digits) in [(0, 0), (1, 0), (511, 0), (512, 1), (8191, 1), (8192, 2), (1 << 20, 3), (u64::MAX, 14)] {
            assert_eq!(digits_for(size), digits, "{size}");
            assert!(digits == 0 || size >> (4 * digits) >= CROWD);
        }
    }
}
