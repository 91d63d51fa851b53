//! `log export`: copies a published log to where anybody reads it, a folder or an S3-compatible store.
//!
//! The checkpoint goes last, and nothing is ever deleted: whoever reads the destination finds a checkpoint and every
//! file under it, at each moment and wherever an export was cut off. A file that the checkpoint at the destination needs
//! is there already, so an export copies what the log has grown by; after a cut, [`Store`] tells which of that arrived.
//!
//! A destination is only ever extended: by the log that it holds, in the same order, to the same size or a larger one.

mod source;
mod store;
mod target;
mod transport;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use miette::Diagnostic;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::tile::{TilePath, tiles_between};
use thiserror::Error;
use tokio::task::{JoinSet, spawn_blocking};

pub use source::{Source, SourceError};
pub(crate) use store::bucket;
pub use store::{Found, Store};
pub use target::{Bucket, Target};

/// What an export has done so far, or in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files that the destination needed: the length of the plan.
    pub planned: u64,
    /// Of these, copied.
    pub copied: u64,
    /// Bytes of those copied.
    pub copied_bytes: u64,
    /// Of these, there already, as they must be.
    pub kept: u64,
    /// Whether the checkpoint was replaced; otherwise it was the same.
    pub published: bool,
}

/// How an export goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Files on their way at the same time, at least 1. Each is held in memory: at most 17 MB.
    pub uploads: usize,
    /// Look at every file at the destination, not only at those that the log has grown by.
    pub recheck: bool,
}

/// Why an export did not come to its end. The checkpoint at the destination is the old one, with everything it needs.
#[derive(Debug, Error, Diagnostic)]
pub enum ExportError {
    /// The log itself.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Source(#[from] SourceError),
    /// `--to` is neither a folder nor a bucket.
    #[error("cannot export to {text:?}: {why}")]
    #[diagnostic(help("give a folder, or s3://BUCKET/PREFIX"))]
    Target {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Not an address.
    #[error("the endpoint {0:?} is not an http or https address")]
    #[diagnostic(help("set AWS_ENDPOINT_URL as in https://store.example.org"))]
    Endpoint(String),
    /// No TLS.
    #[error("{0} has no TLS: whoever is on the way could change what is published")]
    #[diagnostic(help("use https, or say --allow-http if the way there is yours alone"))]
    Plain(String),
    /// The store would have to be asked as nobody.
    #[error("there are no credentials for the store in the environment")]
    #[diagnostic(help(
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_WEB_IDENTITY_TOKEN_FILE, the AWS_CONTAINER_CREDENTIALS_ variables and AWS_METADATA_ENDPOINT count too"
    ))]
    NoCredentials,
    /// The environment describes no store.
    #[error("the AWS_ variables of the environment describe no store: {0}")]
    #[diagnostic(help("docs/operating.md lists the ones that matter"))]
    Settings(object_store::Error),
    /// The destination's folder.
    #[error("cannot use the folder {}: {error}", path.display())]
    #[diagnostic(help("it must be writable, and on a file system that knows locks"))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Another export is at work there.
    #[error("another export into {} is at work", .0.display())]
    #[diagnostic(help("run it again when that one has ended"))]
    Locked(PathBuf),
    /// The store does not answer, or refuses.
    #[error("the destination fails: {0}")]
    #[diagnostic(help("what was published there is still whole; run the same command again"))]
    Store(object_store::Error),
    /// The destination holds something else.
    #[error("the checkpoint at the destination is none: {0}")]
    #[diagnostic(help("export to a place that is empty, or holds this log"))]
    NotALog(String),
    /// The destination holds another log.
    #[error("the destination holds the log {found}, and this is {ours}")]
    #[diagnostic(help("export each log to a place of its own"))]
    OtherLog {
        /// Origin at the destination.
        found: String,
        /// Origin of the source.
        ours: String,
    },
    /// The destination has more entries.
    #[error("the destination holds {found} entries, and this log has only {ours}")]
    #[diagnostic(help(
        "a published log never shrinks: export from a node that has all of it, and ask why this one does not"
    ))]
    Ahead {
        /// Entries at the destination.
        found: u64,
        /// Entries of the source.
        ours: u64,
    },
    /// Two logs of one name that contradict each other.
    #[error(
        "this log does not extend the one at the destination: at {size} entries one hashes to {ours}, the other says {found}"
    )]
    #[diagnostic(help(
        "if both checkpoints are signed, the group has signed two histories: keep both files, and tell every member"
    ))]
    Fork {
        /// Entries at the destination.
        size: u64,
        /// Root at the destination.
        found: Box<synchronicity_verify::digest::Digest>,
        /// Root of the source at that size.
        ours: Box<synchronicity_verify::digest::Digest>,
    },
    /// Somebody else published there meanwhile.
    #[error("the checkpoint at the destination changed during the export")]
    #[diagnostic(help("another export was at work; run this one again"))]
    Overtaken,
    /// A thread of this process ended early.
    #[error("a part of the export ended early: {0}")]
    #[diagnostic(help("what was published there is still whole; run the same command again"))]
    Task(#[from] tokio::task::JoinError),
}

