//! How far the builds of this node are, for whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use synchronicity_verify::identity::RequestId;

use crate::status::{Building, Stage};

/// Builds that run, wait, or are sealed in rounds that are still open. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<BTreeMap<RequestId, One>>>);

#[derive(Clone, Debug)]
struct One {
    stage: Stage,
    started: Option<Instant>,
    /// Milliseconds that the build took, once it has ended.
    took_ms: Option<u64>,
    compiled: Option<String>,
    /// Why an earlier try was not the last.
    retried: Option<String>,
}

impl One {
    fn new(stage: Stage) -> Self {
        One { stage, started: None, took_ms: None, compiled: None, retried: None }
    }
}

impl Progress {
    /// Notes the rounds that are open, and of these the ones that wait for a build here.
    pub fn rounds(&self, open: &BTreeSet<RequestId>, waiting: impl IntoIterator<Item = RequestId>) {
        let mut builds = self.lock();
        builds.retain(|request, _| open.contains(request));
        for request in waiting {
            let retried = builds.remove(&request).and_then(|one| one.retried);
            builds.insert(request, One { retried, ..One::new(Stage::Waiting) });
        }
    }

    /// Notes that a build has come to a stage; the first stage after waiting starts its clock.
    pub fn stage(&self, request: RequestId, stage: Stage) {
        let mut builds = self.lock();
        let one = builds.entry(request).or_insert_with(|| One::new(stage));
        one.stage = stage;
        let started = *one.started.get_or_insert_with(Instant::now);
        one.took_ms = (stage == Stage::Done).then(|| millis(started));
    }

    /// Notes the crate that was compiled last.
    pub fn compiled(&self, request: RequestId, compiled: String) {
        if let Some(one) = self.lock().get_mut(&request) {
            one.compiled = Some(compiled);
        }
    }

    /// Notes that a build is tried again, and why.
    pub fn retried(&self, request: RequestId, why: String) {
        if let Some(one) = self.lock().get_mut(&request) {
            one.retried = Some(why);
        }
    }

    /// Everything noted, in order of request.
    pub fn list(&self) -> Vec<Building> {
        let one = |(request, one): (&RequestId, &One)| Building {
            request: request.to_string(),
            stage: one.stage,
            elapsed_ms: one.took_ms.or(one.started.map(millis)).unwrap_or(0),
            compiled: one.compiled.clone(),
            retried: one.retried.clone(),
        };
        self.lock().iter().map(one).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RequestId, One>> {
        // The map is whole at every point at which a thread can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use synchronicity_verify::digest::Digest;

    use super::*;

    #[test]
    fn a_second_try_is_marked_until_its_round_is_over() {
        let (progress, request) = (Progress::default(), RequestId(Digest::of(b"a request")));
        let open = BTreeSet::from([request]);
        progress.stage(request, Stage::Building);
        assert_eq!(progress.list()[0].retried, None);
        progress.retried(request, "out-of-memory".to_owned());
        for step in [Stage::Waiting, Stage::Fetching, Stage::Done] {
            // A build that broke waits for its next try.
            let waits = (step == Stage::Waiting).then_some(request);
            progress.rounds(&open, waits);
            progress.stage(request, step);
            assert_eq!(progress.list()[0].retried.as_deref(), Some("out-of-memory"), "{step:?}");
        }
        progress.rounds(&BTreeSet::new(), None);
        assert!(progress.list().is_empty());
    }
}
