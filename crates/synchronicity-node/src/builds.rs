//! The builds of this node: one at a time, each on the bench, retried with growing pauses when the machine and not the
//! crate is at fault.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use synchronicity_rebuild::bench::{Bench, Terms};
use synchronicity_rebuild::running::{BuildEvent, Outcome, Running};
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::artifact_store::ArtifactStore;
use crate::health::{Health, Topic};
use crate::progress::Progress;
use crate::state::State;
use crate::status::Stage;
use crate::workbench::{Readiness, Workbench};

/// The pause after a build that broke; doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// How long a bucket may take to store what a build left, and which part of the time that the group still waits: the
/// commitment and the next build wait for it, so a bucket that is slow or gone must cost copies and not results.
const UPLOAD_MAX: Duration = Duration::from_secs(120);
const UPLOAD_SHARE: u32 = 4;

/// A request and its round.
pub type Key = (RequestId, u32);

/// A build has ended.
#[derive(Debug)]
pub struct Done {
    /// Which one.
    pub key: Key,
    /// Its result, or why there is none: trouble of this machine.
    pub result: Result<BuildResult, String>,
}

/// Starts builds and ends those that nobody waits for any more.
pub struct Builds {
    workbench: Workbench,
    store: ArtifactStore,
    /// What copies into the store run on.
    runtime: Handle,
    progress: Progress,
    health: Health,
    done: mpsc::Sender<Done>,
    current: Option<Current>,
    pauses: BTreeMap<Key, Pause>,
}

struct Current {
    key: Key,
    running: Arc<Running>,
    /// Whether it was ended on purpose: then it needs no complaint.
    killed: bool,
    /// Ends an upload that is under way.
    cut: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

struct Pause {
    until: Instant,
    length: Duration,
}

impl Builds {
    /// No build yet. `done` takes what has ended. To be called on the runtime.
    pub fn new(
        workbench: Workbench,
        store: ArtifactStore,
        progress: Progress,
        health: Health,
        done: mpsc::Sender<Done>,
    ) -> Self {
        let runtime = Handle::current();
        Builds { workbench, store, runtime, progress, health, done, current: None, pauses: BTreeMap::new() }
    }

    /// Brings what runs in line with what is owed.
    pub fn attend(&mut self, owed: &[Key], open: &BTreeSet<RequestId>, state: &State) {
        if let Some(current) = &mut self.current
            && !current.killed
            && !owed.contains(&current.key)
        {
            tracing::info!(request = %current.key.0, "nobody waits for this build any more");
            current.kill();
        }
        self.pauses.retain(|key, _| owed.contains(key));
        if self.pauses.is_empty() {
            self.health.recover(Topic::Build);
        }
        let running = self.current.as_ref().map(|current| current.key);
        let waiting = owed.iter().filter(|key| Some(**key) != running);
        self.progress.rounds(open, waiting.map(|key| key.0));
        if running.is_some() {
            return;
        }
        let Readiness::Ready(bench) = self.workbench.borrow().clone() else { return };
        let now = Instant::now();
        let next = owed.iter().find(|key| self.pauses.get(key).is_none_or(|pause| pause.until <= now));
        if let Some(key) = next {
            self.start(&bench, *key, state);
        }
    }

    /// Takes note of an ended build, and gives its result if it has one.
    pub fn finished(&mut self, done: &Done) -> Option<BuildResult> {
        let killed = self.current.take().is_some_and(|current| current.killed);
        match &done.result {
            Ok(result) => {
                self.pauses.remove(&done.key);
                self.progress.stage(done.key.0, Stage::Done);
                Some(result.clone())
            }
            Err(_) if killed => None,
            Err(reason) => {
                self.progress.retried(done.key.0, reason.clone());
                self.failed(done.key, reason);
                None
            }
        }
    }

    /// Ends the running build and waits until nothing of it is left, containers included.
    pub fn stop(&mut self) {
        if let Some(mut current) = self.current.take() {
            current.kill();
            // Its last message finds no room or no reader, and that is all that can go wrong with it now.
            let _ = current.thread.join();
        }
    }

    /// Takes note that a build led to nothing and is to be repeated after a pause.
    pub fn failed(&mut self, key: Key, reason: &str) {
        let length = self.pauses.get(&key).map_or(PAUSE, |pause| (pause.length * 2).min(PAUSE_MAX));
        self.pauses.insert(key, Pause { until: Instant::now() + length, length });
        let seconds = length.as_secs();
        self.health.complain(Topic::Build, format!("cannot build {}: {reason} (again in {seconds} s)", key.0));
    }

    fn start(&mut self, bench: &Arc<Bench>, key: Key, state: &State) {
        let Some(Ordered { request, lock, terms }) = ordered(state, &key.0) else { return };
        self.progress.stage(key.0, Stage::Fetching);
        let until = terms.patience.map(|patience| Instant::now() + patience);
        match bench.start_on(&request, &lock, terms) {
            Ok(running) => {
                tracing::info!(request = %key.0, purl = request.source.purl(), "building");
                let running = Arc::new(running);
                let (cut, ended) = watch::channel(false);
                let thread = self.follow(key, running.clone(), until, ended);
                self.current = Some(Current { key, running, killed: false, cut, thread });
            }
            Err(error) => self.failed(key, &error.to_string()),
        }
    }

