//! Counts and rates, from the records alone: the same records make the same report, byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use synchronicity_explain::cause::{Cause, Certainty};
use synchronicity_explain::survey::{CauseRow, ConditionRow, FORMAT, Group, Listed, Rate, Run, Summary, Totals};

use super::list::{Line, List};
use super::record::{Built, End, Kind, Outcome, Record, Tried};

/// All that a report says.
#[derive(Debug, Serialize)]
pub(super) struct Tally {
    #[serde(flatten)]
    pub(super) summary: Summary,
    pub(super) crates: Vec<Entry>,
}

/// A crate of the list and its record.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) record: Option<Record>,
}

impl Tally {
    pub(super) fn of(list: &List, run: &Run, record: impl Fn(&Line) -> Option<Record>) -> Self {
        let entry = |line: &Line| Entry { key: line.key.clone(), record: record(line) };
        let crates: Vec<Entry> = list.lines.iter().map(entry).collect();
        let changed = run.sessions.iter().any(|session| session.list_sha256 != list.sha256);
        let summary = Summary {
            format: FORMAT,
            run: run.clone(),
            list: Listed { sha256: list.sha256.clone(), chosen: list.chosen.clone(), changed },
            totals: totals(&crates),
            groups: groups(&crates),
            causes: causes(&crates),
            conditions: conditions(&crates),
        };
        Self { summary, crates }
    }

    /// What a person is told at the end.
    pub(super) fn in_words(&self) -> String {
        let Totals { listed, recorded, refused, unbuildable, compared, reproducible, different, only_once } =
            self.summary.totals;
        let rate = Rate::new(reproducible, compared);
        let mut text = format!("{recorded} of {listed} crates measured, {compared} of them compared\n");
        text += &format!("  same bytes    {reproducible} ({}; 95 % interval {})\n", rate.in_words(), rate.interval());
        text += &format!("  other bytes   {different}\n  built once    {only_once}\n");
        text += &format!("  not built     {unbuildable}\n  not pinned    {refused}\n");
        text
    }
}

impl Entry {
    pub(super) fn tried(&self) -> Option<&Tried> {
        match &self.record.as_ref()?.end {
            End::Tried(tried) => Some(tried),
            End::Refused { .. } => None,
        }
    }

    pub(super) fn built(&self) -> Option<&Built> {
        match &self.tried()?.result {
            Outcome::Built(built) => Some(built),
            _ => None,
        }
    }

    /// `name version` where it is known, else the list's words.
    pub(super) fn name(&self) -> String {
        self.tried().map_or_else(|| self.key.clone(), |tried| format!("{} {}", tried.name, tried.version))
    }

    /// Whether the second build had the bytes of the first; none where there was nothing to compare.
    pub(super) fn is_reproducible(&self) -> Option<bool> {
        match &self.tried()?.result {
            Outcome::Built(built) => Some(built.is_reproducible()),
            Outcome::OnlyOnce { .. } => Some(false),
            Outcome::Fails { .. } => None,
        }
    }

    /// The result in one word, for programs.
    pub(super) fn result(&self) -> &'static str {
        match self.record.as_ref().map(|record| &record.end) {
            None => "not-measured",
            Some(End::Refused { .. }) => "not-pinned",
            Some(End::Tried(tried)) => match &tried.result {
                Outcome::Built(built) if built.is_reproducible() => "reproducible",
                Outcome::Built(_) => "different",
                Outcome::OnlyOnce { .. } => "builds-only-once",
                Outcome::Fails { .. } => "does-not-build",
            },
        }
    }
}

fn totals(crates: &[Entry]) -> Totals {
    let count = |result: &str| crates.iter().filter(|entry| entry.result() == result).count();
    let (reproducible, different, only_once) = (count("reproducible"), count("different"), count("builds-only-once"));
    Totals {
        listed: crates.len(),
        recorded: crates.len() - count("not-measured"),
        refused: count("not-pinned"),
        unbuildable: count("does-not-build"),
        compared: reproducible + different + only_once,
        reproducible,
        different,
        only_once,
    }
}

fn groups(crates: &[Entry]) -> Vec<Group> {
    let group = |name: &str, exclusive, has: &dyn Fn(&Entry, &Tried) -> bool| {
        let of = crates.iter().filter(|entry| entry.tried().is_some_and(|tried| has(entry, tried)));
        let compared: Vec<bool> = of.filter_map(Entry::is_reproducible).collect();
        let same = compared.iter().filter(|same| **same).count();
        Group { name: name.to_owned(), exclusive, reproducible: Rate::new(same, compared.len()) }
    };
    let kind = |kind: Kind| move |_: &Entry, tried: &Tried| tried.kind == kind;
    let native = |entry: &Entry, _: &Tried| entry.built().is_some_and(Built::is_native);
    let alone = |entry: &Entry, _: &Tried| entry.built().is_some_and(|built| built.compiled.len() == 1);
    let many = |entry: &Entry, _: &Tried| entry.built().is_some_and(|built| built.compiled.len() > 1);
    let [binary, library, proc_macro] = Kind::ALL;
    vec![
        group("all", true, &|_, _| true),
        group("binary", true, &kind(binary)),
        group("library", true, &kind(library)),
        group("proc-macro", true, &kind(proc_macro)),
        group("with a build script of its own", false, &|_, tried| tried.build_script),
        group("without one", false, &|_, tried| !tried.build_script),
        group("C compiled (crate cc or cmake in the build)", false, &native),
        group("with dependencies", false, &many),
        group("without dependencies", false, &alone),
        group("with a published lockfile", false, &|_, tried| tried.lock == "published"),
    ]
}

fn causes(crates: &[Entry]) -> Vec<CauseRow> {
    let compared = crates.iter().filter(|entry| entry.is_reproducible().is_some()).count();
    let row = |cause: Cause| {
        let mut found: BTreeMap<String, Certainty> = BTreeMap::new();
        let mut guilty = BTreeSet::new();
        for entry in crates {
            let causes = entry.built().into_iter().flat_map(|built| &built.causes);
            for cause in causes.filter(|found| found.cause == cause) {
                let best = found.entry(entry.name()).or_insert(cause.certainty);
                *best = (*best).max(cause.certainty);
                guilty.extend(cause.guilty.clone());
            }
        }
        let with = |certainty| found.values().filter(|best| **best == certainty).count();
        let certainty = [Certainty::Possible, Certainty::Likely, Certainty::Known].map(with);
        let crates = Rate::new(found.len(), compared);
        let names = found.into_keys().collect();
        CauseRow { cause, in_words: cause.in_words().to_owned(), crates, certainty, names, guilty }
    };
    Cause::ALL.into_iter().map(row).collect()
}

fn conditions(crates: &[Entry]) -> Vec<ConditionRow> {
    let mut rows: Vec<ConditionRow> = Vec::new();
    for circumstance in crates.iter().filter_map(Entry::built).flat_map(|built| &built.varied) {
        let varied = usize::from(circumstance.varied);
        match rows.iter_mut().find(|row| row.what == circumstance.what) {
            Some(row) => (row.varied, row.of) = (row.varied + varied, row.of + 1),
            None => rows.push(ConditionRow { what: circumstance.what.clone(), varied, of: 1 }),
        }
    }
    rows
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
