//! An answer in words and in JSON: always with the size that it holds for, and how fresh it is.

use serde_json::{Value, json};
use synchronicity_verify::entry::Entry;
use synchronicity_verify::lookup::Answer;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::request::registry_purl;

use super::Subject;
use crate::{age, report};

/// The name and version of the document, which change together with `docs/schemas/lookup.schema.json`.
pub(super) const SCHEMA: &str = "synchronicity/lookup@v1";

/// Several lines; the first says how many entries there are.
pub(super) fn in_words(subject: &Subject, answer: &Answer, shown: &[&(u64, Entry)], policy: &Policy) -> String {
    let checkpoint = &answer.checkpoint.checkpoint;
    let name = match subject {
        Subject::Crate(name, version) => format!("{name} {version}"),
        Subject::File(sha256) => format!("file with SHA-256 {sha256}"),
    };
    let count = match answer.entries.len() {
        0 => format!("no entry at size {}", checkpoint.size),
        1 => "one entry, and no other".into(),
        more => format!("{more} entries, and no others"),
    };
    let hidden = answer.entries.len() - shown.len();
    let hidden =
        if hidden == 0 { String::new() } else { format!("; {} shown, {hidden} of another recipe", shown.len()) };
    let mut text = format!("{name}: {count}{hidden}\n");
    let mut line = |label: &str, line: String| text += &format!("  {label:<25}{line}\n");
    for (index, entry) in shown {
        let source = &entry.request.source;
        let what = format!("{}: {} {}", entry.verdict, source.name(), source.version());
        line(&format!("entry {index}"), what);
        report::entry_lines(entry, policy.log().name()).into_iter().for_each(|(_, told)| line("", told));
    }
    if answer.entries.is_empty() {
        line("", "which is no evidence against it: the group has not looked, or not logged it yet".into());
    }
    line("log", format!("{}, at size {}", checkpoint.origin, checkpoint.size));
    line("", age::how_fresh(answer.checkpoint.vouched_s));
    line("cosigned by", report::cosigned_by(&answer.checkpoint.cosigners, policy));
    text
}

/// One object with everything that the words say.
pub(super) fn as_json(subject: &Subject, answer: &Answer, shown: &[&(u64, Entry)], code: u8) -> Value {
    let checkpoint = &answer.checkpoint.checkpoint;
    let entry = |(index, entry): &&(u64, Entry)| {
        let mut told = report::entry_json(entry);
        told["index"] = (*index).into();
        told
    };
    let (purl, sha256) = match subject {
        Subject::Crate(name, version) => (Some(registry_purl(name, version)), None),
        Subject::File(sha256) => (None, Some(sha256.to_string())),
    };
    json!({
        "schema": SCHEMA,
        "exit": code,
        "purl": purl,
        "sha256": sha256,
        "found": answer.entries.len(),
        "entries": shown.iter().map(entry).collect::<Vec<_>>(),
        "log": { "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.to_string() },
        "vouched": answer.checkpoint.vouched_s,
        "cosigners": report::cosigners_json(&answer.checkpoint.cosigners),
    })
}
