//! A log that this client has whole, on its own disk: what a file or a crate is can be looked up without telling
//! anybody which.
//!
//! Three files for each log in the folder `synchronicity/logs` of the user's cache folder. They are replaced in this
//! order, so that a reader between two of them finds what the checkpoint covers:
//!
//! ```text
//! ID.entries      (u16be length ‖ entry)*, as in a bundle
//! ID.index        hashes of the entries, where each ends, and which keys it stands under: see `index`
//! ID.checkpoint   the signed checkpoint
//! ```
//!
//! Nothing in them is believed that the checkpoint does not cover: the hashes must lead to its root, each entry that is
//! read to its hash, and the keys to the map root that the last entry states: no entry can be hidden either.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{ENTRY_BYTES_MAX, Entry};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::map::{self, MapKey};
use synchronicity_verify::merkle::{leaf_hash, root};
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::request::CrateName;
use synchronicity_verify::verify::{VerifiedCheckpoint, verify_checkpoint};

use crate::exit::{self, Stop};
use crate::folders;

mod index;
mod refresh;

use index::Index;

/// The largest index read, in bytes: some ten million entries.
const INDEX_BYTES_MAX: u64 = 1 << 31;

/// Where logs are kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct CopyFolder {
    /// Where whole logs are kept [default: synchronicity/logs in the user's cache folder]
    #[arg(long, value_name = "DIR", env = "SYNCHRONICITY_CACHE")]
    cache: Option<PathBuf>,
}

/// A log, as it was when its checkpoint was signed.
pub(crate) struct LogCopy {
    pub(crate) note: SignedNote,
    pub(crate) checkpoint: VerifiedCheckpoint,
    /// Of at least as many entries as the checkpoint has.
    index: Index,
    entries: File,
}

/// Why the copy of a log is of no use.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum CopyTrouble {
    #[error("the copy of the log is damaged: {}: entry {index} is not what was signed", folder.display())]
    #[diagnostic(help("remove the folder: the log is fetched again; nothing in it was believed"))]
    Damaged { folder: PathBuf, index: u64 },
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("name another folder with --cache, or mend this one"))]
    File { path: PathBuf, error: io::Error },
    #[error("the log's checkpoint at {place}: {error}")]
    #[diagnostic(help("the policy may be of another group, or whoever serves this serves something damaged or false"))]
    Checkpoint { place: String, error: String },
    #[error("no folder to keep the log in: neither XDG_CACHE_HOME nor HOME is set")]
    #[diagnostic(help("name one with --cache"))]
    NoFolder,
}

/// The files of one log.
struct Files {
    folder: PathBuf,
    id: Digest,
}

impl CopyFolder {
    /// The folder, by the XDG rules if none is named.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let user = || Some(folders::user("XDG_CACHE_HOME", ".cache")?.join("synchronicity/logs"));
        self.cache.clone().or_else(user)
    }
}

impl LogCopy {
    /// The copy of the policy's log, if there is one that is whole: hashes and keys lead to what was signed.
    ///
    /// # Errors
    /// A copy whose checkpoint `policy` does not accept.
    pub(crate) fn open(folder: &Path, policy: &Policy) -> Result<Option<Self>, Stop> {
        let files = Files::new(folder, policy);
        let Some(note) = files.note() else { return Ok(None) };
        let path = files.path("checkpoint").display().to_string();
        let checkpoint = accepted(&note, policy, path)?;
        let (Some(index), Some(entries)) = (files.index(), files.entries()) else { return Ok(None) };
        let size = usize::try_from(checkpoint.checkpoint.size).unwrap_or(usize::MAX);
        let length = entries.metadata().map_or(0, |metadata| metadata.len());
        let whole = index.bytes_of(size).is_some_and(|needed| needed <= length);
        match index.leaves.get(..size) {
            Some(leaves) if whole && root(leaves) == checkpoint.checkpoint.root => {}
            _ => return Ok(None),
        }
        let copy = Self { note, checkpoint, index, entries };
        Ok(Some(copy).filter(Self::has_all_keys))
    }

    /// Whether the keys are those of the entries under the checkpoint: the last entry states their root.
    fn has_all_keys(&self) -> bool {
        let size = self.checkpoint.checkpoint.size;
        let stated = match size.checked_sub(1) {
            None => Some(map::empty_root()),
            Some(last) => self.leaf(last).map(|leaf| leaf.map_root()),
        };
        stated == Some(self.index.map_root(size))
    }

