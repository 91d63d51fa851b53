//! `group join`: takes up the log and a state that the group has signed: the present one, or, where nobody serves that, the one
//! with which the present epoch began.

mod keep;

use std::io::{self, Write};

use miette::Diagnostic;
use synchronicity::age::{Age, now_s};
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
use synchronicity_verify::verify::{VerifyError, verify_checkpoint};
use thiserror::Error;

use super::super::say;
use crate::cli::GroupJoin;
use crate::epochs::Epochs;
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::group_file::{self, GroupFileError};
use crate::publish::{AppendError, LoadError, PublishError};
use crate::rotation;
use crate::snapshot::{SNAPSHOT_BYTES_MAX, SignedState, SnapshotError, log_under};
use crate::store::{OpenError, Store};

/// The largest group file that is read, in bytes.
const GROUP_BYTES_MAX: u64 = 1 << 20;

/// A group makes a block every few seconds, so a state of it that is older than this, in seconds, is worth a word.
const OLD_S: u64 = 600;

/// Why a node did not join.
#[derive(Debug, Error, Diagnostic)]
enum JoinError {
    #[error("{place}: {error}")]
    Policy { place: String, error: PolicyError },
    #[error(transparent)]
    #[diagnostic(help("any node of the group has the same files"))]
    Source(#[from] SourceError),
    #[error("{0} is in its first epoch, and this folder has no group.toml: nothing says who its members are")]
    #[diagnostic(help(
        "put it there, from a member, over a safe channel; then run this again, or, in a group that is younger than a day, `run`"
    ))]
    FirstEpoch(String),
    #[error("no policy is named, and this folder has no group.toml: nothing says whom to believe")]
    #[diagnostic(help("name a policy of the group that you trust, of whatever epoch: --policy FILE"))]
    NoPolicy,
    #[error(
        "the node serves no state that its group has signed lately ({0}), and this folder is past the beginning of the epoch"
    )]
    #[diagnostic(help("nothing was changed; ask again in a minute, or ask another member's node"))]
    NotNow(SourceError),
    #[error("the log that the node serves has {now} entries, and {signed} are signed: it is older")]
    #[diagnostic(help("nothing was changed; ask again in a moment, or ask another member's node"))]
    Older { now: u64, signed: u64 },
    #[error("{0} serves no succession, and the group.toml of this folder is of a later epoch than the first")]
    #[diagnostic(help("ask another member's node: each that takes part in the present epoch has it"))]
    NoSuccession(String),
    #[error("{place}: {error}")]
    GroupFile { place: String, error: Box<GroupFileError> },
    #[error("the state that the node serves cannot be used: {0}")]
    #[diagnostic(help("nothing was changed; ask another member's node"))]
    Snapshot(#[from] SnapshotError),
    #[error("the checkpoint in the state that the node serves does not hold: {0}")]
    #[diagnostic(help("nothing was changed; ask another member's node, and tell the group"))]
    Signatures(#[from] VerifyError),
    #[error("what the node serves does not lead from your policy to its group: {0}")]
    #[diagnostic(help("take a policy of this group from somebody you trust, and ask another member's node"))]
    Succession(#[from] SuccessionError),
    #[error("the group file that the node serves is none: {0}")]
    GroupText(#[from] GroupTextError),
    #[error("the group file that the node serves is not the group that the members agreed on")]
    #[diagnostic(help("ask another member's node"))]
    OtherGroup,
    #[error("the policy is of another log, {trusted}, and the group of this folder has {wanted}")]
    #[diagnostic(help("nothing was changed; take a policy of this group from somebody you trust"))]
    OtherPolicy { trusted: String, wanted: String },
    #[error("the node's checkpoint cannot be read: {0}")]
    Note(#[from] NoteError),
    #[error("the node's checkpoint cannot be read: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("the node's log cannot be read: {0}")]
    Tile(#[from] TileError),
    #[error("the node's log is not the one that the members signed: {0}")]
    #[diagnostic(help("nothing was changed; ask another member's node, and tell the group"))]
    Log(String),
    #[error("what the node serves is not what the members signed: {0}")]
    #[diagnostic(help("nothing was changed; ask another member's node, and tell the group"))]
    Resume(#[from] ResumeError),
    #[error("the log in this folder has {here} entries, and {served} are under the state that the node serves")]
    #[diagnostic(help(
        "nothing was changed; ask a member's node that is as far, or move the folder `log` away: all of it is fetched again"
    ))]
    LogAhead { here: u64, served: u64 },
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
            Self::NotNow(_) | Self::Older { .. } => exit::TRY_LATER,
            Self::NoPolicy
            | Self::Policy { .. }
            | Self::FirstEpoch(_)
            | Self::GroupFile { .. }
            | Self::LogAhead { .. } => exit::USAGE,
            Self::File(_) | Self::Load(_) | Self::Append(_) | Self::Publish(_) => exit::INTERNAL,
            _ => exit::INVALID,
        }
    }
}

/// The group of the present epoch, as this folder's owner has reason to believe.
struct Agreed {
    group: Group,
    /// The policy that is trusted.
    trusted: Policy,
    /// The way from there, and the policy under which its last step holds; `None` in the first epoch.
    steps: Option<(Succession, Policy)>,
}

/// What was found out, and nothing of it written yet.
struct Found {
    agreed: Agreed,
    /// The state with which this node begins.
    begun: Executed,
    /// What says so, where that is not the end of the epoch before.
    signed: Option<SignedState>,
    /// The checkpoint of its log.
    checkpoint: Option<SignedNote>,
    /// The entries up to there, each behind its length in two bytes.
    entries: std::fs::File,
}

pub(in crate::commands) fn join(args: &GroupJoin) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let _lock = folder.lock().or_later()?;
    let stopped = |error: JoinError| Stop::new(error.code(), error);
    let agreed = agreed(args, &folder).map_err(stopped)?;
    // Before the log is fetched: a node that cannot be a member needs none.
    rotation::member_keys(&folder, &agreed.group).or_usage()?;
    let found = fetch(&args.from, &folder, agreed).map_err(stopped)?;
    let (epoch, Executed { height, time_ms, log_size, .. }) = (found.agreed.group.epoch(), found.begun);
    let signed = found.signed.is_some();
    keep::keep(&folder, found)?;
    match signed {
        true => {
            let age = Age { seconds: now_s().saturating_sub(time_ms / 1000) };
            say(format!(
                "a quorum of epoch {epoch} has signed the state after block {height}, {age} ago; it and the {log_size} entries \
                 of its log are here, and each holds"
            ));
            if age.seconds > OLD_S {
                say(format!("That is old for a group that is up: {} may have lost touch with it.", args.from));
            }
        }
        false => say(format!("epoch {epoch} began with {log_size} entries of the log; they are here, and each holds")),
    }
    eprintln!("Now: synchronicity-node run --dir {}", folder.root().display());
    Ok(exit::OK)
}

