//! The folder of a chain says which group it belongs to. The engine itself would notice a foreign chain only by a panic,
//! and a foreign journal of votes not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use synchronicity_verify::digest::Digest;
use thiserror::Error;

/// Name of the file that holds the group's id in hex.
const MARKER: &str = "group";

/// Name of the folder that the engine writes into.
const ENGINE: &str = "engine";

/// Why a folder cannot hold the chain.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It holds the chain of another group.
    #[error(
        "{path} holds the chain of group {found}, and this node is configured for group {wanted}: use another folder, or \
         that group's file"
    )]
    AnotherGroup {
        /// The folder.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What was to be started.
        wanted: Digest,
    },
    /// It cannot be read or written.
    #[error("cannot use the folder {path} for the chain: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Creates the folder, or makes sure that it is this group's, and returns where the engine may write in it.
pub(crate) fn open(path: &Path, group: &Digest) -> Result<PathBuf, FolderError> {
    let io = |source| FolderError::Io { path: path.to_owned(), source };
    let (marker, engine) = (path.join(MARKER), path.join(ENGINE));
    match fs::read_to_string(&marker) {
        Ok(found) if found.trim() == group.to_string() => Ok(engine),
        Ok(found) => {
            Err(FolderError::AnotherGroup { path: path.to_owned(), found: found.trim().to_owned(), wanted: *group })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(&engine).map_err(io)?;
            mark(path, &marker, group).map_err(io)?;
            Ok(engine)
        }
        Err(error) => Err(io(error)),
    }
}

/// Writes the marker so that it is whole or absent, whenever the machine stops.
fn mark(path: &Path, marker: &Path, group: &Digest) -> io::Result<()> {
    let unfinished = path.join("group.new");
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{group}")?;
    file.sync_all()?;
    fs::rename(&unfinished, marker)?;
    File::open(path)?.sync_all()
}
