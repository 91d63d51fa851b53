//! Exit codes, an interface to scripts, and the error that carries one. They are the client's: one table for both programs.

use miette::Diagnostic;

pub use synchronicity::exit::{BELOW_THRESHOLD, INTERNAL, INVALID, MISMATCH, NO_EVIDENCE, OK, Stop, TRY_LATER, USAGE};

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
