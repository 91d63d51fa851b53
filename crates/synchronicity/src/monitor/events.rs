//! What a monitor finds, and how it is told: a line of words or of JSON for each event.

use std::io::{self, Write};

use serde_json::{Value, json};
use synchronicity_verify::digest::Digest;

use crate::age::now_s;
use crate::out;

/// The name and version of the document, which change together with `docs/schemas/monitor.schema.json`.
const SCHEMA: &str = "synchronicity/monitor@v1";

/// In which way something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A checkpoint that is none, is of another log, or is not signed as the policy wants.
    Checkpoint,
    /// Two checkpoints that hashes show to contradict each other.
    Fork,
    /// The node does not show that its checkpoint extends what was seen before.
    Unproven,
    /// Entries that are not those of the checkpoint.
    Entries,
    /// An entry that a quorum signed, and that breaks a rule of the log.
    Rules,
    /// A tile of hashes that is not what the entries give.
    Tiles,
    /// A file that the checkpoint needs is not there.
    Missing,
    /// An answer about a crate or a file that is not what the log says.
    Lookup,
}

/// Something is wrong.
#[derive(Clone, Debug)]
pub(super) struct Alarm {
    pub(super) kind: Kind,
    /// The node where it was seen.
    pub(super) node: String,
    pub(super) words: String,
    /// What tells it from others of its kind at this node.
    subject: String,
    /// Files that show it: name and bytes.
    pub(super) evidence: Vec<(&'static str, Vec<u8>)>,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Checkpoint,
        Self::Fork,
        Self::Unproven,
        Self::Entries,
        Self::Rules,
        Self::Tiles,
        Self::Missing,
        Self::Lookup,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Fork => "fork",
            Self::Unproven => "unproven",
            Self::Entries => "entries",
            Self::Rules => "rules",
            Self::Tiles => "tiles",
            Self::Missing => "missing",
            Self::Lookup => "lookup",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it stays wrong whatever is served later: the group signed it.
    pub(super) fn lasts(self) -> bool {
        matches!(self, Self::Fork | Self::Rules)
    }
}

impl Alarm {
    pub(super) fn new(kind: Kind, node: &str, words: impl Into<String>) -> Self {
        Self { kind, node: node.to_owned(), words: words.into(), subject: String::new(), evidence: Vec::new() }
    }

    pub(super) fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..self }
    }

    pub(super) fn with(mut self, name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        self.evidence.push((name, bytes.into()));
        self
    }

    /// One for each node and kind; and for what lasts, one for each subject.
    pub(super) fn id(&self) -> String {
        let subject = if self.kind.lasts() { self.subject.as_str() } else { "" };
        let id = Digest::tagged("synchronicity/alarm/v1", &[self.node.as_bytes(), subject.as_bytes()]).to_string();
        format!("{}-{}", self.kind.as_str(), &id[..16])
    }
}

/// Something to tell.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) name: &'static str,
    words: String,
    fields: Value,
}

impl Event {
    /// `fields` is an object.
    pub(super) fn new(name: &'static str, words: impl Into<String>, fields: Value) -> Self {
        Self { name, words: words.into(), fields }
    }

    /// About a node, with nothing more to say than in words.
    pub(super) fn of_node(name: &'static str, node: &str, words: &str) -> Self {
        Self::new(name, format!("{node}: {words}"), json!({ "node": node, "words": words }))
    }

    /// One object.
    pub(super) fn json(&self) -> Value {
        let mut event = json!({ "schema": SCHEMA, "event": self.name, "time": now_s() });
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), &self.fields) {
            event.extend(fields.clone());
        }
        event
    }

    /// One line on standard output.
    pub(super) fn print(&self, json: bool) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if json {
            writeln!(stdout, "{}", self.json())?;
        } else if !out::is_quiet() {
            writeln!(stdout, "{}", out::folded(&format!("{:<11} {}", self.name, plain(&self.words))))?;
        }
        stdout.flush()
    }
}

/// Words hold what servers sent: nothing of it may reach a terminal as a command.
fn plain(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
