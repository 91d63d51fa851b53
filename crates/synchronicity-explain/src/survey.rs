//! What a survey found: crates of a list, each built twice, counted by kind and by cause. It is the head of the
//! `survey.json` that `synchronicity survey` writes and others show; the crates one by one come after it.
//!
//! Whoever reads one read it from somewhere: [`Summary::read`] takes it under limits, and only where its numbers fit each other.

mod rate;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cause::Cause;
pub use rate::Rate;

/// The only shape so far.
pub const FORMAT: u32 = 1;

/// Bytes of a `survey.json` that are read at most: ten thousand crates with their records.
pub const BYTES_MAX: usize = 64 << 20;

/// Crates of a list at most.
pub const CRATES_MAX: usize = 10_000;

/// Rows of a table, and lines of a text, at most.
const ROWS_MAX: usize = 1_000;

/// Bytes of one text at most.
const TEXT_BYTES_MAX: usize = 4_096;

/// All but the single crates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`FORMAT`].
    pub format: u32,
    /// How it came about.
    pub run: Run,
    /// What was built.
    pub list: Listed,
    /// How many crates came how far.
    pub totals: Totals,
    /// By kind.
    pub groups: Vec<Group>,
    /// By cause: all of the catalogue.
    pub causes: Vec<CauseRow>,
    /// What was really varied.
    pub conditions: Vec<ConditionRow>,
}

/// All that the report says of the records together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// [`FORMAT`].
    pub format: u32,
    /// What all builds have in common.
    pub setting: Setting,
    /// Where they were made.
    pub machine: Machine,
    /// From each start of the program to its end.
    pub sessions: Vec<Session>,
}

/// What all builds of a survey have in common. Records of different settings are not put together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Name and version of the program that built.
    pub program: String,
    /// Release and commit of rustc.
    pub rustc: String,
    /// What it compiled for.
    pub target: String,
    /// What builds were confined by.
    pub sandbox: String,
    /// The image, or a fingerprint of the host.
    pub environment: String,
}

/// The machine, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// How many it has.
    pub processors: usize,
    /// Their name.
    pub processor: String,
    /// All of it.
    pub memory_mib: u64,
    /// The operating system.
    pub system: String,
}

/// One run of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// As it was typed.
    pub command: String,
    /// SHA-256 of the list.
    pub list_sha256: String,
    /// Crates that were built at once.
    pub jobs: usize,
    /// In seconds since 1970.
    pub began: u64,
    /// In seconds since 1970; none if the program was killed.
    pub ended: Option<u64>,
    /// How many crates were recorded in it; of a session that was killed, 0.
    pub recorded: usize,
}

/// The list, and how it was chosen in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// SHA-256 of the list.
    pub sha256: String,
    /// Line by line; an empty one parts paragraphs.
    pub chosen: Vec<String>,
    /// Whether a session had another list.
    pub changed: bool,
}

/// How many crates came how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// On the list.
    pub listed: usize,
    /// Measured.
    pub recorded: usize,
    /// Of these, without a release that could be pinned.
    pub refused: usize,
    /// Of these, never built.
    pub unbuildable: usize,
    /// Built twice, or once and then not again: what rates are of.
    pub compared: usize,
    /// Of these, the same bytes twice.
    pub reproducible: usize,
    /// Of these, other bytes.
    pub different: usize,
    /// Of these, built once and then not again.
    pub only_once: usize,
}

/// Crates that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// What.
    pub name: String,
    /// Whether each crate is in exactly one of the groups of this sort.
    pub exclusive: bool,
    /// How many of them were the same twice.
    pub reproducible: Rate,
}

/// How many crates differ for one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CauseRow {
    /// Which.
    pub cause: Cause,
    /// It in words.
    pub in_words: String,
    /// Of the crates that were compared.
    pub crates: Rate,
    /// Of these crates, how many for which the cause is no more than possible, likely, known.
    pub certainty: [usize; 3],
    /// Which crates.
    pub names: BTreeSet<String>,
    /// The crates of their trees that it comes from.
    pub guilty: BTreeSet<String>,
}

/// In how many crates' builds a circumstance was really another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionRow {
    /// Which.
    pub what: String,
    /// In how many.
    pub varied: usize,
    /// Of how many.
    pub of: usize,
}

