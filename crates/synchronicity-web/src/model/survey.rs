//! What a survey found: crates of a list, each built twice by one machine.

use serde::Serialize;
use utoipa::ToSchema;

use super::Moment;

/// The survey that this node shows, if any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SurveyPage {
    /// Nothing where this node shows none, or cannot read it.
    pub survey: Option<Survey>,
    /// Whether its operator named one that cannot be read.
    pub unreadable: bool,
}

/// One machine's answer about one list. It is no evidence, and no word of the group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Survey {
    /// Name and version of the program that built.
    pub program: String,
    /// Release and commit of rustc.
    pub rustc: String,
    /// What it compiled for.
    pub target: String,
    /// What builds were confined by.
    pub sandbox: String,
    /// When its first session began.
    pub began: Option<Moment>,
    /// When its last session ended; nothing where it was killed.
    pub ended: Option<Moment>,
    /// How the list was chosen, in its own words; a paragraph each.
    pub chosen: Vec<String>,
    /// Whether the list was changed between sessions.
    pub changed: bool,
    /// How many crates came how far.
    pub totals: SurveyTotals,
    /// By kind.
    pub groups: Vec<SurveyGroup>,
    /// By cause, the most frequent first; of the catalogue only what was found.
    pub causes: Vec<SurveyCause>,
    /// What was really another in the second build.
    pub conditions: Vec<SurveyCondition>,
}

/// How many crates came how far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SurveyTotals {
    /// On the list.
    pub listed: u64,
    /// Measured.
    pub recorded: u64,
    /// Of these, without a release that could be pinned.
    pub refused: u64,
    /// Of these, never built.
    pub unbuildable: u64,
    /// Of these, built twice, or once and then not again: what rates are of.
    pub compared: u64,
    /// Of those, the same bytes twice.
    pub reproducible: u64,
    /// Of those, other bytes.
    pub different: u64,
    /// Of those, built once and then not again.
    pub only_once: u64,
}

/// A share, and what chance alone leaves open: the interval of Wilson at 95 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Rate {
    /// Cases of which it holds.
    pub count: u64,
    /// All cases.
    pub of: u64,
    /// Nothing where there is no case; otherwise 0 to 1, as the bounds are.
    #[schema(minimum = 0, maximum = 1)]
    pub share: Option<f64>,
    /// Lower bound.
    #[schema(minimum = 0, maximum = 1)]
    pub low: Option<f64>,
    /// Upper bound.
    #[schema(minimum = 0, maximum = 1)]
    pub high: Option<f64>,
}

/// Crates that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SurveyGroup {
    /// What.
    pub name: String,
    /// Whether each crate is in exactly one of the groups of this sort.
    pub exclusive: bool,
    /// How many of them were the same twice.
    pub reproducible: Rate,
}

/// Crates that differ for one cause; a crate can differ for several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SurveyCause {
    /// As in `build-time`.
    pub cause: String,
    /// It in words.
    pub in_words: String,
    /// Of the crates that were compared.
    pub crates: Rate,
    /// Of these crates, for how many the cause is no more than possible.
    pub possible: u64,
    /// Likely.
    pub likely: u64,
    /// Known: each build's own value stands in its own file.
    pub known: u64,
    /// Which crates: the first fifty.
    pub names: Vec<String>,
    /// Crates of their trees that it comes from: the first fifty.
    pub guilty: Vec<String>,
}

/// In how many crates' builds a circumstance was really another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SurveyCondition {
    /// Which.
    pub what: String,
    /// In how many.
    pub varied: u64,
    /// Of how many.
    pub of: u64,
}

impl Rate {
    /// As in `95.0 %`.
    pub fn in_words(&self) -> String {
        self.share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
    }

    /// As in `76.4 to 99.1 %`.
    pub fn interval(&self) -> String {
        match (self.low, self.high) {
            (Some(low), Some(high)) => format!("{:.1} to {:.1} %", low * 100.0, high * 100.0),
            _ => "–".to_owned(),
        }
    }
}

impl Survey {
    /// Shares by kind, for a plot.
    pub fn by_kind(&self) -> Vec<(&str, Rate)> {
        self.groups.iter().map(|group| (group.name.as_str(), group.reproducible)).collect()
    }

    /// Shares by cause, for a plot.
    pub fn by_cause(&self) -> Vec<(&str, Rate)> {
        self.causes.iter().map(|row| (row.in_words.as_str(), row.crates)).collect()
    }
}

impl SurveyCause {
    /// Crates that are counted and not named.
    pub fn unnamed(&self) -> u64 {
        self.crates.count.saturating_sub(self.names.len() as u64)
    }

    /// As in `1 known, 2 possible`.
    pub fn certainty(&self) -> String {
        let counts = [(self.known, "known"), (self.likely, "likely"), (self.possible, "possible")];
        let told = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        told.collect::<Vec<_>>().join(", ")
    }
}
