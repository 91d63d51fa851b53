//! Writer and reader of the layout that the parent module documents.

use core::convert::Infallible;

use minicbor::encode::Error as WriteError;
use minicbor::{Decoder, Encoder};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::membership::Membership;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;

use super::{Action, CommandError};

const SCHEMA: u8 = 1;
const SUBMIT: u8 = 0;
const COMMIT: u8 = 1;
const REVEAL: u8 = 2;
const PROPOSE: u8 = 3;
const APPROVE: u8 = 4;

/// Author, action and signature, as read.
type Parts = (BuilderId, Action, [u8; 64]);

pub(super) fn encode(author: &BuilderId, action: &Action, signature: &[u8; 64]) -> Vec<u8> {
    let payload = payload(author, action);
    written(|cbor| {
        cbor.array(2)?.bytes(&payload)?.bytes(signature)?;
        Ok(())
    })
}

pub(super) fn payload(author: &BuilderId, action: &Action) -> Vec<u8> {
    written(|cbor| {
        cbor.array(3)?.u8(SCHEMA)?.bytes(&author.0)?;
        match action {
            Action::Submit { request, lock, round } => {
                cbor.array(4)?.u8(SUBMIT)?.bytes(&request.to_bytes())?.bytes(lock)?.u32(*round)?;
            }
            Action::Commit { request, round, commitment } => {
                cbor.array(4)?.u8(COMMIT)?.bytes(&request.0.0)?.u32(*round)?.bytes(&commitment.0)?;
            }
            Action::Reveal { request, round, result, nonce } => {
                cbor.array(5)?.u8(REVEAL)?.bytes(&request.0.0)?.u32(*round)?.bytes(&result.to_bytes())?.bytes(nonce)?;
            }
            Action::Propose { membership } => {
                cbor.array(2)?.u8(PROPOSE)?.bytes(&membership.to_bytes())?;
            }
            Action::Approve { membership } => {
                cbor.array(2)?.u8(APPROVE)?.bytes(&membership.0)?;
            }
        }
        Ok(())
    })
}

/// Strict: whatever does not re-encode to the same bytes is refused, so a command has one spelling.
pub(super) fn decode(bytes: &[u8]) -> Result<Parts, CommandError> {
    let parts = read(bytes)?;
    if encode(&parts.0, &parts.1, &parts.2) != bytes {
        return Err(CommandError::Malformed("not the canonical encoding".into()));
    }
    Ok(parts)
}

fn read(bytes: &[u8]) -> Result<Parts, CommandError> {
    let mut frame = Decoder::new(bytes);
    array(&mut frame, 2)?;
    let payload = frame.bytes().map_err(malformed)?;
    let signature = fixed(&mut frame)?;
    let mut cbor = Decoder::new(payload);
    array(&mut cbor, 3)?;
    if cbor.u8().map_err(malformed)? != SCHEMA {
        return Err(CommandError::Malformed("unknown schema".into()));
    }
    let author = BuilderId(fixed(&mut cbor)?);
    Ok((author, read_action(&mut cbor)?, signature))
}

fn read_action(cbor: &mut Decoder<'_>) -> Result<Action, CommandError> {
    let fields = cbor.array().map_err(malformed)?;
    let kind = cbor.u8().map_err(malformed)?;
    match (kind, fields) {
        (SUBMIT, Some(4)) => {
            let request = cbor.bytes().map_err(malformed)?;
            Ok(Action::Submit {
                request: BuildRequest::from_bytes(request).map_err(malformed)?,
                lock: cbor.bytes().map_err(malformed)?.to_vec(),
                round: cbor.u32().map_err(malformed)?,
            })
        }
        (COMMIT, Some(4)) => Ok(Action::Commit {
            request: RequestId(Digest(fixed(cbor)?)),
            round: cbor.u32().map_err(malformed)?,
            commitment: Digest(fixed(cbor)?),
        }),
        (REVEAL, Some(5)) => {
            let request = RequestId(Digest(fixed(cbor)?));
            let round = cbor.u32().map_err(malformed)?;
            let result = cbor.bytes().map_err(malformed)?;
            Ok(Action::Reveal {
                request,
                round,
                result: BuildResult::from_bytes(result).map_err(malformed)?,
                nonce: fixed(cbor)?,
            })
        }
        (PROPOSE, Some(2)) => {
            let membership = cbor.bytes().map_err(malformed)?;
            Ok(Action::Propose { membership: Membership::from_bytes(membership).map_err(malformed)? })
        }
        (APPROVE, Some(2)) => Ok(Action::Approve { membership: Digest(fixed(cbor)?) }),
        _ => Err(CommandError::Malformed("unknown action".into())),
    }
}

fn array(cbor: &mut Decoder<'_>, fields: u64) -> Result<(), CommandError> {
    if cbor.array().map_err(malformed)? == Some(fields) {
        return Ok(());
    }
    Err(CommandError::Malformed(format!("expected an array of {fields}")))
}

fn fixed<const N: usize>(cbor: &mut Decoder<'_>) -> Result<[u8; N], CommandError> {
    let bytes = cbor.bytes().map_err(malformed)?;
    bytes.try_into().map_err(|_| CommandError::Malformed(format!("expected {N} bytes, found {}", bytes.len())))
}

fn malformed(error: impl core::fmt::Display) -> CommandError {
    CommandError::Malformed(error.to_string())
}

fn written(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Result<(), WriteError<Infallible>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes)).expect("writing into a Vec has no failure");
    bytes
}
