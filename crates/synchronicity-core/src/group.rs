//! The group: who its builders are, with which keys, and how many of them must agree.
//!
//! A [`Charter`] is what somebody wrote down; a [`Group`] is a charter that was found to be consistent and can no
//! longer change. Everything that a proof depends on goes into [`Group::id`]; addresses do not, so that a member may
//! move to another machine without founding another group.

mod check;
mod identity;
pub mod overrides;
mod succession;
mod text;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::membership::{self, MembershipError};
pub use synchronicity_verify::membership::{KEY_NAME_BYTES_MAX, MEMBER_NAME_BYTES_MAX, MEMBERS_MAX};
use synchronicity_verify::note::VerifierKey;
use synchronicity_verify::policy::{Policy, PolicyError, Witness};
use synchronicity_verify::request::Source;
use thiserror::Error;

use overrides::{OVERRIDES_MAX, Override};
pub use text::{GroupTextError, parse_overrides};

/// Longest commitment or reveal window: seven days, in milliseconds.
pub const WINDOW_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;

/// Highest epoch: what every JSON and TOML reader still holds exactly.
pub const EPOCH_MAX: u64 = (1 << 53) - 1;

/// Most walls that a group asks of its builders' sandboxes, and the longest name of one, in bytes.
pub const WALLS_MAX: usize = 16;
/// See [`WALLS_MAX`].
pub const WALL_NAME_BYTES_MAX: usize = 32;

/// What the founders of a group wrote down, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charter {
    /// Name of the log, as in the first line of its checkpoints: `synchronicity.example/devnet-1a2b`.
    pub origin: String,
    /// Counts changes of membership; the first members are epoch 0.
    pub epoch: u64,
    /// The log's own key (type `01`), named like the origin.
    pub log_key: VerifierKey,
    /// How many builders must report the same result for a verdict.
    pub threshold: u16,
    /// How long builders may take to build and commit, in milliseconds of block time, while no other round is open.
    pub commit_window_ms: u64,
    /// How long builders may take to reveal, in milliseconds of block time.
    pub reveal_window_ms: u64,
    /// Walls that every builder's sandbox must have, by name, in any order. What a name means is the builders' affair: a
    /// node that does not know one does not build.
    pub containment: Vec<String>,
    /// What is done otherwise for single crates. Of several that cover one, the first counts.
    pub overrides: Vec<Override>,
    /// The builders, in any order.
    pub members: Vec<Member>,
}

/// One builder of the group: a key for each kind of statement, because one key signs one kind only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Short name for people: lower-case letters, digits, `-`, `_` and `.`, unique in the group.
    pub name: String,
    /// Ed25519 public key that votes in consensus and authenticates connections.
    pub consensus: [u8; 32],
    /// Ed25519 public key that signs commands: the builder's identity in every entry.
    pub command: BuilderId,
    /// Key that cosigns checkpoints (type `04`).
    pub cosigner: VerifierKey,
    /// Ed25519 public key that signs attestations: statements for the tools of others.
    pub attestation: [u8; 32],
    /// Where its node listens, `host:port`. Not part of the group's identity.
    pub address: String,
    /// Whether it builds nothing in this epoch: nobody waits for its results, and it is not silent. It votes and cosigns.
    pub absent: bool,
}

/// A consistent charter. Members are sorted by name, whatever order the file had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    charter: Charter,
    id: Digest,
}

/// Why a charter founds no group.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GroupError {
    /// No member, or too many.
    #[error("a group has 1 to {MEMBERS_MAX} members, this one has {0}")]
    MemberCount(usize),
    /// Two different results could both reach the threshold, or none ever could.
    #[error("threshold {threshold} of {members} members: take more than half of them, at most all")]
    Threshold {
        /// What the charter says.
        threshold: u16,
        /// How many members it lists.
        members: usize,
    },
    /// Fewer members build than must agree.
    #[error("{building} members build, and {threshold} must agree: let fewer be absent, or lower the threshold")]
    Absent {
        /// What the charter says.
        threshold: u16,
        /// How many members are not absent.
        building: usize,
    },
    /// The membership is not of the next epoch.
    #[error("members of epoch {next} cannot follow epoch {epoch}: take the next one")]
    NotNext {
        /// The epoch in force.
        epoch: u64,
        /// The one that was to follow.
        next: u64,
    },
    /// The membership is none.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// An epoch that other readers would round.
    #[error("epoch {0} is out of range: take at most {EPOCH_MAX}")]
    Epoch(u64),
    /// A window that is zero or too long.
    #[error("{which} is {ms} ms: take 1 to {WINDOW_MS_MAX} ms (seven days)")]
    Window {
        /// `commit window` or `reveal window`.
        which: &'static str,
        /// What the charter says.
        ms: u64,
    },
    /// Too many walls, one twice, or a name that is none.
    #[error("containment: name at most {WALLS_MAX} walls, each once and with 1 to {WALL_NAME_BYTES_MAX} of a-z 0-9 -")]
    Containment,
    /// Too many overrides.
    #[error("{0} overrides: a group has at most {OVERRIDES_MAX}")]
    OverrideCount(usize),
    /// An override that decides nothing, gives no reason, or says what no request can.
    #[error("the override of {package:?} {flaw}")]
    Override {
        /// The crate that it names.
        package: String,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// The log key does not speak for this origin.
    #[error("the log key is named {key}, the origin is {origin}: they must be the same, with a key of type 01")]
    LogKey {
        /// Name in the key.
        key: String,
        /// Name in the charter.
        origin: String,
    },
    /// A key name that would not fit an entry.
    #[error("key name {0} is longer than {KEY_NAME_BYTES_MAX} bytes: shorten it")]
    KeyName(String),
    /// A member's name that cannot stand in a policy file.
    #[error("member name {0:?}: use 1 to {MEMBER_NAME_BYTES_MAX} of a-z 0-9 - _ . and not `none` or `builders`")]
    MemberName(String),
    /// Two members, or two of their cosigner keys, with one name.
    #[error("two members or keys are named {0}: give each its own name")]
    SameName(String),
    /// The cosigner key is of another type.
    #[error("the cosigner key of {0} is not of type 04: generate it as a cosigning key")]
    CosignerKind(String),
    /// Bytes that are no point of the curve, or a point of small order.
    #[error("the {which} key of {member} is not a usable Ed25519 public key: generate a new one")]
    Key {
        /// Whose key.
        member: String,
        /// `consensus`, `command`, `cosigner`, `attestation` or `log`.
        which: &'static str,
    },
    /// One key in two places: two votes for one holder, or two kinds of statement under one key.
    #[error("the {which} key of {member} is used twice in this group: every key signs one kind of statement")]
    SharedKey {
        /// Whose key was met again.
        member: String,
        /// In which role it was met again.
        which: &'static str,
    },
    /// Not `host:port`.
    #[error("address {address:?} of {member}: write host:port, as in 192.0.2.7:4800")]
    Address {
        /// Whose address.
        member: String,
        /// What the charter says.
        address: String,
    },
}

