//! `audit`: what a group found out about each dependency, held against what a project asks.
//!
//! The dependencies are those of a `Cargo.lock`, or those that `cargo auditable` wrote into a binary. The verdicts come
//! from a whole log, so that nobody is told what the project depends on. What is asked is in `synchronicity.toml`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use miette::Diagnostic;

use crate::auditable::{self, AuditableError};
use crate::cargo_lock::{self, Dependency, LOCK_BYTES_MAX, LockError};
use crate::durable::folder_of;
use crate::exit::{self, Stop};
use crate::library::Library;
use crate::origin::Origin;
use crate::settings::{self, Context, Exception};
use crate::{age, read};

pub(crate) mod document;
mod joint;
mod junit;
mod logs;
mod sarif;
pub(crate) mod table;
pub(crate) mod verdict;

use joint::{Vote, joint};
use logs::{Answered, open, vote};
use verdict::{Level, Verdict};

/// `audit [Cargo.lock]`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = LONG_HELP)]
pub(crate) struct Audit {
    /// A Cargo.lock, or a binary that was built with `cargo auditable`
    #[arg(value_name = "FILE", default_value = "Cargo.lock")]
    file: PathBuf,
    #[command(flatten)]
    asked: settings::Asked,
    /// List what is allowed, too
    #[arg(long)]
    all: bool,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// Print JSON: the same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

const LONG_HELP: &str = "\
Verdicts, and what is done about them unless synchronicity.toml says otherwise:
  reproduced    allow  the group rebuilt it from the archive that the lock file
                names
  other-source  deny   an entry is about another archive of this name and
                version, or the log knows two
  diverged      deny   the builders got different bytes
  unbuildable   warn   the builders agree that it does not build
  inconclusive  warn   too few builders revealed a result
  absent        warn   the log says nothing of it, which is no evidence against
                it
  unpinned      warn   rebuilt, and no checksum is stated to compare; the best
                that a binary can have
  foreign       warn   not of crates.io
  few-groups    deny   of several groups fewer have rebuilt it than the policy
                wants

Examples:
  synchronicity audit --policy policy.txt --node http://127.0.0.1:8080
  synchronicity audit --bundle log.bundle --format sarif > audit.sarif
  synchronicity audit target/release/app --policy policy.txt --offline --all

Exit codes:
  0   nothing is denied
  41  a dependency is denied for what the log says of it, or does not say
  42  a dependency is denied because the group built another archive than the
      lock file names, or several
  40  the log is invalid, or has forked
  43  fewer builders signed than the policy wants, or fewer groups have rebuilt
      a dependency that is denied
  2   the lock file, the settings or the policy cannot be used
  75  try later: no log answers, or what is there is too old";

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs: docs/schemas/audit.schema.json
    Json,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// For test reports
    Junit,
}

/// What came of an audit.
pub(crate) struct Audited {
    pub(crate) file: PathBuf,
    /// Sorted by name, version and source.
    pub(crate) rows: Vec<Row>,
    /// Those that answered, at least one, in the order of the policy.
    pub(crate) logs: Vec<Answered>,
    /// Groups whose logs did not, and why.
    pub(crate) silent: Vec<(String, Stop)>,
    /// Exceptions that would have been used, and are over.
    pub(crate) expired: Vec<Exception>,
    /// Exceptions that nothing needed.
    pub(crate) unused: Vec<Exception>,
}

/// One dependency.
pub(crate) struct Row {
    pub(crate) dependency: Dependency,
    pub(crate) verdict: Verdict,
    pub(crate) level: Level,
    pub(crate) entry: Option<Rests>,
    /// What each group says, in the order of the logs.
    pub(crate) votes: Vec<Vote>,
    /// Why it is allowed, though its verdict is not.
    pub(crate) exception: Option<Exception>,
}

/// The entry that a verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rests {
    pub(crate) index: u64,
    pub(crate) agreeing: usize,
    pub(crate) members: usize,
    /// SHA-256 of the archive that was built.
    pub(crate) source_sha256: synchronicity_verify::digest::Digest,
}

/// Why there are no dependencies to look at.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum NoList {
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("`cargo generate-lockfile` writes a new one"))]
    Lock { path: PathBuf, error: LockError },
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("audit the Cargo.lock that it was built from instead"))]
    Binary { path: PathBuf, error: AuditableError },
}

/// Audits, prints, and gives the exit code.
pub(crate) fn audit(args: &Audit) -> Result<u8, Stop> {
    let context = args.asked.read(settings_beside(&args.file))?;
    let audited = run(&args.file, &context)?;
    match if args.json { Format::Json } else { args.format } {
        Format::Table => out!("{}", table::table(&audited, args.all)),
        Format::Json => verbatim!("{}", document::as_json(&audited)),
        Format::Sarif => verbatim!("{}", sarif::as_sarif(&audited)),
        Format::Junit => verbatim!("{}", junit::as_junit(&audited).trim_end()),
    }
    audited.reasons();
    Ok(audited.code())
}

