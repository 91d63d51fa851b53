//! Rates over time and by cause.

use serde::Serialize;
use utoipa::ToSchema;

use super::Counts;

/// What the log says over time.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct TrendsPage {
    /// Entries by month, the oldest first.
    pub months: Vec<Month>,
    /// Ways in which crates failed, the most frequent first.
    pub failures: Vec<Share>,
    /// Causes of differences that this node found, the most frequent first.
    pub causes: Vec<Share>,
    /// `diverged` entries whose explanations were looked at.
    pub explained: u64,
}

/// One month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Month {
    /// `2026-11`.
    pub month: String,
    /// Its entries, by verdict.
    pub counts: Counts,
}

/// How often something was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Share {
    /// What.
    pub name: String,
    /// How often.
    pub count: u64,
}
