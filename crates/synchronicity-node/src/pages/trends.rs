//! Rates over time and by cause.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use synchronicity_verify::entry::Verdict;
use synchronicity_web::model::{Share, TrendsPage};

use super::{Sources, explained};
use crate::chronicle::Chronicle;

/// How long causes that were read are shown before they are read again.
pub(super) const CAUSES_KEPT: Duration = Duration::from_secs(60);

/// Diverged entries whose explanations are read.
const EXPLAINED_MAX: usize = 100;

/// Causes, and how many entries they are out of.
pub(super) type Causes = (Vec<Share>, u64);

pub(super) fn causes(chronicle: &Chronicle, sources: &Sources) -> Causes {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut looked_at = 0;
    for diverged in chronicle.below(u64::MAX, Some(Verdict::Diverged)).take(EXPLAINED_MAX) {
        // An explanation is of the latest round of its request.
        let is_latest =
            chronicle.attempts(&diverged.course.request).next().is_some_and(|it| it.index == diverged.index);
        let told = is_latest.then(|| (sources.explained)(&diverged.course.request)).flatten();
        let Some(told) = told.filter(|told| told["state"] == "explained") else { continue };
        looked_at += 1;
        let found: BTreeSet<&str> = explained::differences(&told).filter_map(|one| one["cause"].as_str()).collect();
        for cause in found {
            *counts.entry(cause.to_owned()).or_default() += 1;
        }
    }
    (most_frequent_first(counts.into_iter()), looked_at)
}

pub(super) fn page(chronicle: &Chronicle, (causes, explained): Causes) -> TrendsPage {
    let failures = chronicle.failures().map(|(failure, count)| (failure.as_str().to_owned(), count));
    TrendsPage { months: chronicle.months(), failures: most_frequent_first(failures), causes, explained }
}

fn most_frequent_first(counts: impl Iterator<Item = (String, u64)>) -> Vec<Share> {
    let mut shares: Vec<Share> = counts.map(|(name, count)| Share { name, count }).collect();
    shares.sort_by(|a, b| (Reverse(a.count), &a.name).cmp(&(Reverse(b.count), &b.name)));
    shares
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_was_seen_most_comes_first() {
        let counts = [("a", 1), ("b", 3), ("c", 3)].map(|(name, count)| (name.to_owned(), count));
        let told: Vec<String> = most_frequent_first(counts.into_iter()).into_iter().map(|share| share.name).collect();
        assert_eq!(told, ["b", "c", "a"]);
        let told = serde_json::json!({ "explanation": { "artifacts": [{ "differences": [{ "cause": "random" }] }] } });
        assert_eq!(explained::differences(&told).count(), 1);
        assert_eq!(explained::differences(&Value::Null).count(), 0);
    }
}
