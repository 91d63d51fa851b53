//! What came of each crate: a few lines for people, one document for programs.

use std::env;

use serde_json::{Value, json};
use synchronicity_verify::entry::Entry;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::Artifact;

use super::place::Root;
use super::together::Chosen;
use crate::exit::{self, Stop};
use crate::install_record::Installed;
use crate::out::terminal::{Tint, crate_link, tinted};
use crate::printable::printable;
use crate::verify::told::agreement;
use crate::verify::votes::{self, Vote};
use crate::{age, report};

/// The name and version of the document, which changes together with `docs/schemas/install.schema.json`.
const SCHEMA: &str = "synchronicity/install@v1";

/// One crate that was asked for.
pub(super) struct Row {
    pub(super) spec: String,
    pub(super) done: Result<Done, Stop>,
}

/// What was done for it.
pub(super) struct Done {
    action: Action,
    name: String,
    version: String,
    /// The version that was there before.
    before: Option<String>,
    executables: Vec<Artifact>,
    /// The entry that it rests on; none for a build of this machine.
    evidence: Option<Resting>,
    /// What each group says, if there are several.
    votes: Vec<Vote>,
    /// What somebody who installs it should hear.
    remarks: Vec<String>,
}

/// An entry, and when a quorum vouched for it.
struct Resting {
    index: u64,
    entry: Entry,
    vouched_s: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Installed,
    Already,
    /// With `--dry-run`.
    Would,
    /// By a build of this machine.
    Built,
    /// With `--dry-run`.
    WouldBuild,
    /// By `upgrade`: what is there is newer.
    Left,
}

impl Row {
    pub(super) fn code(&self) -> u8 {
        self.done.as_ref().map_or_else(|stop| stop.code, |_| exit::OK)
    }
}

impl Done {
    pub(super) fn by_entry(action: Action, before: Option<String>, chosen: Chosen) -> Self {
        let built = Self::by_build(action, before, &chosen.entry.request, report::built(&chosen.entry));
        let Chosen { index, entry, vouched_s, votes, remarks, .. } = chosen;
        Self { evidence: Some(Resting { index, entry, vouched_s }), votes, remarks, ..built }
    }

    pub(super) fn by_build(
        action: Action,
        before: Option<String>,
        request: &BuildRequest,
        executables: &[Artifact],
    ) -> Self {
        let (name, version) = (request.source.name().to_string(), request.source.version().to_string());
        let before = before.filter(|before| *before != version);
        Self { action, before, executables: executables.to_vec(), ..Self::nothing(name, version) }
    }

    /// Of what is installed and stays.
    pub(super) fn left(installed: &Installed) -> Self {
        Self::nothing(installed.name.clone(), installed.version.clone())
    }

    fn nothing(name: String, version: String) -> Self {
        let (executables, votes, remarks) = (Vec::new(), Vec::new(), Vec::new());
        Self { action: Action::Left, name, version, before: None, executables, evidence: None, votes, remarks }
    }

    fn by(&self) -> String {
        match &self.evidence {
            _ if self.action == Action::Left => "newer than what was reproduced".into(),
            _ if !self.votes.is_empty() => votes::in_words(&self.votes),
            Some(Resting { index, entry, vouched_s }) => {
                format!("{}, entry {index}, {}", agreement(entry), age::ago(*vouched_s))
            }
            None => "one build on this machine, which is no evidence".into(),
        }
    }
}

/// Empty for what failed: see [`reasons`].
pub(super) fn in_words(root: &Root, row: &Row) -> String {
    let Ok(done) = &row.done else { return String::new() };
    let what = match done.action {
        Action::Installed | Action::Built => "installed",
        Action::Already => "installed already",
        Action::Would | Action::WouldBuild => "would be installed",
        Action::Left => "left as it is",
    };
    let before = done.before.as_ref().map(|before| format!(" in place of {}", printable(before))).unwrap_or_default();
    let what = if done.action == Action::Left { what.to_owned() } else { tinted(what, Tint::Good) };
    let of = crate_link(&printable(&done.name), &printable(&done.version));
    let mut text = format!("{what}: {of}{before}, {}\n", done.by());
    for executable in &done.executables {
        let path = root.place(executable.name.as_str());
        text += &format!("  {} ({} bytes)\n", printable(&path.display().to_string()), executable.size);
    }
    text
}

pub(super) fn as_json(root: &Root, rows: &[Row], code: u8) -> Value {
    let row = |row: &Row| {
        let (done, stop) = (row.done.as_ref().ok(), row.done.as_ref().err());
        let executable = |executable: &Artifact| {
            let mut told = report::artifact_json(executable);
            told["path"] = root.place(executable.name.as_str()).display().to_string().into();
            told
        };
        let evidence = |Resting { index, entry, vouched_s }: &Resting| {
            let mut told = report::entry_json(entry);
            told["index"] = (*index).into();
            told["vouched"] = (*vouched_s).into();
            told
        };
        let mut told = json!({
            "asked": row.spec,
            "exit": row.code(),
            "action": done.map(|done| done.action.as_str()),
            "crate": done.map(|done| json!({ "name": done.name, "version": done.version })),
            "before": done.and_then(|done| done.before.as_deref()),
            "executables": done.map(|done| done.executables.iter().map(executable).collect::<Vec<_>>()),
            "evidence": done.and_then(|done| done.evidence.as_ref()).map(evidence),
            "error": stop.map(|stop| stop.report.to_string()),
            "help": stop.and_then(|stop| stop.report.help()).map(|help| help.to_string()),
        });
        if let Some(done) = done.filter(|done| !done.votes.is_empty()) {
            told["groups"] = votes::as_json(&done.votes);
        }
        told
    };
    let crates = rows.iter().map(row).collect::<Vec<_>>();
    json!({ "schema": SCHEMA, "exit": code, "root": root.path.display().to_string(), "crates": crates })
}

/// Says on standard error why the others were not installed, and what there is to say of those that were.
pub(super) fn reasons(rows: &[Row]) {
    for (row, done) in rows.iter().filter_map(|row| Some((row, row.done.as_ref().ok()?))) {
        done.remarks.iter().for_each(|remark| errln!("{}: {remark}", row.spec));
        for vote in done.votes.iter().filter(|vote| vote.is_against()) {
            let error = vote.error.as_deref().unwrap_or_default();
            errln!("{}: {} has no vote: {error}", row.spec, vote.group);
        }
    }
    for (row, stop) in rows.iter().filter_map(|row| Some((row, row.done.as_ref().err()?))) {
        errln!("{}: not installed (exit code {})\n{:?}", row.spec, stop.code, stop.report);
    }
}

/// Says where what was installed is, if the shell will not find it.
pub(super) fn path(root: &Root, rows: &[Row]) {
    let new = |row: &Row| row.done.as_ref().is_ok_and(|done| matches!(done.action, Action::Installed | Action::Built));
    let known = env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder == root.bin()));
    if rows.iter().any(new) && !known {
        note!("add {} to PATH to run what was installed by its name", printable(&root.bin().display().to_string()));
    }
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Already => "already",
            Self::Would => "would-install",
            Self::Built => "built",
            Self::WouldBuild => "would-build",
            Self::Left => "left",
        }
    }
}
