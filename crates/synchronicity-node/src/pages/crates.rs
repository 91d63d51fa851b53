//! Crates: what a search finds, and all that the log says of one.

use std::cmp::Ordering;

use semver::Version;
use synchronicity_web::model::{CrateHit, CratePage, Release, Search};

use crate::chronicle::{Chronicle, Title};

pub(super) fn search(chronicle: &Chronicle, query: &str, after: &str, most: usize) -> Search {
    let query = query.trim();
    // One more than is listed, to know whether there are more.
    let mut found = if query.is_empty() { Vec::new() } else { chronicle.search(query, after, most.saturating_add(1)) };
    let more = found.len() > most;
    found.truncate(most);
    let hit = |title: &&Title| {
        let latest = chronicle.verdict(title.latest()?)?.row();
        Some(CrateHit { name: title.name.to_string(), versions: title.versions(), latest })
    };
    let hits: Vec<CrateHit> = found.iter().filter_map(hit).collect();
    let next_after = hits.last().filter(|_| more).map(|hit| hit.name.clone());
    Search { query: query.to_owned(), after: after.to_owned(), hits, more, next_after }
}

pub(super) fn of_crate(
    chronicle: &Chronicle,
    (name, version): (&str, Option<&str>),
    (before, most): (u64, usize),
    url: &str,
) -> Option<CratePage> {
    let title = chronicle.title(name)?;
    let of_version = |it: &&std::sync::Arc<crate::chronicle::Concluded>| {
        version.is_none_or(|version| *it.course.version == *version)
    };
    let mut entries = chronicle.of_title(title, before).filter(of_version);
    let mut releases: Vec<Release> = Vec::new();
    let mut last = None;
    for concluded in entries.by_ref().take(most) {
        last = Some(concluded.index);
        let row = concluded.row();
        match releases.iter_mut().find(|release| release.version == row.version) {
            Some(release) => release.entries.push(row),
            None => releases.push(Release { version: row.version.clone(), entries: vec![row] }),
        }
    }
    let next_before = entries.next().and(last);
    if version.is_some() && releases.is_empty() {
        return None;
    }
    releases.sort_by(|a, b| newest_first(&a.version, &b.version));
    Some(CratePage { name: title.name.to_string(), releases, url: url.to_owned(), next_before })
}

/// By what versions mean; two that mean the same by how they are written.
fn newest_first(a: &str, b: &str) -> Ordering {
    let meaning = |text: &str| Version::parse(text).ok();
    meaning(b).cmp(&meaning(a)).then_with(|| b.cmp(a))
}
