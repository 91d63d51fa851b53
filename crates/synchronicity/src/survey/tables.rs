//! The report for programs: JSON, and tables as CSV (RFC 4180, with a line of names).

use super::record::{End, Outcome};
use super::tally::{Entry, Tally};

/// All that the report says, as one object.
pub(super) fn json(tally: &Tally) -> String {
    let mut text = serde_json::to_string_pretty(tally).unwrap_or_default();
    text.push('\n');
    text
}

/// A line for each crate of the list.
pub(super) fn crates(tally: &Tally) -> String {
    let names = [
        "listed",
        "name",
        "version",
        "sha256",
        "kind",
        "build_script",
        "compiles_c",
        "lock",
        "crates_compiled",
        "first_ms",
        "second_ms",
        "result",
        "failure",
        "causes",
        "crates_at_fault",
    ];
    let mut text = line(names.map(str::to_owned));
    tally.crates.iter().for_each(|entry| text.push_str(&one(entry)));
    text
}

fn one(entry: &Entry) -> String {
    let (tried, built) = (entry.tried(), entry.built());
    let of_tried = |value: &dyn Fn(&super::record::Tried) -> String| tried.map(value).unwrap_or_default();
    let of_built = |value: &dyn Fn(&super::record::Built) -> String| built.map(value).unwrap_or_default();
    let failure = match entry.record.as_ref().map(|record| &record.end) {
        Some(End::Refused { reason }) => reason.clone(),
        Some(End::Tried(tried)) => match &tried.result {
            Outcome::OnlyOnce { failure } | Outcome::Fails { failure, .. } => failure.clone(),
            Outcome::Built(_) => String::new(),
        },
        None => String::new(),
    };
    let causes = |built: &super::record::Built| {
        built
            .causes
            .iter()
            .map(|found| format!("{} ({})", found.cause.as_str(), found.certainty.as_str()))
            .collect::<Vec<_>>()
            .join("; ")
    };
    let guilty = |built: &super::record::Built| {
        built.causes.iter().filter_map(|found| found.guilty.clone()).collect::<Vec<_>>().join("; ")
    };
    line([
        entry.key.clone(),
        of_tried(&|tried| tried.name.clone()),
        of_tried(&|tried| tried.version.clone()),
        of_tried(&|tried| tried.sha256.clone()),
        of_tried(&|tried| tried.kind.as_str().into()),
        of_tried(&|tried| tried.build_script.to_string()),
        of_built(&|built| built.is_native().to_string()),
        of_tried(&|tried| tried.lock.clone()),
        of_built(&|built| built.compiled.len().to_string()),
        of_built(&|built| built.took_ms[0].to_string()),
        of_built(&|built| built.took_ms[1].to_string()),
        entry.result().into(),
        failure,
        of_built(&causes),
        of_built(&guilty),
    ])
}

/// A line for each rate of the report.
pub(super) fn rates(tally: &Tally) -> String {
    let mut text = line(["rate", "of", "count", "cases", "share", "low_95", "high_95"].map(str::to_owned));
    let kinds = tally.summary.groups.iter().map(|group| ("reproducible", group.name.as_str(), group.reproducible));
    let causes = tally.summary.causes.iter().map(|row| ("differs for", row.cause.as_str(), row.crates));
    for (what, name, rate) in kinds.chain(causes) {
        let share = |share: Option<f64>| share.map_or(String::new(), |share| format!("{share:.4}"));
        let counts = [rate.count, rate.of].map(|count| count.to_string());
        let [count, of] = counts;
        text += &line([what.into(), name.into(), count, of, share(rate.share), share(rate.low), share(rate.high)]);
    }
    text
}

fn line<const N: usize>(cells: [String; N]) -> String {
    let mut text = cells.map(cell).join(",");
    text.push_str("\r\n");
    text
}

fn cell(text: String) -> String {
    // Spreadsheets take such a text for a formula, and some of it comes from strangers' files.
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_never_a_formula() {
        let told = line(["a,b", "say \"no\"", "=HYPERLINK(1)", "plain"].map(str::to_owned));
        assert_eq!(told, "\"a,b\",\"say \"\"no\"\"\",'=HYPERLINK(1),plain\r\n");
    }
}
