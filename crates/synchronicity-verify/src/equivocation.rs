//! The proof of equivocation: a member signed two votes for one view that no member which keeps to the protocol signs
//! both. One file, which convinces whoever knows whose the key is.
//!
//! ```text
//! synchronicity/equivocation@v1
//! group <64 hex digits>                  id of the group that was voted in
//! member <64 hex digits>                 consensus public key
//! epoch <decimal>
//! view <decimal>
//! <vote>                                 two of them, which contradict each other, the lesser first
//! <vote>
//! ```
//!
//! A vote is one of these lines, here in rising order; of one kind, the lower parent is less, and then the lower digest:
//!
//! ```text
//! nullify <base64 of the signature>
//! notarize <view of the parent, decimal> <digest of the block, 64 hex digits> <base64 of the signature>
//! finalize <view of the parent, decimal> <digest of the block, 64 hex digits> <base64 of the signature>
//! ```
//!
//! # What it says about whom
//!
//! It accuses a key, in the group of that id. Whose the key is stands in the group file with that id, and nowhere else: a
//! policy names the keys that cosign, and one key signs one kind of statement. So whoever judges needs the group file
//! from somebody that it trusts; the id is also in every entry of the group's log.
//!
//! The holder of the key is hostile, or ran it twice, or from an old backup: the votes cannot tell which.

use alloc::string::{String, ToString};
use core::fmt;

use base64ct::{Base64, Encoding};

use crate::digest::{Digest, HexError};
use crate::vote::made;
pub use crate::vote::{Ballot, Occasion, Proposal, namespace};

/// The largest proof of equivocation, in bytes: more than any line of it could need.
pub const EQUIVOCATION_BYTES_MAX: usize = 1024;

/// The first line, without its newline.
pub const FIRST_LINE: &str = "synchronicity/equivocation@v1";

/// A vote with its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// What was voted.
    pub ballot: Ballot,
    /// Ed25519 signature over [`Ballot::signed_bytes`].
    pub signature: [u8; 64],
}

/// A parsed proof of equivocation. Nothing in it is verified yet, unless [`Equivocation::new`] or [`verify`] made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    occasion: Occasion,
    member: [u8; 32],
    votes: [Vote; 2],
}

/// Bytes that prove no equivocation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EquivocationError {
    /// More than [`EQUIVOCATION_BYTES_MAX`].
    #[error("proof of equivocation of {0} bytes; at most {EQUIVOCATION_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not UTF-8, or another first line.
    #[error("not a proof of equivocation: its first line must be {FIRST_LINE}")]
    Kind,
    /// A line that is missing, or has no value of its kind.
    #[error("proof of equivocation: the line `{0}` is missing, or is not `{0}` and its value")]
    Line(&'static str),
    /// A line that is no vote.
    #[error(
        "proof of equivocation: vote {0} must be `nullify`, or `notarize` or `finalize` with the parent's view and the \
         block's digest, and then the signature in base64"
    )]
    Vote(usize),
    /// Some second spelling, the greater vote first, or something behind the votes.
    #[error("proof of equivocation is not spelled as this format spells it")]
    NotCanonical,
    /// An honest member may sign both.
    #[error("the two votes do not contradict each other: this is no equivocation")]
    NoConflict,
    /// Not made with the key.
    #[error("the member's key did not sign the {0} vote in this group and view: it accuses nobody")]
    Signature(&'static str),
}

impl Equivocation {
    /// A proof that `member` signed two votes, in any order.
    ///
    /// # Errors
    /// The reason why it is not one that [`verify`] accepts.
    pub fn new(occasion: Occasion, member: [u8; 32], mut votes: [Vote; 2]) -> Result<Self, EquivocationError> {
        votes.sort_by_key(|vote| vote.ballot);
        let proof = Self { occasion, member, votes };
        proof.check()?;
        Ok(proof)
    }

