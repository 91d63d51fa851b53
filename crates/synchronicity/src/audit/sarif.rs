//! An audit as SARIF 2.1.0, for code scanning: a rule for each verdict, a result for each dependency that is not
//! reproduced, at its line of the lock file. What an exception allows is a suppressed result, with its reason.

use serde_json::{Value, json};

use super::verdict::{Level, Verdict};
use super::{Audited, Row};

pub(super) fn as_sarif(audited: &Audited) -> Value {
    let told = |row: &&Row| row.level != Level::Allow || row.exception.is_some();
    let rules = Verdict::ALL.map(|verdict| {
        json!({
            "id": verdict.as_str(),
            "shortDescription": { "text": verdict.explained() },
            "defaultConfiguration": { "level": "warning" },
        })
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "synchronicity",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "results": audited.rows.iter().filter(told).map(|row| result(audited, row)).collect::<Vec<_>>(),
        }],
    })
}

fn result(audited: &Audited, row: &Row) -> Value {
    let dependency = &row.dependency;
    let rests = row.entry.as_ref().map(|rests| format!(" (entry {})", rests.index)).unwrap_or_default();
    let text = format!("{} {}: {}{rests}", dependency.name, dependency.version, row.verdict.explained());
    let level = match row.level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Allow => "note",
    };
    let mut place = json!({ "artifactLocation": { "uri": uri(&audited.file.to_string_lossy()) } });
    if let Some(line) = dependency.line {
        place["region"] = json!({ "startLine": line });
    }
    let mut result = json!({
        "ruleId": row.verdict.as_str(),
        "ruleIndex": Verdict::ALL.iter().position(|verdict| *verdict == row.verdict),
        "level": level,
        "message": { "text": text },
        "locations": [{ "physicalLocation": place }],
        // The same finding in the next run, though its line has moved.
        "partialFingerprints": { "dependency/v1": format!("{} {} {}", row.verdict.as_str(), dependency.name, dependency.version) },
    });
    if let Some(exception) = &row.exception {
        let justification = format!("{} (to {})", exception.reason, exception.expires);
        result["suppressions"] = json!([{ "kind": "external", "justification": justification }]);
    }
    result
}

/// A path as a reference: what is not plain is encoded, byte by byte.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_becomes_a_reference() {
        assert_eq!(super::uri("a b/Cargo.lock"), "a%20b/Cargo.lock");
        assert_eq!(super::uri("ä#?%"), "%C3%A4%23%3F%25");
    }
}
