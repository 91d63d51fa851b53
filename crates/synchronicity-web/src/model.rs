//! What is shown. Each type is a part of a page and, as JSON, of an answer of the API; fields may be added, never given another
//! meaning.
//!
//! Texts stand here as somebody wrote them: [`crate::visible`] makes them harmless when they are shown.

mod builder;
mod entry;
mod group;
mod log;
mod request;
mod survey;
mod time;
mod trends;
pub mod verdict;

use serde::Serialize;
pub use synchronicity_verify::entry::Verdict;
use utoipa::ToSchema;

pub use self::builder::{BuilderRecord, Builders, Participation};
pub use self::entry::{Counts, CrateHit, CratePage, EntryRow, OpenRow, Release};
pub use self::group::{ApiOperation, ApiPage, EpochRow, GroupMember, GroupPage};
pub use self::log::{Cosigner, LogPage};
pub use self::request::{
    Artifact, Attempt, BuilderColumn, Camp, Document, Explanation, Fact, Finding, Happening, Line, Mark, MatrixRow,
    Phase, RequestPage, TranscriptPage,
};
pub use self::survey::{Rate, Survey, SurveyCause, SurveyCondition, SurveyGroup, SurveyPage, SurveyTotals};
pub use self::time::{Bytes, Millis, Moment};
pub use self::trends::{Month, Share, TrendsPage};

/// What stands around every page; no part of the API.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Name of the group's log.
    pub origin: String,
    /// Name of the member whose node shows the page.
    pub node: String,
    /// Version of its program.
    pub version: String,
    /// What keeps the node from doing its part; `None` if it is well.
    pub trouble: Option<String>,
}

/// The first page.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Home {
    /// Entries of the log, by verdict.
    pub counts: Counts,
    /// The latest entries, the newest first.
    pub recent: Vec<EntryRow>,
    /// What is being rebuilt now, the oldest first.
    pub open: Vec<OpenRow>,
    /// Entries by month.
    pub months: Vec<Month>,
}

/// What a search found.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Search {
    /// What was asked for.
    pub query: String,
    /// The crate after which this part begins; empty for the first part.
    pub after: String,
    /// Crates whose name begins with it, then crates whose name has it, each group by name.
    pub hits: Vec<CrateHit>,
    /// Whether there are more than are listed.
    pub more: bool,
    /// Ask for crates after this one for more; nothing where there are none.
    pub next_after: Option<String>,
}

/// Rounds without a verdict.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Queue {
    /// In the order in which this node builds them.
    pub open: Vec<OpenRow>,
    /// Time of the newest block that this node executed.
    pub now: Moment,
}

/// A page that says that there is nothing, and why.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// As a heading.
    pub title: String,
    /// What somebody can do.
    pub advice: String,
}
