//! What this user has seen of each log: the newest checkpoint that was accepted, kept between runs.
//!
//! A quorum can sign two logs that contradict each other, and show each to somebody else. Whoever remembers what it was
//! shown finds out when it is shown the other: every checkpoint must extend, or be extended by, the remembered one, and
//! that is proven with tiles of the log, or the checkpoint is refused. Where the tiles prove the opposite, both
//! checkpoints become a fork proof that convinces others.
//!
//! One file for each log in the folder `synchronicity` of the user's state folder: the signed note as it came.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::extension_path;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::tiled::TiledError;
use synchronicity_verify::verify::verify_checkpoint;

use crate::exit::Stop;
use crate::relation::{self, Shown};
use crate::source::Source;
use crate::{durable, folders};

mod add;
mod command;
mod described;
mod named;
mod offered;
mod refusal;
mod update;

pub(crate) use command::{Action, trust};
pub(crate) use refusal::TrustError;

/// How often a check is done again because another process remembered something meanwhile.
const ATTEMPTS_MAX: usize = 5;

/// Where it is remembered.
#[derive(Clone, Debug, Args)]
pub struct StateFolder {
    /// Where the newest checkpoint of each log is remembered [default: synchronicity in the user's state folder]
    #[arg(long = "state", value_name = "DIR", env = "SYNCHRONICITY_STATE")]
    folder: Option<PathBuf>,
}

/// The memory of one log.
pub(crate) struct Trust {
    folder: PathBuf,
    /// Names the log: its origin and key.
    id: Digest,
}

/// A checkpoint with its signatures.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) note: SignedNote,
    pub(crate) checkpoint: Checkpoint,
}

impl StateFolder {
    /// The folder, by the XDG rules if none is named.
    pub(crate) fn path(&self) -> Result<PathBuf, TrustError> {
        let user = || Some(folders::user("XDG_STATE_HOME", ".local/state")?.join("synchronicity"));
        self.folder.clone().or_else(user).ok_or(TrustError::NoFolder)
    }
}

impl Trust {
    /// What is remembered of the policy's log.
    pub(crate) fn open(state: &StateFolder, policy: &Policy) -> Result<Self, Stop> {
        let id = Digest::tagged("synchronicity/trust/v1", &[policy.log().to_string().as_bytes()]);
        Ok(Self { folder: state.path()?, id })
    }

    /// The same for what works without a memory: `None` where there is no folder to remember anything in.
    pub(crate) fn open_offline(state: &StateFolder, policy: &Policy) -> Result<Option<Self>, Stop> {
        if state.path().is_err() { Ok(None) } else { Self::open(state, policy).map(Some) }
    }

    /// Accepts a checkpoint that `policy` accepts, if it agrees with what is remembered; remembers the newest.
    ///
    /// Where sizes differ, `source` must show that one extends the other. Nothing is accepted that cannot be shown.
    pub(crate) fn accept(&self, note: &SignedNote, policy: &Policy, source: &Source) -> Result<(), Stop> {
        let new = Seen::read(note.clone()).map_err(|error| self.damaged(error))?;
        for _ in 0..ATTEMPTS_MAX {
            let known = self.recall()?;
            let newest = match &known {
                Some(known) => self.extended(known, &new, policy, source)?,
                None => new.clone(),
            };
            if self.remember(known.as_ref(), newest)? {
                return Ok(());
            }
        }
        Err(TrustError::Busy(self.path()).into())
    }

    /// Accepts a checkpoint offline: it must not contradict a remembered one of its size. Nothing is remembered.
    pub(crate) fn compare(&self, note: &SignedNote, policy: &Policy) -> Result<(), Stop> {
        let new = Seen::read(note.clone()).map_err(|error| self.damaged(error))?;
        match self.recall()? {
            Some(known) if known.checkpoint.size == new.checkpoint.size => self.agree(&known, &new, &[], policy),
            _ => Ok(()),
        }
    }