/// The group of the present epoch, as the members agreed on it step by step from the policy that is trusted; in the first
/// epoch, as this folder has it.
fn agreed(args: &GroupJoin, folder: &Folder) -> Result<Agreed, JoinError> {
    let trusted = trusted(args, folder)?;
    let bytes = match args.from.read("succession", SUCCESSION_BYTES_MAX as u64) {
        Err(SourceError::Absent(_)) if folder.group().exists() => {
            let group = own_group(folder)?;
            // A later one has a succession, and whoever hides it would pass off a past epoch as the present one.
            if group.epoch() != 0 {
                return Err(JoinError::NoSuccession(args.from.to_string()));
            }
            return Ok(Agreed { group, trusted, steps: None });
        }
        Err(SourceError::Absent(_)) => return Err(JoinError::FirstEpoch(args.from.to_string())),
        bytes => bytes?,
    };
    let Succeeded { before, changes, .. } = succeed(&trusted, &bytes)?;
    let text = String::from_utf8(args.from.read("group", GROUP_BYTES_MAX)?);
    let group = Group::parse(&text.map_err(|error| JoinError::Log(error.to_string()))?)?;
    if changes.last().is_none_or(|change| change.next_group != group.id()) {
        return Err(JoinError::OtherGroup);
    }
    let succession = Succession::parse(&bytes).map_err(SuccessionError::from)?;
    Ok(Agreed { group, trusted, steps: Some((succession, before)) })
}

/// The policy that is named, or that of the folder's own group.
fn trusted(args: &GroupJoin, folder: &Folder) -> Result<Policy, JoinError> {
    let (path, policy) = match &args.policy {
        Some(path) => (path.clone(), Policy::parse(&std::fs::read(path)?)),
        None if !folder.group().exists() => return Err(JoinError::NoPolicy),
        None => {
            let group = own_group(folder)?;
            // The way to the present group begins before the epoch that this folder knows, in case that is the present one.
            match Epochs::of(folder).policy_before(group.epoch())? {
                Some(before) => return Ok(before),
                None => (folder.group(), group.policy(None)),
            }
        }
    };
    policy.map_err(|error| JoinError::Policy { place: path.display().to_string(), error })
}

fn own_group(folder: &Folder) -> Result<Group, JoinError> {
    let (place, group) = (folder.group().display().to_string(), group_file::read(&folder.group()));
    group.map_err(|error| JoinError::GroupFile { place, error: Box::new(error) })
}

