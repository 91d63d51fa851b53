//! `group join`: takes up the log and the state with which the group's present epoch began.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use miette::Diagnostic;
use synchronicity::source::{Source, SourceError};
use synchronicity_core::group::{Group, GroupTextError};
use synchronicity_core::machine::Executed;
use synchronicity_core::resume::{ResumeError, Resuming};
use synchronicity_verify::checkpoint::{Checkpoint, CheckpointError};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::note::{NoteError, SignedNote};
use synchronicity_verify::policy::{Policy, PolicyError};
use synchronicity_verify::proof::Proof;
use synchronicity_verify::succession::{SUCCESSION_BYTES_MAX, Succeeded, Succession, SuccessionError, succeed};
use synchronicity_verify::tile::{TileError, TileLevel, parse_bundle, tiles_between};
use thiserror::Error;

use super::super::say;
use crate::cli::GroupJoin;
use crate::durable::Synced;
use crate::epochs::{self, Epochs};
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::keys::MemberKeys;
use crate::publish::{AppendError, LoadError, PublishError, PublishedLog};
use crate::rotation;
use crate::store::Store;

/// The largest group file that is read, in bytes.
const GROUP_BYTES_MAX: u64 = 1 << 20;

/// How many entries are appended at a time.
const BATCH: usize = 256;

