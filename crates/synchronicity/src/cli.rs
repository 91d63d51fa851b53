//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use synchronicity_rebuild::bench::SandboxChoice;
use synchronicity_rebuild::download::Patience;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::request::Features;

use crate::age::Age;
use crate::audit::{Audit, audit};
use crate::bundle::{Bundle, bundle};
use crate::check::check;
use crate::diff::diff;
use crate::fsck::{Fsck, fsck};
use crate::gate::{Gate, gate};
use crate::install::{Install, List, Uninstall, Upgrade, install, list, uninstall, upgrade};
use crate::lookup::{Lookup, lookup};
use crate::monitor::{MonitorArgs, monitor};
use crate::policies::choice::Choice;
use crate::settings::Asked;
use crate::source::{NoAddress, Source};
use crate::succeed::{Succeed, succeed};
use crate::survey::{SurveyArgs, survey};
use crate::trust::{Action, StateFolder, trust};
pub use crate::verify::Verify;
use crate::{attest_command, exit, prove, rebuild, recipe, verify};

/// Know whether a binary is what its source says: a group of builders rebuilt it, agreed on its bytes, and logged that
#[derive(Debug, Parser)]
#[command(name = "synchronicity", version, after_help = exit::HELP)]
struct Cli {
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
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
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

/// What to build here, and how.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// The crate, as NAME@VERSION; NAME alone takes the newest version
    #[arg(value_name = "CRATE[@VERSION]")]
    pub(crate) spec: Spec,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) chosen: ChosenFeatures,
    /// Build the library, also where there are executables
    #[arg(long, conflicts_with = "bins")]
    pub(crate) lib: bool,
    /// Build the executables
    #[arg(long)]
    pub(crate) bins: bool,
    /// Build it as this group agreed to: the group file, whose overrides may decide on this crate
    #[arg(long, value_name = "FILE", conflicts_with_all = ["features", "all_features", "no_default_features", "lib", "bins"])]
    pub(crate) group: Option<PathBuf>,
}

/// Features of the crate.
#[derive(Debug, Args)]
pub(crate) struct ChosenFeatures {
    /// Features to turn on, separated by commas
    #[arg(long, short = 'F', value_name = "FEATURES", value_delimiter = ',')]
    features: Vec<String>,
    /// Turn all features on
    #[arg(long)]
    all_features: bool,
    /// Turn the default features off
    #[arg(long)]
    no_default_features: bool,
}

impl ChosenFeatures {
    /// As a request has them.
    pub(crate) fn features(&self) -> Features {
        let mut named = self.features.clone();
        named.sort();
        named.dedup();
        Features { default: !self.no_default_features, all: self.all_features, named }
    }
}

/// Where to build.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// auto, docker, gvisor or embedded
    #[arg(long, value_name = "SANDBOX", default_value = "auto", env = "SYNCHRONICITY_SANDBOX")]
    pub(crate) sandbox: SandboxChoice,
    /// Where toolchain, downloads and builds are kept [default: synchronicity in the user's cache folder]
    #[arg(long, value_name = "DIR", env = "SYNCHRONICITY_DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = REBUILD_HELP)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Compare with this file, and with what a group built: by the recipe of the newest entry of its log
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "group"])]
    pub(crate) against: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Where the group's log is, for --against")]
    pub(crate) asked: Asked,
    /// Copy the artifacts to this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const REBUILD_HELP: &str = "\
With --against three comparisons are told apart: what the builders of the group got among
themselves, the group's bytes against the file, and your own rebuild against both. A
difference between the file and your rebuild is explained as `diff` does.

Examples:
  synchronicity rebuild hexyl@0.17.0 --out built
  synchronicity rebuild hexyl@0.17.0 --against ~/.cargo/bin/hexyl --policy policy.txt

Exit codes:
  0   it was built; with --against: file, group and rebuild have the same bytes
  1   it does not build
  40  the log is invalid, or has forked
  41  the log has no evidence; your rebuild is compared with the file all the same
  42  the file is not what the group built, or the group built another archive
  43  fewer builders signed than the policy wants
  44  the file is what the group built, and your rebuild is not
  75  try later: no log answers, or this machine cannot build now";

/// `recipe CRATE@VERSION`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Recipe {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Write a Dockerfile, and what goes with it, to this new folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `check CRATE@VERSION|PATH`: a folder is packed as `cargo package` would publish it
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `diff A B`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Diff {
    /// A file, or a folder of artifacts
    pub(crate) first: PathBuf,
    /// The file or folder to compare it with
    pub(crate) second: PathBuf,
    /// What is known of both builds, as JSON: host names, users, paths, times, variables
    #[arg(long, value_name = "FILE")]
    pub(crate) facts: Option<PathBuf>,
    /// Run Debian's diffoscope too, in the embedded sandbox: it shows everything, and takes minutes
    #[arg(long, conflicts_with = "json")]
    pub(crate) diffoscope: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The address of a node: a folder has proofs of nobody's asking.
pub(crate) fn node(text: &str) -> Result<Source, NoAddress> {
    Source::url(text, Patience::for_logs())
}

/// Parses the arguments, does what they say, and gives the code to exit with.
pub fn run() -> ExitCode {
    run_command(Cli::parse().command)
}

/// The same as cargo starts it for `cargo synchronicity ...`: with the name of the command as the first argument.
pub fn run_for_cargo() -> ExitCode {
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "synchronicity") {
        words.remove(1);
    }
    let parsed = Cli::command().bin_name("cargo synchronicity").try_get_matches_from(words);
    let cli = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
    run_command(cli.unwrap_or_else(|error| error.exit()).command)
}

fn run_command(command: Command) -> ExitCode {
    let (answer, json) = match command {
        Command::Prove(args) => (prove::prove(&args), args.json),
        Command::Verify(args) => (verify::verify(&args), args.json),
        Command::Audit(args) => (audit(&args), args.is_json()),
        Command::Gate(args) => (gate(&args), args.json),
        Command::Install(args) => (install(&args), args.how.json),
        Command::Upgrade(args) => (upgrade(&args), args.how.json),
        Command::Uninstall(args) => (uninstall(&args), args.json),
        Command::List(args) => (list(&args), args.json),
        Command::Lookup(args) => (lookup(&args), args.json),
        Command::Bundle(args) => (bundle(&args), args.json),
        Command::Trust { action } => (trust(&action), action.json()),
        Command::Succeed(args) => (succeed(&args), args.json),
        Command::Fsck(args) => (fsck(&args), args.json),
        Command::Attest(args) => (attest_command::attest(&args), args.json),
        Command::Monitor(args) => (monitor(&args), args.json),
        Command::Rebuild(args) => (rebuild::rebuild(&args), args.json),
        Command::Recipe(args) => (recipe::recipe(&args), args.json),
        Command::Check(args) => (check(&args), args.json),
        Command::Survey(args) => (survey(&args), args.json),
        Command::Diff(args) => (diff(&args), args.json),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "synchronicity", &mut std::io::stdout());
            return ExitCode::from(exit::OK);
        }
    };
    match answer {
        Ok(code) => ExitCode::from(code),
        Err(stop) => stop.tell(json),
    }
}
