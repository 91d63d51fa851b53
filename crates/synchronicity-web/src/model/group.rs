//! The group and its policy; the API itself.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Millis, Moment};

/// Who the group is, and how to trust it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct GroupPage {
    /// Name of the log.
    pub origin: String,
    /// Identity of the group, 64 hex digits.
    pub id: String,
    /// Counts changes of membership.
    pub epoch: u64,
    /// Equal results that make a verdict.
    pub threshold: u16,
    /// Signatures under a published checkpoint.
    pub quorum: usize,
    /// Members that must be up for the group to order anything.
    pub ordering_quorum: usize,
    /// How long builders may build.
    pub commit_window: Millis,
    /// How long they may take to reveal.
    pub reveal_window: Millis,
    /// Walls that every sandbox must have.
    pub containment: Vec<String>,
    /// The members, by name.
    pub members: Vec<GroupMember>,
    /// How earlier epochs ended, the latest first.
    pub history: Vec<EpochRow>,
    /// The policy file.
    pub policy: String,
    /// Where this node serves the log.
    pub url: String,
}

/// A change of membership, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EpochRow {
    /// The epoch that it began.
    pub epoch: u64,
    /// Index of its entry in the log.
    pub index: u64,
    /// When the epoch before ended, by the time of its last block.
    pub time: Moment,
    /// Equal results that make a verdict since.
    pub threshold: u16,
    /// Names of the members since.
    pub members: Vec<String>,
}

/// One member, as the group file names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct GroupMember {
    /// Its name.
    pub name: String,
    /// Key with which it signs commands, 64 hex digits.
    pub command: String,
    /// Key with which it cosigns checkpoints, as in the policy.
    pub cosigner: String,
    /// Key with which it signs statements for other tools, 64 hex digits.
    pub attestation: String,
    /// Where its node listens for the others.
    pub address: String,
}

/// The API, for people.
#[derive(Clone, Debug, Default)]
pub struct ApiPage {
    /// Its version.
    pub version: String,
    /// What can be asked.
    pub operations: Vec<ApiOperation>,
}

/// One thing that can be asked.
#[derive(Clone, Debug, Default)]
pub struct ApiOperation {
    /// `GET`.
    pub method: String,
    /// The path, with `{…}` for what is filled in.
    pub path: String,
    /// In one sentence.
    pub summary: String,
    /// Name and meaning of each parameter.
    pub parameters: Vec<(String, String)>,
    /// Statuses and what each means.
    pub responses: Vec<(String, String)>,
}
