//! What a builder tells the group: one signed, canonical statement that the engine puts in order.
//!
//! ```text
//! wire    = [payload: bytes, signature]
//! payload = [1, author: bytes .size 32, action]
//! action  = [0, request: bytes, lock: bytes, round]                               submit
//!         / [1, request id: bytes .size 32, round, commitment: bytes .size 32]    commit
//!         / [2, request id: bytes .size 32, round, result: bytes, nonce: bytes .size 32]  reveal
//!         / [3, membership: bytes]                                                propose
//!         / [4, digest of a membership: bytes .size 32]                           approve
//! id      = SHA-256 tagged "synchronicity/command/v1" (group id, payload)
//! ```
//!
//! Signatures, over one command or over several of one author, are those of [`signature`](self::signature).
//!
//! All of it is deterministic CBOR (RFC 8949 §4.2) and there is one spelling only. The identity leaves the signature
//! out and takes the group in: a second signature over the same statement is the same command, and a command of one
//! group is noise in another, as is one of an earlier epoch: another epoch is another group. Nothing else protects against
//! replay, and nothing else has to: the machine takes each step of a round, and each approval, once.

mod signature;
mod wire;

use ed25519_dalek::{Signer, SigningKey};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::membership::Membership;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;
use thiserror::Error;

use crate::group::Group;
use signature::Signature;
pub use signature::{BATCH_COMMANDS_MAX, SignedMessage};

/// Largest `Cargo.lock` that a submission carries, in bytes.
pub const LOCK_BYTES_MAX: usize = 512 * 1024;

/// Largest command on the wire, in bytes: a submission with the largest request and lock, and its frame.
pub const COMMAND_BYTES_MAX: usize = LOCK_BYTES_MAX + 16 * 1024 + 1024;

const ID_DOMAIN: &str = "synchronicity/command/v1";

/// One step of a round or of a change of membership, as its author states it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one command at a time; a block's weight is in the locks and results")]
pub enum Action {
    /// Asks the group to rebuild.
    Submit {
        /// Everything that the build depends on.
        request: BuildRequest,
        /// The bytes of the `Cargo.lock` that the request pins by hash.
        lock: Vec<u8>,
        /// 0 for a request never seen before, one more after a round without agreement: see
        /// [`Machine::next_round`](crate::machine::Machine::next_round).
        round: u32,
    },
    /// Seals a result without telling it.
    Commit {
        /// Which request was built.
        request: RequestId,
        /// Which round of it.
        round: u32,
        /// [`commitment`](synchronicity_verify::commitment::commitment) of request, author, result and nonce.
        commitment: Digest,
    },
    /// Opens a seal.
    Reveal {
        /// Which request was built.
        request: RequestId,
        /// Which round of it.
        round: u32,
        /// What the build gave.
        result: BuildResult,
        /// The 32 random bytes in the commitment.
        nonce: [u8; 32],
    },
    /// Proposes who shall be members in the next epoch.
    Propose {
        /// All of them.
        membership: Membership,
    },
    /// Approves of what somebody proposed. The signature goes into the log.
    Approve {
        /// [`Membership::digest`] of it.
        membership: Digest,
    },
}

/// A checked command: canonical, its author a member of the group, the signature good. Nothing else reaches the
/// machine. It is obtained by signing it, or by reading and checking it; where [`Command::from_bytes_if`] and
/// [`Command::from_own_disk`] leave out the check of the signature, it was made before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    group: Digest,
    author: BuilderId,
    action: Action,
    id: Digest,
    signature: Signature,
}

/// The secret with which a builder signs its commands.
#[derive(Clone)]
pub struct CommandKey(SigningKey);

/// Why bytes, or an action, are no command of this group.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// Larger than any command can be.
    #[error("{0} bytes are too many for a command: at most {COMMAND_BYTES_MAX}")]
    TooLong(usize),
    /// Not the layout that the module documents, or not its one canonical spelling.
    #[error("not a command in canonical form: {0}")]
    Malformed(String),
    /// Signed by a key that the group file does not list.
    #[error("{0} is not a member of this group: check that both use the same group file")]
    NotAMember(BuilderId),
    /// The signature is not the author's over this command in this group.
    #[error("the signature of {0} over this command does not verify")]
    BadSignature(BuilderId),
    /// The lock beside a request is not the one that it pins.
    #[error("the lock has SHA-256 {found}, the request pins {pinned}: submit the lock that was pinned")]
    LockMismatch {
        /// Hash of the bytes that came along.
        found: Digest,
        /// Hash that the request names.
        pinned: Digest,
    },
    /// The lock is larger than a submission may carry.
    #[error("the lock has {0} bytes: at most {LOCK_BYTES_MAX} can be submitted")]
    LockTooLong(usize),
}

impl Command {
    /// Signs an action as a member of the group.
    ///
    /// # Errors
    /// [`CommandError::NotAMember`], [`CommandError::LockTooLong`] or [`CommandError::LockMismatch`].
    pub fn sign(key: &CommandKey, group: &Group, action: Action) -> Result<Command, CommandError> {
        let unsigned = Unsigned::new(key, group, action)?;
        let signature = Signature::alone(&unsigned.id, |message| key.0.sign(message).to_bytes());
        Ok(unsigned.signed(signature))
    }