/// The state that the node serves, if it serves any, and the log up to there, replayed, and compared with what members signed.
fn fetch(source: &Source, folder: &Folder, agreed: Agreed) -> Result<Found, JoinError> {
    let signed = match source.read("snapshot", SNAPSHOT_BYTES_MAX as u64) {
        // A group that needs newcomers for its quorum orders, and signs, nothing before they are there. Where the epoch began is
        // signed by the one before.
        Err(error) if agreed.steps.is_some() && (error.is_absent() || error.is_refused()) => {
            let beginning = Store::check_beginning(&folder.state(), &begun_at(&agreed)?);
            if matches!(beginning, Err(OpenError::Ahead { .. })) {
                return Err(JoinError::NotNow(error));
            }
            None
        }
        bytes => Some(SignedState::from_bytes(&bytes?, &agreed.group)?),
    };
    let checkpoint = match &signed {
        Some(signed) => signed.checkpoint.clone(),
        None => Some(last(&agreed)?.checkpoint.clone()),
    };
    if let Some(signed) = &signed {
        // Before the log: its size is what a server says until this holds, and it can say any.
        let Executed { log_size, log_root, .. } = signed.certified.claimed(&Executed::NOTHING);
        if log_under(checkpoint.as_ref()).ok() != Some((log_size, log_root)) {
            return Err(JoinError::Log("its checkpoint is not the one of the signed state".to_owned()));
        }
        check_signatures(checkpoint.as_ref(), &agreed)?;
    }
    let (size, root) = log_under(checkpoint.as_ref())?;
    let (resuming, entries) = entries(source, folder, size)?;
    let group = agreed.group.clone();
    let begun = match &signed {
        Some(signed) => {
            // Only now is it known at which height the epoch began.
            let claimed = signed.certified.claimed(&resuming.begun());
            resuming.finish_at(group, &claimed, &signed.open)?;
            claimed
        }
        None => {
            if resuming.replay().root() != root {
                return Err(JoinError::Log("its entries do not hash to the root".to_owned()));
            }
            resuming.finish(group)?.executed()
        }
    };
    Ok(Found { agreed, begun, signed, checkpoint, entries })
}

/// The first `size` entries of the log.
fn entries(source: &Source, folder: &Folder, size: u64) -> Result<(Resuming, std::fs::File), JoinError> {
    let (mut resuming, mut entries) = (Resuming::new(), tempfile::tempfile_in(folder.root())?);
    if size == 0 {
        return Ok((resuming, entries));
    }
    let now: Checkpoint = SignedNote::parse(&source.checkpoint()?)?.text.parse()?;
    if now.size < size {
        return Err(JoinError::Older { now: now.size, signed: size });
    }
    for tile in tiles_between(0, now.size).filter(|tile| tile.level == TileLevel::Entries) {
        let bytes = source.tile(tile)?;
        for entry in parse_bundle(&bytes, tile.width)? {
            if resuming.replay().size() < size {
                resuming.append(entry)?;
                let length = u16::try_from(entry.len()).map_err(|error| JoinError::Log(error.to_string()))?;
                entries.write_all(&[&length.to_be_bytes(), entry].concat())?;
            }
        }
        if resuming.replay().size() == size {
            break;
        }
    }
    Ok((resuming, entries))
}

/// The checkpoint is one that a node of this group takes at its start, and that the policy which is trusted takes in the first
/// epoch.
fn check_signatures(checkpoint: Option<&SignedNote>, agreed: &Agreed) -> Result<(), JoinError> {
    let place = || "the group's own policy".to_owned();
    let own = agreed.group.policy(None).map_err(|error| JoinError::Policy { place: place(), error })?;
    let (trusted, wanted) = (agreed.trusted.log(), own.log());
    if trusted != wanted {
        let [trusted, wanted] = [trusted, wanted].map(|log| log.name().to_owned());
        return Err(JoinError::OtherPolicy { trusted, wanted });
    }
    let Some(note) = checkpoint else { return Ok(()) };
    match (&agreed.steps, verify_checkpoint(note, &own)) {
        (None, own) => own.and_then(|_| verify_checkpoint(note, &agreed.trusted)).map(|_| ())?,
        // Where nothing was logged since the epoch began, those of the epoch before may be the ones who signed.
        (Some((_, before)), own) => own.or_else(|_| verify_checkpoint(note, before)).map(|_| ())?,
    }
    Ok(())
}

fn last(agreed: &Agreed) -> Result<&Proof, JoinError> {
    let last = agreed.steps.as_ref().and_then(|(succession, _)| succession.steps.last());
    last.ok_or_else(|| JoinError::Log("there is no step".to_owned()))
}

/// As far as the proof that ended the epoch before tells it: height and time of that block.
fn begun_at(agreed: &Agreed) -> Result<Executed, JoinError> {
    match Leaf::from_bytes(&last(agreed)?.entry) {
        Ok(Leaf::Membership(entry)) => {
            Ok(Executed { height: entry.height, time_ms: entry.time_ms, ..Executed::NOTHING })
        }
        _ => Err(JoinError::Log("the last step is no change of members".to_owned())),
    }
}
