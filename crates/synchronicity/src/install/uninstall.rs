//! `uninstall`: takes executables away, and their record.

use clap::Args;
use miette::Diagnostic;
use serde_json::json;
use synchronicity_verify::request::CrateName;

use super::RootFolder;
use super::place::remove;
use crate::exit::{self, Stop};
use crate::printable::printable;
use crate::progress::Progress;

/// `uninstall CRATE...`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = LONG_HELP)]
pub(crate) struct Uninstall {
    /// Crates, whoever installed them
    #[arg(value_name = "CRATE", required = true)]
    names: Vec<CrateName>,
    #[command(flatten)]
    root: RootFolder,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const LONG_HELP: &str = "\
Example:
  synchronicity uninstall hexyl

Exit codes:
  0  the crates are gone
  2  one of them is not installed: none was removed";

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{name} is not installed in {root}")]
#[diagnostic(help("`synchronicity list` shows what is; nothing was removed"))]
struct NotInstalled {
    name: CrateName,
    root: String,
}

/// The name and version of the document, which change together with `docs/schemas/uninstall.schema.json`.
const SCHEMA: &str = "synchronicity/uninstall@v1";

/// Removes, tells, and gives the exit code.
pub(crate) fn uninstall(args: &Uninstall) -> Result<u8, Stop> {
    let root = args.root.root()?;
    let mut records = root.lock(&Progress::new())?;
    let installed = records.installed()?;
    let mut going = Vec::new();
    for name in &args.names {
        let found: Vec<_> = installed.iter().filter(|installed| installed.name == name.as_str()).collect();
        if found.is_empty() {
            let (name, root) = (name.clone(), printable(&root.path.display().to_string()));
            return Err(Stop::new(exit::USAGE, NotInstalled { name, root }));
        }
        going.extend(found);
    }
    for installed in going.iter().filter(|_| !args.dry_run) {
        // Files first: what is recorded and not there is removed by the next run, what is there and not recorded by none.
        installed.bins.iter().try_for_each(|bin| remove(&root.place(bin)))?;
        records.unmark(&installed.package);
        records.save()?;
    }
    if args.json {
        let crates = going.iter().map(|i| json!({ "name": i.name, "version": i.version, "executables": i.bins }));
        let what = if args.dry_run { "would_remove" } else { "removed" };
        verbatim!("{}", json!({ "schema": SCHEMA, "exit": exit::OK, what: crates.collect::<Vec<_>>() }));
    } else {
        for installed in going {
            let bins = installed.bins.iter().map(|bin| printable(bin)).collect::<Vec<_>>().join(", ");
            let what = if args.dry_run { "would be removed" } else { "removed" };
            outln!("{what}: {} {} ({bins})", printable(&installed.name), printable(&installed.version));
        }
    }
    Ok(exit::OK)
}
