//! What stays of a build of this node: its artifacts, each named by its hash, and its transcript.
//!
//! None of it is needed to go on: a copy that fails costs a download later, not the result.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::result::{Artifact, BuildResult};

use crate::durable::sync_folder;
use crate::folder::Folder;

/// Bytes of a file that are in memory at a time: artifacts can be large.
const PIECE: usize = 64 * 1024;

/// Copies artifacts and transcript into the node's folder.
///
/// # Errors
/// What the operating system said about the first file that could not be copied.
pub fn keep(
    folder: &Folder,
    request: &RequestId,
    result: &BuildResult,
    artifacts: Option<&Path>,
    transcript: &Path,
) -> io::Result<()> {
    copy(transcript, &folder.transcripts(), &request.to_string())?;
    let (Some(built), Some(from)) = (result.artifacts(), artifacts) else { return Ok(()) };
    for artifact in built {
        keep_artifact(folder, artifact, &from.join(artifact.name.as_ref()))?;
    }
    Ok(())
}

fn keep_artifact(folder: &Folder, artifact: &Artifact, from: &Path) -> io::Result<()> {
    let name = artifact.sha256.to_string();
    if folder.artifacts().join(&name).exists() {
        return Ok(());
    }
    // The name promises the content, so what is copied is hashed again.
    if hash(from)? != artifact.sha256 {
        return Err(io::Error::other(format!("{} changed after it was hashed", from.display())));
    }
    copy(from, &folder.artifacts(), &name)
}

fn copy(from: &Path, folder: &Path, name: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut temporary = tempfile::Builder::new().prefix(".keeping-").tempfile_in(folder)?;
    io::copy(&mut fs::File::open(from)?, temporary.as_file_mut())?;
    // A name promises the content, also after a power cut: a file that is there is never copied again.
    temporary.as_file().sync_all()?;
    temporary.persist(folder.join(name)).map_err(|error| error.error)?;
    sync_folder(folder)
}

fn hash(path: &Path) -> io::Result<Digest> {
    let (mut file, mut hash, mut piece) = (fs::File::open(path)?, Sha256::new(), vec![0; PIECE]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Digest(hash.finalize().into())),
            length => hash.update(&piece[..length]),
        }
    }
}
