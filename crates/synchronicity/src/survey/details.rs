//! The part of the page that is about single crates.

use std::fmt::Write;

use serde_json::Value;

use super::page::{escaped, table};
use super::record::{Built, End, Outcome};
use super::tally::{Entry, Tally};
use super::words::{of_record, seconds};

/// Every crate of the list, in its order.
pub(super) fn crates(tally: &Tally, html: &mut String) {
    html.push_str("<h2>The crates</h2>\n");
    let row = |entry: &Entry| {
        let result = match entry.result() {
            "reproducible" => "same bytes",
            "different" => "<strong>other bytes</strong>",
            "builds-only-once" => "<strong>built once</strong>",
            "does-not-build" => "not built",
            "not-pinned" => "not pinned",
            _ => "not measured",
        };
        let mut cells = vec![escaped(&entry.name())];
        let tried = entry.tried();
        cells.push(tried.map(|tried| tried.kind.as_str().to_owned()).unwrap_or_default());
        cells.push(tried.map(|tried| if tried.build_script { "yes" } else { "no" }.to_owned()).unwrap_or_default());
        cells.push(tried.map(|tried| escaped(&tried.lock)).unwrap_or_default());
        let built = entry.built();
        cells.push(built.map(|built| built.compiled.len().to_string()).unwrap_or_default());
        cells.push(built.map(|built| if built.is_native() { "yes" } else { "no" }.to_owned()).unwrap_or_default());
        cells.push(built.map(|built| seconds(built.took_ms[0])).unwrap_or_default());
        cells.push(built.map(|built| seconds(built.took_ms[1])).unwrap_or_default());
        cells.push(result.to_owned());
        cells
    };
    let heads = [
        "crate",
        "kind",
        "build script",
        "lockfile",
        "crates compiled",
        "C compiled",
        "first build, s",
        "second build, s",
        "result",
    ];
    table(html, "Crates of the list, in its order", &heads, tally.crates.iter().map(row));
}

/// Why crates differ, one by one.
pub(super) fn differences(tally: &Tally, html: &mut String) {
    let different: Vec<_> = tally.crates.iter().filter(|entry| entry.result() == "different").collect();
    if different.is_empty() {
        return;
    }
    html.push_str("<h2>The differences</h2>\n");
    for entry in different {
        let _ = writeln!(html, "<h3>{}</h3>", escaped(&entry.name()));
        if let Some(built) = entry.built() {
            one(&entry.name(), built, html);
        }
    }
}

fn one(name: &str, built: &Built, html: &mut String) {
    let cause = |found: &super::record::Found| {
        vec![
            found.cause.in_words().to_owned(),
            found.certainty.as_str().to_owned(),
            escaped(found.guilty.as_deref().unwrap_or("unknown")),
        ]
    };
    table(
        html,
        &format!("Causes of differences in {name}"),
        &["cause", "certainty", "comes from"],
        built.causes.iter().map(cause),
    );
    let mut rows = Vec::new();
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    for artifact in list(built.explanation.as_ref().unwrap_or(&Value::Null), "artifacts") {
        let text = |value: &Value, name: &str| escaped(value[name].as_str().unwrap_or_default());
        for difference in list(&artifact, "differences") {
            let place = [text(&difference, "member"), text(&difference, "section"), text(&difference, "symbol")];
            let place: Vec<String> = place.into_iter().filter(|part| !part.is_empty()).collect();
            rows.push(vec![
                text(&artifact, "name"),
                place.join(", "),
                format!("<code>{}</code>", text(&difference, "first")),
                format!("<code>{}</code>", text(&difference, "second")),
                text(&difference, "cause"),
                text(&difference, "why"),
            ]);
        }
        if let Some(more) = artifact["more"].as_u64().filter(|more| *more > 0) {
            rows.push(vec![
                text(&artifact, "name"),
                format!("and {more} more"),
                String::new(),
                String::new(),
                String::new(),
                String::new(),
            ]);
        }
    }
    let heads = ["artifact", "where", "in the first", "in the second", "cause", "why"];
    table(html, &format!("Where the two builds of {name} differ"), &heads, rows);
}

/// Crates about whose bytes nothing is known, or that were built once.
pub(super) fn others(tally: &Tally, html: &mut String) {
    let others: Vec<_> =
        tally.crates.iter().filter(|entry| !matches!(entry.result(), "reproducible" | "different")).collect();
    if others.is_empty() {
        return;
    }
    html.push_str("<h2>Not compared, or built once</h2>\n");
    for entry in others {
        let words =
            entry.record.as_ref().map_or("not measured: this machine or its network did not let it".into(), of_record);
        let _ = writeln!(html, "<h3>{}</h3>\n<p>{}</p>", escaped(&entry.name()), escaped(&words));
        let end = entry.record.as_ref().map(|record| &record.end);
        if let Some(End::Tried(tried)) = end
            && let Outcome::Fails { tail, .. } = &tried.result
        {
            let _ = writeln!(html, "<pre>{}</pre>", escaped(&tail.join("\n")));
        }
    }
}
