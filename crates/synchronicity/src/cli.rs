//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use miette::Diagnostic;
use serde_json::json;
use synchronicity_rebuild::download::Patience;
use synchronicity_rebuild::spec::Spec;

use crate::age::Age;
use crate::audit::{Audit, audit};
use crate::bundle::{Bundle, bundle};
use crate::check::check;
use crate::config::{Action as ConfigAction, config};
use crate::diff::diff;
use crate::exit::Stop;
use crate::fsck::{Fsck, fsck};
use crate::gate::{Gate, gate};
use crate::install::{Install, List, Uninstall, Upgrade, install, list, uninstall, upgrade};
use crate::lookup::{Lookup, lookup};
use crate::man::{Man, man};
use crate::monitor::{MonitorArgs, monitor};
use crate::out::{self, Wishes, terminal};
use crate::policies::choice::Choice;
use crate::source::{NoAddress, Source};
use crate::succeed::{Succeed, succeed};
use crate::survey::{SurveyArgs, survey};
use crate::trust::{Action, StateFolder, trust};
use crate::user_settings::UserSettings;
pub use crate::verify::Verify;
use crate::{attest_command, exit, prove, rebuild, recipe, verify};

mod building;
#[cfg(test)]
mod documented;
mod examples;

pub(crate) use building::{Check, ChosenFeatures, Diff, Place, Rebuild, Recipe, Wanted};

/// Know whether a binary is what its source says: a group of builders rebuilt it, agreed on its bytes, and logged that
#[derive(Debug, Parser)]
#[command(name = "synchronicity", version, max_term_width = 80, after_help = exit::HELP)]
struct Cli {
    /// Say nothing but errors: the exit code is the answer
    #[arg(long, short, global = true, display_order = 1000)]
    quiet: bool,
    /// Show long output as it is, in no pager
    #[arg(long, global = true, display_order = 1001)]
    no_pager: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch the proof that a group rebuilt a crate, and keep it if it holds
    Prove(Prove),
    /// Is a file what a group built? By a proof, or by looking its content up
    Verify(Verify),
    /// What a group found out about each dependency of a Cargo.lock or a binary, held against a policy
    Audit(Audit),
    /// A step of CI: `audit` and `verify` in one, with one answer
    Gate(Gate),
    /// Install what a group rebuilt: fetched, held against the log, and recorded as cargo does
    Install(Box<Install>),
    /// Install the newest versions that a group rebuilt, of what is installed
    Upgrade(Upgrade),
    /// Remove what was installed, with its record
    Uninstall(Uninstall),
    /// What is installed, and whether it is still what was installed
    List(List),
    /// Ask for all that a log says of a crate or a file, with a proof that it is all
    Lookup(Lookup),
    /// Fetch a whole log as one file, to look things up in without asking anybody
    Bundle(Bundle),
    /// Whom you trust, by policies with names, and what was seen of each log before
    Trust {
        /// What to do
        #[command(subcommand)]
        action: Action,
    },
    /// Follow a group from a policy that you trust to its present members: a succession file, and the policy it leads to
    Succeed(Succeed),
    /// Hash a whole log again, and name the first bytes that are not what was signed
    Fsck(Fsck),
    /// Fetch what builders sign for other tools: SLSA provenance, verification summary, in-toto links
    Attest(Attest),
    /// Follow the nodes of a log, and find out when they or their group do not keep their word
    Monitor(MonitorArgs),
    /// Build a crate once on this machine, in a sandbox, and print what came of it
    Rebuild(Box<Rebuild>),
    /// Show all that a build of a crate depends on, and how to repeat it without this program
    Recipe(Recipe),
    /// Build a crate, or a folder of your own, twice under different circumstances: is it reproducible?
    Check(Check),
    /// Build a list of crates, each twice under different circumstances, and write a report with rates
    Survey(SurveyArgs),
    /// Say why two files, or the files of two folders, are not the same bytes
    Diff(Diff),
    /// What is set, where nothing is said on the command line
    Config {
        /// What to do
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages
    Man(Man),
}

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// The crate, as NAME@VERSION
    #[arg(value_name = "CRATE@VERSION")]
    pub(crate) spec: Spec,
    /// A node of the group, as in http://127.0.0.1:8080
    #[arg(long, value_name = "URL", env = "SYNCHRONICITY_NODE", value_parser = node)]
    pub(crate) node: Source,
    #[command(flatten)]
    pub(crate) policy: Choice,
    /// Where to keep the proof [default: NAME-VERSION.tlog-proof]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Accept only what a quorum vouched for within this time, as in 36h or 7d
    #[arg(long, value_name = "TIME")]
    pub(crate) max_age: Option<Age>,
    #[command(flatten)]
    pub(crate) state: StateFolder,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `attest PROOF --policy FILE --node URL... --out DIR`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub struct Attest {
    /// The proof file, NAME-VERSION.tlog-proof
    pub proof: PathBuf,
    /// The policy
    #[command(flatten)]
    pub policy: Choice,
    /// Nodes of the group, each of which signs for its own builder
    #[arg(long = "node", value_name = "URL", num_args = 1.., required = true)]
    pub nodes: Vec<String>,
    /// Folder for what they sign, and for their public keys
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// Fetch only this; may be given more than once [default: all three]
    #[arg(long = "format", value_name = "FORMAT")]
    pub formats: Vec<Format>,
    /// Where checkpoints that were seen before are remembered
    #[command(flatten)]
    pub state: StateFolder,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A format of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One builder's SLSA provenance, in DSSE
    Provenance,
    /// The group's SLSA verification summary, in DSSE
    Summary,
    /// One builder's in-toto link
    Link,
}

/// The address of a node: a folder has proofs of nobody's asking.
pub(crate) fn node(text: &str) -> Result<Source, NoAddress> {
    Source::url(text, Patience::for_logs())
}

/// Parses the arguments, does what they say, and gives the code to exit with.
pub fn run() -> ExitCode {
    start(Cli::command(), std::env::args_os().collect())
}

/// The same as cargo starts it for `cargo synchronicity ...`: with the name of the command as the first argument.
pub fn run_for_cargo() -> ExitCode {
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "synchronicity") {
        words.remove(1);
    }
    start(Cli::command().bin_name("cargo synchronicity"), words)
}

