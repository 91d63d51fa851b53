//! `synchronicity`: the program of whoever wants to know whether a binary is what its source says.
//!
//! Three comparisons exist, and its words keep them apart: builder against builder (the only one that makes evidence,
//! [`prove`] fetches it), the group against a file somebody offers ([`verify`]), and this machine's own build, which
//! proves something to its owner alone ([`rebuild`]). [`cli`] is the command line, [`exit`] its exit codes, and
//! [`report`] the words for what a proof shows.

mod cli;
mod exit;
mod prove;
mod read;
mod rebuild;
mod report;
mod verify;

fn main() -> std::process::ExitCode {
    // Builds run in processes that are this executable again.
    synchronicity_rebuild::worker::main();
    cli::run()
}
