//! The transparency log.

use serde::Serialize;
use synchronicity_verify::entry::Verdict;
use utoipa::ToSchema;

use super::{EntryRow, Millis, Moment, verdict};

/// A page of the log.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct LogPage {
    /// Name of the log.
    pub origin: String,
    /// Entries that this node has executed.
    pub size: u64,
    /// Entries under the published checkpoint.
    pub published: u64,
    /// Its root, 64 hex digits.
    pub root: String,
    /// The published checkpoint as it is served.
    pub checkpoint: String,
    /// Where the tiles are that the newest entries changed, below the log's address.
    pub tiles: Vec<String>,
    /// Who signed it.
    pub cosigners: Vec<Cosigner>,
    /// Signatures that a policy of this group wants.
    pub quorum: usize,
    /// Time at which a quorum vouched for it.
    pub vouched: Option<Moment>,
    /// Time of the newest block that this node executed.
    pub now: Moment,
    /// Entries, the newest first.
    pub entries: Vec<EntryRow>,
    /// Only entries with this verdict are listed; nothing for all.
    #[serde(serialize_with = "verdict::word_if_any")]
    #[schema(schema_with = verdict::schema_if_any)]
    pub verdict: Option<Verdict>,
    /// Ask for entries below this index for the next page; nothing on the last.
    pub next_before: Option<u64>,
}

impl LogPage {
    /// How old the published checkpoint is, by the time of the newest block.
    pub fn age(&self) -> Option<Millis> {
        self.vouched.map(|vouched| self.now.since(vouched))
    }

    /// Whether only entries with this verdict are listed.
    pub fn is_of(&self, verdict: &Verdict) -> bool {
        self.verdict.as_ref() == Some(verdict)
    }
}

/// One signature under the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cosigner {
    /// Key name.
    pub name: String,
    /// When it signed, by its own clock.
    pub time: Option<Moment>,
}