/// The command line as it is documented.
pub(crate) fn command() -> clap::Command {
    examples::added(Cli::command())
}

/// Standard output takes no more.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("what came of it could not be written: {0}")]
struct Unwritten(std::io::Error);

fn start(command: clap::Command, words: Vec<OsString>) -> ExitCode {
    terminal::tell_errors();
    let user = UserSettings::read();
    let command = examples::added(command);
    // Whoever asks for help gets it, whatever is in the file.
    let command = if let Ok(user) = &user { user.as_defaults(command) } else { command };
    let for_programs = words.iter().any(|word| word == "--json");
    let parsed = command.try_get_matches_from(words).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((cli, matches))
    });
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return misspelled(&error, for_programs),
    };
    let json = cli.command.json();
    let answer = user.and_then(|user| {
        let pager = cli.command.is_long() && !json && !cli.no_pager;
        out::begin(Wishes { quiet: cli.quiet, pager: pager.then(|| user.pager()) });
        user.keep();
        carry_out(&cli.command, &matches)
    });
    let answer = match out::end() {
        Err(error) if answer.is_ok() => Err(Stop::new(exit::INTERNAL, Unwritten(error))),
        _ => answer,
    };
    match answer {
        Ok(code) => ExitCode::from(code),
        Err(stop) => stop.tell(json),
    }
}

/// A mistake in the command line, in lines that fit, and for programs as every failure is. Who asks for help has made none.
fn misspelled(error: &clap::Error, for_programs: bool) -> ExitCode {
    if !error.use_stderr() {
        error.exit();
    }
    let said = error.render();
    if for_programs {
        let plain = said.to_string();
        let first = plain.split("\n\n").next().unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first);
        let first = first.split_whitespace().collect::<Vec<_>>().join(" ");
        verbatim!("{}", json!({ "exit": exit::USAGE, "error": first, "help": null }));
    }
    let coloured = terminal::takes_colours(&std::io::stderr());
    let said = if coloured { said.ansi().to_string() } else { said.to_string() };
    errln!("{}", said.trim_end());
    ExitCode::from(exit::USAGE)
}

fn carry_out(command: &Command, matches: &ArgMatches) -> Result<u8, Stop> {
    match command {
        Command::Prove(args) => prove::prove(args),
        Command::Verify(args) => verify::verify(args),
        Command::Audit(args) => audit(args),
        Command::Gate(args) => gate(args),
        Command::Install(args) => install(args),
        Command::Upgrade(args) => upgrade(args),
        Command::Uninstall(args) => uninstall(args),
        Command::List(args) => list(args),
        Command::Lookup(args) => lookup(args),
        Command::Bundle(args) => bundle(args),
        Command::Trust { action } => trust(action),
        Command::Succeed(args) => succeed(args),
        Command::Fsck(args) => fsck(args),
        Command::Attest(args) => attest_command::attest(args),
        Command::Monitor(args) => monitor(args),
        Command::Rebuild(args) => rebuild::rebuild(args),
        Command::Recipe(args) => recipe::recipe(args),
        Command::Check(args) => check(args),
        Command::Survey(args) => survey(args),
        Command::Diff(args) => diff(args),
        Command::Config { action } => config(action, matches),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "synchronicity", &mut std::io::stdout());
            Ok(exit::OK)
        }
        Command::Man(args) => man(args),
    }
}

impl Command {
    /// Whether programs are to read what is printed.
    fn json(&self) -> bool {
        match self {
            Self::Prove(args) => args.json,
            Self::Verify(args) => args.json,
            Self::Audit(args) => args.is_json(),
            Self::Gate(args) => args.json,
            Self::Install(args) => args.how.json,
            Self::Upgrade(args) => args.how.json,
            Self::Uninstall(args) => args.json,
            Self::List(args) => args.json,
            Self::Lookup(args) => args.json,
            Self::Bundle(args) => args.json,
            Self::Trust { action } => action.json(),
            Self::Succeed(args) => args.json,
            Self::Fsck(args) => args.json,
            Self::Attest(args) => args.json,
            Self::Monitor(args) => args.json,
            Self::Rebuild(args) => args.json,
            Self::Recipe(args) => args.json,
            Self::Check(args) => args.json,
            Self::Survey(args) => args.json,
            Self::Diff(args) => args.json,
            Self::Config { action } => action.json(),
            Self::Completions { .. } | Self::Man(_) => false,
        }
    }

    /// Whether what it prints may be longer than a screen, and is printed at its end.
    fn is_long(&self) -> bool {
        matches!(
            self,
            Self::Verify(_)
                | Self::Audit(_)
                | Self::Gate(_)
                | Self::List(_)
                | Self::Lookup(_)
                | Self::Recipe(_)
                | Self::Diff(_)
                | Self::Config { .. }
                | Self::Trust { action: Action::List(_) | Action::Show(_) }
        )
    }
}