    /// Signs several actions, at most [`BATCH_COMMANDS_MAX`] under one signature, which spares everybody else the check of
    /// one for each. Beside an approval each is signed alone: the signature of an approval goes into the log.
    ///
    /// # Errors
    /// As [`Command::sign`], for the first action that is none; nothing is signed then.
    pub fn sign_all(key: &CommandKey, group: &Group, actions: Vec<Action>) -> Result<Vec<Command>, CommandError> {
        let unsigned: Result<Vec<_>, _> = actions.into_iter().map(|action| Unsigned::new(key, group, action)).collect();
        let (mut unsigned, mut signed) = (unsigned?.into_iter(), Vec::new());
        let sign = |message: &[u8]| key.0.sign(message).to_bytes();
        while unsigned.len() > 0 {
            let batch: Vec<_> = unsigned.by_ref().take(BATCH_COMMANDS_MAX).collect();
            let ids: Vec<Digest> = batch.iter().map(|it| it.id).collect();
            let signatures = match batch.iter().any(|it| it.action.is_signed_alone()) {
                true => ids.iter().map(|id| Signature::alone(id, sign)).collect(),
                false => Signature::of_batch(&ids, sign),
            };
            signed.extend(batch.into_iter().zip(signatures).map(|(it, signature)| it.signed(signature)));
        }
        Ok(signed)
    }

    /// Reads a command that came from anywhere, and checks everything about it that does not depend on state.
    ///
    /// # Errors
    /// Any [`CommandError`]; nothing about the bytes is to be trusted then.
    pub fn from_bytes(bytes: &[u8], group: &Group) -> Result<Command, CommandError> {
        Command::from_bytes_if(bytes, group, SignedMessage::is_signed)
    }

    /// As [`Command::from_bytes`], for whoever remembers which messages it has found to be signed: `is_signed` is asked in place
    /// of [`SignedMessage::is_signed`], once everything else has been checked. What it wrongly affirms is wrongly believed.
    ///
    /// # Errors
    /// Any [`CommandError`]; nothing about the bytes is to be trusted then.
    pub fn from_bytes_if(
        bytes: &[u8],
        group: &Group,
        is_signed: impl FnOnce(&SignedMessage) -> bool,
    ) -> Result<Command, CommandError> {
        if bytes.len() > COMMAND_BYTES_MAX {
            return Err(CommandError::TooLong(bytes.len()));
        }
        let (author, action, signature, payload) = wire::decode(bytes)?;
        check(group, &author, &action)?;
        let id = id(group, payload);
        let message = signature.message(author, &id).map_err(|error| CommandError::Malformed(error.to_string()))?;
        if !is_signed(&message) {
            return Err(CommandError::BadSignature(author));
        }
        Ok(Command { group: group.id(), author, action, id, signature })
    }

    /// Reads a command that [`Command::from_bytes`] has taken before, back from a disk that nobody else writes: all is checked
    /// but the signature. Of bytes that came from anywhere else this believes anything.
    ///
    /// # Errors
    /// Any [`CommandError`] but [`CommandError::BadSignature`].
    pub fn from_own_disk(bytes: &[u8], group: &Group) -> Result<Command, CommandError> {
        Command::from_bytes_if(bytes, group, |_| true)
    }

    /// The canonical bytes, at most [`COMMAND_BYTES_MAX`].
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::encode(&self.author, &self.action, &self.signature)
    }

    /// Digest of the statement in its group, without the signature.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// Id of the group it was signed for.
    pub fn group(&self) -> Digest {
        self.group
    }

    /// Who signed it.
    pub fn author(&self) -> BuilderId {
        self.author
    }

    /// The author's signature: over the identity, as of every approval, or over the batch that the command is of.
    pub fn signature(&self) -> [u8; 64] {
        self.signature.bytes
    }

    /// What it states.
    pub fn action(&self) -> &Action {
        &self.action
    }
}

impl Action {
    /// Whether no other command may be under the same signature.
    fn is_signed_alone(&self) -> bool {
        matches!(self, Action::Approve { .. })
    }
}

/// A command that only lacks its signature.
struct Unsigned {
    group: Digest,
    author: BuilderId,
    action: Action,
    id: Digest,
}

impl Unsigned {
    fn new(key: &CommandKey, group: &Group, action: Action) -> Result<Unsigned, CommandError> {
        let author = key.id();
        check(group, &author, &action)?;
        let id = id(group, &wire::payload(&author, &action));
        Ok(Unsigned { group: group.id(), author, action, id })
    }

    fn signed(self, signature: Signature) -> Command {
        let Unsigned { group, author, action, id } = self;
        Command { group, author, action, id, signature }
    }
}

impl CommandKey {
    /// The key that 32 secret random bytes stand for.
    pub fn from_seed(seed: [u8; 32]) -> CommandKey {
        CommandKey(SigningKey::from_bytes(&seed))
    }

    /// The public half: the builder's identity.
    pub fn id(&self) -> BuilderId {
        BuilderId(self.0.verifying_key().to_bytes())
    }
}

impl core::fmt::Debug for CommandKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CommandKey({})", self.id())
    }
}

fn check(group: &Group, author: &BuilderId, action: &Action) -> Result<(), CommandError> {
    if group.member(author).is_none() {
        return Err(CommandError::NotAMember(*author));
    }
    if let Action::Submit { request, lock, .. } = action {
        if lock.len() > LOCK_BYTES_MAX {
            return Err(CommandError::LockTooLong(lock.len()));
        }
        let (found, pinned) = (Digest::of(lock), request.lock.sha256);
        if found != pinned {
            return Err(CommandError::LockMismatch { found, pinned });
        }
    }
    Ok(())
}

fn id(group: &Group, payload: &[u8]) -> Digest {
    Digest::tagged(ID_DOMAIN, &[&group.id().0, payload])
}
