//! The folder of a chain says which group it belongs to, and in which form its blocks are. The engine itself would notice a
//! foreign chain only by a panic, and a foreign journal of votes not at all.
//!
//! ```text
//! group    the group's id in hex ‖ line feed ‖ schema of the blocks in decimal ‖ line feed
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use synchronicity_verify::digest::Digest;
use thiserror::Error;

use crate::block::SCHEMA;

/// Name of the file that says it.
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
    /// Its blocks have another form.
    #[error(
        "the chain in {path} has blocks of schema {found}, and this program knows schema {SCHEMA}: only the version that wrote \
         them goes on with it. This one can begin the next epoch, which the members have to decide on with that version first: see \
         Upgrading in docs/operating.md"
    )]
    Schema {
        /// The folder.
        path: PathBuf,
        /// What it says.
        found: String,
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

/// Whether an engine of this group may use the folder, for whoever would change something before it starts one. Changes
/// nothing, and makes no folder.
///
/// # Errors
/// [`FolderError`], as [`start`](crate::start) would tell it.
pub fn check_folder(path: &Path, group: &Digest) -> Result<(), FolderError> {
    is_marked(path, group).map(|_| ())
}

/// Creates the folder, or makes sure that it is this group's, and returns where the engine may write in it.
pub(crate) fn open(path: &Path, group: &Digest) -> Result<PathBuf, FolderError> {
    let io = |source| FolderError::Io { path: path.to_owned(), source };
    let engine = path.join(ENGINE);
    if !is_marked(path, group)? {
        fs::create_dir_all(&engine).map_err(io)?;
        mark(path, &path.join(MARKER), group).map_err(io)?;
    }
    Ok(engine)
}

/// Whether the folder is this group's, or nobody's yet.
fn is_marked(path: &Path, group: &Digest) -> Result<bool, FolderError> {
    match fs::read_to_string(path.join(MARKER)) {
        Ok(found) => match check(&found, group) {
            Ok(()) => Ok(true),
            Err((Differs::Group, found)) => {
                Err(FolderError::AnotherGroup { path: path.to_owned(), found, wanted: *group })
            }
            Err((Differs::Schema, found)) => Err(FolderError::Schema { path: path.to_owned(), found }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(FolderError::Io { path: path.to_owned(), source }),
    }
}

enum Differs {
    Group,
    Schema,
}

/// # Errors
/// What is not as it should be, and how it is.
fn check(marker: &str, group: &Digest) -> Result<(), (Differs, String)> {
    let mut lines = marker.lines().map(str::trim);
    let found = lines.next().unwrap_or_default();
    if found != group.to_string() {
        return Err((Differs::Group, found.to_owned()));
    }
    // The first version of this program wrote none.
    let schema = lines.next().unwrap_or("1");
    if schema == SCHEMA.to_string() { Ok(()) } else { Err((Differs::Schema, schema.to_owned())) }
}

/// Writes the marker so that it is whole or absent, whenever the machine stops.
fn mark(path: &Path, marker: &Path, group: &Digest) -> io::Result<()> {
    let unfinished = path.join("group.new");
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{group}\n{SCHEMA}")?;
    file.sync_all()?;
    fs::rename(&unfinished, marker)?;
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests;
