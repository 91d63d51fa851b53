//! How long artifacts and transcripts stay: `[artifacts]` in node.toml. What an open round or an explanation that is still
//! to be made needs stays in any case.

use std::collections::BTreeSet;
use std::sync::Weak;
use std::time::Duration;

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{ArtifactStore, transcript_name};
use crate::explaining::Explanations;
use crate::recosign;
use crate::state::State;
use crate::store::Store;

/// What is kept, by default: a quarter of a year, and a large part of a small disk.
const KEEP_DAYS: u32 = 90;
const KEEP_BYTES: u64 = 20 << 30;

/// How often the store is looked through.
const PERIOD: Duration = Duration::from_secs(10 * 60);

/// So young an item is never removed, in seconds: it may be of a build whose result is being sealed.
pub(super) const GRACE_S: u64 = 60 * 60;

const DAY_S: u64 = 24 * 60 * 60;

/// `[artifacts]` in node.toml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Keeping {
    /// Where they are kept, if not in the node's folder: another folder, or `s3://BUCKET/PREFIX`, which no other node uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Days after which they are removed; 0 for never.
    pub keep_days: u32,
    /// Bytes beyond which the oldest are removed; 0 for no limit.
    pub keep_bytes: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Keeping { store: None, keep_days: KEEP_DAYS, keep_bytes: KEEP_BYTES }
    }
}

impl Keeping {
    /// Whether the operator chose nothing.
    pub fn is_default(&self) -> bool {
        *self == Keeping::default()
    }
}

/// Something in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it is.
    pub path: Path,
    /// Its name there, without folders.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written, in seconds since 1970.
    pub written_s: u64,
}

/// What is to be removed now: what is too old, and then the oldest of the rest until that fits. `needed` are names.
pub fn doomed(mut items: Vec<Item>, needed: &BTreeSet<String>, keeping: &Keeping, now_s: u64) -> Vec<Item> {
    let mut kept: u64 = items.iter().fold(0, |sum, item| sum.saturating_add(item.bytes));
    let bytes_max = if keeping.keep_bytes == 0 { u64::MAX } else { keeping.keep_bytes };
    let age_max_s = if keeping.keep_days == 0 { u64::MAX } else { u64::from(keeping.keep_days) * DAY_S };
    items.retain(|item| !needed.contains(&item.name) && now_s.saturating_sub(item.written_s) >= GRACE_S);
    items.sort_by(|a, b| (a.written_s, &a.path).cmp(&(b.written_s, &b.path)));
    items.retain(|item| {
        let goes = now_s.saturating_sub(item.written_s) > age_max_s || kept > bytes_max;
        if goes {
            kept -= item.bytes;
        }
        goes
    });
    items
}

/// Removes what is doomed, now and then.
pub struct Keeper {
    /// The store.
    pub store: ArtifactStore,
    /// What the operator chose.
    pub keeping: Keeping,
    /// The folded state.
    pub state: State,
    /// Where sealed results are.
    pub journal: Weak<Store>,
    /// Which explanations are still to be made.
    pub explanations: Explanations,
}

