//! An audit for programs: the document that `docs/schemas/audit.schema.json` describes.

use serde_json::{Map, Value, json};
use synchronicity_verify::checkpoint::Checkpoint;

use super::verdict::{Level, Verdict};
use super::{Audited, Rests, Row};
use crate::origin::Origin;
use crate::settings::Exception;
use crate::{exit, report};

/// The name and version of the document, which change together with its schema.
const SCHEMA: &str = "synchronicity/audit@v1";

pub(crate) fn as_json(audited: &Audited) -> Value {
    let first = audited.logs.first();
    let counted = Verdict::ALL.map(|verdict| {
        let count = audited.rows.iter().filter(|row| row.verdict == verdict).count();
        (verdict.as_str().to_owned(), Value::from(count))
    });
    let mut told = json!({
        "schema": SCHEMA,
        "exit": audited.code(),
        "file": audited.file.display().to_string(),
        "log": first.map(|asked| log(&asked.checkpoint.checkpoint)),
        "place": first.map(|asked| asked.place.as_str()),
        "vouched": first.map(|asked| asked.checkpoint.vouched_s),
        "cosigners": first.map(|asked| report::cosigners_json(&asked.checkpoint.cosigners)),
        "denied": audited.count(Level::Deny),
        "warned": audited.count(Level::Warn),
        "verdicts": counted.into_iter().collect::<Map<_, _>>(),
        "dependencies": audited.rows.iter().map(row).collect::<Vec<_>>(),
        "expired_exceptions": audited.expired.iter().map(exception).collect::<Vec<_>>(),
        "unused_exceptions": audited.unused.iter().map(exception).collect::<Vec<_>>(),
    });
    if let Some(groups) = groups(audited) {
        told["groups"] = groups;
    }
    told
}

fn log(checkpoint: &Checkpoint) -> Value {
    json!({ "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.to_string() })
}

/// The groups, if there are several: first those whose logs answered.
fn groups(audited: &Audited) -> Option<Value> {
    let answered = audited.logs.iter().map(|asked| {
        let name = asked.group.as_ref()?;
        Some(json!({
            "name": name,
            "exit": exit::OK,
            "log": log(&asked.checkpoint.checkpoint),
            "place": asked.place,
            "vouched": asked.checkpoint.vouched_s,
            "cosigners": report::cosigners_json(&asked.checkpoint.cosigners),
            "error": null,
        }))
    });
    let silent = audited.silent.iter().map(|(name, stop)| {
        Some(json!({
            "name": name,
            "exit": stop.code,
            "log": null,
            "place": null,
            "vouched": null,
            "cosigners": [],
            "error": stop.report.to_string(),
        }))
    });
    answered.chain(silent).collect()
}

fn row(row: &Row) -> Value {
    let dependency = &row.dependency;
    let source = match &dependency.origin {
        Origin::CratesIo(..) => "crates.io",
        Origin::Elsewhere(source) => source,
        Origin::Folder => "folder",
    };
    let mut told = json!({
        "name": dependency.name,
        "version": dependency.version,
        "source": source,
        "checksum": dependency.checksum.map(|checksum| checksum.to_string()),
        "line": dependency.line,
        "verdict": row.verdict.as_str(),
        "level": row.level.as_str(),
        "entry": row.entry.as_ref().map(entry),
        "exception": row.exception.as_ref().map(exception),
    });
    let votes = row.votes.iter().map(|vote| {
        let name = vote.group.as_ref()?;
        Some(json!({ "name": name, "verdict": vote.verdict.as_str(), "entry": vote.entry.as_ref().map(entry) }))
    });
    if let Some(votes) = votes.collect::<Option<Value>>() {
        told["groups"] = votes;
    }
    told
}

fn entry(rests: &Rests) -> Value {
    json!({
        "index": rests.index,
        "agreeing": rests.agreeing,
        "members": rests.members,
        "source_sha256": rests.source_sha256.to_string(),
    })
}

fn exception(exception: &Exception) -> Value {
    json!({
        "crate": exception.name,
        "version": exception.version,
        "verdict": exception.verdict.as_str(),
        "reason": exception.reason,
        "expires": exception.expires.to_string(),
    })
}
