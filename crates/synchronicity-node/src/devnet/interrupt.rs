//! Ctrl-C and SIGTERM, noticed instead of obeyed at once, so that the group is taken down in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Whether somebody asked the program to end.
#[derive(Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

/// Somebody asked the program to end.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("interrupted: the group is stopped, its folders are left for a look until the next run")]
pub(super) struct Interrupted;

impl Interrupt {
    /// From here on SIGINT, SIGTERM and SIGHUP are only noted.
    pub(super) fn install() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Self(asked))
    }

    /// An error once somebody asked, so that a `?` in any loop leads out of it.
    pub(super) fn check(&self) -> Result<(), Interrupted> {
        if self.0.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
    }
}
