//! `trust`: the policies of this user, and what was seen of their logs.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use miette::Diagnostic;
use serde_json::{Value, json};

use super::add::{self, Add, Replace};
use super::named::{self, Combine, List, Remove, Rename};
use super::update::{self, Update};
use super::{Seen, StateFolder, Trust, TrustError, described, read_seen};
use crate::exit::{self, Stop};
use crate::policies::choice::Choice;
use crate::policies::{Kept, Name, Policies};

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Trust the policy of a group, once you have seen who is in it
    Add(Add),
    /// Put another policy of a group in the place of the one that is trusted, and show what changes
    Replace(Replace),
    /// Follow a group to its present members, by changes that those before them signed
    Update(Update),
    /// List the policies that are trusted
    List(List),
    /// Show a policy that is trusted; without a name, the newest checkpoint of each log that was accepted
    Show(Show),
    /// Trust a policy no longer
    Remove(Remove),
    /// Give a policy another name
    Rename(Rename),
    /// Trust what any K of several groups agree on
    Combine(Combine),
    /// Forget a log: whatever is served next is believed, though it may contradict what was seen before
    Forget(Forget),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The name of a policy
    name: Option<Name>,
    #[command(flatten)]
    state: StateFolder,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// The policy that names the log
    #[command(flatten)]
    policy: Choice,
    #[command(flatten)]
    state: StateFolder,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("nothing is remembered of {0}")]
#[diagnostic(help("`synchronicity trust show` lists what is remembered"))]
struct Unknown(String);

impl Action {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Add(args) => args.json,
            Self::Replace(args) => args.json,
            Self::Update(args) => args.json,
            Self::List(args) => args.json,
            Self::Show(args) => args.json,
            Self::Combine(args) => args.json,
            Self::Remove(_) | Self::Rename(_) | Self::Forget(_) => false,
        }
    }
}

/// Does it, and gives the exit code.
pub(crate) fn trust(action: &Action) -> Result<u8, Stop> {
    match action {
        Action::Add(args) => add::add(args),
        Action::Replace(args) => add::replace(args),
        Action::Update(args) => update::update(args),
        Action::List(args) => named::list(args),
        Action::Show(args) => match &args.name {
            Some(name) => show_policy(name, args),
            None => show(args),
        },
        Action::Remove(args) => named::remove(args),
        Action::Rename(args) => named::rename(args),
        Action::Combine(args) => named::combine(args),
        Action::Forget(args) => forget(args),
    }
}

/// A policy, and what was seen of its log.
fn show_policy(name: &Name, args: &Show) -> Result<u8, Stop> {
    let kept = named::get(&Policies::open()?, name)?;
    let seen = match &kept {
        Kept::Single(single) => {
            Trust::open_offline(&args.state, &single.policy)?.map(|trust| trust.recall()).transpose()?.flatten()
        }
        Kept::Any(_) => None,
    };
    if args.json {
        let mut told = described::as_json(name, &kept);
        told["seen"] =
            seen.map(|seen| json!({ "size": seen.checkpoint.size, "root": seen.checkpoint.root.to_string() })).into();
        verbatim!("{}", described::document(told));
        return Ok(exit::OK);
    }
    match &kept {
        Kept::Single(single) => out!("{}", described::in_words(single)),
        Kept::Any(any) => outln!("{}", described::combination(any)),
    }
    if let Some(seen) = seen {
        outln!("  {:<12}{} entries, root", "seen", seen.checkpoint.size);
        outln!("  {:<12}{}", "", seen.checkpoint.root);
    }
    Ok(exit::OK)
}

fn show(args: &Show) -> Result<u8, Stop> {
    let seen = all(args.state.path()?)?;
    if args.json {
        let logs: Vec<_> = seen.iter().map(|(path, seen)| as_json(path, seen)).collect();
        verbatim!("{}", described::document(json!({ "logs": logs })));
    } else if seen.is_empty() {
        outln!("nothing is remembered yet");
    }
    for (path, Seen { note, checkpoint }) in seen.iter().filter(|_| !args.json) {
        outln!("{}", checkpoint.origin);
        let signers: Vec<_> = note.signatures.iter().map(|line| line.name.as_str()).collect();
        for (label, line) in [
            ("size", checkpoint.size.to_string()),
            ("root", checkpoint.root.to_string()),
            ("signed by", signers.join(", ")),
            ("kept as", path.display().to_string()),
        ] {
            outln!("  {label:<25}{line}");
        }
    }
    Ok(exit::OK)
}

/// Every log in the folder, sorted by origin.
fn all(folder: PathBuf) -> Result<Vec<(PathBuf, Seen)>, TrustError> {
    let failed = |error| TrustError::File { path: folder.clone(), error };
    let files = match fs::read_dir(&folder) {
        Ok(files) => files.collect::<Result<Vec<_>, _>>().map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let mut seen = Vec::new();
    for path in files.into_iter().map(|file| file.path()) {
        if path.extension().is_some_and(|extension| extension == "checkpoint")
            && let Some(checkpoint) = read_seen(&path)?
        {
            seen.push((path, checkpoint));
        }
    }
    seen.sort_by(|(_, a), (_, b)| a.checkpoint.origin.cmp(&b.checkpoint.origin));
    Ok(seen)
}

fn as_json(path: &std::path::Path, Seen { note, checkpoint }: &Seen) -> Value {
    json!({
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.to_string(),
        "signers": note.signatures.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(),
        "file": path.display().to_string(),
    })
}

fn forget(args: &Forget) -> Result<u8, Stop> {
    let policy = args.policy.one()?;
    let path = Trust::open(&args.state, &policy)?.path();
    match fs::remove_file(&path) {
        Ok(()) => outln!("forgotten: {}", policy.log().name()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Stop::new(exit::USAGE, Unknown(policy.log().name().to_owned())));
        }
        Err(error) => return Err(TrustError::File { path, error }.into()),
    }
    Ok(exit::OK)
}
