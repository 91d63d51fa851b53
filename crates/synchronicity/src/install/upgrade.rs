//! `upgrade`: what is installed, in the newest version that was reproduced.

use clap::Args;
use miette::Diagnostic;
use synchronicity_verify::request::CrateName;

use super::present::Occupied;
use super::told::Row;
use super::{How, Session, Wanted};
use crate::exit::{self, Stop};
use crate::install_record::Installed;
use crate::origin::Origin;
use crate::progress::Progress;

/// `upgrade [CRATE...]`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = LONG_HELP)]
pub(crate) struct Upgrade {
    /// Crates [default: all that `install` put there]
    #[arg(value_name = "CRATE")]
    names: Vec<CrateName>,
    #[command(flatten)]
    pub(crate) how: How,
}

const LONG_HELP: &str = "\
Installs the newest version that a group reproduced, with the features that are
recorded, where it is newer than what is installed. Named crates may have been
installed by cargo.

Examples:
  synchronicity upgrade --policy policy.txt --node http://127.0.0.1:8080
  synchronicity upgrade hexyl --policy policy.txt --dry-run

Exit codes: as of `install`; 2 if a crate is not installed.";

#[derive(Debug, thiserror::Error, Diagnostic)]
enum UpgradeTrouble {
    #[error("{0} is not installed from crates.io")]
    #[diagnostic(help("`synchronicity list` shows what is; `synchronicity install {0}` installs it"))]
    NotInstalled(CrateName),
    #[error("nothing is installed that could be upgraded")]
    #[diagnostic(help(
        "`synchronicity install` installs crates; those that cargo installed are upgraded if they are named"
    ))]
    Nothing,
}

/// Upgrades, tells, and gives the exit code.
pub(crate) fn upgrade(args: &Upgrade) -> Result<u8, Stop> {
    let root = args.how.root.root()?;
    let installed = root.lock(&Progress::new())?.installed()?;
    let wanted = wanted(&args.names, &installed)?;
    let context = args.how.asked.read_named()?;
    let groups = context.policy.asked(&context.places)?;
    let session = Session::open(&args.how, &context, &groups, &wanted)?;
    let upgraded = |wanted: &Wanted| match session.install(wanted) {
        // Somebody installed a newer one by other means: that is no failure of an upgrade.
        Err(stop) if Occupied::is_newer(&stop) => session.leave(wanted, &installed).ok_or(stop),
        ended => ended,
    };
    let rows: Vec<_> = wanted.iter().map(|wanted| Row { spec: wanted.to_string(), done: upgraded(wanted) }).collect();
    Ok(session.tell(&rows))
}

fn wanted(names: &[CrateName], installed: &[Installed]) -> Result<Vec<Wanted>, Stop> {
    let of = |installed: &Installed| match &installed.origin {
        Origin::CratesIo(name, _) => {
            Some(Wanted { name: name.clone(), version: None, features: installed.features.clone() })
        }
        _ => None,
    };
    let named = |name: &CrateName| {
        let found = installed.iter().filter_map(of).find(|wanted| wanted.name == *name);
        found.ok_or_else(|| Stop::new(exit::USAGE, UpgradeTrouble::NotInstalled(name.clone())))
    };
    let wanted = if names.is_empty() {
        installed.iter().filter(|installed| installed.ours.is_some()).filter_map(of).collect()
    } else {
        names.iter().map(named).collect::<Result<Vec<_>, _>>()?
    };
    if wanted.is_empty() { Err(Stop::new(exit::USAGE, UpgradeTrouble::Nothing)) } else { Ok(wanted) }
}
