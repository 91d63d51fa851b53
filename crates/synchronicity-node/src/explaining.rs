//! Explains every `diverged` verdict: why this node's artifacts are not those of the largest other camp, or of another one if
//! that gives nothing.
//!
//! | step | file |
//! | --- | --- |
//! | what is owed, out of the state and what lies on disk | this one, `plan.rs` |
//! | the files: own ones, and the others' by hash | `gather.rs`, [`crate::exchange`] |
//! | the comparison, in a process of its own | `apart.rs` |
//! | what is kept and told | `record.rs`, `words.rs` |
//!
//! Nothing is queued: after a crash the same rounds are owed, because their files are not there. It is advice, for people:
//! nothing in the protocol reads it, and it waits for everything else.

pub mod apart;
mod gather;
pub mod plan;
mod record;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use synchronicity_explain::facts::Facts;
use synchronicity_verify::identity::{BuilderId, RequestId};
use tokio::sync::watch;

use self::apart::{ApartError, Order, explain_apart};
use self::gather::{FIRST, SECOND, gather};
use self::plan::{NoPlan, PATIENT_ATTEMPTS, Plan, compiled, plan, sort};
use crate::artifact_store::{ArtifactStore, transcript_name};
use crate::builds::Key;
use crate::durable::{self, Disk, Synced};
use crate::exchange::Exchange;
use crate::folder::Folder;
use crate::state::State;

pub use self::record::ADVICE;

/// The pause after an attempt that failed; doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(60 * 60);

/// How often what is owed is recomputed without any change.
const TICK: Duration = Duration::from_secs(1);

/// The largest stored explanation, in bytes.
const RECORD_BYTES_MAX: u64 = 4 << 20;

/// What this node can say about diverged rounds. Clones share it.
#[derive(Clone)]
pub struct Explanations(Arc<Inner>);

struct Inner {
    state: State,
    folder: Folder,
    me: BuilderId,
    name: String,
    /// What failed last, of rounds that are owed. Forgotten with the process: then it is tried again at once.
    troubles: Mutex<BTreeMap<Key, Trouble>>,
}

#[derive(Clone)]
struct Trouble {
    attempts: u32,
    reason: String,
    until: Instant,
    pause: Duration,
}

impl Explanations {
    /// Of the node `me`, which its group calls `name`.
    pub fn new(state: State, folder: Folder, me: BuilderId, name: String) -> Explanations {
        Explanations(Arc::new(Inner { state, folder, me, name, troubles: Mutex::default() }))
    }

    /// What is known of the latest round of a request, finished or not.
    ///
    /// # Errors
    /// [`NoPlan`] if there is nothing to explain here.
    pub fn of(&self, request: &RequestId) -> Result<Value, NoPlan> {
        let plan = self.plan(request)?;
        let inner = &self.0;
        if let Some(record) = self.read(&plan.key) {
            return Ok(record);
        }
        let trouble = self.troubles().get(&plan.key).cloned();
        let (attempts, reason) = trouble.map_or((0, "not tried yet".to_owned()), |it| (it.attempts, it.reason));
        let camp = plan.camp(attempts);
        Ok(record::pending((&plan, camp), inner.state.group(), &inner.name, attempts, &reason))
    }

    /// Names in the store of what the explanations that are still to be made need.
    pub fn needed(&self) -> BTreeSet<String> {
        let owed = self.owed();
        let own = owed.iter().flat_map(Plan::compared).map(|artifact| artifact.sha256.to_string());
        own.chain(owed.iter().map(|plan| transcript_name(&plan.key.0))).collect()
    }

    /// Diverged rounds among the latest of the log that have no explanation yet.
    fn owed(&self) -> Vec<Plan> {
        let latest: BTreeSet<RequestId> = self.0.state.lock().catalogue.latest().copied().collect();
        let plans = latest.iter().filter_map(|request| self.plan(request).ok());
        let mut owed: Vec<Plan> = plans.filter(|plan| self.read(&plan.key).is_none()).collect();
        owed.sort_by_key(|plan| plan.index);
        owed
    }

    fn plan(&self, request: &RequestId) -> Result<Plan, NoPlan> {
        plan(&self.0.state.lock(), self.0.state.group(), &self.0.me, request)
    }

    /// A finished one; `None` too for one that is damaged, which is made again.
    fn read(&self, key: &Key) -> Option<Value> {
        let path = record::path(&self.0.folder, key);
        let is_sound = fs::metadata(&path).is_ok_and(|about| about.len() <= RECORD_BYTES_MAX);
        let told: Value = if is_sound { serde_json::from_slice(&fs::read(path).ok()?).ok()? } else { return None };
        told["state"].is_string().then_some(told)
    }

    /// Keeps a finished one. Only whole and synced it counts as made.
    fn keep(&self, key: &Key, record: &Value) -> io::Result<()> {
        Synced.write(&record::path(&self.0.folder, key), record.to_string().as_bytes())
    }

