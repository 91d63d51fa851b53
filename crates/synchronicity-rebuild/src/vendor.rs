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

use crate::arrivals::Arrivals;
use crate::host_cargo::{CargoError, HostCargo, Run};
use crate::lock::{self, Locked};
use crate::skeleton::{Skeleton, SkeletonError};
use growing::Growing;

/// How long fetching may take: some hundred archives over a slow line.
const FETCH_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The file by which Cargo marks a folder that it unpacked completely.
pub(crate) const UNPACKED_MARK: &str = ".cargo-ok";

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

/// What a cargo home is to hold.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// Target triple: what other targets need is left out.
    pub(crate) target: &'a str,
    /// The unpacked crate.
    pub(crate) source: &'a Path,
    /// The bytes of its pinned lock.
    pub(crate) lock: &'a [u8],
    /// The packages that the lock lists, screened.
    pub(crate) locked: Vec<Locked>,
    /// The crate itself, if it is to be built from the registry as its dependencies are.
    pub(crate) root: Option<Locked>,
}

/// Fetches what is `wanted` into `home`, checks it against its checksums, and tells of what comes.
pub(crate) fn fetch(
    cargo: &HostCargo,
    wanted: Wanted<'_>,
    home: &Path,
    arrivals: &Arrivals,
) -> Result<(), VendorError> {
    let disk = |error| VendorError::Disk { path: home.to_owned(), error };
    fs::create_dir_all(home).map_err(disk)?;
    // One at a time: another's half-unpacked folder would look altered.
    let guard = File::create(home.join(".vendor.lock")).map_err(disk)?;
    guard.lock().map_err(disk)?;
    let skeleton = Skeleton::of(wanted.source)?.with_lock(wanted.lock)?;
    let dependent = wanted.root.as_ref().map(|root| dependent::of(root, wanted.lock)).transpose()?;
    let all: Vec<_> = wanted.locked.iter().chain(&wanted.root).cloned().collect();
    let fetch = || {
        let mut growing = Growing::new(&all, home, arrivals);
        let mut run = |flags, of| run(cargo, &wanted, home, flags, of, &mut growing);
        run(&["--locked"], &skeleton)?;
        // Not with --locked: a dependent needs fewer packages than the crate with its tests, and Cargo drops the rest.
        dependent.as_ref().map_or(Ok(()), |dependent| run(&[], dependent))
    };
    fetch()?;
    if remove_altered(&all, home).map_err(disk)?.is_none() {
        return Ok(());
    }
    fetch()?;
    match remove_altered(&all, home).map_err(disk)? {
        None => Ok(()),
        Some(package) => Err(VendorError::Altered { package, home: home.to_owned() }),
    }
}

fn run(
    cargo: &HostCargo,
    wanted: &Wanted<'_>,
    home: &Path,
    flags: &[&str],
    of: &Skeleton,
    growing: &mut Growing<'_>,
) -> Result<(), VendorError> {
    let manifest = of.manifest_path();
    let words = [&["fetch"], flags, &["--target", wanted.target, "--manifest-path"]].concat();
    let args: Vec<&OsStr> = words.iter().map(OsStr::new).chain([manifest.as_os_str()]).collect();
    let fetched = cargo.run_while(Run { args: &args, home, limit: FETCH_LIMIT }, &mut || growing.look());
    growing.look_again();
    fetched.map_err(fetch_trouble).map(drop)
}

fn fetch_trouble(error: CargoError) -> VendorError {
    match error {
        CargoError::Failed { stderr, .. } if lock::is_refusal(&stderr) => {
            VendorError::LockDoesNotFit { reason: stderr }
        }
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

pub(crate) mod dependent;
mod growing;

#[cfg(test)]
mod tests;