    /// Gives the copy up, so that the next one is made anew.
    pub(crate) fn discard(folder: &Path, policy: &Policy) {
        // What stays where it cannot be removed is refused again.
        let _ = fs::remove_file(Files::new(folder, policy).path("index"));
    }

    /// Every entry under `key`, with its index, rising.
    ///
    /// # Errors
    /// An entry that is not what was signed.
    pub(crate) fn entries(&self, folder: &Path, key: &MapKey) -> Result<Vec<(u64, Entry)>, Stop> {
        let size = self.checkpoint.checkpoint.size;
        let indices = self.index.under(key).filter(|index| *index < size);
        let read = |index| {
            let entry = self.entry(index).filter(|entry| MapKey::of_entry(entry).contains(key));
            Ok((index, entry.ok_or_else(|| damaged(folder, index))?))
        };
        indices.map(read).collect()
    }

    /// Every entry about a crate of this name, in any version, with its index, rising.
    ///
    /// All entries are read and hashed, because the index has no names without versions; few are decoded.
    ///
    /// # Errors
    /// An entry that is not what was signed.
    pub(crate) fn of_crate(&self, folder: &Path, name: &CrateName) -> Result<Vec<(u64, Entry)>, Stop> {
        let mut found = Vec::new();
        for index in 0..self.checkpoint.checkpoint.size {
            let bytes = self.bytes(index).ok_or_else(|| damaged(folder, index))?;
            // The name stands in an entry as it is.
            if !bytes.windows(name.as_str().len()).any(|window| window == name.as_str().as_bytes()) {
                continue;
            }
            let leaf = Leaf::from_bytes(&bytes).map_err(|_| damaged(folder, index))?;
            if let Some(entry) = leaf.into_build().filter(|entry| entry.request.source.name() == name) {
                found.push((index, entry));
            }
        }
        Ok(found)
    }

    /// The entry at `index`, if it is what was signed.
    fn entry(&self, index: u64) -> Option<Entry> {
        self.leaf(index)?.into_build()
    }

    fn leaf(&self, index: u64) -> Option<Leaf> {
        Leaf::from_bytes(&self.bytes(index)?).ok()
    }

    fn bytes(&self, index: u64) -> Option<Vec<u8>> {
        let (at, leaf) = (self.index.place(index)?, self.index.leaves.get(usize::try_from(index).ok()?)?);
        let length = usize::try_from(at.end.checked_sub(at.start)?).ok().filter(|length| *length <= ENTRY_BYTES_MAX)?;
        let mut bytes = vec![0; length];
        self.entries.read_exact_at(&mut bytes, at.start).ok()?;
        (leaf_hash(&bytes) == *leaf).then_some(bytes)
    }

    /// The hashes of the entries under the checkpoint.
    pub(crate) fn leaves(&self) -> &[Digest] {
        let size = usize::try_from(self.checkpoint.checkpoint.size).unwrap_or(usize::MAX);
        self.index.leaves.get(..size).unwrap_or_default()
    }
}

impl Files {
    fn new(folder: &Path, policy: &Policy) -> Self {
        let id = Digest::tagged("synchronicity/copy/v1", &[policy.log().to_string().as_bytes()]);
        Self { folder: folder.to_owned(), id }
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.id))
    }

    /// What cannot be read is not there: it can be fetched again.
    fn note(&self) -> Option<SignedNote> {
        let limit = synchronicity_verify::note::NOTE_BYTES_MAX as u64;
        SignedNote::parse(&self.read("checkpoint", limit)?).ok()
    }

    fn index(&self) -> Option<Index> {
        Index::parse(&self.read("index", INDEX_BYTES_MAX)?)
    }

    fn entries(&self) -> Option<File> {
        File::open(self.regular("entries")?).ok()
    }

    fn read(&self, kind: &'static str, limit: u64) -> Option<Vec<u8>> {
        crate::read::bounded(&self.regular(kind)?, limit, kind).ok()
    }

    /// The file, unless it is something that could be read without end.
    fn regular(&self, kind: &str) -> Option<PathBuf> {
        Some(self.path(kind)).filter(|path| path.is_file())
    }
}

fn damaged(folder: &Path, index: u64) -> Stop {
    Stop::new(exit::INVALID, CopyTrouble::Damaged { folder: folder.to_owned(), index })
}

/// The checkpoint, if the policy accepts it.
fn accepted(note: &SignedNote, policy: &Policy, place: String) -> Result<VerifiedCheckpoint, Stop> {
    verify_checkpoint(note, policy)
        .map_err(|error| Stop::new(exit::refused(&error), CopyTrouble::Checkpoint { place, error: error.to_string() }))
}
