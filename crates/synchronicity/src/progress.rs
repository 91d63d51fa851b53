//! What goes on, on standard error: one line that changes on a terminal, a line for each phase elsewhere.

use std::io::{self, IsTerminal, Write};

use crate::out::{self, terminal::is_dumb};

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
            eprint!("\r\x1b[K{what}");
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
