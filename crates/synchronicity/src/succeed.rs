//! `succeed`: from the policy that somebody trusts to the one of the group's present members.

use std::path::PathBuf;

use clap::Args;
use miette::Diagnostic;
use serde_json::json;
use synchronicity_verify::membership::MembershipEntry;
use synchronicity_verify::succession::{SUCCESSION_BYTES_MAX, Succeeded, SuccessionError, succeed as follow};

use crate::exit::{self, Stop};
use crate::policies::choice::Choice;
use crate::read::{self, ReadError};
use crate::source::{Source, SourceError};
use crate::{cli, durable};

/// `succeed --policy FILE (--node URL | SUCCESSION) --out FILE`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP, group = clap::ArgGroup::new("from").required(true))]
pub(crate) struct Succeed {
    /// The succession file
    #[arg(group = "from")]
    pub(crate) succession: Option<PathBuf>,
    /// A node of the group, which hands it over
    #[arg(long, value_name = "URL", env = "SYNCHRONICITY_NODE", value_parser = cli::node, group = "from")]
    pub(crate) node: Option<Source>,
    /// A policy that you trust, of whatever epoch
    #[command(flatten)]
    pub(crate) policy: Choice,
    /// Where to write the policy of the present members; without it, nothing is written
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
enum SucceedError {
    #[error("this group is in its first epoch: its policy has no successor")]
    FirstEpoch,
    #[error(transparent)]
    #[diagnostic(help("any node of the group has the same file"))]
    Source(SourceError),
    #[error("the policy is not followed: {0}")]
    #[diagnostic(help("nothing was written; your policy is as good as before for what was signed under it"))]
    Succession(#[from] SuccessionError),
    #[error("cannot write {}: {error}", path.display())]
    Write { path: PathBuf, error: std::io::Error },
}

/// Permissions of the policy: it is no secret.
const MODE: u32 = 0o644;

pub(crate) fn succeed(args: &Succeed) -> Result<u8, Stop> {
    let usage = |error: ReadError| Stop::new(exit::USAGE, error);
    let policy = args.policy.one()?;
    let limit = SUCCESSION_BYTES_MAX as u64;
    let bytes = match (&args.succession, &args.node) {
        (Some(path), _) => read::bounded(path, limit, "succession").map_err(usage)?,
        (None, Some(node)) => node.read("succession", limit).map_err(|error| match error {
            SourceError::Absent(_) => Stop::new(exit::NO_EVIDENCE, SucceedError::FirstEpoch),
            error => Stop::new(error.code(), SucceedError::Source(error)),
        })?,
        (None, None) => return Err(Stop::new(exit::USAGE, SucceedError::FirstEpoch)),
    };
    let refused = |error| Stop::new(exit::INVALID, SucceedError::Succession(error));
    let Succeeded { policy, changes, .. } = follow(&policy, &bytes).map_err(refused)?;
    if let Some(path) = &args.out {
        let written = durable::replace(path, policy.to_string().as_bytes(), MODE);
        let failed = |error| Stop::new(exit::INTERNAL, SucceedError::Write { path: path.clone(), error });
        written.map_err(failed)?;
    }
    if args.json {
        let steps: Vec<_> = changes.iter().map(as_json).collect();
        println!("{}", json!({ "exit": exit::OK, "steps": steps, "policy": policy.to_string() }));
        return Ok(exit::OK);
    }
    changes.iter().for_each(|change| println!("{}", in_words(change)));
    match &args.out {
        Some(path) => println!("the policy of the present members is {}", path.display()),
        None => print!("{policy}"),
    }
    Ok(exit::OK)
}

fn names(change: &MembershipEntry) -> Vec<&str> {
    change.next.members.iter().map(|member| member.name.as_str()).collect()
}

fn approvals(change: &MembershipEntry) -> usize {
    change.members.iter().filter(|voter| voter.approval.is_some()).count()
}

fn in_words(change: &MembershipEntry) -> String {
    let (approved, voters) = (approvals(change), change.members.len());
    let (next, names) = (&change.next, names(change).join(", "));
    format!("epoch {}: {names}; {} must agree; {approved} of {voters} before approved", next.epoch, next.threshold)
}

fn as_json(change: &MembershipEntry) -> serde_json::Value {
    json!({
        "epoch": change.next.epoch,
        "group": change.next_group.to_string(),
        "threshold": change.next.threshold,
        "members": names(change),
        "approvals": approvals(change),
        "voters": change.members.len(),
    })
}
