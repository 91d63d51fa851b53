//! What goes on, on standard error: one line that changes on a terminal, a line for each phase elsewhere.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use synchronicity_rebuild::arrivals::Arrivals;

use crate::out::{self, terminal::is_dumb};
use crate::printable::column;

#[derive(Clone, Copy)]
pub(crate) struct Progress {
    terminal: bool,
    quiet: bool,
}

impl Progress {
    /// As the terminal and `--quiet` want it.
    pub(crate) fn new() -> Self {
        let quiet = out::is_quiet();
        Self { terminal: io::stderr().is_terminal() && !is_dumb() && !quiet, quiet }
    }

    /// Says nothing: for a command with several builds at once, which has its own way to tell.
    pub(crate) fn silent() -> Self {
        Self { terminal: false, quiet: true }
    }

    pub(crate) fn say(&self, what: &str) {
        if self.terminal {
            self.detail(what);
        } else if !self.quiet {
            note!("{what}");
        }
    }

    /// Shown only where it does not fill a file.
    pub(crate) fn detail(&self, what: &str) {
        if self.terminal {
            // A line that wraps could not be taken back.
            out::line(column(what, 79).trim_end());
        }
    }

    /// Shows what comes while `what` goes on, and how fast.
    pub(crate) fn arrivals(self, what: String) -> Arrivals {
        let inflow = Mutex::new(Inflow::new());
        Arrivals::told_to(move |bytes| {
            let mut inflow = inflow.lock().unwrap_or_else(PoisonError::into_inner);
            inflow.add(bytes);
            if inflow.is_due() {
                self.detail(&format!("{what}: {inflow}"));
            }
        })
    }

    pub(crate) fn end(&self) {
        if self.terminal {
            out::line("");
        }
    }
}

/// How often what has come is shown at most.
const SHOWN_EVERY: Duration = Duration::from_millis(100);

/// What has come, and how fast: `12.3 MB, 4.5 MB/s`.
pub(crate) struct Inflow {
    since: Instant,
    bytes: u64,
    shown: Option<Instant>,
}

impl Inflow {
    /// Nothing so far, from now on.
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), bytes: 0, shown: None }
    }

    pub(crate) fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// So much in all.
    pub(crate) fn reach(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// Whether it is time to show it again.
    pub(crate) fn is_due(&mut self) -> bool {
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= SHOWN_EVERY);
        if due {
            self.shown = Some(Instant::now());
        }
        due
    }

    /// In megabytes a second.
    pub(crate) fn speed(&self) -> f64 {
        self.megabytes() / self.since.elapsed().as_secs_f64().max(0.001)
    }

    fn megabytes(&self) -> f64 {
        self.bytes as f64 / 1e6
    }
}

impl fmt::Display for Inflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB, {:.1} MB/s", self.megabytes(), self.speed())
    }
}
