//! The reader of the layout that the parent module documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minicbor::Decoder;
use minicbor::data::Type;
use synchronicity_verify::commitment::commitment;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Opening;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::membership::{Approval, Membership};
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;

use super::{COMMITTING, OPEN_STATE_BYTES_MAX, OpenState, OpenStateError, REVEALING, SCHEMA};
use crate::command::LOCK_BYTES_MAX;
use crate::group::Group;
use crate::machine::MAX_OPEN_ROUNDS;
use crate::membership::{MAX_PROPOSALS_PER_AUTHOR, Proposal, Succession};
use crate::round::{Participation, Phase, Round};

/// Reads an open state of `group`. That it is the canonical spelling is for the caller to see: whoever has a machine of it
/// writes it again and compares.
///
/// # Errors
/// [`OpenStateError`].
pub(crate) fn read(bytes: &[u8], group: &Group) -> Result<OpenState, OpenStateError> {
    if bytes.len() > OPEN_STATE_BYTES_MAX {
        return Err(OpenStateError::TooLong(bytes.len()));
    }
    let mut cbor = Decoder::new(bytes);
    fields(&mut cbor, 5)?;
    if cbor.u8().map_err(malformed)? != SCHEMA {
        return Err(OpenStateError::Malformed("unknown schema".into()));
    }
    let mut rounds = BTreeMap::new();
    // A count is what somebody wrote: nothing is reserved for it before what it counts is there.
    for _ in 0..count(&mut cbor)? {
        let round = read_round(&mut cbor, group)?;
        rounds.insert(round.request_id(), round);
        if rounds.len() > MAX_OPEN_ROUNDS {
            return Err(OpenStateError::Impossible("more rounds are open than may be"));
        }
    }
    let succession = read_succession(&mut cbor, group)?;
    if cbor.position() != bytes.len() {
        return Err(OpenStateError::Malformed("something follows it".into()));
    }
    if succession.agreed.is_some() && rounds.is_empty() {
        return Err(OpenStateError::Impossible("the epoch is over"));
    }
    Ok(OpenState { rounds, succession })
}

fn read_round(cbor: &mut Decoder<'_>, group: &Group) -> Result<Round, OpenStateError> {
    fields(cbor, 8)?;
    let request = BuildRequest::from_bytes(cbor.bytes().map_err(malformed)?).map_err(malformed)?;
    let lock = cbor.bytes().map_err(malformed)?;
    if lock.len() > LOCK_BYTES_MAX || Digest::of(lock) != request.lock.sha256 {
        return Err(OpenStateError::Impossible("a lock is not the one that its request pins"));
    }
    let number = cbor.u32().map_err(malformed)?;
    let author = or_null(cbor, fixed)?.map(BuilderId);
    if author.is_some_and(|author| group.member(&author).is_none()) {
        return Err(OpenStateError::Impossible("a stranger has submitted a request"));
    }
    let (phase, deadline_ms) = (cbor.u8().map_err(malformed)?, cbor.u64().map_err(malformed)?);
    let phase = match phase {
        COMMITTING => Phase::Committing { deadline_ms },
        REVEALING => Phase::Revealing { deadline_ms },
        _ => return Err(OpenStateError::Malformed("unknown phase".into())),
    };
    let mut members = BTreeMap::new();
    for _ in 0..count(cbor)? {
        let (builder, member) = read_member(cbor, &request.id())?;
        if member.opening.is_some() && matches!(phase, Phase::Committing { .. }) {
            return Err(OpenStateError::Impossible("a seal was opened while others may commit"));
        }
        members.insert(builder, member);
    }
    if !members.keys().eq(&group.building().map(|member| member.command).collect::<BTreeSet<_>>()) {
        return Err(OpenStateError::Impossible("those who build are others"));
    }
    let results = read_results(cbor, &members)?;
    Ok(Round { request, lock: lock.into(), number, author, phase, members, results })
}

fn read_member(cbor: &mut Decoder<'_>, request: &RequestId) -> Result<(BuilderId, Box<Participation>), OpenStateError> {
    fields(cbor, 5)?;
    let builder = BuilderId(fixed(cbor)?);
    let commitment_made = or_null(cbor, fixed)?.map(Digest);
    let contradicted = or_null(cbor, fixed)?.map(Digest);
    let opening = or_null(cbor, |cbor| {
        fields(cbor, 2)?;
        Ok(Opening { nonce: fixed(cbor)?, result: Digest(fixed(cbor)?) })
    })?;
    let attestation = or_null(cbor, fixed)?.map(Digest);
    let opens = opening
        .is_none_or(|opening| commitment_made == Some(commitment(request, &builder, &opening.result, &opening.nonce)));
    if !opens || opening.is_some() != attestation.is_some() || (contradicted.is_some() && commitment_made.is_none()) {
        return Err(OpenStateError::Impossible("what a member did in a round contradicts itself"));
    }
    Ok((builder, Box::new(Participation { commitment: commitment_made, contradicted, opening, attestation })))
}