impl Group {
    /// Checks the charter and sorts its members by name.
    ///
    /// # Errors
    /// One [`GroupError`] for the first rule that the charter breaks.
    pub fn new(mut charter: Charter) -> Result<Group, GroupError> {
        charter.members.sort_by(|a, b| a.name.cmp(&b.name));
        charter.containment.sort_unstable();
        check::check(&charter)?;
        let id = identity::charter_id(&charter);
        Ok(Group { charter, id })
    }

    /// Digest of everything that a proof of this group depends on: all of the charter but the addresses.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// Name of the group's log.
    pub fn origin(&self) -> &str {
        &self.charter.origin
    }

    /// Counts changes of membership.
    pub fn epoch(&self) -> u64 {
        self.charter.epoch
    }

    /// The log's own key.
    pub fn log_key(&self) -> &VerifierKey {
        &self.charter.log_key
    }

    /// How many builders must report the same result.
    pub fn threshold(&self) -> u16 {
        self.charter.threshold
    }

    /// Milliseconds of block time to build and commit, while no other round is open.
    pub fn commit_window_ms(&self) -> u64 {
        self.charter.commit_window_ms
    }

    /// Milliseconds of block time to reveal.
    pub fn reveal_window_ms(&self) -> u64 {
        self.charter.reveal_window_ms
    }

    /// Names of the walls that every builder's sandbox must have, sorted.
    pub fn containment(&self) -> &[String] {
        &self.charter.containment
    }

    /// What the group does otherwise for single crates, in the order of its file.
    pub fn overrides(&self) -> &[Override] {
        &self.charter.overrides
    }

    /// What of that speaks of this source.
    pub fn override_for(&self, source: &Source) -> Option<&Override> {
        self.charter.overrides.iter().find(|agreed| agreed.covers(source))
    }

    /// The builders, sorted by name.
    pub fn members(&self) -> &[Member] {
        &self.charter.members
    }

    /// The member who signs commands with this key, if any.
    pub fn member(&self, builder: &BuilderId) -> Option<&Member> {
        self.charter.members.iter().find(|member| member.command == *builder)
    }

    /// The members that build in this epoch, sorted by name.
    pub fn building(&self) -> impl Iterator<Item = &Member> {
        self.charter.members.iter().filter(|member| !member.absent)
    }

    /// How many cosignatures a published checkpoint carries; see [`membership::quorum`].
    pub fn quorum(&self) -> usize {
        membership::quorum(self.charter.members.len(), self.charter.threshold)
    }

    /// How many members must be up for the group to order blocks: all but `f`.
    pub fn ordering_quorum(&self) -> usize {
        let members = self.charter.members.len();
        members - membership::faults(members)
    }

    /// The policy with which a client verifies this group's proofs: any [`Group::quorum`] of its members.
    ///
    /// `log_url`, where given, is the prefix under which the log's static files are served.
    ///
    /// # Errors
    /// [`PolicyError`] for a `log_url` that cannot stand in a policy file.
    pub fn policy(&self, log_url: Option<&str>) -> Result<Policy, PolicyError> {
        let witness = |member: &Member| Witness { name: member.name.clone(), key: member.cosigner.clone(), url: None };
        let witnesses = self.charter.members.iter().map(witness).collect();
        Policy::any_of(self.charter.log_key.clone(), log_url.map(str::to_owned), witnesses, self.quorum())
    }

    /// The policy as the C2SP policy file that is handed to clients, with a comment that says whose it is.
    ///
    /// # Errors
    /// As [`Group::policy`].
    pub fn policy_text(&self, log_url: Option<&str>) -> Result<String, PolicyError> {
        let policy = self.policy(log_url)?;
        Ok(format!("# builders of {}, epoch {}; group {}\n{policy}", self.origin(), self.epoch(), self.id))
    }
}
