//! Builders of the group, and how each has done.

use serde::Serialize;
use utoipa::ToSchema;

use super::{EntryRow, Millis};

/// All builders.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Builders {
    /// By name.
    pub builders: Vec<BuilderRecord>,
    /// Concluded rounds that the numbers speak of.
    pub rounds: u64,
}

/// One builder.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct BuilderRecord {
    /// Name of the member.
    pub name: String,
    /// Its command key, 64 hex digits: its identity in every entry.
    pub key: String,
    /// Whether this node is its own, or connected to it.
    pub connected: bool,
    /// What it has done in concluded rounds.
    pub participation: Participation,
    /// Median time from a submission to its commitment, over its latest commitments.
    pub median_commit: Option<Millis>,
    /// Version of its program, as it says itself; nothing if it has not said so lately.
    pub version: Option<String>,
    /// What it builds at this moment, as it says itself.
    pub runs: Vec<String>,
    /// Open rounds in which it has not committed yet.
    pub owes: Vec<String>,
    /// Its latest rounds in which it did not agree with the group.
    pub apart: Vec<EntryRow>,
}

/// Counts over concluded rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Participation {
    /// Rounds that were concluded.
    pub rounds: u64,
    /// It revealed the agreed result.
    pub agreed: u64,
    /// It revealed another one, or there was none to agree on.
    pub apart: u64,
    /// It did not commit in time.
    pub late: u64,
    /// It committed and did not reveal in time.
    pub withheld: u64,
}

impl Participation {
    /// Whole per cent of rounds in which it revealed.
    pub fn revealed_percent(&self) -> Option<u64> {
        percent(self.agreed + self.apart, self.rounds)
    }

    /// Whole per cent of its reveals with which the group agreed.
    pub fn agreed_percent(&self) -> Option<u64> {
        percent(self.agreed, self.agreed + self.apart)
    }
}

/// Rounded down: what is not all is never shown as 100 %.
fn percent(part: u64, whole: u64) -> Option<u64> {
    part.saturating_mul(100).checked_div(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_that_missed_one_of_many_rounds_is_not_shown_as_always_there() {
        let participation = Participation { rounds: 1000, agreed: 998, apart: 1, late: 1, withheld: 0 };
        assert_eq!((participation.revealed_percent(), participation.agreed_percent()), (Some(99), Some(99)));
        assert_eq!(Participation::default().revealed_percent(), None);
    }
}
