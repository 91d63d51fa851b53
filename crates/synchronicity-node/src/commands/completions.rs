//! `completions`: what a shell needs to complete this program's command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{self, Stop};

pub(super) fn completions(shell: Shell) -> Result<u8, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "synchronicity-node", &mut script);
    super::say(String::from_utf8_lossy(&script));
    Ok(exit::OK)
}
