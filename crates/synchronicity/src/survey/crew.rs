//! Several crates at once: threads that take them from the list, a bar that shows how far they are, and a signal that
//! ends them all.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::list::Line;
use super::measure::measure;
use super::record::Record;
use super::store::{Store, StoreError};
use super::words;
use crate::exit::Stop;
use crate::out::{self, terminal::is_dumb, terminal::is_unicode};
use crate::workshop::Workshop;

/// Where a crate of the list was brought to.
enum Event {
    Begun(String),
    Done(String, Result<Record, Stop>),
}

/// What came of the crates that were waiting.
#[derive(Default)]
pub(super) struct Shift {
    pub(super) recorded: usize,
    /// Crates that this machine could not measure, and why.
    pub(super) failed: Vec<(String, String)>,
}

/// Measures the crates that are `waiting`, `jobs` at a time, and keeps each record as soon as it is there. Ends early,
/// with every build killed, once `stop` is set. `scratch` is an empty folder.
pub(super) fn work(
    workshop: &Workshop,
    waiting: Vec<Line>,
    done_before: usize,
    jobs: usize,
    store: &Store,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<Shift, StoreError> {
    let bar = Bar::new(waiting.len() + done_before, done_before);
    let queue = Mutex::new(VecDeque::from(waiting));
    let (send, events) = mpsc::channel();
    let mut shift = Shift::default();
    let mut trouble = None;
    thread::scope(|scope| {
        for _ in 0..jobs {
            let send = send.clone();
            let queue = &queue;
            scope.spawn(move || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(line) = next.filter(|_| !stop.load(Ordering::Relaxed)) else { return };
                    let _ = send.send(Event::Begun(line.key.clone()));
                    let folder = scratch.join(&line.key);
                    let measured = measure(workshop, &line, &folder);
                    // Artifacts can be large; what is left of them goes with the whole folder.
                    let _ = std::fs::remove_dir_all(&folder);
                    let _ = send.send(Event::Done(line.key, measured));
                }
            });
        }
        drop(send);
        loop {
            match events.recv_timeout(Duration::from_millis(100)) {
                Ok(Event::Begun(key)) => bar.begun(&key),
                Ok(Event::Done(key, Ok(record))) => match store.keep(&record) {
                    Ok(()) => {
                        shift.recorded += 1;
                        bar.done(&key, &words::of_record(&record));
                    }
                    Err(error) => {
                        // Without a place for records nothing is worth building.
                        trouble.get_or_insert(error);
                        stop.store(true, Ordering::Relaxed);
                    }
                },
                // What was killed says nothing.
                Ok(Event::Done(..)) if stop.load(Ordering::Relaxed) => {}
                Ok(Event::Done(key, Err(why))) => {
                    bar.done(&key, &format!("not measured: {}", why.report));
                    shift.failed.push((key, why.report.to_string()));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if stop.load(Ordering::Relaxed) {
                workshop.stop();
            }
        }
    });
    bar.end();
    match trouble {
        Some(error) => Err(error),
        None => Ok(shift),
    }
}

/// A flag that is set by Ctrl-C or a request to end. The second one ends the program at once: what is recorded is kept
/// whenever it ends, and builds die with it.
pub(super) fn signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// A bar with an estimate on a terminal; a line for each crate elsewhere.
struct Bar {
    bar: Option<ProgressBar>,
    total: usize,
    done: std::cell::Cell<usize>,
    under_way: std::cell::RefCell<Vec<String>>,
}

impl Bar {
    fn new(total: usize, done_before: usize) -> Self {
        let bar = (io::stderr().is_terminal() && !is_dumb() && !out::is_quiet()).then(|| {
            let bar = ProgressBar::new(total as u64).with_position(done_before as u64);
            let style = ProgressStyle::with_template("{bar:24} {pos}/{len}, about {eta} left: {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(if is_unicode() { style } else { style.progress_chars("#>-") });
            // What was done before took no time now.
            bar.reset_eta();
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { bar, total, done: done_before.into(), under_way: Vec::new().into() }
    }

    fn begun(&self, key: &str) {
        self.under_way.borrow_mut().push(key.to_owned());
        self.show();
    }

    fn done(&self, key: &str, what: &str) {
        self.under_way.borrow_mut().retain(|other| other != key);
        self.done.set(self.done.get() + 1);
        match &self.bar {
            None => note!("[{}/{}] {key}: {what}", self.done.get(), self.total),
            Some(bar) => {
                bar.println(out::folded(&format!("{key}: {what}")));
                bar.inc(1);
            }
        }
        self.show();
    }

    fn show(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.under_way.borrow().join(", "));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