/// Why bytes are no survey that can be shown.
#[derive(Debug, Error)]
pub enum SummaryError {
    /// Too many of them.
    #[error("it has more than {BYTES_MAX} bytes")]
    TooLarge,
    /// Not the JSON of a survey.
    #[error("it is no survey: {0}")]
    Json(#[from] serde_json::Error),
    /// A survey of another program.
    #[error("it has format {0}; this program knows {FORMAT}")]
    Format(u32),
    /// More of something than a survey can have.
    #[error("it has too many or too long {0}")]
    Limit(&'static str),
    /// Numbers that no count gives.
    #[error("its {0} do not add up")]
    Numbers(&'static str),
}

impl Summary {
    /// Reads a `survey.json`.
    ///
    /// # Errors
    /// [`SummaryError`].
    pub fn read(bytes: &[u8]) -> Result<Summary, SummaryError> {
        if bytes.len() > BYTES_MAX {
            return Err(SummaryError::TooLarge);
        }
        let summary: Summary = serde_json::from_slice(bytes)?;
        if summary.format != FORMAT {
            return Err(SummaryError::Format(summary.format));
        }
        summary.is_bounded()?;
        summary.adds_up()?;
        Ok(summary)
    }

    fn is_bounded(&self) -> Result<(), SummaryError> {
        let Setting { program, rustc, target, sandbox, environment } = &self.run.setting;
        let setting = [program, rustc, target, sandbox, environment].into_iter();
        let machine = [&self.run.machine.processor, &self.run.machine.system].into_iter();
        let sessions = self.run.sessions.iter().map(|session| &session.command);
        let groups = self.groups.iter().map(|group| &group.name);
        let causes = self.causes.iter().flat_map(|row| row.names.iter().chain(&row.guilty).chain([&row.in_words]));
        let conditions = self.conditions.iter().map(|row| &row.what);
        let texts = setting.chain(machine).chain(sessions).chain(groups).chain(causes).chain(conditions);
        if texts.chain(&self.list.chosen).any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(SummaryError::Limit("texts"));
        }
        let rows = [
            self.run.sessions.len(),
            self.groups.len(),
            self.causes.len(),
            self.conditions.len(),
            self.list.chosen.len(),
        ];
        if rows.into_iter().any(|rows| rows > ROWS_MAX) {
            return Err(SummaryError::Limit("rows"));
        }
        let crates = self.causes.iter().flat_map(|row| [row.names.len(), row.guilty.len()]);
        if crates.chain([self.totals.listed]).any(|crates| crates > CRATES_MAX) {
            return Err(SummaryError::Limit("crates"));
        }
        Ok(())
    }

    fn adds_up(&self) -> Result<(), SummaryError> {
        let Totals { listed, recorded, refused, unbuildable, compared, reproducible, different, only_once } =
            self.totals;
        let sum = |parts: &[usize]| parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(*part));
        let fine = recorded <= listed
            && sum(&[refused, unbuildable, compared]) == Some(recorded)
            && sum(&[reproducible, different, only_once]) == Some(compared);
        if !fine {
            return Err(SummaryError::Numbers("totals"));
        }
        let groups = self.groups.iter().map(|group| group.reproducible);
        let rates = groups.chain(self.causes.iter().map(|row| row.crates));
        // Shares and intervals are no claims of the file: they follow from its counts.
        if rates
            .into_iter()
            .any(|rate| rate.count > rate.of || rate.of > compared || rate != Rate::new(rate.count, rate.of))
        {
            return Err(SummaryError::Numbers("rates"));
        }
        if self.conditions.iter().any(|row| row.varied > row.of) {
            return Err(SummaryError::Numbers("circumstances"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn survey() -> Value {
        let rate = |count, of| serde_json::to_value(Rate::new(count, of)).unwrap();
        json!({
            "format": 1,
            "run": {
                "format": 1,
                "setting": { "program": "p", "rustc": "r", "target": "t", "sandbox": "s", "environment": "e" },
                "machine": { "processors": 2, "processor": "p", "memory_mib": 1, "system": "s" },
                "sessions": [{ "command": "c", "list_sha256": "00", "jobs": 1, "began": 1, "ended": null, "recorded": 3 }],
            },
            "list": { "sha256": "00", "chosen": ["by hand"], "changed": false },
            "totals": { "listed": 5, "recorded": 4, "refused": 0, "unbuildable": 1, "compared": 3, "reproducible": 2,
                "different": 1, "only_once": 0 },
            "groups": [{ "name": "all", "exclusive": true, "reproducible": rate(2, 3) }],
            "causes": [{ "cause": "build-time", "in_words": "when it was made", "crates": rate(1, 3),
                "certainty": [0, 0, 1], "names": ["a 1.0.0"], "guilty": [] }],
            "conditions": [{ "what": "host name", "varied": 3, "of": 3 }],
            "crates": [{ "key": "a@1.0.0", "record": { "whatever": [1, 2, 3] } }],
        })
    }

    fn read(survey: &Value) -> Result<Summary, SummaryError> {
        Summary::read(survey.to_string().as_bytes())
    }

    #[test]
    fn the_head_of_a_survey_is_read_and_says_what_it_said() {
        let summary = read(&survey()).unwrap();
        let mut head = survey();
        head.as_object_mut().unwrap().remove("crates");
        assert_eq!(serde_json::to_value(&summary).unwrap(), head);
    }

    #[test]
    fn numbers_that_no_survey_gives_are_refused() {
        let wrong = [
            ("/format", json!(2)),
            ("/totals/listed", json!(3)),
            ("/totals/listed", json!(10_001)),
            ("/totals/compared", json!(4)),
            ("/totals/reproducible", json!(u64::MAX)),
            ("/totals/refused", json!(-1)),
            ("/groups/0/reproducible/count", json!(3)),
            ("/groups/0/reproducible/share", json!(0.9)),
            ("/groups/0/reproducible/low", Value::Null),
            ("/causes/0/crates/of", json!(4)),
            ("/causes/0/cause", json!("<script>")),
            ("/conditions/0/varied", json!(4)),
            ("/list/chosen/0", json!("x".repeat(TEXT_BYTES_MAX + 1))),
            ("/list/chosen", json!(vec![""; ROWS_MAX + 1])),
            ("/run/setting/rustc", json!(["1.95.0"])),
        ];
        for (place, value) in wrong {
            let mut survey = survey();
            *survey.pointer_mut(place).unwrap() = value;
            assert!(read(&survey).is_err(), "{place}");
        }
        let whole = survey().to_string();
        (0..whole.len()).for_each(|length| assert!(Summary::read(&whole.as_bytes()[..length]).is_err(), "{length}"));
    }
}
