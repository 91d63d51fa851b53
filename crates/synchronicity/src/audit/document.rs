//! An audit for programs: the document that `docs/schemas/audit.schema.json` describes.

use serde_json::{Map, Value, json};

use super::verdict::{Level, Verdict};
use super::{Audited, Row};
use crate::origin::Origin;
use crate::report;
use crate::settings::Exception;

/// The name and version of the document, which change together with its schema.
const SCHEMA: &str = "synchronicity/audit@v1";

pub(crate) fn as_json(audited: &Audited) -> Value {
    let checkpoint = &audited.checkpoint.checkpoint;
    let counted = Verdict::ALL.map(|verdict| {
        let count = audited.rows.iter().filter(|row| row.verdict == verdict).count();
        (verdict.as_str().to_owned(), Value::from(count))
    });
    json!({
        "schema": SCHEMA,
        "exit": audited.code(),
        "file": audited.file.display().to_string(),
        "log": { "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.to_string() },
        "place": audited.place,
        "vouched": audited.checkpoint.vouched_s,
        "cosigners": report::cosigners_json(&audited.checkpoint.cosigners),
        "denied": audited.count(Level::Deny),
        "warned": audited.count(Level::Warn),
        "verdicts": counted.into_iter().collect::<Map<_, _>>(),
        "dependencies": audited.rows.iter().map(row).collect::<Vec<_>>(),
        "expired_exceptions": audited.expired.iter().map(exception).collect::<Vec<_>>(),
        "unused_exceptions": audited.unused.iter().map(exception).collect::<Vec<_>>(),
    })
}

fn row(row: &Row) -> Value {
    let dependency = &row.dependency;
    let source = match &dependency.origin {
        Origin::CratesIo(..) => "crates.io",
        Origin::Elsewhere(source) => source,
        Origin::Folder => "folder",
    };
    json!({
        "name": dependency.name,
        "version": dependency.version,
        "source": source,
        "checksum": dependency.checksum.map(|checksum| checksum.to_string()),
        "line": dependency.line,
        "verdict": row.verdict.as_str(),
        "level": row.level.as_str(),
        "entry": row.entry.as_ref().map(|rests| json!({
            "index": rests.index,
            "agreeing": rests.agreeing,
            "members": rests.members,
            "source_sha256": rests.source_sha256.to_string(),
        })),
        "exception": row.exception.as_ref().map(exception),
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
