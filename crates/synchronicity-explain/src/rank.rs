//! Which of the differences are the origin, and which only follow: a changed string changes the hash over everything,
//! and, where it is longer, every address behind it.

use crate::cause::{Cause, Certainty};
use crate::explanation::{Artifact, Difference};
use crate::facts::Facts;
use crate::found::{Findings, Found, Weight};
use crate::guilty;

/// The report of one artifact: the nearest to the origin first, at most `most` differences.
pub(crate) fn report(name: &str, kind: &'static str, size: [u64; 2], findings: Findings<'_>, most: usize) -> Artifact {
    let Findings { facts, list, mut consequences, dropped, cut_short, .. } = findings;
    let lightest = list.iter().map(|found| found.weight).min();
    // Names of members and sections are told beside text; numbers and code only where there is no text.
    let origin = |found: &Found| Some(found.weight) == lightest || found.weight == Weight::Shape && is_named(found);
    let (mut origins, others): (Vec<_>, Vec<_>) = list.into_iter().partition(origin);
    consequences.extend(others.into_iter().map(|found| match found.weight {
        Weight::Bytes => format!("numbers in {}", found.section),
        _ => found.section,
    }));
    origins.sort_by_key(|found| {
        let unknown = found.guess.cause == Cause::Unknown;
        (std::cmp::Reverse(found.guess.certainty), unknown, found.weight)
    });
    let mut differences: Vec<Difference> = Vec::new();
    // Where there is text, numbers are consequences, and most of what was dropped is numbers.
    let mut more = if lightest >= Some(Weight::Bytes) { dropped } else { 0 };
    for found in origins {
        if differences.len() < most && !differences.iter().any(|known| is_repeated(known, &found)) {
            differences.push(difference(name, found, facts));
        } else {
            more += 1;
        }
    }
    let consequences = consequences.into_iter().collect();
    Artifact { name: name.into(), kind, size, differences, more, consequences, cut_short }
}

fn is_named(found: &Found) -> bool {
    found.guess.certainty > Certainty::Possible
}

/// The same text in another place: constants are copied into several objects.
fn is_repeated(known: &Difference, found: &Found) -> bool {
    (&known.first, &known.second) == (&found.first, &found.second) && known.cause == found.guess.cause
}

fn difference(artifact: &str, found: Found, facts: &Facts) -> Difference {
    let guilty = found.guilty.or_else(|| guilty::by_artifact(artifact, found.member.as_deref(), facts));
    Difference {
        member: found.member,
        section: found.section,
        offset: found.offset,
        symbol: found.symbol,
        line: found.line,
        first: found.first,
        second: found.second,
        cause: found.guess.cause,
        certainty: found.guess.certainty,
        why: found.guess.why,
        guilty,
        suggestion: found.guess.cause.suggestion(),
    }
}
