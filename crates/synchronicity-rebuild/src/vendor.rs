//! Dependencies into a cargo home, and the check that they are what the lock says.
//!
//! Cargo compares an archive with its checksum when it arrives and trusts its own folders from then on. A builder must
//! not: so after every fetch the archives are hashed again and the unpacked folders compared with them. Unpacking itself is
//! left to Cargo, which refuses paths out of the folder and archives that grow beyond measure.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use synchronicity_verify::digest::Digest;

use crate::host_cargo::{CargoError, HostCargo, Run};
use crate::lock::Locked;
use crate::skeleton::{Skeleton, SkeletonError};

/// How long fetching may take: some hundred archives over a slow line.
const FETCH_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The file by which Cargo marks a folder that it unpacked completely.
const UNPACKED_MARK: &str = ".cargo-ok";

/// Why dependencies are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// The lock does not fit the manifest, or the registry.
    #[error("the pinned Cargo.lock does not fit the crate: {reason}")]
    LockDoesNotFit {
        /// What Cargo says.
        reason: String,
    },
    /// Cargo could not fetch.
    #[error("the dependencies cannot be fetched: {0}")]
    Cargo(CargoError),
    /// The crate's files could not be shown to Cargo.
    #[error(transparent)]
    Skeleton(#[from] SkeletonError),
    /// A dependency was not what the lock says, and was not after fetching it again either.
    #[error("{package} in {} is not what its checksum says, also after it was fetched again", home.display())]
    Altered {
        /// Name and version.
        package: String,
        /// The cargo home.
        home: PathBuf,
    },
    /// The cargo home could not be read or written.
    #[error("{}: {error}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
}

/// Fetches what `lock` lists for `target` into `home`, and checks it against `locked`, the same list screened.
pub(crate) fn fetch(
    cargo: &HostCargo,
    target: &str,
    source: &Path,
    lock: &[u8],
    locked: &[Locked],
    home: &Path,
) -> Result<(), VendorError> {
    let disk = |error| VendorError::Disk { path: home.to_owned(), error };
    fs::create_dir_all(home).map_err(disk)?;
    // One at a time: another's half-unpacked folder would look altered.
    let guard = File::create(home.join(".vendor.lock")).map_err(disk)?;
    guard.lock().map_err(disk)?;
    let skeleton = Skeleton::of(source)?.with_lock(lock)?;
    let manifest = skeleton.manifest_path();
    let words = ["fetch", "--locked", "--target", target, "--manifest-path"].map(OsStr::new);
    let args = [&words[..], &[manifest.as_os_str()]].concat();
    let run = Run { args: &args, home, limit: FETCH_LIMIT };
    cargo.run(run).map_err(fetch_trouble)?;
    if remove_altered(locked, home).map_err(disk)?.is_none() {
        return Ok(());
    }
    cargo.run(run).map_err(fetch_trouble)?;
    match remove_altered(locked, home).map_err(disk)? {
        None => Ok(()),
        Some(package) => Err(VendorError::Altered { package, home: home.to_owned() }),
    }
}

fn fetch_trouble(error: CargoError) -> VendorError {
    // Cargo has no codes for these; its words are stable enough for the one pinned release that a request names.
    let says = |stderr: &str| {
        ["--locked was passed", "changed between lock files", "failed to parse lock file", "failed to select a version"]
            .iter()
            .any(|words| stderr.contains(words))
    };
    match error {
        CargoError::Failed { stderr, .. } if says(&stderr) => VendorError::LockDoesNotFit { reason: stderr },
        error => VendorError::Cargo(error),
    }
}

/// Deletes every dependency in `home` that is not what its checksum says, and names one of them.
fn remove_altered(locked: &[Locked], home: &Path) -> io::Result<Option<String>> {
    let mut altered = None;
    let archives = folders_in(&home.join("registry/cache"))?;
    let sources = folders_in(&home.join("registry/src"))?;
    for package in locked {
        let stem = format!("{}-{}", package.name, package.version);
        let folders: Vec<_> = sources.iter().map(|dir| dir.join(&stem)).filter(|dir| dir.exists()).collect();
        let mut archive = None;
        for path in archives.iter().map(|dir| dir.join(format!("{stem}.crate"))).filter(|path| path.exists()) {
            let bytes = fs::read(&path)?;
            if Digest::of(&bytes) == package.checksum {
                archive = Some(bytes);
            } else {
                fs::remove_file(&path)?;
                altered = Some(stem.clone());
            }
        }
        for folder in folders {
            let same = match &archive {
                Some(bytes) => holds_exactly(&folder, bytes, &stem)?,
                None => false,
            };
            if !same {
                fs::remove_dir_all(&folder)?;
                altered = Some(stem.clone());
            }
        }
    }
    Ok(altered)
}

/// Whether `folder` has the files of the archive, with their contents, and no other.
fn holds_exactly(folder: &Path, archive: &[u8], root: &str) -> io::Result<bool> {
    let mut files = BTreeMap::new();
    list(folder, Path::new(""), &mut files)?;
    files.remove(Path::new(UNPACKED_MARK));
    for entry in tar::Archive::new(GzDecoder::new(archive)).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.into_owned();
        let Ok(relative) = path.strip_prefix(root) else { return Ok(false) };
        let mut expected = Vec::new();
        entry.read_to_end(&mut expected)?;
        match files.remove(relative) {
            Some(true) if fs::read(folder.join(relative))? == expected => {}
            _ => return Ok(false),
        }
    }
    Ok(files.is_empty())
}

/// Everything below `dir` that is no folder, by relative path, and whether it is a plain file.
fn list(root: &Path, dir: &Path, files: &mut BTreeMap<PathBuf, bool>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(dir))? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, dir.join(entry.file_name()));
        if kind.is_dir() {
            list(root, &path, files)?;
        } else {
            files.insert(path, kind.is_file());
        }
    }
    Ok(())
}

fn folders_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
