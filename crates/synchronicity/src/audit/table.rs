//! An audit for people: at most 80 columns, and nothing that needs colour.

use super::verdict::{Level, Verdict};
use super::{Audited, Row};
use crate::age;
use crate::out::terminal::{Tint, tinted};
use crate::printable::{column, printable};

/// What is not allowed, or everything; then how many there are of each verdict.
pub(crate) fn table(audited: &Audited, all: bool) -> String {
    let shown: Vec<&Row> = audited.rows.iter().filter(|row| all || row.level != Level::Allow).collect();
    let groups = audited.logs.len() + audited.silent.len();
    let mut text = String::new();
    if !shown.is_empty() {
        text += &line("LEVEL", "VERDICT", "CRATE", "BECAUSE");
    }
    // What is denied first.
    for level in [Level::Deny, Level::Warn, Level::Allow] {
        for row in shown.iter().filter(|row| row.level == level) {
            let of = format!("{} {}", row.dependency.name, row.dependency.version);
            let line = line(level.as_str(), row.verdict.as_str(), &of, &because(row, groups));
            let (word, rest) = line.split_at(level.as_str().len());
            text += &(tinted(word, tint(level)) + rest);
        }
    }
    if !shown.is_empty() {
        text.push('\n');
    }
    for verdict in Verdict::ALL {
        let of_it: Vec<&Row> = audited.rows.iter().filter(|row| row.verdict == verdict).collect();
        if !of_it.is_empty() {
            text += &format!("{:>6} {:<12} {}\n", of_it.len(), verdict.as_str(), levels(&of_it));
        }
    }
    for (what, exceptions) in [("expired", &audited.expired), ("not needed", &audited.unused)] {
        for exception in exceptions {
            let of = format!("{} {}", exception.name, exception.version.as_deref().unwrap_or("(any)"));
            let line = format!(
                "exception {what}: {}, {}, to {}",
                printable(&of),
                exception.verdict.as_str(),
                exception.expires
            );
            text += &(column(&line, 80).trim_end().to_owned() + "\n");
        }
    }
    for asked in &audited.logs {
        let checkpoint = &asked.checkpoint.checkpoint;
        let group = asked.group.as_ref().map(|group| format!("{group}: ")).unwrap_or_default();
        text += &format!("{group}log {}, at size {}\n", printable(&checkpoint.origin), checkpoint.size);
        text += &format!("    {}\n", age::how_fresh(asked.checkpoint.vouched_s));
    }
    for (group, stop) in &audited.silent {
        text += &format!("{group}: no vote (exit code {})\n", stop.code);
    }
    text + &summary(audited)
}

fn tint(level: Level) -> Tint {
    match level {
        Level::Deny => Tint::Bad,
        Level::Warn => Tint::Doubtful,
        Level::Allow => Tint::Good,
    }
}

/// One line that says how it ended.
pub(crate) fn summary(audited: &Audited) -> String {
    let (deny, warn) = (audited.count(Level::Deny), audited.count(Level::Warn));
    format!("{} dependencies: {deny} denied, {warn} to be warned of\n", audited.rows.len())
}

fn line(level: &str, verdict: &str, of: &str, because: &str) -> String {
    let line = format!("{} {} {} {}", column(level, 5), column(verdict, 12), column(of, 30), column(because, 30));
    line.trim_end().to_owned() + "\n"
}

/// What the verdict rests on, or why it is allowed.
fn because(row: &Row, groups: usize) -> String {
    if let Some(exception) = &row.exception {
        return format!("to {}: {}", exception.expires, exception.reason);
    }
    let agreeing: Vec<_> = row.votes.iter().filter(|vote| vote.rebuilt().is_some()).collect();
    let names: Vec<_> = agreeing.iter().filter_map(|vote| vote.group.as_deref()).collect();
    if !names.is_empty() {
        return format!("{} of {groups}: {}", names.len(), names.join(", "));
    }
    match &row.entry {
        Some(rests) => format!("entry {}, {} of {} agree", rests.index, rests.agreeing, rests.members),
        None if row.verdict == Verdict::Foreign => "not of crates.io".into(),
        None => "no entry".into(),
    }
}

/// As in `3 warn, 1 allow`.
fn levels(rows: &[&Row]) -> String {
    let count = |level| rows.iter().filter(|row| row.level == level).count();
    let levels = [Level::Deny, Level::Warn, Level::Allow].map(|level| (count(level), level));
    let present = levels.into_iter().filter(|(count, _)| *count > 0);
    present.map(|(count, level)| format!("{count} {}", level.as_str())).collect::<Vec<_>>().join(", ")
}
