//! Step 8, proof: an entry, its path and the published checkpoint in one file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::entry::Verdict;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::proof::Proof;

use crate::catalogue::{self, Reproduced};
use crate::durable::{Disk, Synced};
use crate::log_reader::{LogReader, Patience};

/// Name ending of proof files.
pub const PROOF_ENDING: &str = "tlog-proof";

/// Writes the proof files of the entries from `from` on: `index-I` for each, whatever its verdict, and `NAME-VERSION` for
/// the latest in which a crate was reproduced.
///
/// # Errors
/// Why the first file that could not be made was not.
pub fn write_proofs(reader: &LogReader, note: &SignedNote, from: u64, folder: &Path) -> io::Result<()> {
    for index in from..size_of(note) {
        let Some(proof) = prove(reader, note, index)? else { continue };
        let text = proof.to_string();
        Synced.write(&by_index(folder, index), text.as_bytes())?;
        if let Leaf::Build(entry) = Leaf::from_bytes(&proof.entry).map_err(io::Error::other)?
            && entry.verdict == Verdict::Reproduced
        {
            // Of two entries in which a crate was reproduced the later one stays.
            Synced.write(&file(folder, &catalogue::stem(&entry.request.source)), text.as_bytes())?;
        }
    }
    Ok(())
}

/// Writes the proof files that should be there and are not: a crash may have come between checkpoint and proofs.
/// `reproduced` are all crates' latest reproduced entries under the checkpoint.
///
/// # Errors
/// As [`write_proofs`].
pub fn write_missing(
    reader: &LogReader,
    note: &SignedNote,
    reproduced: &[Reproduced],
    folder: &Path,
) -> io::Result<()> {
    let write = |path: &Path, index: u64| match prove(reader, note, index)? {
        Some(proof) => Synced.write(path, proof.to_string().as_bytes()),
        None => Ok(()),
    };
    for index in 0..size_of(note) {
        let path = by_index(folder, index);
        if !path.exists() {
            write(&path, index)?;
        }
    }
    for Reproduced { index, stem } in reproduced {
        let path = file(folder, stem);
        let there = fs::read(&path).ok().and_then(|bytes| Proof::parse(&bytes).ok());
        if there.is_none_or(|proof| proof.index != *index) {
            write(&path, *index)?;
        }
    }
    Ok(())
}

fn prove(reader: &LogReader, note: &SignedNote, index: u64) -> io::Result<Option<Proof>> {
    reader.proof(note, index, Patience::Disk).map_err(io::Error::other)
}

fn size_of(note: &SignedNote) -> u64 {
    note.text.parse::<Checkpoint>().map_or(0, |checkpoint| checkpoint.size)
}

fn by_index(folder: &Path, index: u64) -> PathBuf {
    file(folder, &format!("index-{index}"))
}

fn file(folder: &Path, stem: &str) -> PathBuf {
    folder.join(format!("{stem}.{PROOF_ENDING}"))
}
