//! Entries of the log and open rounds, as rows.

use serde::Serialize;
use synchronicity_verify::entry::Verdict;
use utoipa::ToSchema;

use super::{Millis, Moment, verdict};

/// How many entries have which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    /// `reproduced`.
    pub reproduced: u64,
    /// `diverged`.
    pub diverged: u64,
    /// `unbuildable`.
    pub unbuildable: u64,
    /// `inconclusive`.
    pub inconclusive: u64,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Reproduced => self.reproduced += 1,
            Verdict::Diverged => self.diverged += 1,
            Verdict::Unbuildable => self.unbuildable += 1,
            Verdict::Inconclusive => self.inconclusive += 1,
        }
    }

    /// How many have this verdict.
    pub fn of(&self, verdict: &Verdict) -> u64 {
        match verdict {
            Verdict::Reproduced => self.reproduced,
            Verdict::Diverged => self.diverged,
            Verdict::Unbuildable => self.unbuildable,
            Verdict::Inconclusive => self.inconclusive,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        Verdict::ALL.iter().map(|verdict| self.of(verdict)).sum()
    }
}

/// One entry of the log, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EntryRow {
    /// Its place in the log, counted from 0.
    pub index: u64,
    /// Identity of the request, 64 hex digits.
    pub request: String,
    /// Which attempt at the request, counted from 0.
    pub round: u32,
    /// Name of the crate.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it is a crate of this project's own, which nobody published.
    pub fixture: bool,
    /// Toolchain, target, products and features in short.
    pub recipe: String,
    /// What the group found out.
    #[serde(serialize_with = "verdict::word")]
    #[schema(schema_with = verdict::schema)]
    pub verdict: Verdict,
    /// Builders behind the agreed result, or behind the largest one.
    pub agree: u16,
    /// Builders of the group.
    pub builders: u16,
    /// Name of the failure, for `unbuildable`.
    pub failure: Option<String>,
    /// Time of the block that concluded it.
    pub time: Moment,
}

/// A round without a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpenRow {
    /// Its place in the queue, counted from 1.
    pub position: usize,
    /// Identity of the request, 64 hex digits.
    pub request: String,
    /// Which attempt.
    pub round: u32,
    /// Name of the crate.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Toolchain, target, products and features in short.
    pub recipe: String,
    /// `committing` or `revealing`.
    pub phase: super::Phase,
    /// Time of the block in which it was submitted.
    pub since: Moment,
    /// When the phase ends at the latest.
    pub deadline: Moment,
    /// Builders that the phase waits for.
    pub waits_for: Vec<String>,
    /// What this node does for it: `waiting`, `fetching`, `building` or `done`, and nothing if it does nothing.
    pub here: Option<String>,
    /// How long it has been doing so.
    pub elapsed: Millis,
    /// The crate of its tree that was compiled last here.
    pub compiled: Option<String>,
}

/// One crate that a search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CrateHit {
    /// Its name.
    pub name: String,
    /// Versions that the log speaks of.
    pub versions: usize,
    /// The newest entry that speaks of it.
    pub latest: EntryRow,
}

/// All that the log says of one crate.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct CratePage {
    /// Its name.
    pub name: String,
    /// The versions, the newest first.
    pub releases: Vec<Release>,
    /// Where the log is served, for badges and commands.
    pub url: String,
    /// Ask for entries below this index for older ones; nothing where there are none.
    pub next_before: Option<u64>,
}

impl CratePage {
    /// The newest of these versions of which there is, or will be, a proof that it was reproduced.
    pub fn provable(&self) -> Option<&Release> {
        let reproduced = |entry: &EntryRow| entry.verdict == Verdict::Reproduced;
        self.releases.iter().find(|release| release.entries.iter().any(reproduced))
    }
}

/// All that the log says of one version.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Release {
    /// The version.
    pub version: String,
    /// Its entries, the newest first.
    pub entries: Vec<EntryRow>,
}
