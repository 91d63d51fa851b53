//! Writer and reader of the layout that the parent module documents.

use core::convert::Infallible;

use minicbor::data::Type;
use minicbor::encode::Error as WriteError;
use minicbor::{Decoder, Encoder};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::membership::Membership;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;

use super::signature::{BATCH_COMMANDS_MAX, Place, Signature};
use super::{Action, CommandError};

const SCHEMA: u8 = 1;
const SUBMIT: u8 = 0;
const COMMIT: u8 = 1;
const REVEAL: u8 = 2;
const PROPOSE: u8 = 3;
const APPROVE: u8 = 4;

/// The longest inclusion proof in a batch, in hashes.
const PATH_MAX: u64 = BATCH_COMMANDS_MAX.ilog2() as u64;

/// Author, action and signature, as read, and the payload: the bytes that hold the first two.
type Parts<'a> = (BuilderId, Action, Signature, &'a [u8]);

/// Room for what most payloads hold, so that they are written without a second allocation.
const PAYLOAD_BYTES: usize = 128;

/// Room for what a frame has besides payload and path: heads, signature, place.
const FRAME_BYTES: usize = 80;

pub(super) fn encode(author: &BuilderId, action: &Action, signature: &Signature) -> Vec<u8> {
    frame(&payload(author, action), signature)
}

fn frame(payload: &[u8], signature: &Signature) -> Vec<u8> {
    let path = signature.place.as_ref().map_or(0, |place| place.path.len());
    written(FRAME_BYTES + payload.len() + path * (2 + size_of::<Digest>()), |cbor| {
        cbor.array(2)?.bytes(payload)?;
        match &signature.place {
            None => cbor.bytes(&signature.bytes)?,
            Some(Place { index, size, path }) => {
                cbor.array(4)?.bytes(&signature.bytes)?.u8(*index)?.u8(*size)?.array(path.len() as u64)?;
                path.iter().try_fold(cbor, |cbor, digest| cbor.bytes(&digest.0))?
            }
        };
        Ok(())
    })
}

pub(super) fn payload(author: &BuilderId, action: &Action) -> Vec<u8> {
    written(PAYLOAD_BYTES, |cbor| {
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
pub(super) fn decode(bytes: &[u8]) -> Result<Parts<'_>, CommandError> {
    let parts = read(bytes)?;
    let (author, action, signature, written) = &parts;
    if payload(author, action) != *written || frame(written, signature) != bytes {
        return Err(CommandError::Malformed("not the canonical encoding".into()));
    }
    Ok(parts)
}

fn read(bytes: &[u8]) -> Result<Parts<'_>, CommandError> {
    let mut frame = Decoder::new(bytes);
    array(&mut frame, 2)?;
    let payload = frame.bytes().map_err(malformed)?;
    let signature = read_signature(&mut frame)?;
    let mut cbor = Decoder::new(payload);
    array(&mut cbor, 3)?;
    if cbor.u8().map_err(malformed)? != SCHEMA {
        return Err(CommandError::Malformed("unknown schema".into()));
    }
    let author = BuilderId(fixed(&mut cbor)?);
    let action = read_action(&mut cbor)?;
    if action.is_signed_alone() && signature.place.is_some() {
        return Err(CommandError::Malformed("an approval in a batch: it is signed alone".into()));
    }
    Ok((author, action, signature, payload))
}

fn read_signature(cbor: &mut Decoder<'_>) -> Result<Signature, CommandError> {
    if cbor.datatype().map_err(malformed)? == Type::Bytes {
        return Ok(Signature { bytes: fixed(cbor)?, place: None });
    }
    array(cbor, 4)?;
    let bytes = fixed(cbor)?;
    let (index, size) = (cbor.u8().map_err(malformed)?, cbor.u8().map_err(malformed)?);
    if !(2..=BATCH_COMMANDS_MAX).contains(&usize::from(size)) {
        return Err(CommandError::Malformed(format!("a batch of {size} commands: 2 to {BATCH_COMMANDS_MAX} are one")));
    }
    let length = cbor.array().map_err(malformed)?.filter(|length| *length <= PATH_MAX);
    let length = length.ok_or_else(|| CommandError::Malformed("too long an inclusion proof in a batch".into()))?;
    let path: Result<_, _> = (0..length).map(|_| Ok(Digest(fixed(cbor)?))).collect();
    Ok(Signature { bytes, place: Some(Place { index, size, path: path? }) })
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

/// `capacity` in bytes is a guess, and not a limit.
fn written(
    capacity: usize,
    write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Result<(), WriteError<Infallible>>,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(capacity);
    write(&mut Encoder::new(&mut bytes)).expect("writing into a Vec has no failure");
    bytes
}
