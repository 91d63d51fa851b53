//! Brings a copied log up to date: only what is new is fetched, and everything is replayed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use synchronicity_verify::bundle::{BundleError, head};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::tile::{TILE_WIDTH, encode_bundle, parse_bundle};
use tempfile::NamedTempFile;

use super::{CopyTrouble, Files, Index, LogCopy, accepted};
use crate::bundle::{Reader, Whole, entry_tiles, fetch_trouble, invalid};
use crate::durable;
use crate::exit::{self, Stop};
use crate::outside::named;
use crate::progress::{Inflow, Progress};
use crate::source::Source;
use crate::trust::{StateFolder, Trust};

/// Permissions of the files: what a log says is public.
const MODE: u32 = 0o644;

/// A replayed log, not yet accepted.
struct Gathered {
    whole: Whole,
    index: Index,
    entries: NamedTempFile,
}

impl LogCopy {
    /// The log as `source` has it now, in the folder.
    ///
    /// # Errors
    /// A source that does not answer, serves something that does not hold, or another history than was seen before;
    /// then the copy is as before.
    pub(crate) fn refresh(folder: &Path, policy: &Policy, source: &Source, state: &StateFolder) -> Result<Self, Stop> {
        let place = source.place("checkpoint");
        let bytes = source.checkpoint().map_err(fetch_trouble)?;
        let note = SignedNote::parse(&bytes).map_err(|error| invalid(&place, BundleError::Note(error)))?;
        let note = named(note, policy);
        let checkpoint = accepted(&note, policy, place)?;
        let (files, trust) = (Files::new(folder, policy), Trust::open(state, policy)?);
        fs::create_dir_all(folder).map_err(|error| trouble(folder, error))?;
        // A copy that cannot be used is as good as none.
        let known = Self::open(folder, policy).ok().flatten();
        if let Some(known) = &known
            && known.checkpoint.checkpoint == checkpoint.checkpoint
        {
            trust.accept_whole(&note, policy, known.leaves())?;
            // Signed anew since, perhaps: nothing else changes.
            if checkpoint.vouched_s > known.checkpoint.vouched_s {
                files.keep_note(&note)?;
            }
        } else {
            let gathered = gather((&files, policy, source), &note, checkpoint.checkpoint.size, known.as_ref())?;
            trust.accept_whole(&note, policy, &gathered.whole.leaves)?;
            files.keep(gathered, &note)?;
        }
        let gone = || trouble(folder, std::io::Error::other("another process changed it meanwhile: try again"));
        Self::open(folder, policy)?.ok_or_else(gone)
    }
}

impl Files {
    fn keep_note(&self, note: &SignedNote) -> Result<(), Stop> {
        let path = self.path("checkpoint");
        durable::replace(&path, note.to_string().as_bytes(), MODE).map_err(|error| trouble(&path, error))
    }

    /// The checkpoint last: until then the old one covers the beginning of the new files.
    fn keep(&self, gathered: Gathered, note: &SignedNote) -> Result<(), Stop> {
        let (entries, index) = (self.path("entries"), self.path("index"));
        durable::keep(gathered.entries, &entries, MODE).map_err(|error| trouble(&entries, error))?;
        durable::replace(&index, &gathered.index.to_bytes(), MODE).map_err(|error| trouble(&index, error))?;
        self.keep_note(note)
    }
}

/// The log of `size` entries under `note`: what `known` has of it, and the rest from `source`.
fn gather(
    (files, policy, source): (&Files, &Policy, &Source),
    note: &SignedNote,
    size: u64,
    known: Option<&LogCopy>,
) -> Result<Gathered, Stop> {
    if let Some(known) = known.filter(|known| known.checkpoint.checkpoint.size < size) {
        // Where the two do not fit, the source has to show everything: then its history can be compared as a whole.
        if let Ok(gathered) = Gathering::new(files, policy, source, size)?.after(known, note) {
            return Ok(gathered);
        }
    }
    let mut gathering = Gathering::new(files, policy, source, size)?;
    gathering.begin(note)?;
    gathering.rest(0)?;
    gathering.finish()
}

/// A log while it is read.
struct Gathering<'a> {
    reader: Reader<'a>,
    index: Index,
    entries: NamedTempFile,
    source: &'a Source,
    /// Entries under the checkpoint.
    size: u64,
    progress: Progress,
    /// From the source.
    inflow: Inflow,
}

impl<'a> Gathering<'a> {
    fn new(files: &Files, policy: &'a Policy, source: &'a Source, size: u64) -> Result<Self, Stop> {
        let entries = NamedTempFile::new_in(&files.folder).map_err(|error| trouble(&files.folder, error))?;
        let reader = Reader::new(policy, source.to_string());
        let (progress, inflow) = (Progress::new(), Inflow::new());
        Ok(Self { reader, index: Index::default(), entries, source, size, progress, inflow })
    }

    fn begin(&mut self, note: &SignedNote) -> Result<(), Stop> {
        self.reader.feed(&head(note), |_, _| ())
    }

    /// The entries of `known`, and then those that the source has beyond them.
    fn after(mut self, known: &LogCopy, note: &SignedNote) -> Result<Gathered, Stop> {
        self.begin(note)?;
        let had = known.checkpoint.checkpoint.size;
        let length = usize::try_from(had).ok().and_then(|size| known.index.bytes_of(size)).unwrap_or(0);
        let mut left =
            File::try_clone(&known.entries).map_err(|error| trouble(self.entries.path(), error))?.take(length);
        let mut piece = vec![0; 64 << 10];
        loop {
            match left.read(&mut piece).map_err(|error| trouble(self.entries.path(), error))? {
                0 => break,
                count => self.take(&piece[..count])?,
            }
        }
        self.rest(had)?;
        self.finish()
    }

    /// From entry `first` on, from the source.
    fn rest(&mut self, first: u64) -> Result<(), Stop> {
        for path in entry_tiles(first, self.size) {
            let bytes = self.source.tile(path).map_err(fetch_trouble)?;
            self.inflow.add(bytes.len() as u64);
            let begins = path.n * u64::from(TILE_WIDTH);
            let skipped = usize::try_from(first.saturating_sub(begins)).unwrap_or(0);
            if skipped == 0 {
                self.take(&bytes)?;
            } else {
                let wrong = |error: &dyn std::fmt::Display| {
                    let (place, error) = (self.source.place(&path.path()), error.to_string());
                    Stop::new(exit::INVALID, CopyTrouble::Checkpoint { place, error })
                };
                let entries = parse_bundle(&bytes, path.width).map_err(|error| wrong(&error))?;
                let rest = encode_bundle(entries.into_iter().skip(skipped)).map_err(|error| wrong(&error))?;
                self.take(&rest)?;
            }
            let hold = begins + u64::from(path.width);
            self.progress.detail(&format!("{hold} of {} entries hold, {}", self.size, self.inflow));
        }
        Ok(())
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Stop> {
        let index = &mut self.index;
        self.reader.feed(piece, |_, leaf: Leaf| {
            let bytes = leaf.to_bytes();
            index.push(synchronicity_verify::merkle::leaf_hash(&bytes), bytes.len(), leaf.keys());
        })?;
        self.entries.write_all(piece).map_err(|error| trouble(self.entries.path(), error))
    }

    fn finish(self) -> Result<Gathered, Stop> {
        self.progress.end();
        Ok(Gathered { whole: self.reader.finish()?, index: self.index, entries: self.entries })
    }
}

fn trouble(path: &Path, error: std::io::Error) -> Stop {
    Stop::new(exit::INTERNAL, CopyTrouble::File { path: path.to_owned(), error })
}
