//! Exit codes, an interface to scripts, and the error that carries one.

use std::process::ExitCode;

use miette::{Diagnostic, Report};

/// Done.
pub const OK: u8 = 0;
/// Something failed that is neither the caller's doing nor expected to pass: the message says what.
pub const INTERNAL: u8 = 1;
/// The command line, a file it names, or the folder it names is not as it must be. Nothing was changed.
pub const USAGE: u8 = 2;
/// Not possible now: no node is running, a port is taken, a registry does not answer. Trying later may help.
pub const TRY_LATER: u8 = 75;

/// Why a command ended without doing its work, and the code to exit with.
#[derive(Debug)]
pub struct Stop {
    /// One of this module's constants.
    pub code: u8,
    /// What went wrong and what to do, for people.
    pub report: Report,
}

/// Attaches the exit code to an error where the command knows what the error means.
pub trait StopWith<T> {
    /// The caller must change something: [`USAGE`].
    fn or_usage(self) -> Result<T, Stop>;
    /// May work later: [`TRY_LATER`].
    fn or_later(self) -> Result<T, Stop>;
    /// Neither: [`INTERNAL`].
    fn or_internal(self) -> Result<T, Stop>;
}

impl<T, E: Diagnostic + Send + Sync + 'static> StopWith<T> for Result<T, E> {
    fn or_usage(self) -> Result<T, Stop> {
        self.map_err(|error| Stop::new(USAGE, error))
    }

    fn or_later(self) -> Result<T, Stop> {
        self.map_err(|error| Stop::new(TRY_LATER, error))
    }

    fn or_internal(self) -> Result<T, Stop> {
        self.map_err(|error| Stop::new(INTERNAL, error))
    }
}

impl Stop {
    /// A stop with this code, told by `error`.
    pub fn new(code: u8, error: impl Into<Report>) -> Stop {
        Stop { code, report: error.into() }
    }

    /// Prints the report to stderr and gives the code to the operating system.
    pub fn report(&self) -> ExitCode {
        eprintln!("{:?}", self.report);
        ExitCode::from(self.code)
    }
}