    /// As [`Trust::accept`], where the hashes of all entries under the checkpoint are at hand.
    pub(crate) fn accept_whole(&self, note: &SignedNote, policy: &Policy, leaves: &[Digest]) -> Result<(), Stop> {
        let new = Seen::read(note.clone()).map_err(|error| self.damaged(error))?;
        for _ in 0..ATTEMPTS_MAX {
            let known = self.recall()?;
            let newest = match &known {
                Some(known) if known.checkpoint.size > new.checkpoint.size => {
                    return Err(TrustError::older(&known.checkpoint, &new.checkpoint).into());
                }
                Some(known) => {
                    // Empty, which shows nothing, if the leaves do not reach so far.
                    let path = extension_path(leaves, known.checkpoint.size, new.checkpoint.size).unwrap_or_default();
                    self.agree(known, &new, &path, policy)?;
                    new.clone()
                }
                None => new.clone(),
            };
            if self.remember(known.as_ref(), newest)? {
                return Ok(());
            }
        }
        Err(TrustError::Busy(self.path()).into())
    }

    /// The newest checkpoint that extends both `known` and `new`.
    fn extended(&self, known: &Seen, new: &Seen, policy: &Policy, source: &Source) -> Result<Seen, Stop> {
        if known.checkpoint.size == new.checkpoint.size {
            self.agree(known, new, &[], policy)?;
            return Ok(known.clone());
        }
        // Tiles are those of the newest checkpoint that is published there: it must be at least as large as both.
        let bytes = source.checkpoint().map_err(TrustError::NotShown)?;
        let note = SignedNote::parse(&bytes).map_err(|error| TrustError::newest(source, error))?;
        let newest = Seen::read(note).map_err(|error| TrustError::newest(source, error))?;
        verify_checkpoint(&newest.note, policy).map_err(|error| TrustError::newest(source, error))?;
        for seen in [known, new] {
            if newest.checkpoint.size < seen.checkpoint.size {
                return Err(TrustError::older(&seen.checkpoint, &newest.checkpoint).into());
            }
            let (old, new) = (seen.checkpoint.size, newest.checkpoint.size);
            let path =
                relation::path_from_tiles(new, old, new, |path| source.tile(path)).map_err(|error| match error {
                    TiledError::Read { error, .. } => TrustError::NotShown(error),
                    _ => TrustError::OtherTiles(new),
                })?;
            self.agree(seen, &newest, &path, policy)?;
        }
        Ok(newest)
    }

    /// `new` extends `old`, as the path between them shows; a fork is kept and told.
    fn agree(&self, old: &Seen, new: &Seen, path: &[Digest], policy: &Policy) -> Result<(), Stop> {
        match relation::shown(&old.checkpoint, &new.checkpoint, path) {
            Shown::Extends => Ok(()),
            Shown::Nothing => Err(TrustError::OtherTiles(new.checkpoint.size).into()),
            Shown::Contradicts => Err(self.fork(old, new, path, policy)),
        }
    }

    /// Keeps the proof of a fork, and tells of it.
    fn fork(&self, old: &Seen, new: &Seen, path: &[Digest], policy: &Policy) -> Stop {
        refusal::forked(&self.folder, [old.note.clone(), new.note.clone()], path.to_vec(), policy)
    }

    /// What is remembered; an error if something is there that cannot be read, for forgetting it would hide a fork.
    fn recall(&self) -> Result<Option<Seen>, TrustError> {
        read_seen(&self.path())
    }

    /// Replaces `known`, unless another process did so meanwhile: then `false`.
    fn remember(&self, known: Option<&Seen>, newest: Seen) -> Result<bool, TrustError> {
        let failed = |error| TrustError::File { path: self.path(), error };
        if known.is_some_and(|known| known.checkpoint == newest.checkpoint) {
            return Ok(true);
        }
        fs::create_dir_all(&self.folder).map_err(failed)?;
        // Held from the comparison to the replacement; gone with the process.
        let lock = File::create(self.path().with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        if self.recall()?.as_ref() != known {
            return Ok(false);
        }
        durable::replace(&self.path(), newest.note.to_string().as_bytes(), 0o600).map_err(failed)?;
        Ok(true)
    }

    /// Where it is remembered.
    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.checkpoint", self.id))
    }

    fn damaged(&self, error: impl ToString) -> TrustError {
        TrustError::Damaged { path: self.path(), error: error.to_string() }
    }
}

impl Seen {
    fn read(note: SignedNote) -> Result<Self, String> {
        let checkpoint = note.text.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { note, checkpoint })
    }
}

/// The checkpoint in a file, if there is one.
fn read_seen(path: &Path) -> Result<Option<Seen>, TrustError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TrustError::File { path: path.to_owned(), error }),
    };
    let damaged = |error: String| TrustError::Damaged { path: path.to_owned(), error };
    let note = SignedNote::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    Seen::read(note).map(Some).map_err(damaged)
}
