//! `attest`: the client's, word for word, so that whoever runs a node need not install the client for it.

pub use synchronicity::cli::Attest as Args;

use crate::exit::Stop;

/// Fetches, checks and keeps what builders sign for the tools of others, and gives the exit code.
///
/// # Errors
/// As [`synchronicity::attest_command::attest`].
pub fn main(args: &Args) -> Result<u8, Stop> {
    synchronicity::attest_command::attest(args).or_else(|stop| {
        if !args.json {
            return Err(stop);
        }
        stop.tell(true);
        Ok(stop.code)
    })
}
