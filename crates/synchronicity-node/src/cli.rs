//! The command line of `synchronicity-node`.

mod group;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::Sandbox;
use crate::{attest_command, devnet, verify_command};

pub use group::{Group, GroupApprove, GroupJoin, GroupNew, GroupPropose, GroupShow};

/// The program of a builder: rebuilds crates with a group of others and logs what they agree on
#[derive(Debug, Parser)]
#[command(name = "synchronicity-node", version, max_term_width = 80, after_long_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 internal failure, 2 usage or configuration, 40 to 43
evidence that fails, 75 try later. The trace goes to stderr;
SYNCHRONICITY_TRACE sets its level, as in `info` or `synchronicity_node=debug`.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try it: found a group on this machine, rebuild crates, and verify the proofs
    Devnet(devnet::Args),
    /// Make the folder and keys of a new member
    Init(Init),
    /// Found a group, or look at one
    #[command(subcommand)]
    Group(Group),
    /// Run the node
    Run(Run),
    /// Keep what nobody else has of a node, and nothing that may be replayed
    Backup(Backup),
    /// Make a node's folder of a backup
    Restore(Restore),
    /// Ask the group to rebuild a crate
    Submit(Submit),
    /// Say how the running node is
    Status(Ask),
    /// List what the group was asked to rebuild
    Requests(Requests),
    /// Look at the published log
    Log(Log),
    /// Verify a proof offline, as the client's program does
    Verify(verify_command::Args),
    /// Fetch what builders sign for other tools, as the client's program does
    Attest(attest_command::Args),
    /// Say what this machine can do, and what is missing
    Doctor(Doctor),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages
    Man {
        /// Where to: a page for the program, and one for each command
        dir: PathBuf,
    },
}

/// Where the node lives.
#[derive(Debug, Args)]
pub struct Dir {
    /// The node's folder
    #[arg(long = "dir", value_name = "DIR", env = "SYNCHRONICITY_NODE_DIR")]
    pub path: PathBuf,
}

/// `init`
#[derive(Debug, Args)]
#[command(override_usage = "synchronicity-node init --dir <DIR> --name <NAME>\n       \
                            --listen <HOST:PORT> --http <HOST:PORT>")]
pub struct Init {
    /// The node's folder; must not hold a node yet
    #[command(flatten)]
    pub dir: Dir,
    /// The member's name: a-z 0-9 - _ . and unique in the group
    #[arg(long)]
    pub name: String,
    /// Where the other members reach this node
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: String,
    /// Where this node serves the log, read-only
    #[arg(long, value_name = "HOST:PORT")]
    pub http: String,
}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// The node's folder
    #[command(flatten)]
    pub dir: Dir,
    /// Where builds happen, instead of what node.toml says
    #[arg(long)]
    pub sandbox: Option<Sandbox>,
    /// Folder for toolchain and downloads that several nodes of one owner share
    #[arg(long, value_name = "DIR")]
    pub shared: Option<PathBuf>,
    /// Vote without asking the other members what they have seen this node sign: only if its folder is surely the latest, and
    /// nothing else runs with its keys
    #[arg(long)]
    pub recovered: bool,
    /// For demonstrations: break the protocol on purpose
    #[arg(long, hide = true)]
    pub misbehave: Option<Misbehaviour>,
    /// End when the process that started this one ends
    #[arg(long, hide = true)]
    pub die_with_parent: bool,
}

/// A way to break the protocol on purpose, to show what the group makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Misbehaviour {
    /// Reports false hashes, other ones than any other liar.
    Liar,
    /// Commits and never reveals.
    Silent,
}

/// `backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to write
    pub file: PathBuf,
    /// The node's folder; a node may run on it
    #[command(flatten)]
    pub dir: Dir,
    /// Put the secret keys into it too, but for the witness's
    #[arg(long)]
    pub keys: bool,
}

/// `restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// A file that `backup` wrote
    pub file: PathBuf,
    /// The folder to make; must not exist yet
    #[command(flatten)]
    pub dir: Dir,
}

/// `submit`
#[derive(Debug, Args)]
pub struct Submit {
    /// What to rebuild: NAME or NAME@VERSION
    #[arg(value_name = "CRATE[@VERSION]")]
    pub spec: String,
    /// The node's folder
    #[command(flatten)]
    pub dir: Dir,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `status`
#[derive(Debug, Args)]
pub struct Ask {
    /// The node's folder
    #[command(flatten)]
    pub dir: Dir,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `requests`
#[derive(Debug, Args)]
pub struct Requests {
    /// Show all of this request, and why its builders differ: its identity, or how that begins
    #[arg(value_name = "REQUEST")]
    pub request: Option<String>,
    /// The node's folder
    #[command(flatten)]
    pub dir: Dir,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `log`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Log {
    /// What else to do with the log.
    #[command(subcommand)]
    pub action: Option<LogAction>,
    /// Print this entry; without it, the checkpoint and the latest entries
    pub index: Option<u64>,
    /// The node's folder
    #[arg(long = "dir", value_name = "DIR", env = "SYNCHRONICITY_NODE_DIR", required = true)]
    pub path: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `log ...`
#[derive(Debug, Subcommand)]
pub enum LogAction {
    /// Copy the published log to a folder or an S3-compatible store
    Export(LogExport),
    /// Hash a whole log again, and name the first bytes that are not what was signed
    Fsck(synchronicity::fsck::Fsck),
}

/// `log export`
#[derive(Debug, Args)]
#[command(after_help = "The store's address, region and credentials come from AWS_ENDPOINT_URL, AWS_REGION, \
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; docs/operating.md has the rest.")]
pub struct LogExport {
    /// The node's folder, whose log is exported
    #[arg(long = "dir", value_name = "DIR", env = "SYNCHRONICITY_NODE_DIR", required_unless_present = "from")]
    pub path: Option<PathBuf>,
    /// Export this log instead: a folder with `checkpoint` and `tile/`
    #[arg(long, value_name = "FOLDER")]
    pub from: Option<PathBuf>,
    /// Where to: a folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "DESTINATION")]
    pub to: String,
    /// Look at every file at the destination, not only at those that the log has grown by
    #[arg(long)]
    pub recheck: bool,
    /// How many files may be on their way at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub uploads: u8,
    /// How often a request that fails is repeated
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub retries: u8,
    /// Let a store on another machine be asked without TLS
    #[arg(long)]
    pub allow_http: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Look at this node's folder, too
    #[arg(long = "dir", value_name = "DIR", env = "SYNCHRONICITY_NODE_DIR")]
    pub path: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
