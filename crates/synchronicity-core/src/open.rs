//! The open state: everything about a machine that its log does not say, besides height and time.
//!
//! Small on purpose: rounds without a verdict, and what is proposed for the next epoch. Together with the log, the height and
//! the time it is the whole machine ([`Resuming::finish_at`](crate::resume::Resuming::finish_at)), so a signature over its
//! digest and the log's root is one over the state.
//!
//! ```text
//! bytes    = [1, [round...], [proposal...], [[author, how often it has proposed]...], author agreed on / null]
//! round    = [request: bytes, lock: bytes, number, author / null, phase, deadline ms, [member...], [result: bytes...]]
//! phase    = 0 committing / 1 revealing
//! member   = [builder, commitment / null, contradicted / null, [nonce, digest of the result] / null, attestation / null]
//! proposal = [author, membership: bytes, [[builder, signature: bytes .size 64]...]]
//! digest   = SHA-256 tagged "synchronicity/open-state/v1" (the same without locks and results, and with the request's and
//!            the membership's digest in place of their bytes)
//! ```
//!
//! All of it is deterministic CBOR with one spelling: rounds in order of request, members and authors in theirs, results in that
//! of their digests, each once and none that nobody revealed. Keys, digests and nonces are 32 bytes each. What the digest leaves
//! out it binds all the same: a request names its lock by its hash, and an opening its result.

mod read;

use core::convert::Infallible;
use std::collections::BTreeMap;

use minicbor::Encoder;
use minicbor::encode::Error as WriteError;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::membership::{MEMBERS_MAX, MEMBERSHIP_BYTES_MAX};
use synchronicity_verify::request::REQUEST_BYTES_MAX;
use synchronicity_verify::result::RESULT_BYTES_MAX;
use thiserror::Error;

use crate::command::LOCK_BYTES_MAX;
use crate::machine::{MAX_OPEN_ROUNDS, Machine};
use crate::membership::Succession;
use crate::round::{Participation, Phase, Round};

pub(crate) use read::read;

/// Most bytes of an open state: as many rounds as may be open, each with the largest request and lock and with another result of
/// each member, a proposal of each member, and frames.
pub const OPEN_STATE_BYTES_MAX: usize = MAX_OPEN_ROUNDS
    * (REQUEST_BYTES_MAX + LOCK_BYTES_MAX + MEMBERS_MAX * (RESULT_BYTES_MAX + 256) + 256)
    + MEMBERS_MAX * (MEMBERSHIP_BYTES_MAX + MEMBERS_MAX * 128 + 256)
    + 1024;

/// The digest of an open state in which nothing is open.
pub const NOTHING_OPEN: Digest = Digest([
    0xd8, 0xe8, 0xa4, 0xb9, 0x4e, 0xc7, 0xb2, 0x67, 0x95, 0xa9, 0x22, 0xc7, 0x46, 0x73, 0x76, 0xd1, 0xd1, 0xdd, 0x74,
    0x16, 0xe1, 0x2e, 0xc6, 0xac, 0xf3, 0xd6, 0xe0, 0x21, 0x1a, 0x79, 0x49, 0x20,
]);

const DOMAIN: &str = "synchronicity/open-state/v1";
const SCHEMA: u8 = 1;
const COMMITTING: u8 = 0;
const REVEALING: u8 = 1;

/// Why bytes are no open state of a group.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenStateError {
    /// Larger than any can be.
    #[error("{0} bytes are too many for an open state: at most {OPEN_STATE_BYTES_MAX}")]
    TooLong(usize),
    /// Not the layout that the module documents, or not its one canonical spelling.
    #[error("not an open state in canonical form: {0}")]
    Malformed(String),
    /// Something in it that no machine of this group comes to.
    #[error("not an open state of this group: {0}")]
    Impossible(&'static str),
}

/// What is written where a digest stands for bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    /// What the digest is over.
    Bound,
}

/// An open state, copied out of a machine. Locks and results are shared with it: a copy is no larger than what members did.
#[derive(Clone, Debug)]
pub struct OpenState {
    pub(crate) rounds: BTreeMap<RequestId, Round>,
    pub(crate) succession: Succession,
}

type Written = Result<(), WriteError<Infallible>>;

impl OpenState {
    /// The canonical bytes, at most [`OPEN_STATE_BYTES_MAX`].
    pub fn to_bytes(&self) -> Vec<u8> {
        written(|cbor| write_open(cbor, (self.rounds.iter(), self.rounds.len()), &self.succession, Form::Whole))
    }
}

