//! A state of the group in one file, which a quorum has signed: what a member takes up that has no chain to execute.
//!
//! ```text
//! file = "synchronicity/snapshot@v1" 0a
//!        ‖ u32be length ‖ the final block behind the state, and another one if that claims it, with their certificates
//!        ‖ u32be length ‖ the checkpoint of the log of that state, as a signed note; empty where the log is
//!        ‖ what the log does not say of that state
//! ```
//!
//! The claim says which log and which open state; its certificate, that a quorum of the epoch's members has found both by executing
//! every block. So nothing in it has to be believed, whoever serves it. The entries of the log are read where the log is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use synchronicity_consensus::{CERTIFIED_BYTES_MAX, Certified, CertifiedError, Handle};
use synchronicity_core::group::Group;
use synchronicity_core::open::OPEN_STATE_BYTES_MAX;
use synchronicity_verify::checkpoint::{Checkpoint, CheckpointError};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::EMPTY_ROOT;
use synchronicity_verify::note::{NOTE_BYTES_MAX, NoteError, SignedNote};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::publisher::Published;
use crate::state::State;

const FIRST_LINE: &[u8] = b"synchronicity/snapshot@v1\n";

/// Most bytes of such a file.
pub const SNAPSHOT_BYTES_MAX: usize =
    FIRST_LINE.len() + 2 * size_of::<u32>() + CERTIFIED_BYTES_MAX + NOTE_BYTES_MAX + OPEN_STATE_BYTES_MAX;

/// How long a snapshot is handed out, or told that there is none, before another is made.
const FRESH: Duration = Duration::from_secs(10);

/// How long the group may take to sign a state that this node has at hand. Whoever asks waits for 15 s.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// A snapshot as it was read, its certificate checked.
#[derive(Debug)]
pub struct SignedState {
    /// The block behind it and who claims it, with their certificates.
    pub certified: Certified,
    /// The checkpoint of the log; `None` where that is empty.
    pub checkpoint: Option<SignedNote>,
    /// What the log does not say.
    pub open: Vec<u8>,
}

/// Why a file is no snapshot of a group.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// Not the layout that the module documents.
    #[error("it is no snapshot")]
    Malformed,
    /// No certificate of this group's members over its block.
    #[error(transparent)]
    Certified(#[from] CertifiedError),
    /// No checkpoint.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl SignedState {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let note = self.checkpoint.as_ref().map(SignedNote::to_string).unwrap_or_default();
        let mut bytes = FIRST_LINE.to_vec();
        for part in [self.certified.to_bytes().as_slice(), note.as_bytes()] {
            bytes.extend(u32::try_from(part.len()).expect("each has a limit of a few MiB").to_be_bytes());
            bytes.extend(part);
        }
        bytes.extend(&self.open);
        bytes
    }

    /// Reads a file and checks its certificate with the members of `group`. Whether log and open state are those that it speaks
    /// of is for whoever has both to see.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn from_bytes(bytes: &[u8], group: &Group) -> Result<SignedState, SnapshotError> {
        let rest = bytes.strip_prefix(FIRST_LINE).ok_or(SnapshotError::Malformed)?;
        let (certified, rest) = part(rest).ok_or(SnapshotError::Malformed)?;
        let (note, open) = part(rest).ok_or(SnapshotError::Malformed)?;
        let certified = Certified::from_bytes(certified, group)?;
        let checkpoint = if note.is_empty() { None } else { Some(SignedNote::parse(note)?) };
        Ok(SignedState { certified, checkpoint, open: open.to_vec() })
    }
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Has snapshots made for whoever asks: one at a time, for all who wait, in a task of its own, so that nothing is left half done
/// when somebody goes away.
#[derive(Clone)]
pub struct Snapshots {
    ask: mpsc::Sender<()>,
    made: watch::Receiver<Made>,
}

/// What has become of the latest one.
#[derive(Clone, Debug)]
enum Made {
    /// Nobody has asked lately, or it is being made.
    NotYet,
    /// The group has signed none that is at hand here.
    Unsigned,
    Snapshot(Arc<[u8]>),
}

struct Maker {
    state: State,
    chain: Handle,
    published: Published,
}

impl Snapshots {
    /// Of this node's state. Ends when nobody can ask any more.
    pub fn start(state: State, chain: Handle, published: Published) -> Snapshots {
        let (ask, asked) = mpsc::channel(1);
        let (tell, made) = watch::channel(Made::NotYet);
        tokio::spawn(Maker { state, chain, published }.run(asked, tell));
        Snapshots { ask, made }
    }

    /// A snapshot of a state that was the present one a moment ago; `None` if the group has signed none that is at hand here: its
    /// epoch is over, or nobody can publish its log.
    pub async fn get(&self) -> Option<Arc<[u8]>> {
        let mut made = self.made.clone();
        loop {
            match &*made.borrow_and_update() {
                Made::Snapshot(bytes) => return Some(bytes.clone()),
                Made::Unsigned => return None,
                // Without room somebody else has asked.
                Made::NotYet => _ = self.ask.try_send(()),
            }
            made.changed().await.ok()?;
        }
    }
}

impl Maker {
    async fn run(self, mut asked: mpsc::Receiver<()>, tell: watch::Sender<Made>) {
        while asked.recv().await.is_some() {
            let made = self.make().await.map_or(Made::Unsigned, |state| Made::Snapshot(state.to_bytes().into()));
            tell.send_replace(made);
            // Whoever asked meanwhile has been answered by it.
            while asked.try_recv().is_ok() {}
            tokio::time::sleep(FRESH).await;
            tell.send_replace(Made::NotYet);
        }
    }

    async fn make(&self) -> Option<SignedState> {
        let since = Instant::now();
        loop {
            let found = self.signed().await;
            if found.is_some() || since.elapsed() > PATIENCE {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One of the open states at hand, if a final block claims it together with the log that is published.
    async fn signed(&self) -> Option<SignedState> {
        let checkpoint = self.published.borrow().clone();
        let (size, root) = log_under(checkpoint.as_deref()).ok()?;
        let wanted = self.state.lock().open_states(size);
        let certified = self.chain.certified(wanted).await?;
        let claimed = certified.claimed(&self.state.begun());
        let open = self.state.lock().open_state(&claimed.open)?;
        ((claimed.log_size, claimed.log_root) == (size, root)).then(|| SignedState {
            certified,
            checkpoint: checkpoint.map(|note| SignedNote::clone(&note)),
            open: open.to_bytes(),
        })
    }
}

/// Size and root of the log that a checkpoint is of; without one, of the empty log.
///
/// # Errors
/// The note is no checkpoint.
pub fn log_under(checkpoint: Option<&SignedNote>) -> Result<(u64, Digest), CheckpointError> {
    let Some(note) = checkpoint else { return Ok((0, EMPTY_ROOT)) };
    note.text.parse().map(|Checkpoint { size, root, .. }| (size, root))
}