    /// Reads a proof; refuses everything that `Display` would not write back byte by byte.
    ///
    /// # Errors
    /// The first rule of the format that the bytes break.
    pub fn parse(bytes: &[u8]) -> Result<Self, EquivocationError> {
        if bytes.len() > EQUIVOCATION_BYTES_MAX {
            return Err(EquivocationError::TooLong(bytes.len()));
        }
        let text = core::str::from_utf8(bytes).map_err(|_| EquivocationError::Kind)?;
        let mut lines = text.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(EquivocationError::Kind);
        }
        let mut value = |name: &'static str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.ok_or(EquivocationError::Line(name))
        };
        let group = value("group")?.parse().map_err(|_: HexError| EquivocationError::Line("group"))?;
        let Digest(member) = value("member")?.parse().map_err(|_: HexError| EquivocationError::Line("member"))?;
        let epoch = value("epoch")?.parse().map_err(|_| EquivocationError::Line("epoch"))?;
        let view = value("view")?.parse().map_err(|_| EquivocationError::Line("view"))?;
        let mut vote = |number| lines.next().and_then(parse_vote).ok_or(EquivocationError::Vote(number));
        let votes = [vote(1)?, vote(2)?];
        let proof = Self { occasion: Occasion { group, epoch, view }, member, votes };
        // Numbers have second spellings; the newline at the end, and nothing behind it, is seen here too.
        if proof.to_string() == text { Ok(proof) } else { Err(EquivocationError::NotCanonical) }
    }

    /// Where and when it was voted.
    pub fn occasion(&self) -> &Occasion {
        &self.occasion
    }

    /// Consensus public key of the member.
    pub fn member(&self) -> &[u8; 32] {
        &self.member
    }

    /// The two votes, the lesser first.
    pub fn votes(&self) -> &[Vote; 2] {
        &self.votes
    }

    /// What was done: `notarize-notarize`, `finalize-finalize` or `nullify-finalize`.
    pub fn kind(&self) -> String {
        alloc::format!("{}-{}", self.votes[0].ballot.as_str(), self.votes[1].ballot.as_str())
    }

    /// The SHA-256 of the file, by which it is known.
    pub fn id(&self) -> Digest {
        Digest::of(self.to_string().as_bytes())
    }

    fn check(&self) -> Result<(), EquivocationError> {
        let [one, other] = &self.votes;
        if !one.ballot.contradicts(&other.ballot) {
            return Err(EquivocationError::NoConflict);
        }
        if one.ballot > other.ballot {
            return Err(EquivocationError::NotCanonical);
        }
        for (vote, which) in [(one, "first"), (other, "second")] {
            if !made(&self.member, &vote.signature, &vote.ballot.signed_bytes(&self.occasion)) {
                return Err(EquivocationError::Signature(which));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Equivocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Occasion { group, epoch, view } = &self.occasion;
        writeln!(f, "{FIRST_LINE}\ngroup {group}\nmember {}\nepoch {epoch}\nview {view}", Digest(self.member))?;
        for vote in &self.votes {
            f.write_str(vote.ballot.as_str())?;
            if let Ballot::Notarize(proposal) | Ballot::Finalize(proposal) = &vote.ballot {
                write!(f, " {} {}", proposal.parent, proposal.block)?;
            }
            writeln!(f, " {}", Base64::encode_string(&vote.signature))?;
        }
        Ok(())
    }
}

/// Decides whether `bytes` show that a member equivocated: every bit of them counts.
///
/// # Errors
/// Why they do not.
pub fn verify(bytes: &[u8]) -> Result<Equivocation, EquivocationError> {
    let proof = Equivocation::parse(bytes)?;
    proof.check()?;
    Ok(proof)
}

fn parse_vote(line: &str) -> Option<Vote> {
    let (head, signature) = line.rsplit_once(' ')?;
    let signature = Base64::decode_vec(signature).ok()?.try_into().ok()?;
    let mut items = head.split(' ');
    let kind = items.next()?;
    let mut proposal = || Some(Proposal { parent: items.next()?.parse().ok()?, block: items.next()?.parse().ok()? });
    let ballot = match kind {
        "nullify" => Ballot::Nullify,
        "notarize" => Ballot::Notarize(proposal()?),
        "finalize" => Ballot::Finalize(proposal()?),
        _ => return None,
    };
    Some(Vote { ballot, signature })
}