/// The files that a destination with the checkpoint `found` needs for `ours`, the checkpoint itself left out.
pub fn plan(ours: &Checkpoint, found: Option<&Checkpoint>, recheck: bool) -> impl Iterator<Item = TilePath> + use<> {
    let there = found.filter(|_| !recheck).map_or(0, |found| found.size);
    tiles_between(there, ours.size)
}

/// Copies `source` to `store`, the checkpoint last. `progress` hears of every file.
///
/// # Errors
/// [`ExportError`]. The destination is then as it was, but for files that its checkpoint does not need; the same call
/// may be repeated.
pub async fn export(
    source: Arc<Source>,
    store: &Store,
    manner: Manner,
    mut progress: impl FnMut(&Counts),
) -> Result<Counts, ExportError> {
    let found = store.checkpoint().await?;
    let there = match &found {
        Some(found) => Some(extended(&source, &found.note)?),
        None => None,
    };
    let plan = || plan(source.checkpoint(), there.as_ref(), manner.recheck);
    let mut counts = Counts { planned: plan().count() as u64, ..Counts::default() };
    let is_bare = counts.planned > 0 && store.is_bare().await?;
    let mut under_way = JoinSet::new();
    for path in plan() {
        if under_way.len() >= manner.uploads.max(1) {
            arrived(&mut under_way, &mut counts, &mut progress).await?;
        }
        under_way.spawn(copy(Arc::clone(&source), store.clone(), path, is_bare));
    }
    while !under_way.is_empty() {
        arrived(&mut under_way, &mut counts, &mut progress).await?;
    }
    // The point of no return: everything under this checkpoint has arrived, and whoever reads it from here on finds it.
    if found.as_ref().is_none_or(|found| found.note != source.note()) {
        store.publish(source.note(), found).await?;
        counts.published = true;
    }
    Ok(counts)
}

/// The checkpoint at the destination, if `source` extends it.
fn extended(source: &Source, note: &[u8]) -> Result<Checkpoint, ExportError> {
    let found = source::parse_checkpoint(note).map_err(ExportError::NotALog)?;
    let ours = source.checkpoint();
    if found.origin != ours.origin {
        return Err(ExportError::OtherLog { found: found.origin, ours: ours.origin.clone() });
    }
    if found.size > ours.size {
        return Err(ExportError::Ahead { found: found.size, ours: ours.size });
    }
    let root = source.root_at(found.size)?;
    if root != found.root {
        return Err(ExportError::Fork { size: found.size, found: Box::new(found.root), ours: Box::new(root) });
    }
    Ok(found)
}

/// Copies one file, unless it is there; gives its size if it was copied.
async fn copy(source: Arc<Source>, store: Store, path: TilePath, is_bare: bool) -> Result<Option<u64>, ExportError> {
    let content = spawn_blocking(move || source.content(path)).await??;
    if !is_bare && store.holds(path, &content).await? {
        return Ok(None);
    }
    let bytes = content.len() as u64;
    store.put(path, content).await?;
    Ok(Some(bytes))
}

async fn arrived(
    under_way: &mut JoinSet<Result<Option<u64>, ExportError>>,
    counts: &mut Counts,
    progress: &mut impl FnMut(&Counts),
) -> Result<(), ExportError> {
    if let Some(copied) = under_way.join_next().await {
        match copied?? {
            Some(bytes) => (counts.copied, counts.copied_bytes) = (counts.copied + 1, counts.copied_bytes + bytes),
            None => counts.kept += 1,
        }
        progress(counts);
    }
    Ok(())
}