    /// Follows a build on a thread of its own until it has ended and what it left is kept. The group waits `until` then.
    fn follow(
        &self,
        key: Key,
        running: Arc<Running>,
        until: Option<Instant>,
        ended: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let (progress, done) = (self.progress.clone(), self.done.clone());
        let (store, runtime) = (self.store.clone(), self.runtime.clone());
        let follow = move || {
            let result = watch(&running, key.0, &progress).map(|outcome| {
                let artifacts: Option<PathBuf> = outcome.artifacts_dir;
                let kept = store.keep(&key.0, &outcome.result, artifacts.as_deref(), &outcome.transcript);
                // A folder is fast, and has everything before the commitment tells that it exists.
                let kept = if store.is_remote() {
                    runtime.block_on(in_time(kept, upload_time(until), ended))
                } else {
                    runtime.block_on(kept)
                };
                if let Err(error) = kept {
                    tracing::warn!(request = %key.0, %error, "artifacts or transcript were not kept");
                }
                outcome.result
            });
            // A node that ends takes no results any more; the build is owed again at the next start.
            let _ = done.blocking_send(Done { key, result });
        };
        let thread = thread::Builder::new().name("build".to_owned()).spawn(follow);
        thread.expect("a process that could start a build can start a thread")
    }
}

impl Current {
    fn kill(&mut self) {
        self.killed = true;
        self.running.kill();
        self.cut.send_replace(true);
    }
}

/// How long an upload may take now, if the group waits `until` then.
fn upload_time(until: Option<Instant>) -> Duration {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    left.map_or(UPLOAD_MAX, |left| UPLOAD_MAX.min(left / UPLOAD_SHARE))
}

/// Does `work` for no longer than `most`, nor after `ended` has become true.
async fn in_time(
    work: impl Future<Output = io::Result<()>>,
    most: Duration,
    mut ended: watch::Receiver<bool>,
) -> io::Result<()> {
    tokio::select! {
        done = tokio::time::timeout(most, work) => done.unwrap_or_else(|_| {
            Err(io::Error::other(format!("the bucket took more than {} s: look at its line or its service", most.as_secs())))
        }),
        // Whoever could say so is gone only together with the build.
        _ = ended.wait_for(|ended| *ended) => Err(io::Error::other("the build was ended")),
    }
}

fn watch(running: &Running, request: RequestId, progress: &Progress) -> Result<Outcome, String> {
    while let Some(event) = running.recv() {
        match event {
            BuildEvent::Fetching => progress.stage(request, Stage::Fetching),
            BuildEvent::Arriving { .. } => {}
            BuildEvent::Building { compiled } => {
                progress.stage(request, Stage::Building);
                if !compiled.is_empty() {
                    progress.compiled(request, compiled);
                }
            }
            BuildEvent::Retrying { first } => {
                tracing::warn!(%request, first, "failed in a way that may be chance: tried once more");
                progress.retried(request, first);
            }
            BuildEvent::Finished(outcome) => return Ok(outcome),
            BuildEvent::Broken(reason) => return Err(reason),
        }
    }
    Err("the build was ended before it had a result".to_owned())
}

/// What is to be built, how long the group waits for it, and what must be there.
struct Ordered {
    request: BuildRequest,
    lock: Vec<u8>,
    terms: Terms,
}

fn ordered(state: &State, request: &RequestId) -> Option<Ordered> {
    let folded = state.lock();
    let (lock, round) = (folded.machine.lock(request)?.to_vec(), folded.machine.round(request)?);
    let left_ms = round.deadline_ms()?.saturating_sub(folded.machine.executed().time_ms);
    let agreed = state.group().override_for(&round.request().source);
    let packages = agreed.map(|agreed| agreed.packages.clone()).unwrap_or_default();
    let terms = Terms { patience: Some(Duration::from_millis(left_ms)), packages };
    Some(Ordered { request: round.request().clone(), lock, terms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bucket_that_never_answers_holds_up_neither_the_result_nor_the_end_of_the_node() {
        let (cut, ended) = watch::channel(false);
        let late = in_time(std::future::pending(), Duration::from_millis(1), ended.clone()).await;
        assert!(late.unwrap_err().to_string().contains("took more than"));
        assert!(in_time(std::future::ready(Ok(())), UPLOAD_MAX, ended.clone()).await.is_ok());
        cut.send_replace(true);
        let cut = in_time(std::future::pending(), Duration::MAX, ended).await;
        assert!(cut.unwrap_err().to_string().contains("was ended"));
    }

    #[test]
    fn an_upload_takes_no_more_than_its_part_of_the_time_that_the_group_still_waits() {
        assert_eq!(upload_time(None), UPLOAD_MAX);
        let now = Instant::now();
        assert_eq!(upload_time(Some(now + Duration::from_secs(3600))), UPLOAD_MAX);
        assert!(upload_time(Some(now + Duration::from_secs(60))) <= Duration::from_secs(15));
        assert_eq!(upload_time(Some(now)), Duration::ZERO);
    }
}
