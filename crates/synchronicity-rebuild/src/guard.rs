//! Watches a running build for its limits and stops it at the first that is exceeded.
//!
//! A sandbox says how to stop the build and what can be sampled; which limit ended it is decided here, once, so that
//! both sandboxes name the same failure.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use synchronicity_verify::request::Limits;
use synchronicity_verify::result::Failure;

/// How often the sandbox's own sample is taken: a burst of memory or processes is caught within this.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// The products are measured after this many times as long as it took to measure them: a walk over a large target must
/// not cost more than a twentieth of a processor, and a small one can be looked at in every sample.
const MEASURE_REST: u32 = 20;

/// Stops a build; called at most once, from any thread.
type Halt = Arc<dyn Fn() + Send + Sync>;

/// A watched build.
pub(crate) struct Guard {
    verdict: Arc<OnceLock<Failure>>,
    halt: Halt,
    done: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Guard {
    /// Begins to watch: time from now on, the size of `target`, and whatever `sample` finds exceeded.
    pub(crate) fn start(
        limits: &Limits,
        target: &Path,
        halt: impl Fn() + Send + Sync + 'static,
        mut sample: impl FnMut() -> Option<Failure> + Send + 'static,
    ) -> Self {
        let verdict = Arc::new(OnceLock::new());
        let halt: Halt = Arc::new(halt);
        let (done, until) = mpsc::sync_channel(1);
        let mut gauge = Gauge::new(limits, target);
        let (seen, stop) = (Arc::clone(&verdict), Arc::clone(&halt));
        let thread = thread::spawn(move || {
            while until.recv_timeout(SAMPLE_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Some(failure) = sample().or_else(|| gauge.exceeded()) {
                    trip(&seen, &stop, failure);
                    return;
                }
            }
        });
        Self { verdict, halt, done, thread }
    }

    /// Stops the build for `failure`, unless it was stopped already.
    pub(crate) fn trip(&self, failure: Failure) {
        trip(&self.verdict, &self.halt, failure);
    }

    /// Ends the watch after the build; the limit at which the build was stopped, if it was.
    pub(crate) fn finish(self) -> Option<Failure> {
        // The thread may have ended by itself, having stopped the build.
        let _ = self.done.try_send(());
        let _ = self.thread.join();
        self.verdict.get().copied()
    }
}

fn trip(verdict: &OnceLock<Failure>, halt: &Halt, failure: Failure) {
    if verdict.set(failure).is_ok() {
        halt();
    }
}

/// Time and disk, which every sandbox measures alike.
struct Gauge {
    deadline: Instant,
    disk_bytes: u64,
    target: PathBuf,
    due: Instant,
}

impl Gauge {
    fn new(limits: &Limits, target: &Path) -> Self {
        let now = Instant::now();
        // A limit beyond a month is a month: the sum must not overflow.
        let time = Duration::from_secs(limits.time_seconds.min(31 * 24 * 3600));
        Self { deadline: now + time, disk_bytes: limits.disk_bytes, target: target.to_owned(), due: now }
    }

    fn exceeded(&mut self) -> Option<Failure> {
        if Instant::now() >= self.deadline {
            return Some(Failure::Time);
        }
        let begun = Instant::now();
        if begun < self.due {
            return None;
        }
        let bytes = crate::folder::size_bytes(&self.target);
        self.due = Instant::now() + begun.elapsed() * MEASURE_REST;
        (bytes > self.disk_bytes).then_some(Failure::Disk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn limits() -> Limits {
        Limits {
            memory_bytes: 1 << 30,
            time_seconds: 3600,
            disk_bytes: 1000,
            processes: 100,
            transcript_bytes: 1000,
            jobs: 1,
        }
    }

    /// A guard over an empty folder, and how often it stopped the build.
    fn guarded(limits: &Limits, sample: Option<Failure>) -> (Option<Failure>, usize) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("product"), vec![1; 5000]).unwrap();
        let halted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&halted);
        let halt = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        let guard = Guard::start(limits, folder.path(), halt, move || sample);
        let waited = Instant::now();
        while halted.load(Ordering::SeqCst) == 0 && waited.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(10));
        }
        guard.trip(Failure::Transcript);
        (guard.finish(), halted.load(Ordering::SeqCst))
    }

    #[test]
    fn a_build_that_writes_too_much_is_stopped_for_its_disk() {
        assert_eq!(guarded(&limits(), None), (Some(Failure::Disk), 1));
    }

    #[test]
    fn a_build_past_its_time_is_stopped_for_its_time() {
        assert_eq!(guarded(&Limits { time_seconds: 0, ..limits() }, None), (Some(Failure::Time), 1));
    }

    #[test]
    fn what_the_sandbox_samples_stops_a_build_and_only_the_first_limit_counts() {
        assert_eq!(guarded(&limits(), Some(Failure::Memory)), (Some(Failure::Memory), 1));
    }

    #[test]
    fn a_build_that_ends_in_time_is_not_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::start(&limits(), folder.path(), || panic!("stopped"), || None);
        assert_eq!(guard.finish(), None);
    }
}
