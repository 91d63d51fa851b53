//! The status document: what a node says of itself over HTTP (`/status`) and on the operator's socket. JSON; fields
//! may be added, never given another meaning.

use serde::{Deserialize, Serialize};

/// Everything a node says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The member's name.
    pub node: String,
    /// Version of this program.
    pub version: String,
    /// Identity of the group, in hex.
    pub group: String,
    /// Name of the group's log.
    pub origin: String,
    /// Height of the last block that this node has executed and persisted.
    pub height: u64,
    /// Time of that block, in milliseconds since 1970.
    pub time_ms: u64,
    /// Highest view of this epoch of which this node has seen a certificate since its start. Against the height it gains one for
    /// each view that the group gave up because its leader was not heard of in time.
    #[serde(default)]
    pub view: u64,
    /// How far this node's clock is ahead of the group's, in milliseconds, where the engine can tell.
    pub clock_skew_ms: Option<i64>,
    /// Members that this node is connected to, itself not counted.
    pub peers: usize,
    /// Whether this node has seen all that the group has ordered, as far as it knows.
    pub caught_up: bool,
    /// Whether this node signs: `voting`; `asking`, while it waits for others to tell what they have seen of it; `forgetful`, while
    /// that is more than it remembers.
    #[serde(default)]
    pub standing: String,
    /// The transparency log.
    pub log: LogStatus,
    /// Open rounds and the latest concluded ones; the latest last.
    pub rounds: Vec<RoundStatus>,
    /// What this node builds, or waits to build.
    pub building: Vec<Building>,
    /// `ok`, or what keeps this node from doing its part and what to do about it.
    pub health: String,
    /// How each webhook of this node does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<WebhookStatus>,
    /// What other members did wrong, as this node saw it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offences: Vec<OffenceStatus>,
    /// How this node misbehaves on purpose, in a demonstration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misbehaves: Option<String>,
}

/// How a webhook does. Its address may be a secret, and is told to nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookStatus {
    /// What the operator calls it.
    pub name: String,
    /// Index of the first entry that it was not told.
    pub next: u64,
    /// Published entries that it was not told.
    pub waiting: u64,
    /// Events that it took since this node was started.
    pub delivered: u64,
    /// Attempts that failed since then.
    pub failures: u64,
    /// Whether the latest attempt did.
    pub failing: bool,
}

/// What a member did wrong, so and so often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffenceStatus {
    /// The member's name.
    pub member: String,
    /// `equivocation`, of which `/equivocations` has proofs; or `forged-vote`, `false-proposal`, `cut-off`, `garbage`.
    pub offence: String,
    /// How often it was seen.
    pub count: u64,
    /// When for the first time, in seconds since 1970 by this node's clock.
    pub first_s: u64,
    /// When for the last time.
    pub last_s: u64,
    /// What it was the last time, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

/// The log as this node has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStatus {
    /// Entries.
    pub size: u64,
    /// Merkle root, in hex.
    pub root: String,
    /// Entries under the published checkpoint.
    pub published_size: u64,
    /// Key names of the builders whose cosignatures are on the published checkpoint.
    pub cosigners: Vec<String>,
}

/// One round of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundStatus {
    /// Identity of the request, in hex.
    pub request: String,
    /// Which attempt at it.
    pub round: u32,
    /// Package URL of what is built.
    pub purl: String,
    /// `committing`, `revealing` or `concluded`.
    pub phase: String,
    /// Block time at which the phase ends at the latest, in milliseconds since 1970.
    pub deadline_ms: Option<u64>,
    /// `reproduced`, `diverged`, `unbuildable` or `inconclusive`, once concluded.
    pub verdict: Option<String>,
    /// Index of the entry in the log, once concluded.
    pub index: Option<u64>,
    /// All members, by name.
    pub members: Vec<MemberStatus>,
    /// Milliseconds from applying the block that concluded the round to the proof lying on this node's disk.
    pub proof_ms: Option<u64>,
}

/// What one member has done in a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// The member's name.
    pub name: String,
    /// Its command key, in hex.
    pub builder: String,
    /// Whether its commitment is ordered.
    pub committed: bool,
    /// Whether it has revealed.
    pub revealed: bool,
    /// What it revealed.
    pub result: Option<ResultStatus>,
}

/// A revealed result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultStatus {
    /// `{"artifacts": [...]}`
    Artifacts(Vec<ArtifactStatus>),
    /// `{"failure": "needs-network"}`
    Failure(String),
}

/// One artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactStatus {
    /// File name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, in hex.
    pub sha256: String,
}

/// A build of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Building {
    /// Identity of the request, in hex.
    pub request: String,
    /// How far it is.
    pub stage: Stage,
    /// Milliseconds since fetching began: 0 while waiting, and what it took in all once done.
    pub elapsed_ms: u64,
    /// The crate compiled last, as in `libc v0.2.150`.
    pub compiled: Option<String>,
    /// Why an earlier try was not the last: chance, as far as this builder can tell, or trouble of its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<String>,
}

/// How far a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Another build runs, or the last attempt failed for want of infrastructure.
    Waiting,
    /// Source and dependencies are being fetched.
    Fetching,
    /// The sandbox compiles.
    Building,
    /// The result is sealed.
    Done,
}
