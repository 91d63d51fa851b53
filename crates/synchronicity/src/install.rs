//! `install`: executables that a group rebuilt, put where cargo puts them.
//!
//! The log says which version was reproduced, and to which bytes ([`choose`]), or the logs of several groups, enough of
//! which must say the same ([`together`]); whoever has these bytes may serve them ([`fetch`]); they are put in place all
//! at once and recorded as cargo records them ([`place`]). Nothing is compiled, and nothing is installed that a quorum
//! under the policy did not vouch for, unless `--or-build` asks for it ([`built`]).
//! [`upgrade`] does the same for what is installed; [`uninstall`] and [`list`] need no log.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use miette::Diagnostic;
use synchronicity_rebuild::download::Patience;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::request::{CrateName, CrateVersion, Features};
use synchronicity_verify::result::Artifact;

use crate::age::Age;
use crate::cli::{ChosenFeatures, Place};
use crate::combined::{self, Asked as AskedGroup};
use crate::exit::{self, Stop, gravest};
use crate::install_record::{self, Installed};
use crate::library::Library;
use crate::progress::Progress;
use crate::report;
use crate::settings::{Asked as AskedLog, Context};
use crate::source::Source;

mod built;
mod choose;
mod fetch;
mod list;
mod place;
mod present;
mod together;
mod told;
mod uninstall;
mod upgrade;

pub(crate) use list::{List, list};
pub(crate) use uninstall::{Uninstall, uninstall};
pub(crate) use upgrade::{Upgrade, upgrade};

use choose::{Asked, NoChoice};
use fetch::{Part, fetch};
use place::{Change, Executable, Root};
use present::{Present, State};
use together::{Group, chosen};
use told::{Action, Done, Row};

/// `install CRATE[@VERSION]...`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = LONG_HELP)]
pub(crate) struct Install {
    /// Crates; without a version the newest that was reproduced
    #[arg(value_name = "CRATE[@VERSION]", required = true)]
    specs: Vec<Spec>,
    #[command(flatten)]
    chosen: ChosenFeatures,
    /// Where there is no evidence, build it here: that proves nothing to anybody, and is recorded so
    #[arg(long)]
    or_build: bool,
    #[command(flatten)]
    sandbox: Place,
    #[command(flatten)]
    pub(crate) how: How,
}