impl Keeper {
    /// Runs until `stop` changes.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "the store of artifacts was not looked through; it is tried again");
            }
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn sweep(&self) -> object_store::Result<()> {
        // First what is there, then what is needed: what comes between is young.
        let items = self.store.list().await?;
        let Some(needed) = self.needed() else { return Ok(()) };
        for item in doomed(items, &needed, &self.keeping, recosign::now().as_secs()) {
            tracing::info!(path = %item.path, bytes = item.bytes, "no longer kept");
            self.store.remove(&item).await?;
        }
        Ok(())
    }

    /// Names that must stay; `None` if it cannot be told, and then nothing is removed.
    fn needed(&self) -> Option<BTreeSet<String>> {
        let journal = self.journal.upgrade()?.journal().ok()?;
        let mut needed = self.explanations.needed();
        let folded = self.state.lock();
        needed.extend(folded.machine.open_rounds().map(|(request, _)| transcript_name(request)));
        for ((request, _), sealed) in journal.seals() {
            needed.insert(transcript_name(request));
            needed.extend(sealed.result.artifacts().into_iter().flatten().map(|artifact| artifact.sha256.to_string()));
        }
        Some(needed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_S: u64 = 1_000 * DAY_S;

    fn item(name: &str, age_s: u64, bytes: u64) -> Item {
        Item { path: Path::from(name), name: name.to_owned(), bytes, written_s: NOW_S - age_s }
    }

    fn names(items: &[Item]) -> Vec<&str> {
        items.iter().map(|item| item.name.as_str()).collect()
    }

    #[test]
    fn what_is_too_old_goes_first_and_then_the_oldest_until_the_rest_fits() {
        let items = vec![item("old", 91 * DAY_S, 1), item("older", 50 * DAY_S, 6), item("newer", 2 * DAY_S, 6)];
        let keeping = Keeping { store: None, keep_days: 90, keep_bytes: 10 };
        assert_eq!(names(&doomed(items.clone(), &BTreeSet::new(), &keeping, NOW_S)), ["old", "older"]);
        let by_age = Keeping { keep_bytes: 0, ..keeping.clone() };
        assert_eq!(names(&doomed(items.clone(), &BTreeSet::new(), &by_age, NOW_S)), ["old"]);
        let for_ever = Keeping { keep_days: 0, ..by_age };
        assert!(doomed(items.clone(), &BTreeSet::new(), &for_ever, NOW_S).is_empty());
        let tight = Keeping { keep_bytes: 1, ..keeping.clone() };
        let young = vec![item("being sealed", GRACE_S - 1, 5), item("sealed", GRACE_S, 5)];
        assert_eq!(names(&doomed(young, &BTreeSet::new(), &tight, NOW_S)), ["sealed"]);
        let needed = BTreeSet::from(["older".to_owned()]);
        assert_eq!(names(&doomed(items, &needed, &keeping, NOW_S)), ["old", "newer"]);
    }

    proptest! {
        #[test]
        fn nothing_needed_or_young_goes_and_no_more_than_must(
            all in proptest::collection::vec((prop_oneof![0..2 * GRACE_S, 0..200 * DAY_S], 0_u64..1000, any::<bool>()), 0..30),
            keep_days in 0_u32..120,
            keep_bytes in 0_u64..8000,
        ) {
            let items: Vec<Item> =
                all.iter().enumerate().map(|(number, (age, bytes, _))| item(&number.to_string(), *age, *bytes)).collect();
            let needed: BTreeSet<String> =
                all.iter().enumerate().filter(|(_, (.., needed))| *needed).map(|(number, _)| number.to_string()).collect();
            let keeping = Keeping { store: None, keep_days, keep_bytes };
            let gone = doomed(items.clone(), &needed, &keeping, NOW_S);
            for item in &gone {
                prop_assert!(!needed.contains(&item.name) && NOW_S - item.written_s >= GRACE_S);
            }
            let rest: Vec<&Item> = items.iter().filter(|item| !gone.contains(item)).collect();
            let free = |item: &&&Item| !needed.contains(&item.name) && NOW_S - item.written_s >= GRACE_S;
            // Whatever could go and stays is young enough, and there is room for it.
            let left: u64 = rest.iter().map(|item| item.bytes).sum();
            if keep_bytes > 0 && left > keep_bytes {
                prop_assert_eq!(rest.iter().filter(free).count(), 0);
            }
            if keep_days > 0 {
                prop_assert!(rest.iter().filter(free).all(|item| NOW_S - item.written_s <= u64::from(keep_days) * DAY_S));
            }
            // The last that went for want of room did have to go.
            if let Some(last) = gone.last()
                && (keep_days == 0 || NOW_S - last.written_s <= u64::from(keep_days) * DAY_S)
            {
                prop_assert!(keep_bytes > 0 && left + last.bytes > keep_bytes);
            }
        }
    }
}