/// Exactly the results that somebody revealed.
fn read_results(
    cbor: &mut Decoder<'_>,
    members: &BTreeMap<BuilderId, Box<Participation>>,
) -> Result<BTreeMap<Digest, Arc<BuildResult>>, OpenStateError> {
    let revealed = members.values().filter_map(|member| Some(member.opening?.result));
    let revealed: BTreeSet<Digest> = revealed.collect();
    let mut results = BTreeMap::new();
    for _ in 0..count(cbor)? {
        let result = BuildResult::from_bytes(cbor.bytes().map_err(malformed)?).map_err(malformed)?;
        results.insert(result.digest(), Arc::new(result));
        if results.len() > revealed.len() {
            break;
        }
    }
    match results.keys().eq(&revealed) {
        true => Ok(results),
        false => Err(OpenStateError::Impossible("the results are not those that were revealed")),
    }
}

fn read_succession(cbor: &mut Decoder<'_>, group: &Group) -> Result<Succession, OpenStateError> {
    let mut succession = Succession::default();
    for _ in 0..count(cbor)? {
        fields(cbor, 3)?;
        let author = member(cbor, group)?;
        let membership = Membership::from_bytes(cbor.bytes().map_err(malformed)?).map_err(malformed)?;
        let next = group.followed_by(&membership);
        let next = next.map_err(|_| OpenStateError::Impossible("those who are proposed cannot follow"))?;
        let mut approvals = BTreeMap::new();
        for _ in 0..count(cbor)? {
            fields(cbor, 2)?;
            approvals.insert(member(cbor, group)?, Approval(fixed(cbor)?));
        }
        succession.proposals.insert(author, Proposal { membership, next, approvals });
    }
    for _ in 0..count(cbor)? {
        fields(cbor, 2)?;
        let (author, made) = (member(cbor, group)?, cbor.u32().map_err(malformed)?);
        if !(1..=MAX_PROPOSALS_PER_AUTHOR).contains(&made) {
            return Err(OpenStateError::Impossible("a member has proposed more often than one may"));
        }
        succession.made.insert(author, made);
    }
    succession.agreed = or_null(cbor, fixed)?.map(BuilderId);
    let enough = succession.proposals.iter().find(|(_, one)| one.approvals.len() >= group.approvals_needed());
    if succession.agreed.as_ref() != enough.map(|(author, _)| author) {
        return Err(OpenStateError::Impossible("another proposal has the approvals"));
    }
    if !succession.proposals.keys().eq(succession.made.keys()) {
        return Err(OpenStateError::Impossible("proposals and their counts are of different members"));
    }
    Ok(succession)
}

fn member(cbor: &mut Decoder<'_>, group: &Group) -> Result<BuilderId, OpenStateError> {
    let builder = BuilderId(fixed(cbor)?);
    match group.member(&builder) {
        Some(_) => Ok(builder),
        None => Err(OpenStateError::Impossible("a stranger has proposed or approved")),
    }
}

fn count(cbor: &mut Decoder<'_>) -> Result<u64, OpenStateError> {
    cbor.array().map_err(malformed)?.ok_or_else(|| OpenStateError::Malformed("an array without a length".into()))
}

fn fields(cbor: &mut Decoder<'_>, expected: u64) -> Result<(), OpenStateError> {
    match count(cbor)? == expected {
        true => Ok(()),
        false => Err(OpenStateError::Malformed(format!("expected an array of {expected}"))),
    }
}

fn or_null<'a, T>(
    cbor: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, OpenStateError>,
) -> Result<Option<T>, OpenStateError> {
    if cbor.datatype().map_err(malformed)? == Type::Null {
        cbor.null().map_err(malformed)?;
        return Ok(None);
    }
    read(cbor).map(Some)
}

fn fixed<const N: usize>(cbor: &mut Decoder<'_>) -> Result<[u8; N], OpenStateError> {
    let bytes = cbor.bytes().map_err(malformed)?;
    bytes.try_into().map_err(|_| OpenStateError::Malformed(format!("expected {N} bytes, found {}", bytes.len())))
}

fn malformed(error: impl core::fmt::Display) -> OpenStateError {
    OpenStateError::Malformed(error.to_string())
}
