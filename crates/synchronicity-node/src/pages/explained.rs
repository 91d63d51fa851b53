//! The explanation of a difference, from the JSON that this node keeps to what a page shows.

use serde_json::Value;
use synchronicity_web::model::{Explanation, Finding};

/// Differences on one page.
const FINDINGS_MAX: usize = 40;

pub(super) fn explanation(told: &Value) -> Explanation {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let first = text(&told["first"]["builder"]);
    let second: Vec<&str> =
        told["second"]["builders"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let artifacts = told["explanation"]["artifacts"].as_array().into_iter().flatten();
    let mut findings = artifacts.flat_map(|artifact| {
        let differences = artifact["differences"].as_array().into_iter().flatten();
        differences.map(move |one| finding(&text(&artifact["name"]), one))
    });
    Explanation {
        state: text(&told["state"]),
        advice: text(&told["advice"]),
        reason: told["reason"].as_str().map(str::to_owned),
        compared: (!first.is_empty() && !second.is_empty()).then(|| (first, second.join(", "))),
        words: text(&told["words"]),
        findings: findings.by_ref().take(FINDINGS_MAX).collect(),
        more: findings.count(),
    }
}

/// Every difference, whatever the artifact.
pub(super) fn differences(told: &Value) -> impl Iterator<Item = &Value> {
    let artifacts = told["explanation"]["artifacts"].as_array().into_iter().flatten();
    artifacts.flat_map(|artifact| artifact["differences"].as_array().into_iter().flatten())
}

fn finding(artifact: &str, one: &Value) -> Finding {
    let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let place = [&one["member"], &one["section"], &one["symbol"], &one["line"]];
    let place: Vec<&str> = place.into_iter().filter_map(Value::as_str).collect();
    Finding {
        artifact: artifact.to_owned(),
        cause: text("cause"),
        certainty: text("certainty"),
        why: text("why"),
        place: place.join(", "),
        first: text("first"),
        second: text("second"),
        guilty: one["crate"].as_str().map(str::to_owned),
        suggestion: text("suggestion"),
    }
}
