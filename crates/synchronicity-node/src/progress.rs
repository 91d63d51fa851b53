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
}

impl Progress {
    /// Notes the rounds that are open, and of these the ones that wait for a build here.
    pub fn rounds(&self, open: &BTreeSet<RequestId>, waiting: impl IntoIterator<Item = RequestId>) {
        let mut builds = self.lock();
        builds.retain(|request, _| open.contains(request));
        for request in waiting {
            builds.insert(request, One { stage: Stage::Waiting, started: None, took_ms: None, compiled: None });
        }
    }

    /// Notes that a build has come to a stage; the first stage after waiting starts its clock.
    pub fn stage(&self, request: RequestId, stage: Stage) {
        let mut builds = self.lock();
        let new = One { stage, started: None, took_ms: None, compiled: None };
        let one = builds.entry(request).or_insert(new);
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

    /// Everything noted, in order of request.
    pub fn list(&self) -> Vec<Building> {
        let one = |(request, one): (&RequestId, &One)| Building {
            request: request.to_string(),
            stage: one.stage,
            elapsed_ms: one.took_ms.or(one.started.map(millis)).unwrap_or(0),
            compiled: one.compiled.clone(),
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
