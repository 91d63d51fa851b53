//! `completions` and `man`: what a shell needs to complete this program's command line, and what a person reads of it.

use std::path::Path;

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

pub(super) fn man(dir: &Path) -> Result<u8, Stop> {
    let written = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir));
    written.map_err(|error| Stop::new(exit::INTERNAL, NoPages { path: dir.to_owned(), error }))?;
    Ok(exit::OK)
}

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{}: {error}", path.display())]
#[diagnostic(help("name a folder that can be written to"))]
struct NoPages {
    path: std::path::PathBuf,
    error: std::io::Error,
}
