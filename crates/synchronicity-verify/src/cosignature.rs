//! Cosignatures of checkpoints (C2SP `tlog-cosignature`, type `04`): Ed25519 with a time.
//!
//! ```text
//! signature = u64be time ‖ Ed25519 signature [64]
//! message   = "cosignature/v1\ntime " decimal time "\n" ‖ text of the checkpoint
//! ```
//!
//! The time is in seconds since 1970-01-01 UTC and at most 2^63 - 1.

use crate::key::{KeyKind, Signer, VerifierKey};
use crate::note::{BadSignature, NoteSignature, WrongKind};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

/// The largest time that a cosignature can state.
pub const TIME_MAX_SECONDS: u64 = i64::MAX as u64;

/// Cosigns the text of a checkpoint at `time_s`, which is cut to [`TIME_MAX_SECONDS`].
///
/// The caller must have made durable what it vouches for, and must never cosign a smaller size, or another root for
/// a size, than it did before: this function remembers nothing.
pub fn cosign(signer: &Signer, text: &str, time_s: u64) -> Result<NoteSignature, WrongKind> {
    let key = signer.verifier_key();
    if key.kind() != KeyKind::Cosigner {
        return Err(WrongKind { name: key.name().to_owned() });
    }
    let time_s = time_s.min(TIME_MAX_SECONDS);
    let mut signature = time_s.to_be_bytes().to_vec();
    signature.extend_from_slice(&signer.sign_bytes(&message(text, time_s)));
    Ok(NoteSignature { name: key.name().to_owned(), key_id: key.id(), signature })
}

/// Verifies a line of type `04` over the text of a checkpoint and returns its time, in seconds.
pub fn verify(key: &VerifierKey, text: &str, line: &NoteSignature) -> Result<u64, BadSignature> {
    let bad = || BadSignature { name: key.name().to_owned() };
    let (time, signature) = line.signature.split_first_chunk().ok_or_else(bad)?;
    let time_s = u64::from_be_bytes(*time);
    let signature: &[u8; 64] = signature.try_into().map_err(|_| bad())?;
    let claimed = key.kind() == KeyKind::Cosigner && line.is_of(key) && time_s <= TIME_MAX_SECONDS;
    if claimed && key.made(signature, &message(text, time_s)) { Ok(time_s) } else { Err(bad()) }
}

fn message(text: &str, time_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}
