//! A request: its rounds, who did what when, and what came out.

use serde::Serialize;
use synchronicity_verify::entry::Verdict;
use utoipa::ToSchema;

use super::{Bytes, Moment, verdict};

/// Where a round is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Builders build, and seal what they got.
    Committing,
    /// Seals are opened.
    Revealing,
    /// The verdict is in the log.
    Concluded,
}

impl Phase {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committing => "committing",
            Self::Revealing => "revealing",
            Self::Concluded => "concluded",
        }
    }
}

/// One attempt at a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RequestPage {
    /// Identity of the request, 64 hex digits.
    pub request: String,
    /// Package URL.
    pub purl: String,
    /// Name of the crate.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Which attempt this is, counted from 0.
    pub round: u32,
    /// All attempts that the log has, the newest first.
    pub attempts: Vec<Attempt>,
    /// Where the round is.
    pub phase: Phase,
    /// When the phase ends at the latest, unless concluded.
    pub deadline: Option<Moment>,
    /// What the group found out, once concluded.
    #[serde(serialize_with = "verdict::word_if_any")]
    #[schema(schema_with = verdict::schema_if_any)]
    pub verdict: Option<Verdict>,
    /// Index of the entry, once concluded.
    pub index: Option<u64>,
    /// Whether the entry is under the published checkpoint, so that there is a proof.
    pub published: bool,
    /// Whether this builder signs statements about the entry: it agreed, on artifacts, in the epoch that is in force.
    pub attested: bool,
    /// Builders behind the agreed result.
    pub agree: u16,
    /// Equal results that make a verdict.
    pub threshold: u16,
    /// Name of the agreed failure and what to do about it.
    pub failure: Option<(String, String)>,
    /// What happened, in order.
    pub timeline: Vec<Happening>,
    /// Who built.
    pub builders: Vec<BuilderColumn>,
    /// Artifacts by name.
    pub matrix: Vec<MatrixRow>,
    /// Why builders differ, for `diverged`.
    pub explanation: Option<Explanation>,
    /// What the request pins.
    pub recipe: Vec<Fact>,
    /// How to repeat it by hand.
    pub documents: Vec<Document>,
    /// Whether this node keeps its transcript and shows it.
    pub transcript: bool,
    /// Whether the page follows the node by itself.
    pub live: bool,
    /// What the node says when transcripts are not shown yet.
    pub transcript_note: String,
}

impl RequestPage {
    /// Whether somebody revealed something in this attempt that this node does not know any more, or never did.
    pub fn is_forgotten(&self) -> bool {
        self.verdict.is_some() && self.builders.iter().any(|builder| builder.revealed && builder.result.is_none())
    }

    /// Whether enough builders revealed the same: only then one who revealed something else is apart from the group.
    pub fn has_agreement(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Reproduced | Verdict::Unbuildable))
    }
}

/// Another attempt at the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attempt {
    /// Which.
    pub round: u32,
    /// Index of its entry.
    pub index: u64,
    /// What it came to.
    #[serde(serialize_with = "verdict::word")]
    #[schema(schema_with = verdict::schema)]
    pub verdict: Verdict,
}

/// How a line of the time line, or a cell, is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// As it should be.
    Good,
    /// Missing, late, withheld or contradicted.
    Bad,
    /// Neither.
    Plain,
}

impl Mark {
    /// Its class in the style sheet.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

/// Something that the group ordered, or that did not come in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Happening {
    /// Time of the block; nothing for what never came.
    pub time: Option<Moment>,
    /// Height of the block.
    pub height: Option<u64>,
    /// Who, unless it was the group.
    pub builder: Option<String>,
    /// What, as in `committed` or `late: no commitment before the deadline`.
    pub what: String,
    /// How it is marked.
    pub mark: Mark,
}

/// One builder's part in the round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BuilderColumn {
    /// Name of the member.
    pub name: String,
    /// `agreed`, `differs`, `failed: NAME`, `late`, `withheld`, `committed`, `building`.
    pub state: String,
    /// How it is marked.
    pub mark: Mark,
    /// Whether it revealed a result.
    pub revealed: bool,
    /// Digest of that, 64 hex digits; nothing where this node does not know the result.
    pub result: Option<String>,
}

/// One artifact over all builders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MatrixRow {
    /// File name.
    pub name: String,
    /// In the order of the builders; nothing where a builder has no such artifact.
    pub cells: Vec<Option<Artifact>>,
}

/// One artifact of one builder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Artifact {
    /// SHA-256, 64 hex digits.
    pub sha256: String,
    /// Its size.
    pub size: Bytes,
    /// Which of the different contents of this name it is: `A` for the one with most builders behind it.
    pub camp: Camp,
}

/// A letter for equal contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Camp(pub u8);

impl std::fmt::Display for Camp {
    /// `A` to `Z`, then numbers from 27.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0..26 => write!(f, "{}", char::from(b'A' + self.0)),
            more => write!(f, "{}", u16::from(more) + 1),
        }
    }
}

/// Why builders differ, as one node sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// `explained`, `pending` or `unexplained`.
    pub state: String,
    /// What it is worth.
    pub advice: String,
    /// Why there is none yet.
    pub reason: Option<String>,
    /// Whose files are first, and whose second.
    pub compared: Option<(String, String)>,
    /// In words, as the command line tells it.
    pub words: String,
    /// Each difference, the likeliest origins first, as many as a page could show.
    pub findings: Vec<Finding>,
    /// How many more there are; `/explanations/REQUEST` has all.
    pub more: usize,
}

/// One difference between two artifacts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Finding {
    /// The artifact.
    pub artifact: String,
    /// The cause's name in the catalogue.
    pub cause: String,
    /// `known`, `likely` or `possible`.
    pub certainty: String,
    /// Why it is thought so.
    pub why: String,
    /// Where in the file.
    pub place: String,
    /// What the first file has there.
    pub first: String,
    /// What the second file has there.
    pub second: String,
    /// The crate that it comes from, where that can be told.
    pub guilty: Option<String>,
    /// What the author of the crate can do.
    pub suggestion: String,
}

/// A name and a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fact {
    /// What.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A text to copy, as a file or a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Document {
    /// What it is.
    pub title: String,
    /// Its lines.
    pub text: String,
}

/// A part of what a build printed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TranscriptPage {
    /// Identity of the request.
    pub request: String,
    /// Name and version of the crate.
    pub title: String,
    /// Whose build.
    pub builder: String,
    /// What lines must contain to be listed; empty for all.
    pub find: String,
    /// The lines of this page.
    pub lines: Vec<Line>,
    /// Number of the first line of the page before, if there is one.
    pub before: Option<usize>,
    /// Number of the first line of the next page, if there is one.
    pub after: Option<usize>,
    /// Lines in all, or that contain what is looked for.
    pub total: usize,
    /// Where it was cut: so many bytes from the beginning are shown and searched, and the rest is in the text alone. Nothing for
    /// a whole transcript.
    pub cut_at: Option<Bytes>,
}

/// One line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// As the build printed it, cut at a limit.
    pub text: String,
}
