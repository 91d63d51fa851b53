//! `man`: the manual pages, made of the same words as `--help`.

use std::path::PathBuf;

use clap::Args;
use miette::Diagnostic;

use crate::cli::command;
use crate::exit::{self, Stop};

/// `man [DIR]`
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write a page for the program, and one for each command, to this folder [default: the program's to standard output]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{}: {error}", path.display())]
#[diagnostic(help("name a folder that can be written to"))]
struct NoPages {
    path: PathBuf,
    error: std::io::Error,
}

/// Writes them, and gives the exit code.
pub(crate) fn man(args: &Man) -> Result<u8, Stop> {
    let failed = |path: PathBuf| move |error| Stop::new(exit::INTERNAL, NoPages { path, error });
    match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(failed(dir.clone()))?;
            clap_mangen::generate_to(command(), dir).map_err(failed(dir.clone()))?;
            outln!("written to {}", dir.display());
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command().disable_help_subcommand(true))
                .render(&mut page)
                .map_err(failed("the page".into()))?;
            verbatim!("{}", String::from_utf8_lossy(&page).trim_end());
        }
    }
    Ok(exit::OK)
}