    fn failed(&self, key: Key, reason: String) {
        tracing::info!(request = %key.0, reason, "not explained; it is tried again");
        let mut troubles = self.troubles();
        let before = troubles.get(&key);
        let attempts = before.map_or(0, |trouble| trouble.attempts) + 1;
        let pause = before.map_or(PAUSE, |trouble| (trouble.pause * 2).min(PAUSE_MAX));
        troubles.insert(key, Trouble { attempts, reason, until: Instant::now() + pause, pause });
    }

    fn troubles(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Trouble>> {
        self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes explanations.
pub struct Explainer {
    /// What is told of them.
    pub explanations: Explanations,
    /// This node's own artifacts.
    pub store: ArtifactStore,
    /// The others'.
    pub exchange: Exchange,
    /// This executable.
    pub program: PathBuf,
}

/// Why a round is not explained for now.
#[derive(Debug, thiserror::Error)]
enum Attempt {
    #[error("{0}")]
    Missing(String),
    #[error(transparent)]
    Apart(#[from] ApartError),
    #[error("{0}")]
    Disk(#[from] io::Error),
}

impl Explainer {
    /// Runs until `rest` changes.
    pub async fn run(self, mut rest: watch::Receiver<bool>) {
        durable::remove_unfinished(&self.explanations.0.folder.explanations());
        let mut seen = None;
        loop {
            let size = self.explanations.0.state.persisted().log_size;
            let is_waiting = !self.explanations.troubles().is_empty();
            if seen != Some(size) || is_waiting {
                seen = Some(size);
                tokio::select! {
                    () = self.attend() => {}
                    _ = rest.wait_for(|rest| *rest) => break,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                _ = rest.wait_for(|rest| *rest) => break,
            }
        }
        let _ = fs::remove_dir_all(self.explanations.0.folder.explaining());
    }

    async fn attend(&self) {
        let owed = self.explanations.owed();
        self.explanations.troubles().retain(|key, _| owed.iter().any(|plan| plan.key == *key));
        let now = Instant::now();
        for plan in owed {
            let trouble = self.explanations.troubles().get(&plan.key).cloned();
            if trouble.as_ref().is_some_and(|trouble| trouble.until > now) {
                continue;
            }
            let attempts = trouble.map_or(0, |trouble| trouble.attempts) + 1;
            match self.explain(&plan, attempts).await {
                Ok(()) => tracing::info!(request = %plan.key.0, "explained why the builders diverge"),
                Err(error) => self.failed(&plan, attempts, &error),
            }
        }
    }

    /// What failed too often stays unexplained, so that nothing is kept for it any more: not for trouble of this machine.
    fn failed(&self, plan: &Plan, attempts: u32, error: &Attempt) {
        let inner = &self.explanations.0;
        let mut reason = error.to_string();
        if attempts >= plan.attempts_max() && !matches!(error, Attempt::Disk(_)) {
            let about = (plan, plan.camp(attempts));
            let record = record::unexplained(about, inner.state.group(), &inner.name, attempts, &reason);
            match self.explanations.keep(&plan.key, &record) {
                Ok(()) => return tracing::warn!(request = %plan.key.0, reason, "not explained, and not tried any more"),
                Err(error) => reason = error.to_string(),
            }
        }
        self.explanations.failed(plan.key, reason);
    }

    async fn explain(&self, plan: &Plan, attempts: u32) -> Result<(), Attempt> {
        let inner = &self.explanations.0;
        let (group, folder) = (inner.state.group(), inner.folder.explaining());
        let camp = plan.camp(attempts);
        empty(&folder)?;
        let gathered = gather((plan, camp), group, &self.store, &self.exchange, &folder).await?;
        let is_enough = gathered.missing.is_empty() || (gathered.pairs > 0 && attempts >= PATIENT_ATTEMPTS);
        if !is_enough {
            return Err(Attempt::Missing(gathered.missing.join("; ")));
        }
        let sorted = sort(&plan.own, &camp.artifacts);
        let printed = self.store.printed(&plan.key.0).await;
        let packages = printed.map(|printed| compiled(&printed.text)).unwrap_or_default();
        let order = Order {
            first: folder.join(FIRST),
            second: folder.join(SECOND),
            facts: Facts { packages, ..plan.facts.clone() },
            same: sorted.same,
            only_first: sorted.only_own,
            only_second: sorted.only_other,
            skipped: [gathered.skipped, gathered.missing].concat(),
        };
        let answer = explain_apart(&self.program, &order).await?;
        let record = record::explained((plan, camp), group, &inner.name, &gathered.givers, answer);
        self.explanations.keep(&plan.key, &record)?;
        empty(&folder)?;
        Ok(())
    }
}

/// Makes a folder that has nothing in it.
fn empty(folder: &std::path::Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    }
}