/// The verdicts, and what is done about each.
pub(crate) fn run(file: &Path, context: &Context) -> Result<Audited, Stop> {
    let mut listed = dependencies(file)?;
    listed.retain(|dependency| dependency.origin != Origin::Folder);
    listed.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    let keys = listed.iter().filter_map(|dependency| dependency.origin.key()).collect::<BTreeSet<_>>();
    let asked = context.policy.asked(&context.places)?;
    let mut libraries: Vec<_> = asked.iter().map(|of| Library::new(&of.places, of.policy, keys.clone())).collect();
    let (opened, silent) = open(&asked, &mut libraries, context.policy.needed())?;
    let vouched_s = opened.iter().filter_map(|(_, log)| log.checkpoint.vouched_s).max();
    let mut levels = Applied::new(context, vouched_s);
    let mut rows = Vec::with_capacity(listed.len());
    for dependency in listed {
        let votes = opened.iter().map(|(group, log)| vote(group, log, &dependency));
        let votes = votes.collect::<Result<Vec<_>, Stop>>()?;
        let (verdict, entry) = joint(&votes, context.policy.needed());
        let (level, exception) = levels.level(&dependency, verdict);
        rows.push(Row { dependency, verdict, level, entry, votes, exception });
    }
    let (expired, unused) = levels.left();
    let logs = opened.into_iter().map(Answered::from).collect();
    Ok(Audited { file: file.to_owned(), rows, logs, silent, expired, unused })
}

/// The dependencies that a file lists.
fn dependencies(file: &Path) -> Result<Vec<Dependency>, Stop> {
    let path = file.to_owned();
    if is_binary(file) {
        return auditable::read(file).map_err(|error| Stop::new(exit::USAGE, NoList::Binary { path, error }));
    }
    let bytes = read::bounded(file, LOCK_BYTES_MAX, "Cargo.lock").map_err(|error| Stop::new(exit::USAGE, error))?;
    cargo_lock::parse(&bytes).map_err(|error| Stop::new(exit::USAGE, NoList::Lock { path, error }))
}

/// Where the settings for a file are looked for. A lock file is of the project that it lies in; a binary may have come
/// from anywhere, with settings of its own beside it that would decide on it.
pub(crate) fn settings_beside(file: &Path) -> &Path {
    if is_binary(file) { Path::new(".") } else { folder_of(file) }
}

/// Lock files are text, and what compilers make is not.
fn is_binary(path: &Path) -> bool {
    let mut start = Vec::new();
    let regular = path.metadata().is_ok_and(|metadata| metadata.is_file());
    regular && File::open(path).is_ok_and(|file| file.take(4096).read_to_end(&mut start).is_ok()) && start.contains(&0)
}

/// Levels and exceptions, and which exceptions were used.
struct Applied<'a> {
    context: &'a Context,
    now_s: u64,
    used: Vec<bool>,
    expired: Vec<bool>,
}

impl<'a> Applied<'a> {
    /// By the later of this machine's clock and the time at which a quorum vouched for the log: a clock that is behind
    /// revives no exception.
    fn new(context: &'a Context, vouched_s: Option<u64>) -> Self {
        let none = vec![false; context.settings.exceptions.len()];
        let now_s = age::now_s().max(vouched_s.unwrap_or(0));
        Self { context, now_s, used: none.clone(), expired: none }
    }

    fn level(&mut self, dependency: &Dependency, verdict: Verdict) -> (Level, Option<Exception>) {
        let level = self.context.settings.levels.of(verdict);
        if level == Level::Allow {
            return (level, None);
        }
        for (at, exception) in self.context.settings.exceptions.iter().enumerate() {
            if exception.covers(&dependency.name, &dependency.version, verdict) {
                if !exception.expires.is_over(self.now_s) {
                    self.used[at] = true;
                    return (Level::Allow, Some(exception.clone()));
                }
                self.expired[at] = true;
            }
        }
        (level, None)
    }

    /// Those that are over and would have been used, and those that nothing needed.
    fn left(self) -> (Vec<Exception>, Vec<Exception>) {
        let exceptions = &self.context.settings.exceptions;
        let those = |which: &dyn Fn(usize) -> bool| {
            exceptions.iter().enumerate().filter(|(at, _)| which(*at)).map(|(_, exception)| exception.clone()).collect()
        };
        let (used, expired) = (&self.used, &self.expired);
        (those(&|at| expired[at]), those(&|at| !used[at] && !expired[at]))
    }
}

impl Audit {
    pub(crate) fn is_json(&self) -> bool {
        self.json || self.format == Format::Json
    }
}

impl Audited {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        let denied = |row: &&Row| row.level == Level::Deny;
        let code = |row: &Row| match row.verdict {
            Verdict::OtherSource => exit::MISMATCH,
            Verdict::FewGroups => exit::BELOW_THRESHOLD,
            _ => exit::NO_EVIDENCE,
        };
        exit::gravest(self.rows.iter().filter(denied).map(code))
    }

    /// Says on standard error why a group has no vote.
    pub(crate) fn reasons(&self) {
        for (group, stop) in &self.silent {
            errln!("{group} has no vote:\n{:?}", stop.report);
        }
    }

    /// How many dependencies have this level.
    pub(crate) fn count(&self, level: Level) -> usize {
        self.rows.iter().filter(|row| row.level == level).count()
    }
}

#[cfg(test)]
mod tests;