impl Machine {
    /// The canonical bytes of what the log does not say, at most [`OPEN_STATE_BYTES_MAX`].
    pub fn open_state(&self) -> Vec<u8> {
        written(|cbor| self.write_open(cbor, Form::Whole))
    }

    /// The same, still to be written: who holds up others meanwhile takes this.
    pub fn copy_open(&self) -> OpenState {
        let rounds = self.open_rounds().map(|(request, round)| (*request, round.clone()));
        OpenState { rounds: rounds.collect(), succession: self.succession.clone() }
    }

    /// Digest of [`Machine::open_state`], as of the last block. It changes only with a block that changed something.
    pub fn open_digest(&self) -> Digest {
        self.open_digest
    }

    pub(crate) fn note_open(&mut self) {
        self.open_digest = Digest::tagged(DOMAIN, &[&written(|cbor| self.write_open(cbor, Form::Bound))]);
    }

    fn write_open(&self, cbor: &mut Encoder<&mut Vec<u8>>, form: Form) -> Written {
        write_open(cbor, (self.open_rounds(), self.open.len()), &self.succession, form)
    }
}

fn write_open<'a>(
    cbor: &mut Encoder<&mut Vec<u8>>,
    (rounds, count): (impl Iterator<Item = (&'a RequestId, &'a Round)>, usize),
    succession: &Succession,
    form: Form,
) -> Written {
    cbor.array(5)?.u8(SCHEMA)?.array(count as u64)?;
    for round in rounds {
        write_round(cbor, round, form)?;
    }
    cbor.array(succession.proposals.len() as u64)?;
    for (author, proposal) in &succession.proposals {
        cbor.array(3)?.bytes(&author.0)?;
        match form {
            Form::Whole => cbor.bytes(&proposal.membership().to_bytes())?,
            Form::Bound => cbor.bytes(&proposal.digest().0)?,
        };
        cbor.array(proposal.approvals.len() as u64)?;
        for (builder, approval) in &proposal.approvals {
            cbor.array(2)?.bytes(&builder.0)?.bytes(&approval.0)?;
        }
    }
    cbor.array(succession.made.len() as u64)?;
    for (author, made) in &succession.made {
        cbor.array(2)?.bytes(&author.0)?.u32(*made)?;
    }
    write_or_null(cbor, succession.agreed.map(|BuilderId(key)| key))
}

fn write_round(cbor: &mut Encoder<&mut Vec<u8>>, (request, round): (&RequestId, &Round), form: Form) -> Written {
    let phase = if matches!(round.phase, Phase::Committing { .. }) { COMMITTING } else { REVEALING };
    // Only a round with a verdict has none.
    let deadline_ms = round.deadline_ms().unwrap_or_default();
    match form {
        Form::Whole => cbor.array(8)?.bytes(&round.request.to_bytes())?.bytes(&round.lock)?,
        Form::Bound => cbor.array(6)?.bytes(&request.0.0)?,
    };
    cbor.u32(round.number)?;
    write_or_null(cbor, round.author.map(|BuilderId(key)| key))?;
    cbor.u8(phase)?.u64(deadline_ms)?.array(round.members.len() as u64)?;
    for (builder, member) in &round.members {
        write_member(cbor, builder, member)?;
    }
    if form == Form::Whole {
        cbor.array(round.results.len() as u64)?;
        for result in round.results.values() {
            cbor.bytes(&result.to_bytes())?;
        }
    }
    Ok(())
}

fn write_member(cbor: &mut Encoder<&mut Vec<u8>>, builder: &BuilderId, member: &Participation) -> Written {
    cbor.array(5)?.bytes(&builder.0)?;
    write_or_null(cbor, member.commitment.map(|Digest(bytes)| bytes))?;
    write_or_null(cbor, member.contradicted.map(|Digest(bytes)| bytes))?;
    match &member.opening {
        Some(opening) => cbor.array(2)?.bytes(&opening.nonce)?.bytes(&opening.result.0)?,
        None => cbor.null()?,
    };
    write_or_null(cbor, member.attestation.map(|Digest(bytes)| bytes))
}

fn write_or_null(cbor: &mut Encoder<&mut Vec<u8>>, bytes: Option<[u8; 32]>) -> Written {
    match bytes {
        Some(bytes) => cbor.bytes(&bytes)?,
        None => cbor.null()?,
    };
    Ok(())
}

fn written(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Written) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes)).expect("writing into a Vec has no failure");
    bytes
}
