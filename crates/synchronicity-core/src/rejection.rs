//! Why an ordered command has no effect. A rejection is not an error of the machine: every node comes to the same one.

use thiserror::Error;

/// Why a command counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// Signed for another group.
    #[error("the command belongs to another group")]
    OtherGroup,
    /// Stated after the last block of the epoch.
    #[error("the epoch is over: sign it for the next one")]
    EpochOver,
    /// Stated when the group has agreed on its next members.
    #[error("the epoch is ending, and the next members are agreed on: wait for the next epoch")]
    EpochEnds,
    /// Members that could not follow those in force.
    #[error(
        "these members cannot follow: they must make a group of the next epoch (`group propose` says what is wrong)"
    )]
    NoSuccessor,
    /// A member has proposed too often.
    #[error("this member has proposed as often as one may in an epoch: let another member propose")]
    TooManyProposals,
    /// An approval of something that nobody proposes.
    #[error("nobody proposes these members, as far as this block")]
    UnknownProposal,
    /// A commitment or reveal by a member that builds nothing in this epoch.
    #[error("this member is marked absent: it builds nothing in this epoch")]
    Absent,
    /// Submitted with variables or flags for rustc of the submitter's own.
    #[error(
        "the request's variables or flags are not those of the standard recipe, so that its result would prove nothing: \
         let `submit` of this version of the program make the request"
    )]
    OtherRecipe,
    /// Submitted with something else than the group agreed on for this crate.
    #[error(
        "the request's {what} are not those that the group agreed on for this crate (`group show` tells them): let \
         `submit` of this version of the program make the request"
    )]
    NotAsAgreed {
        /// `features`, `products` or `limits`.
        what: &'static str,
    },
    /// Submitted while the same request is being rebuilt.
    #[error("this request is being rebuilt already: wait for its verdict")]
    AlreadyOpen,
    /// Submitted after a verdict that stands.
    #[error("this request has its verdict: entry {index} of the log")]
    AlreadyConcluded {
        /// Index of the entry.
        index: u64,
    },
    /// The group has as many open rounds as it takes.
    #[error("the group has too many open rounds: submit again when some have their verdict")]
    TooManyOpen,
    /// The author has as many open rounds as one member may.
    #[error("this member has too many open rounds: submit again when some have their verdict")]
    QuotaReached,
    /// A commitment or reveal for a request that nobody submitted.
    #[error("nobody submitted this request, as far as this block")]
    UnknownRequest,
    /// The round is over, or an earlier one.
    #[error("this round of the request is over")]
    RoundOver,
    /// The round has not come yet.
    #[error("this round of the request has not come: the next or current one is {expected}")]
    RoundAhead {
        /// The number that would have counted.
        expected: u32,
    },
    /// A reveal while others may still seal.
    #[error("too early to reveal: others may still commit")]
    TooEarly,
    /// A commitment when others may already have revealed.
    #[error("too late to commit: reveals have begun")]
    TooLate,
    /// The same statement again.
    #[error("stated before")]
    Duplicate,
    /// A second, different commitment. The first one counts, and the contradiction is kept.
    #[error("contradicts an earlier commitment of the same builder: the first one counts")]
    Equivocation,
    /// A reveal by somebody who sealed nothing.
    #[error("a reveal without a commitment counts for nothing")]
    NoCommitment,
    /// Result and nonce are not those in the author's commitment.
    #[error("the reveal does not open the commitment of its author")]
    BadOpening,
}

impl Rejection {
    /// Whether the same command may be accepted after later blocks, so that a mempool keeps it.
    pub fn may_pass_later(&self) -> bool {
        match self {
            Rejection::TooManyOpen
            | Rejection::QuotaReached
            | Rejection::UnknownProposal
            | Rejection::UnknownRequest
            | Rejection::RoundAhead { .. }
            | Rejection::TooEarly => true,
            Rejection::OtherGroup
            | Rejection::EpochOver
            | Rejection::EpochEnds
            | Rejection::NoSuccessor
            | Rejection::TooManyProposals
            | Rejection::Absent
            | Rejection::OtherRecipe
            | Rejection::NotAsAgreed { .. }
            | Rejection::AlreadyOpen
            | Rejection::AlreadyConcluded { .. }
            | Rejection::RoundOver
            | Rejection::TooLate
            | Rejection::Duplicate
            | Rejection::Equivocation
            | Rejection::NoCommitment
            | Rejection::BadOpening => false,
        }
    }
}
