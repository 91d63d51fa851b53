//! `log`: the published log, read from its files. It needs no running node.

mod export;
pub(super) mod membership;

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};
use synchronicity::fsck::Fsck;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::entry::{Entry, MemberRecord};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::result::BuildResult;

use super::say;
use crate::cli::{Log, LogAction};
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::log_reader::LogReader;
use crate::view;

/// How many entries are listed without an index.
const LISTED: u64 = 20;

pub(super) fn log(args: &Log) -> Result<u8, Stop> {
    match &args.action {
        Some(LogAction::Export(args)) => return export::export(args),
        Some(LogAction::Fsck(args)) => return fsck(args),
        None => {}
    }
    let folder = Folder::of_node(args.path.as_deref().unwrap_or(Path::new("."))).or_usage()?;
    let (note, checkpoint) = published(&folder.log().join("checkpoint"))?;
    match args.index {
        Some(index) => {
            let leaf = read(&folder, &checkpoint, index)?;
            if args.json { say(as_json(index, &leaf)) } else { say(describe(index, &leaf)) }
        }
        None => list(&folder, &note, &checkpoint, args.json)?,
    }
    Ok(exit::OK)
}

/// The client's, word for word.
fn fsck(args: &Fsck) -> Result<u8, Stop> {
    synchronicity::fsck::fsck(args).or_else(|stop| {
        if !args.json {
            return Err(stop);
        }
        stop.tell(true);
        Ok(stop.code)
    })
}

fn published(path: &Path) -> Result<(SignedNote, Checkpoint), Stop> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let help = "the log is published when a quorum of the group has cosigned its first entry";
            return Err(Stop::new(exit::TRY_LATER, miette::miette!(help = help, "nothing is published yet")));
        }
        Err(error) => return Err(Stop::new(exit::INTERNAL, miette::miette!("{}: {error}", path.display()))),
    };
    let damaged = |error: String| Stop::new(exit::INTERNAL, miette::miette!("{}: {error}", path.display()));
    let note = SignedNote::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    let checkpoint = note.text.parse().map_err(|error| damaged(format!("{error}")))?;
    Ok((note, checkpoint))
}

fn read(folder: &Folder, checkpoint: &Checkpoint, index: u64) -> Result<Leaf, Stop> {
    let Some(bytes) = LogReader::new(&folder.log()).entry(checkpoint.size, index).or_internal()? else {
        let message = format!("the published log has {} entries; there is no entry {index}", checkpoint.size);
        return Err(Stop::new(exit::USAGE, miette::miette!(help = "entries are counted from 0", "{message}")));
    };
    Leaf::from_bytes(&bytes).map_err(|error| Stop::new(exit::INTERNAL, miette::miette!("entry {index}: {error}")))
}

fn list(folder: &Folder, note: &SignedNote, checkpoint: &Checkpoint, json: bool) -> Result<(), Stop> {
    let cosigners: Vec<&str> = note.signatures.iter().skip(1).map(|line| line.name.as_str()).collect();
    let indices = checkpoint.size.saturating_sub(LISTED)..checkpoint.size;
    let entries =
        indices.map(|index| Ok((index, read(folder, checkpoint, index)?))).collect::<Result<Vec<_>, Stop>>()?;
    if json {
        let entries: Vec<Value> = entries.iter().map(|(index, leaf)| as_json(*index, leaf)).collect();
        let root = checkpoint.root.to_string();
        say(json!({
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": root,
            "cosigners": cosigners,
            "entries": entries,
        }));
        return Ok(());
    }
    let mut lines = vec![
        format!("{}: {} entries, root {}", checkpoint.origin, checkpoint.size, checkpoint.root),
        format!("signed by {}", cosigners.join(" ")),
    ];
    let listed = |(index, leaf): &(u64, Leaf)| match leaf {
        Leaf::Build(entry) => format!("{index:6}  {:12}  {}", entry.verdict.as_str(), entry.request.source.purl()),
        Leaf::Membership(entry) => format!("{index:6}  {:12}  epoch {} begins", "membership", entry.next.epoch),
    };
    lines.extend(entries.iter().map(listed));
    say(lines.join("\n"));
    Ok(())
}

fn describe(index: u64, leaf: &Leaf) -> String {
    match leaf {
        Leaf::Build(entry) => build(index, entry),
        Leaf::Membership(entry) => membership::describe(index, entry),
    }
}

fn as_json(index: u64, leaf: &Leaf) -> Value {
    match leaf {
        Leaf::Build(entry) => build_json(index, entry),
        Leaf::Membership(entry) => membership::as_json(index, entry),
    }
}

fn build(index: u64, entry: &Entry) -> String {
    let mut text = format!("entry      {index}\nverdict    {}\n", entry.verdict);
    text.push_str(&format!(
        "source     {}\nchecksum   {}\n",
        entry.request.source.purl(),
        entry.request.source.checksum()
    ));
    text.push_str(&format!("request    {}, round {}\n", entry.request.id(), entry.round));
    text.push_str(&format!("threshold  {} of {}\n", entry.threshold, entry.members.len()));
    match &entry.agreed {
        Some(BuildResult::Built(artifacts)) => {
            for artifact in artifacts {
                text.push_str(&format!("artifact   {}  {} bytes  {}\n", artifact.name, artifact.size, artifact.sha256));
            }
        }
        Some(BuildResult::Failed(failure)) => {
            text.push_str(&format!("failure    {}: {}\n", failure.as_str(), failure.advice()));
        }
        None => {}
    }
    let mut names = |what: &str, members: Vec<&MemberRecord>| {
        if !members.is_empty() {
            let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
            text.push_str(&format!("{what:10} {}\n", names.join(" ")));
        }
    };
    names("agreeing", entry.agreeing().collect());
    names("dissenting", entry.dissenting().collect());
    names("silent", entry.silent().collect());
    text
}

fn build_json(index: u64, entry: &Entry) -> Value {
    let member = |member: &MemberRecord| {
        json!({
            "name": member.name,
            "builder": member.builder.to_string(),
            "commitment": member.commitment.map(|digest| digest.to_string()),
            "result": member.result().map(|digest| digest.to_string()),
            "attestation": member.attestation.map(|digest| digest.to_string()),
        })
    };
    json!({
        "index": index,
        "verdict": entry.verdict.as_str(),
        "purl": entry.request.source.purl(),
        "request": entry.request.id().to_string(),
        "round": entry.round,
        "height": entry.height,
        "time_ms": entry.time_ms,
        "threshold": entry.threshold,
        "agreed": entry.agreed.as_ref().map(view::result),
        "members": entry.members.iter().map(member).collect::<Vec<_>>(),
    })
}
