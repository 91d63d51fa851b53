//! What devnet tells: one list of events for the terminal, for plain text and for programs (`--json`).

use std::path::PathBuf;

use serde::Serialize;

use super::args::{Conduct, CrashAt};

/// Something worth telling. With `--json` each is one line, its kind under `event`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    /// The crate exists; what a name without a version stands for is decided.
    Resolved { asked: String, name_version: String },
    /// Sandbox and toolchain are being made ready; the first time this can take a while.
    Preparing { folder: PathBuf },
    /// Builds will run here.
    Ready { sandbox: String, rustc: String },
    /// All nodes run and see each other.
    Started { origin: String, threshold: u16, folder: PathBuf, nodes: Vec<StartedNode> },
    /// The group has the request.
    Submitted { name_version: String, request: String },
    /// A builder got further with a request.
    Phase {
        name_version: String,
        request: String,
        builder: String,
        #[serde(flatten)]
        phase: Phase,
    },
    /// `--crash`: a node was killed.
    Killed { builder: String, at: CrashAt },
    /// `--crash`: too few nodes are left to order anything; whether their height indeed stood still.
    Halted { running: usize, needed: usize, height: u64, stood_still: bool },
    /// `--crash`: a killed node runs again.
    Restarted { builder: String, pid: u32 },
    /// `--crash`: enough nodes are back, and the group orders blocks again.
    WentOn { height: u64 },
    /// A request is concluded.
    Concluded(Box<Conclusion>),
    /// The results are in this folder.
    Written { name_version: String, folder: PathBuf, files: Vec<String> },
    /// Why builders differ, as a node sees it: what its `/explanations/REQUEST` says. Advice, never evidence.
    Explained { name_version: String, told: serde_json::Value },
    /// The offline verifier ran in a process of its own.
    Verified { command: String, exit: Option<i32>, output: String },
    /// What to try now.
    Next { commands: Vec<Suggestion>, kept: bool },
    /// The group is being taken down.
    Stopping,
    /// Nothing of the group is left running.
    Stopped,
}

/// A node, as somebody who wants to use it needs it.
#[derive(Debug, Serialize)]
pub(super) struct StartedNode {
    pub(super) name: String,
    pub(super) pid: u32,
    pub(super) folder: PathBuf,
    /// Base URL of its read-only HTTP.
    pub(super) http: String,
    pub(super) conduct: Conduct,
}

/// How far one builder is with one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub(super) enum Phase {
    /// Its node does not answer.
    Down,
    /// It has not begun.
    Waiting,
    /// It gets the source and its dependencies.
    Fetching,
    /// `compiled` is the last crate that was compiled, empty before the first.
    Building {
        elapsed_ms: u64,
        compiled: String,
    },
    /// The build is over and not yet committed to.
    Built,
    /// Trouble of its machine, not of the crate.
    Broken {
        reason: String,
    },
    Committed,
    Revealed,
}

impl Phase {
    /// Whether this is another phase than `before`, whatever the details.
    pub(super) fn is_beyond(&self, before: &Self) -> bool {
        std::mem::discriminant(self) != std::mem::discriminant(before)
    }

    /// Whether more than time has passed since `before`.
    pub(super) fn is_news_after(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Building { compiled: now, .. }, Self::Building { compiled: then, .. }) => now != then,
            _ => self != before,
        }
    }
}

/// A concluded request: what the verified log entry says, and what the nodes add to it.
#[derive(Debug, Serialize)]
pub(super) struct Conclusion {
    pub(super) name_version: String,
    pub(super) purl: String,
    pub(super) request: String,
    /// `reproduced`, `diverged`, `unbuildable` or `inconclusive`.
    pub(super) verdict: String,
    pub(super) threshold: u16,
    /// Builders by name.
    pub(super) agreeing: Vec<String>,
    pub(super) dissenting: Vec<Dissent>,
    pub(super) silent: Vec<String>,
    pub(super) artifacts: Vec<Product>,
    /// The common failure of an `unbuildable` crate.
    pub(super) failure: Option<Reason>,
    /// Place of the entry in the log.
    pub(super) index: u64,
    /// Size of the log that was signed.
    pub(super) log_size: u64,
    pub(super) cosigners: Vec<String>,
    /// From the last reveal to the proof on disk, in milliseconds: median over the nodes.
    pub(super) proof_ms: Option<u64>,
}

/// A builder that revealed something else than the agreed result, or anything where nothing was agreed.
#[derive(Debug, Serialize)]
pub(super) struct Dissent {
    pub(super) builder: String,
    pub(super) artifacts: Vec<Product>,
    pub(super) failure: Option<Reason>,
}

/// One artifact.
#[derive(Debug, Serialize)]
pub(super) struct Product {
    pub(super) name: String,
    /// In bytes.
    pub(super) size: u64,
    /// Hexadecimal.
    pub(super) sha256: String,
}

/// A named failure and what a person can do about it.
#[derive(Debug, Serialize)]
pub(super) struct Reason {
    pub(super) failure: String,
    pub(super) advice: String,
}

/// A command worth typing.
#[derive(Debug, Serialize)]
pub(super) struct Suggestion {
    pub(super) command: String,
    pub(super) why: String,
}
