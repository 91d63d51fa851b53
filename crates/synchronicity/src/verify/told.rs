//! What came of files that were looked up: a line each for people, one document for programs.

use serde_json::{Value, json};
use synchronicity_verify::entry::Entry;

use super::files::Looked;
use super::votes;
use crate::out::terminal::{Tint, crate_link, tinted};
use crate::printable::printable;
use crate::{age, report};

/// The name and version of the documents, which change together with `docs/schemas/verify.schema.json`.
pub(crate) const SCHEMA: &str = "synchronicity/verify@v1";

/// One line: what is proven, or that nothing is.
pub(crate) fn in_a_line(looked: &Looked) -> String {
    let path = printable(&looked.path.display().to_string());
    match &looked.found {
        Err(stop) => format!("{path}: {} (exit code {})", tinted("not proven", Tint::Bad), stop.code),
        Ok(proven) => {
            let (verified, source) = (&proven.verified, &proven.verified.entry.request.source);
            let by = if looked.votes.is_empty() {
                let (index, ago) = (verified.index, age::ago(verified.vouched_s));
                format!("{}, entry {index}, {ago}", agreement(&verified.entry))
            } else {
                votes::in_words(&looked.votes)
            };
            let of = crate_link(source.name().as_str(), source.version().as_str());
            format!("{path}: {of}, {}, {by}", recipe(&verified.entry))
        }
    }
}

/// `4 of 4 builders`
pub(crate) fn agreement(entry: &Entry) -> String {
    format!("{} of {} builders", entry.agreeing().count(), entry.members.len())
}

/// The compiler, and what is not by default.
fn recipe(entry: &Entry) -> String {
    let request = &entry.request;
    let mut words = format!("rustc {}", request.toolchain.release);
    if request.target != request.toolchain.host {
        words += &format!(" for {}", request.target);
    }
    match report::features(&request.features).as_str() {
        "default features" => words,
        other => words + " with " + other,
    }
}

/// One object.
pub(crate) fn as_json(looked: &[Looked], code: u8) -> Value {
    json!({ "schema": SCHEMA, "exit": code, "files": looked.iter().map(file).collect::<Vec<_>>() })
}

/// What is known of one file.
pub(crate) fn file(looked: &Looked) -> Value {
    let proven = looked.found.as_ref().ok();
    let stop = looked.found.as_ref().err();
    let mut told = json!({
        "path": looked.path.display().to_string(),
        "sha256": looked.sha256.map(|sha256| sha256.to_string()),
        "exit": looked.code(),
        "evidence": proven.map(|proven| {
            let verified = &proven.verified;
            let mut told = report::entry_json(&verified.entry);
            told["artifact"] = verified.file.as_ref().map(|name| name.as_str()).into();
            told["index"] = verified.index.into();
            told["size"] = verified.size.into();
            told["vouched"] = verified.vouched_s.into();
            told["cosigners"] = report::cosigners_json(&verified.cosigners);
            told["place"] = proven.place.as_str().into();
            told
        }),
        "error": stop.map(|stop| stop.report.to_string()),
        "help": stop.and_then(|stop| stop.report.help()).map(|help| help.to_string()),
    });
    if !looked.votes.is_empty() {
        told["groups"] = votes::as_json(&looked.votes);
    }
    told
}

/// Says on standard error why each of the others is not proven, and what a group that is not needed says against it.
pub(crate) fn reasons(looked: &[Looked]) {
    for looked in looked.iter().filter(|looked| looked.found.is_ok()) {
        for vote in looked.votes.iter().filter(|vote| vote.is_against()) {
            let (path, error) = (looked.path.display().to_string(), vote.error.as_deref().unwrap_or_default());
            errln!("{}: {} has no vote: {}", printable(&path), vote.group, error);
        }
    }
    for (path, stop) in looked.iter().filter_map(|looked| Some((&looked.path, looked.found.as_ref().err()?))) {
        errln!("{}:\n{:?}", printable(&path.display().to_string()), stop.report);
    }
}