/// Why a node did not join.
#[derive(Debug, Error, Diagnostic)]
enum JoinError {
    #[error("{place}: {error}")]
    Policy { place: String, error: PolicyError },
    #[error(transparent)]
    #[diagnostic(help("any node of the group has the same files"))]
    Source(#[from] SourceError),
    #[error("{0} is in its first epoch: there is nothing to join")]
    #[diagnostic(help("a member of the first epoch needs group.toml and log.key, and starts with `run`"))]
    FirstEpoch(String),
    #[error("what the node serves does not lead from your policy to its group: {0}")]
    #[diagnostic(help("take a policy of this group from somebody you trust, and ask another member's node"))]
    Succession(#[from] SuccessionError),
    #[error("the group file that the node serves is none: {0}")]
    GroupText(#[from] GroupTextError),
    #[error("the group file that the node serves is not the group that the members agreed on")]
    #[diagnostic(help("ask another member's node"))]
    OtherGroup,
    #[error("the node's checkpoint cannot be read: {0}")]
    Note(#[from] NoteError),
    #[error("the node's checkpoint cannot be read: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("the node's log cannot be read: {0}")]
    Tile(#[from] TileError),
    #[error("the node's log is not the one that the members signed: {0}")]
    #[diagnostic(help("nothing was changed; ask another member's node, and tell the group"))]
    Log(String),
    #[error("the node's log is not the one that the members signed: {0}")]
    #[diagnostic(help("nothing was changed; ask another member's node, and tell the group"))]
    Resume(#[from] ResumeError),
    #[error("cannot use the folder: {0}")]
    File(#[from] io::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Load(#[from] LoadError),
    #[error("cannot write the log: {0}")]
    Append(#[from] AppendError),
    #[error("cannot write the log: {0}")]
    Publish(#[from] PublishError),
}

impl JoinError {
    fn code(&self) -> u8 {
        match self {
            Self::Source(error) => error.code(),
            Self::Policy { .. } | Self::FirstEpoch(_) => exit::USAGE,
            Self::File(_) | Self::Load(_) | Self::Append(_) | Self::Publish(_) => exit::INTERNAL,
            _ => exit::INVALID,
        }
    }
}

/// What was found out, and nothing of it written yet.
struct Found {
    group: Group,
    succession: Succession,
    /// The policy under which the last step holds.
    before: Policy,
    /// The state with which the epoch began.
    begun: Executed,
    /// The entries up to there, each behind its length in two bytes.
    entries: std::fs::File,
}

pub(in crate::commands) fn join(args: &GroupJoin) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let _lock = folder.lock().or_later()?;
    let stopped = |error: JoinError| Stop::new(error.code(), error);
    let (group, succession, before) = agreed(args).map_err(stopped)?;
    // Before the log is fetched: a node that cannot be a member needs none.
    rotation::settle(&folder, &group).or_usage()?;
    MemberKeys::read(&folder.keys(), &group).or_usage()?;
    let found = fetch(&args.from, &folder, (group, succession, before)).map_err(stopped)?;
    let (epoch, size) = (found.group.epoch(), found.begun.log_size);
    keep(&folder, found)?;
    say(format!("epoch {epoch} began with {size} entries of the log; they are here, and each holds"));
    eprintln!("Now: synchronicity-node run --dir {}", folder.root().display());
    Ok(exit::OK)
}

/// The group of the present epoch, as the members agreed on it step by step from the policy that is trusted.
fn agreed(args: &GroupJoin) -> Result<(Group, Succession, Policy), JoinError> {
    let place = args.policy.display().to_string();
    let policy = Policy::parse(&std::fs::read(&args.policy)?).map_err(|error| JoinError::Policy { place, error })?;
    let bytes = args.from.read("succession", SUCCESSION_BYTES_MAX as u64).map_err(|error| match error {
        SourceError::Absent(_) => JoinError::FirstEpoch(args.from.to_string()),
        error => error.into(),
    })?;
    let Succeeded { before, changes, .. } = succeed(&policy, &bytes)?;
    let text = String::from_utf8(args.from.read("group", GROUP_BYTES_MAX)?);
    let group = Group::parse(&text.map_err(|error| JoinError::Log(error.to_string()))?)?;
    if changes.last().is_none_or(|change| change.next_group != group.id()) {
        return Err(JoinError::OtherGroup);
    }
    let succession = Succession::parse(&bytes).map_err(SuccessionError::from)?;
    Ok((group, succession, before))
}

/// The log up to the entry with which the last epoch ended, replayed, and compared with what its members signed.
fn fetch(
    source: &Source,
    folder: &Folder,
    (group, succession, before): (Group, Succession, Policy),
) -> Result<Found, JoinError> {
    let signed: Checkpoint = last(&succession)?.checkpoint.text.parse()?;
    let now: Checkpoint = SignedNote::parse(&source.checkpoint()?)?.text.parse()?;
    if now.size < signed.size {
        return Err(JoinError::Log(format!("it has {} entries, and {} are signed", now.size, signed.size)));
    }
    let mut entries = tempfile::tempfile_in(folder.root())?;
    let mut resuming = Resuming::new();
    let tiles = tiles_between(0, now.size).filter(|tile| tile.level == TileLevel::Entries);
    for tile in tiles {
        let bytes = source.tile(tile)?;
        for entry in parse_bundle(&bytes, tile.width)? {
            if resuming.replay().size() < signed.size {
                resuming.append(entry)?;
                let length = u16::try_from(entry.len()).map_err(|error| JoinError::Log(error.to_string()))?;
                entries.write_all(&[&length.to_be_bytes(), entry].concat())?;
            }
        }
        if resuming.replay().size() == signed.size {
            break;
        }
    }
    if resuming.replay().root() != signed.root {
        return Err(JoinError::Log("its entries do not hash to the root".to_owned()));
    }
    let begun = resuming.finish(group.clone())?.executed();
    Ok(Found { group, succession, before, begun, entries })
}

fn last(succession: &Succession) -> Result<&Proof, JoinError> {
    succession.steps.last().ok_or_else(|| JoinError::Log("there is no step".to_owned()))
}

/// Writes it all down: the group file last, because with it the folder is a member's of this epoch.
fn keep(folder: &Folder, mut found: Found) -> Result<(), Stop> {
    let stopped = |error: JoinError| Stop::new(error.code(), error);
    keep_log(&folder.log(), &mut found).map_err(stopped)?;
    keep_epochs(folder, &found).map_err(stopped)?;
    Store::begin_with(&folder.state(), &found.group, &found.begun).or_usage()?;
    epochs::enter(folder, &found.group).map_err(|error| stopped(error.into()))
}

fn keep_log(folder: &Path, found: &mut Found) -> Result<(), JoinError> {
    let mut log = PublishedLog::open(folder, Synced)?;
    found.entries.rewind()?;
    let mut entries = io::BufReader::new(&found.entries);
    let mut batch: Vec<Vec<u8>> = Vec::new();
    for index in 0..found.begun.log_size {
        let mut length = [0; 2];
        entries.read_exact(&mut length)?;
        let mut entry = vec![0; usize::from(u16::from_be_bytes(length))];
        entries.read_exact(&mut entry)?;
        batch.push(entry);
        if batch.len() == BATCH || index + 1 == found.begun.log_size {
            log.append(index + 1 - batch.len() as u64, &batch)?;
            batch.clear();
        }
    }
    // A log that was here before and is a longer one of this group needs no older checkpoint.
    if log.size() <= found.begun.log_size {
        log.publish(last(&found.succession)?.checkpoint.clone())?;
    }
    Ok(())
}

fn keep_epochs(folder: &Folder, found: &Found) -> Result<(), JoinError> {
    let epochs = Epochs::of(folder);
    for proof in &found.succession.steps {
        // What was passed over is served to those who trust an older policy: they check it themselves.
        let Ok(Leaf::Membership(entry)) = Leaf::from_bytes(&proof.entry) else { continue };
        let policy = (entry.next_group == found.group.id()).then_some(&found.before);
        epochs.record_known(entry.epoch, policy, proof)?;
    }
    Ok(())
}