/// What `install` and `upgrade` have in common.
#[derive(Debug, Args)]
pub(crate) struct How {
    #[command(flatten)]
    asked: AskedLog,
    #[command(flatten)]
    root: RootFolder,
    /// Another place that has the group's artifacts as artifacts/SHA256: an address or a folder; it need not be trusted
    #[arg(long = "mirror", value_name = "URL", env = "SYNCHRONICITY_MIRROR")]
    mirrors: Vec<Source>,
    /// The longest silence of a place before the next one is asked, as in 15s or 2m
    #[arg(long, value_name = "TIME", default_value = "15s")]
    timeout: Age,
    /// Replace executables of other crates, and newer versions
    #[arg(long)]
    force: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where executables are.
#[derive(Debug, Args)]
pub(crate) struct RootFolder {
    /// Where cargo installs to [default: CARGO_INSTALL_ROOT, CARGO_HOME or ~/.cargo]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

const LONG_HELP: &str = "\
The newest version that a group rebuilt to the same bytes for this machine is
looked up in the policy's log, as `verify` does. Its executables are fetched
from the nodes and mirrors, several at once, held against the log, put into the
folder of executables all at once, and recorded as `cargo install` does. What
was fetched before an interruption is not fetched again. synchronicity.toml is
read only where --config names it.

Examples:
  synchronicity install hexyl --policy policy.txt --node http://127.0.0.1:8080
  synchronicity install hexyl@0.17.0 fd-find --policy policy.txt --dry-run
  synchronicity install hexyl --policy policy.txt --or-build

Exit codes:
  0   every crate is installed, or was already
  2   another crate's executable, or a newer version, is there: see --force
  40  the log, or what every place serves, is not what a group signed
  41  there is no evidence for a crate, or for this machine
  42  the log has entries about several archives of one version
  43  fewer builders signed than the policy wants
  75  try later: no log or no place with the executables answers, or it is too
      old
With several crates it is the first of 40, 42, 43, 41, 2, 75 that any of them
got.";

#[derive(Debug, thiserror::Error, Diagnostic)]
enum InstallTrouble {
    #[error("no folder to install to: neither CARGO_INSTALL_ROOT, CARGO_HOME nor HOME is set")]
    #[diagnostic(help("name it with --root"))]
    NoRoot,
    #[error("{0} is a folder, and folders are not in logs")]
    #[diagnostic(help("name a crate of crates.io; `cargo install --path` installs from a folder"))]
    Folder(Spec),
}

/// Installs, tells, and gives the exit code.
pub(crate) fn install(args: &Install) -> Result<u8, Stop> {
    let wanted =
        args.specs.iter().map(|spec| Wanted::of(spec, args.chosen.features())).collect::<Result<Vec<_>, _>>()?;
    let context = args.how.asked.read_named()?;
    let groups = context.policy.asked(&context.places)?;
    let session = Session::open(&args.how, &context, &groups, &wanted)?;
    let absent = |stop: &Stop| NoChoice::is_absence(stop) || combined::is_absence(stop);
    let install = |wanted: &Wanted| match session.install(wanted) {
        Err(stop) if args.or_build && absent(&stop) => session.build(wanted, &args.sandbox),
        ended => ended,
    };
    let rows = wanted.iter().map(|wanted| Row { spec: wanted.to_string(), done: install(wanted) }).collect::<Vec<_>>();
    Ok(session.tell(&rows))
}

impl RootFolder {
    fn root(&self) -> Result<Root, Stop> {
        let path = install_record::root(self.root.as_deref());
        let path = path.ok_or_else(|| Stop::new(exit::USAGE, InstallTrouble::NoRoot))?;
        Ok(Root { path: std::path::absolute(&path).unwrap_or(path) })
    }
}

/// A crate to be installed.
struct Wanted {
    name: CrateName,
    version: Option<CrateVersion>,
    features: Features,
}

impl Wanted {
    fn of(spec: &Spec, features: Features) -> Result<Self, Stop> {
        match spec {
            Spec::Crate { name, version } => Ok(Self { name: name.clone(), version: version.clone(), features }),
            Spec::Folder(_) => Err(Stop::new(exit::USAGE, InstallTrouble::Folder(spec.clone()))),
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Spec::Crate { name: self.name.clone(), version: self.version.clone() }.fmt(f)
    }
}

/// One run: the logs, a root, and who is asked.
struct Session<'a> {
    how: &'a How,
    root: Root,
    groups: Vec<Group<'a>>,
    /// How many of the groups must agree.
    needed: usize,
    /// Where artifacts are fetched from.
    stores: Vec<Source>,
    /// The triple of this machine.
    target: String,
    progress: Progress,
}

impl<'a> Session<'a> {
    /// Reads the log of every group.
    fn open(how: &'a How, context: &Context, asked: &'a [AskedGroup<'a>], wanted: &[Wanted]) -> Result<Self, Stop> {
        let names: BTreeSet<_> = wanted.iter().map(|wanted| wanted.name.clone()).collect();
        let (mut groups, mut addresses) = (Vec::with_capacity(asked.len()), Vec::new());
        let root = how.root.root()?;
        for asked in asked {
            let library = Library::of_crates(&asked.places, asked.policy, names.clone());
            if asked.places.nodes.is_empty() && !asked.places.offline {
                match library.sources() {
                    Ok(own) => addresses.extend(own),
                    Err(stop) if asked.name.is_none() => return Err(stop),
                    // The group has no log to be read either, and so no vote.
                    Err(_) => {}
                }
            }
            groups.push(Group::open(asked.name, asked.policy, library)?);
        }
        let places = &context.places;
        let silence = std::time::Duration::from_secs(how.timeout.seconds);
        let patience = Patience { silence, connect: silence.min(Patience::default().connect), ..Patience::for_logs() };
        let stores = how.mirrors.iter().chain(&places.nodes).chain(&addresses);
        let stores = stores.filter(|source| !places.offline || matches!(source, Source::Folder(_)));
        Ok(Self {
            how,
            root,
            groups,
            needed: context.policy.needed(),
            stores: stores.map(|source| source.with(patience)).collect(),
            target: format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
            progress: Progress::new(),
        })
    }

    fn install(&self, wanted: &Wanted) -> Result<Done, Stop> {
        let Wanted { name, version, features } = wanted;
        let asked = Asked { name, version: version.as_ref(), features, target: &self.target };
        let chosen = chosen(&asked, &self.groups, self.needed)?;
        let present = Present::of_entries(&chosen);
        // Looked at before anything is fetched, and again before anything is moved.
        let state = present.state(&self.root, &self.root.lock(&self.progress)?, self.how.force)?;
        match state {
            State::Installed => return Ok(Done::by_entry(Action::Already, None, chosen)),
            State::ToDo { ref before, .. } if self.how.dry_run => {
                return Ok(Done::by_entry(Action::Would, before.clone(), chosen));
            }
            State::ToDo { .. } => {}
        }
        let staged = self.staged(report::built(&chosen.entry))?;
        let before = self.put(&present)?;
        drop(staged);
        Ok(Done::by_entry(Action::Installed, before, chosen))
    }

    /// Brings every executable to this machine, whole and synced, and not yet to its place.
    fn staged(&self, executables: &[Artifact]) -> Result<Vec<Part>, Stop> {
        self.root.prepare()?;
        let mut staged = Vec::with_capacity(executables.len());
        for executable in executables {
            let path = self.root.staged(executable.name.as_str(), &executable.sha256.to_string());
            let mut part = Part::open(&path, executable.size).map_err(|error| place::trouble(&path, error))?;
            let fetched = fetch(executable, &self.stores, &mut part, &self.progress);
            self.progress.end();
            if let Err(stop) = fetched {
                part.remove_if_empty();
                self.root.tidy();
                return Err(stop);
            }
            part.settle().map_err(|error| place::trouble(&path, error))?;
            staged.push(part);
        }
        Ok(staged)
    }

    /// Moves what is staged to its place; with the version that was there before.
    fn put(&self, present: &Present) -> Result<Option<String>, Stop> {
        let mut records = self.root.lock(&self.progress)?;
        match present.state(&self.root, &records, self.how.force)? {
            State::Installed => Ok(None),
            State::ToDo { before, replaced, obsolete } => {
                let (package, details) = (present.package.clone(), present.details.clone());
                let executables = present
                    .executables
                    .iter()
                    .map(|(name, sha256)| Executable { name: name.clone(), sha256: sha256.to_string() });
                let executables = executables.collect();
                self.root.apply(&Change { package, details, executables, replaced, obsolete }, &mut records)?;
                Ok(before)
            }
        }
    }

    /// A crate that stays as it is.
    fn leave(&self, wanted: &Wanted, installed: &[Installed]) -> Option<Done> {
        installed.iter().find(|installed| installed.name == wanted.name.as_str()).map(Done::left)
    }

    fn tell(&self, rows: &[Row]) -> u8 {
        let code = gravest(rows.iter().map(Row::code));
        if self.how.json {
            verbatim!("{}", told::as_json(&self.root, rows, code));
        } else {
            rows.iter().for_each(|row| out!("{}", told::in_words(&self.root, row)));
        }
        told::reasons(rows);
        told::path(&self.root, rows);
        code
    }
}
