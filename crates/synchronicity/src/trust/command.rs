//! `trust show` and `trust forget`.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use miette::Diagnostic;
use serde_json::{Value, json};

use super::{Seen, StateFolder, Trust, TrustError, read_seen};
use crate::exit::{self, Stop};
use crate::read;

/// What to do with the memory.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Print the newest checkpoint of each log that was accepted
    Show(Show),
    /// Forget a log: whatever is served next is believed, though it may contradict what was seen before
    Forget(Forget),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    state: StateFolder,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// The policy that names the log
    #[arg(long, value_name = "FILE", env = "SYNCHRONICITY_POLICY")]
    policy: PathBuf,
    #[command(flatten)]
    state: StateFolder,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("nothing is remembered of {0}")]
struct Unknown(String);

impl Action {
    pub(crate) fn json(&self) -> bool {
        matches!(self, Self::Show(Show { json: true, .. }))
    }
}

/// Does it, and gives the exit code.
pub(crate) fn trust(action: &Action) -> Result<u8, Stop> {
    match action {
        Action::Show(args) => show(args),
        Action::Forget(args) => forget(args),
    }
}

fn show(args: &Show) -> Result<u8, Stop> {
    let seen = all(args.state.path()?)?;
    if args.json {
        println!("{}", seen.iter().map(|(path, seen)| as_json(path, seen)).collect::<Value>());
    } else if seen.is_empty() {
        println!("nothing is remembered yet");
    }
    for (path, Seen { note, checkpoint }) in seen.iter().filter(|_| !args.json) {
        println!("{}", checkpoint.origin);
        let signers: Vec<_> = note.signatures.iter().map(|line| line.name.as_str()).collect();
        for (label, line) in [
            ("size", checkpoint.size.to_string()),
            ("root", checkpoint.root.to_string()),
            ("signed by", signers.join(", ")),
            ("kept as", path.display().to_string()),
        ] {
            println!("  {label:<25}{line}");
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
    let policy = read::policy(&args.policy).map_err(|error| Stop::new(exit::USAGE, error))?;
    let path = Trust::open(&args.state, &policy)?.path();
    match fs::remove_file(&path) {
        Ok(()) => println!("forgotten: {}", policy.log().name()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Stop::new(exit::USAGE, Unknown(policy.log().name().to_owned())));
        }
        Err(error) => return Err(TrustError::File { path, error }.into()),
    }
    Ok(exit::OK)
}
