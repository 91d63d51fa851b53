//! Results in words.

use super::record::{Built, End, Outcome, Record};

/// How a crate ended, on a line.
pub(super) fn of_record(record: &Record) -> String {
    match &record.end {
        End::Refused { reason } => format!("cannot be pinned: {reason}"),
        End::Tried(tried) => match &tried.result {
            Outcome::Built(built) if built.is_reproducible() => format!("the same bytes twice ({})", took(built)),
            Outcome::Built(built) => {
                let causes: Vec<&str> = built.causes.iter().map(|found| found.cause.in_words()).collect();
                let causes = if causes.is_empty() { "nothing of the catalogue".into() } else { causes.join("; ") };
                format!("not the same bytes: {causes} ({})", took(built))
            }
            Outcome::OnlyOnce { failure } => format!("builds only under the recipe's circumstances: {failure}"),
            Outcome::Fails { failure, .. } => format!("does not build: {failure}"),
        },
    }
}

fn took(built: &Built) -> String {
    format!("{} and {} s", seconds(built.took_ms[0]), seconds(built.took_ms[1]))
}

/// With one digit behind the point.
pub(super) fn seconds(milliseconds: u64) -> String {
    format!("{}.{}", milliseconds / 1000, milliseconds % 1000 / 100)
}
