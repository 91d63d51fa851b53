//! `group ...`: founding a group, and changing who its members are.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use synchronicity::source::Source;
use synchronicity_rebuild::containment::Wall;

use super::{Ask, Dir};

/// `group`
#[derive(Debug, Subcommand)]
pub enum Group {
    /// Found a group from its members' files
    New(GroupNew),
    /// Print a group in words: a file, or the one of a running node with what is proposed in it
    Show(GroupShow),
    /// Propose who shall be members in the next epoch, and approve of it
    Propose(GroupPropose),
    /// Approve of what a member proposes
    Approve(GroupApprove),
    /// Print the epochs of a node's group that have ended, and who approved of what followed
    History(Ask),
    /// Make this member's next keys, to be proposed with `group propose --member`
    Rotate(Dir),
    /// Take up the log and a state that the group has signed: for a new member, for one that missed the end of an epoch, and
    /// for one that was away for so long that the others have its next blocks no more
    Join(GroupJoin),
}

/// `group show`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct GroupShow {
    /// The group file
    #[arg(group = "what")]
    pub file: Option<PathBuf>,
    /// The folder of a running node: shows what is proposed, too, and who still has to approve
    #[arg(long, value_name = "DIR", group = "what")]
    pub dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `group propose`
#[derive(Debug, Args)]
pub struct GroupPropose {
    /// The node's folder
    #[command(flatten)]
    pub dir: Dir,
    /// A member's file: adds that member, or replaces the keys and the address of the one with its name
    #[arg(long = "member", value_name = "FILE")]
    pub members: Vec<PathBuf>,
    /// The name of a member who leaves
    #[arg(long, value_name = "NAME")]
    pub remove: Vec<String>,
    /// The name of a member who builds nothing in the next epoch, and is not waited for
    #[arg(long, value_name = "NAME")]
    pub absent: Vec<String>,
    /// The name of a member who builds again
    #[arg(long, value_name = "NAME")]
    pub present: Vec<String>,
    /// How many members must report the same result
    #[arg(long, value_name = "K")]
    pub threshold: Option<u16>,
    /// Print what would change and who would have to sign, and propose nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `group approve`
#[derive(Debug, Args)]
pub struct GroupApprove {
    /// The membership that is proposed, as `group show --dir` prints it, or how that begins
    pub membership: String,
    /// The node's folder
    #[command(flatten)]
    pub dir: Dir,
    /// Print what would change and who still has to sign, and sign nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `group join`
#[derive(Debug, Args)]
pub struct GroupJoin {
    /// The node's folder
    #[command(flatten)]
    pub dir: Dir,
    /// The HTTP address of a member's node
    #[arg(long, value_name = "URL")]
    pub from: Source,
    /// A policy of the group that you trust, of whatever epoch; otherwise that of the folder's group.toml
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// `group new`
#[derive(Debug, Args)]
#[command(override_usage = "synchronicity-node group new [OPTIONS] --origin <ORIGIN>\n       \
                            --threshold <K> --member <FILE>... --out <DIR>")]
pub struct GroupNew {
    /// Name of the group's log, as in `example.org/rebuilders`; nobody else's log may have it
    #[arg(long)]
    pub origin: String,
    /// How many members must report the same result; more than half of them
    #[arg(long, value_name = "K")]
    pub threshold: u16,
    /// The members' files, as `init` wrote them
    #[arg(long = "member", value_name = "FILE", num_args = 1.., required = true)]
    pub members: Vec<PathBuf>,
    /// Folder for group.toml and log.key; must hold neither
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How long builders may take to build while nothing else is open
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub commit_window: u64,
    /// How long builders may take to reveal
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub reveal_window: u64,
    /// A wall that every builder's sandbox must have: cgroups, gvisor, landlock, seccomp or session-keyring
    #[arg(long = "require", value_name = "WALL")]
    pub containment: Vec<Wall>,
    /// A file of `[[override]]` tables: what is done otherwise for single crates, and why
    #[arg(long, value_name = "FILE")]
    pub overrides: Option<PathBuf>,
}
