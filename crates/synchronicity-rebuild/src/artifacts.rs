//! Copies a build's products out of its target folder and hashes them.
//!
//! The target folder is hostile: a build can have put links, pipes or devices where its products should be. So the
//! names come from the manifest, the caller makes sure that every process of the build is gone, no link is followed
//! on any level, and only regular files are read that belong to the folder's own owner, on the folder's own disk: a
//! hard link to a file of somebody else is no product either. What is copied is the content alone: a set-user-id bit,
//! attributes and capabilities stay behind.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use sha2::{Digest as _, Sha256};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::result::{Artifact, ArtifactName, Artifacts, ResultError};

/// The products of a build cannot be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A product that the manifest promises is not there, or is no regular file of its own. This is the build's fault.
    #[error("the build left no regular file {0} of its own among its products")]
    Missing(String),
    /// The products are more than the request allows. This is the build's fault.
    #[error("the products exceed the request's disk limit of {0} bytes")]
    TooLarge(u64),
    /// No artifact can have this name, or there are too many.
    #[error("the products cannot be artifacts: {0}")]
    Unnameable(#[from] ResultError),
    /// This machine's fault.
    #[error("copying the products: {0}")]
    Io(#[from] io::Error),
}

/// Copies the products named `expected` (`hexyl`, `libserde.rlib`, `libserde.rmeta`, …) from the folder below `target`
/// that the names in `path` lead to into the existing folder `into`, and hashes what was copied.
///
/// `limit_bytes` bounds their sizes together.
pub fn collect(
    target: &Path,
    path: &[&str],
    expected: &[String],
    into: &Path,
    limit_bytes: u64,
) -> Result<Artifacts, CollectError> {
    let mut folder: OwnedFd = File::options().read(true).custom_flags(FOLDER.bits()).open(target)?.into();
    let origin = File::from(folder.try_clone()?).metadata()?;
    for name in path {
        folder = enter(&folder, name).map_err(|error| missing(error, name))?;
    }
    let mut left = limit_bytes;
    let mut artifacts = Vec::with_capacity(expected.len());
    for name in expected {
        let product = open_product(&folder, name, &origin)?;
        let (size, sha256) = copy(product, &into.join(name), left)?.ok_or(CollectError::TooLarge(limit_bytes))?;
        left -= size;
        artifacts.push(Artifact { name: ArtifactName::try_from(name.clone())?, size, sha256 });
    }
    Ok(Artifacts::new(artifacts)?)
}

const FOLDER: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
// Non-blocking, because opening a pipe without a writer would wait for ever.
const PLAIN: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);

/// `origin` is what the system says of the target folder.
fn open_product(folder: &OwnedFd, name: &str, origin: &Metadata) -> Result<File, CollectError> {
    // Cargo leaves the metadata of a library among the dependencies, under a name with a hash.
    let product = match name.strip_suffix(".rmeta") {
        Some(stem) => {
            let deps = enter(folder, "deps").map_err(|error| missing(error, name))?;
            let found = the_only(&deps, stem)?.ok_or_else(|| CollectError::Missing(name.into()))?;
            openat(&deps, found.as_str(), PLAIN, Mode::empty())
        }
        None => openat(folder, name, PLAIN, Mode::empty()),
    };
    let product = File::from(product.map_err(|error| missing(error, name))?);
    let found = product.metadata()?;
    let is_own = found.uid() == origin.uid() && found.dev() == origin.dev();
    if found.is_file() && is_own { Ok(product) } else { Err(CollectError::Missing(name.into())) }
}

/// The one file `STEM-HASH.rmeta` of a folder; none if there is no such file or more than one.
fn the_only(deps: &OwnedFd, stem: &str) -> Result<Option<String>, CollectError> {
    let mut found = None;
    for entry in Dir::from_fd(deps.as_fd().try_clone_to_owned()?).map_err(io::Error::from)?.iter() {
        let entry = entry.map_err(io::Error::from)?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        let hash = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".rmeta"));
        let is_hash = hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if is_hash && found.replace(name.to_owned()).is_some() {
            return Ok(None);
        }
    }
    Ok(found)
}

fn enter(parent: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    openat(parent, name, FOLDER, Mode::empty())
}

/// What is not there, or is a link or a socket, is a missing product; anything else is trouble of this machine.
fn missing(error: Errno, name: &str) -> CollectError {
    match error {
        Errno::ENOENT | Errno::ELOOP | Errno::ENOTDIR | Errno::ENXIO => CollectError::Missing(name.into()),
        other => CollectError::Io(other.into()),
    }
}

/// Size and hash of what was copied; nothing if it is more than `limit_bytes`.
fn copy(mut from: File, to: &Path, limit_bytes: u64) -> io::Result<Option<(u64, Digest)>> {
    let mode = if from.metadata()?.mode() & 0o100 != 0 { 0o755 } else { 0o644 };
    let mut to = File::options().write(true).create_new(true).mode(mode).open(to)?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            to.sync_all()?;
            return Ok(Some((size, Digest(hash.finalize().into()))));
        }
        size += read as u64;
        if size > limit_bytes {
            return Ok(None);
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
}

#[cfg(test)]
#[path = "artifacts/tests.rs"]
mod tests;
