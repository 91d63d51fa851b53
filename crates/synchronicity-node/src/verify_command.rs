//! `verify`: the client's, word for word, so that whoever runs a node need not install the client for it.

pub use synchronicity::cli::Verify as Args;

use crate::exit::Stop;

/// Verifies, tells what the proof shows, and gives the exit code.
///
/// # Errors
/// As [`synchronicity::verify::verify`].
pub fn main(args: &Args) -> Result<u8, Stop> {
    synchronicity::verify::verify(args).or_else(|stop| {
        if !args.json {
            return Err(stop);
        }
        stop.tell(true);
        Ok(stop.code)
    })
}
