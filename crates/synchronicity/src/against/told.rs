//! The three comparisons, each in its own words.

use serde_json::{Value, json};
use synchronicity_explain::words;

use super::Compared;
use crate::printable::printable;
use crate::report;

/// The name and version of the document, which change together with `docs/schemas/against.schema.json`.
const SCHEMA: &str = "synchronicity/against@v1";

pub(super) fn in_words(compared: &Compared<'_>) -> String {
    let Compared { file, own, request, entry, .. } = compared;
    let file = printable(&file.display().to_string());
    let mut lines: Vec<(&str, String)> = match entry {
        Some((index, entry)) => {
            let mut lines = vec![("log", format!("entry {index}: {}", entry.verdict))];
            lines.extend(report::entry_lines(entry, compared.policy.log().name()));
            lines
        }
        None => vec![("builder against builder", "nothing is logged: there is no evidence".into())],
    };
    lines.push((
        "group against file",
        match compared.group_and_file() {
            None => "not compared: there is no evidence to compare it with".into(),
            Some(true) => format!("{file} is what the group built, byte for byte"),
            Some(false) => format!("{file} is not what the group built"),
        },
    ));
    lines.push(("your own rebuild", format!("{}, {} bytes", own.name, own.size)));
    lines.push(("", format!("sha256 {}", own.sha256)));
    lines.push((
        "rebuild against group",
        match compared.rebuild_and_group() {
            None => "not compared: there is no evidence to compare it with".into(),
            Some(true) => "the same bytes".into(),
            Some(false) => "other bytes than the group's".into(),
        },
    ));
    let same = if compared.rebuild_and_file() { "the same bytes" } else { "other bytes than the file's" };
    lines.push(("rebuild against file", same.into()));
    if entry.is_some() {
        let same = compared.other_recipe.is_empty();
        lines.push((
            "recipe",
            if same { "the same as the group's".into() } else { "not the same as the group's:".into() },
        ));
        lines.extend(compared.other_recipe.iter().map(|difference| ("", difference.clone())));
    }
    let mut text = format!("rebuilt here: {} {}\n", request.source.name(), request.source.version());
    for (label, line) in lines {
        text += &format!("  {label:<25}{line}\n");
    }
    if let Some(explanation) = &compared.explanation {
        text += "the file against your own rebuild:\n";
        text += &words::in_words(explanation);
        text += &format!("your own rebuild is {}\n", printable(&compared.own_path.display().to_string()));
    }
    text
}

pub(super) fn as_json(compared: &Compared<'_>) -> Value {
    let same = |same: Option<bool>| same.map(|same| if same { "same" } else { "different" });
    let mut own = report::artifact_json(&compared.own);
    own["path"] = compared.own_path.display().to_string().into();
    json!({
        "schema": SCHEMA,
        "exit": compared.code(),
        "purl": compared.request.source.purl(),
        "file": { "path": compared.file.display().to_string(), "sha256": compared.sha256.to_string() },
        "rebuild": own,
        "entry": compared.entry.as_ref().map(|(index, entry)| {
            let mut told = report::entry_json(entry);
            told["index"] = (*index).into();
            told
        }),
        "group_and_file": same(compared.group_and_file()),
        "rebuild_and_group": same(compared.rebuild_and_group()),
        "rebuild_and_file": same(Some(compared.rebuild_and_file())),
        "other_recipe": compared.other_recipe,
        "explanation": compared.explanation.as_ref().map(|explanation| explanation.to_json()),
    })
}
