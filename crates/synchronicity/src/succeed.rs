//! `succeed`: from the policy that somebody trusts to the one of the group's present members.

use std::path::PathBuf;

use clap::Args;
use miette::Diagnostic;
use serde_json::json;
use synchronicity_verify::membership::MembershipEntry;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::succession::{SUCCESSION_BYTES_MAX, Succeeded, SuccessionError, succeed as follow};

use crate::exit::{self, Stop};
use crate::policies::choice::Choice;
use crate::read::{self, ReadError};
use crate::source::{Source, SourceError};
use crate::{cli, durable};

/// `succeed --policy FILE (--node URL | SUCCESSION) --out FILE`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Succeed {
    #[command(flatten)]
    pub(crate) from: Handed,
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

/// Where a succession comes from.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("from").required(true))]
pub(crate) struct Handed {
    /// The succession file
    #[arg(group = "from")]
    succession: Option<PathBuf>,
    /// A node of the group, which hands it over
    #[arg(long, value_name = "URL", env = "SYNCHRONICITY_NODE", value_parser = cli::node, group = "from")]
    node: Option<Source>,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
enum SucceedError {
    #[error("this group is in its first epoch: its policy has no successor")]
    #[diagnostic(help("go on with the policy that you have"))]
    FirstEpoch,
    #[error(transparent)]
    #[diagnostic(help("any node of the group has the same file"))]
    Source(SourceError),
    #[error("the policy is not followed: {0}")]
    #[diagnostic(help("nothing was written; your policy is as good as before for what was signed under it"))]
    Succession(#[from] SuccessionError),
    #[error("cannot write {}: {error}", path.display())]
    #[diagnostic(help("choose another place with --out"))]
    Write { path: PathBuf, error: std::io::Error },
}

/// Permissions of the policy: it is no secret.
const MODE: u32 = 0o644;

impl Handed {
    /// The succession file, not read yet, and where it is from.
    pub(crate) fn fetch(&self) -> Result<(Vec<u8>, String), Stop> {
        let usage = |error: ReadError| Stop::new(exit::USAGE, error);
        let limit = SUCCESSION_BYTES_MAX as u64;
        match (&self.succession, &self.node) {
            (Some(path), _) => {
                Ok((read::bounded(path, limit, "succession").map_err(usage)?, path.display().to_string()))
            }
            (None, Some(node)) => match node.read("succession", limit) {
                Ok(bytes) => Ok((bytes, node.to_string())),
                Err(SourceError::Absent(_)) => Err(Stop::new(exit::NO_EVIDENCE, SucceedError::FirstEpoch)),
                Err(error) => Err(Stop::new(error.code(), SucceedError::Source(error))),
            },
            (None, None) => Err(Stop::new(exit::USAGE, SucceedError::FirstEpoch)),
        }
    }
}

/// The name and version of the document, which change together with `docs/schemas/succeed.schema.json`.
const SCHEMA: &str = "synchronicity/succeed@v1";

/// Where the succession leads from the policy.
pub(crate) fn followed(policy: &Policy, succession: &[u8]) -> Result<Succeeded, Stop> {
    follow(policy, succession).map_err(|error| Stop::new(exit::INVALID, SucceedError::Succession(error)))
}

pub(crate) fn succeed(args: &Succeed) -> Result<u8, Stop> {
    let policy = args.policy.one()?;
    let Succeeded { policy, changes, .. } = followed(&policy, &args.from.fetch()?.0)?;
    if let Some(path) = &args.out {
        let written = durable::replace(path, policy.to_string().as_bytes(), MODE);
        let failed = |error| Stop::new(exit::INTERNAL, SucceedError::Write { path: path.clone(), error });
        written.map_err(failed)?;
    }
    if args.json {
        let steps: Vec<_> = changes.iter().map(as_json).collect();
        verbatim!("{}", json!({ "schema": SCHEMA, "exit": exit::OK, "steps": steps, "policy": policy.to_string() }));
        return Ok(exit::OK);
    }
    changes.iter().for_each(|change| outln!("{}", in_words(change)));
    match &args.out {
        Some(path) => outln!("the policy of the present members is {}", path.display()),
        None => verbatim!("{}", policy.to_string().trim_end()),
    }
    Ok(exit::OK)
}

fn names(change: &MembershipEntry) -> Vec<&str> {
    change.next.members.iter().map(|member| member.name.as_str()).collect()
}

fn approvals(change: &MembershipEntry) -> usize {
    change.members.iter().filter(|voter| voter.approval.is_some()).count()
}

/// A change in a line: who, how many must agree, and how many wanted it.
pub(crate) fn in_words(change: &MembershipEntry) -> String {
    let (approved, voters) = (approvals(change), change.members.len());
    let (next, names) = (&change.next, names(change).join(", "));
    format!("epoch {}: {names}; {} must agree; {approved} of {voters} before approved", next.epoch, next.threshold)
}

pub(crate) fn as_json(change: &MembershipEntry) -> serde_json::Value {
    json!({
        "epoch": change.next.epoch,
        "group": change.next_group.to_string(),
        "threshold": change.next.threshold,
        "members": names(change),
        "approvals": approvals(change),
        "voters": change.members.len(),
    })
}
