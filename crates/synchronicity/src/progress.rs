//! What goes on, on standard error: one line that changes on a terminal, a line for each phase elsewhere.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use crate::out::{self, terminal::is_dumb};
use crate::printable::column;

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
            let what = column(what, 79);
            eprint!("\r\x1b[K{}", what.trim_end());
            // Nobody looks at a terminal that is gone.
            let _ = io::stderr().flush();
        }
    }

    pub(crate) fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

/// What has come, and how fast: `12.3 MB, 4.5 MB/s`.
pub(crate) struct Inflow {
    since: Instant,
    bytes: u64,
}

impl Inflow {
    /// Nothing so far, from now on.
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), bytes: 0 }
    }

    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
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
