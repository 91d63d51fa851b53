//! A maintainer's own folder, for `check`: packed as `cargo package` would publish it, so that what is built is what
//! users will get. Nothing that is built from it is evidence for anybody: nobody else has the folder.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{BuildRequest, Source};
use synchronicity_verify::result::Failure;

use crate::host_cargo::{CargoError, HostCargo, Run};
use crate::lock;
use crate::unpack::{self, Bounds, UnpackError};

/// A folder cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// There is no crate in it.
    #[error("{} has no Cargo.toml", .0.display())]
    NoManifest(PathBuf),
    /// Cargo refuses.
    #[error("cargo package, which makes of the folder what would be published: {0}")]
    Cargo(CargoError),
    /// Cargo left no archive, or several.
    #[error("cargo package left {0} archives; name the folder of one package")]
    Archives(usize),
    /// A file.
    #[error("{}: {error}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
}

/// A packed crate cannot be unpacked again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    #[error("the packed folder: {0}")]
    Unpack(#[from] UnpackError),
    #[error("the packed folder is not the one that the request names")]
    Changed,
    #[error("the packed folder: {0}")]
    Disk(#[from] io::Error),
    #[error("the packed folder's Cargo.lock is not the one that the request names")]
    Lock,
}

impl LocalError {
    /// The failure, where it is the crate's own.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Unpack(UnpackError::Disk { .. }) | Self::Disk(_) => None,
            Self::Unpack(_) => Some(Failure::Unsupported),
            Self::Changed | Self::Lock => Some(Failure::Lock),
        }
    }
}

/// Packs the crate in `folder`: the name of the archive's root folder and the bytes of the `.crate` file.
///
/// Uses the network if the lock is to be resolved; runs no line of the crate. `home` is Cargo's, `scratch` is an empty
/// folder.
pub(crate) fn pack(
    cargo: &HostCargo,
    home: &Path,
    scratch: &Path,
    folder: &Path,
) -> Result<(String, Vec<u8>), PackError> {
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |error| PackError::Disk { path, error }
    };
    let manifest = folder.canonicalize().map_err(disk(folder))?.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(PackError::NoManifest(folder.to_owned()));
    }
    let mut args: Vec<&OsStr> = ["package", "--quiet", "--no-verify", "--allow-dirty"].map(OsStr::new).to_vec();
    args.extend([OsStr::new("--manifest-path"), manifest.as_os_str(), OsStr::new("--target-dir"), scratch.as_os_str()]);
    cargo.run(Run { args: &args, home, limit: Duration::from_secs(300) }).map_err(PackError::Cargo)?;
    let packed = scratch.join("package");
    let mut archives = Vec::new();
    for entry in fs::read_dir(&packed).map_err(disk(&packed))? {
        let path = entry.map_err(disk(&packed))?.path();
        if path.extension().is_some_and(|extension| extension == "crate") {
            archives.push(path);
        }
    }
    let [archive] = archives.as_slice() else { return Err(PackError::Archives(archives.len())) };
    let root = archive.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok((root, fs::read(archive).map_err(disk(archive))?))
}

/// Unpacks the archive at `archive` into `into`, which must not exist, with the request's lock in it.
pub(crate) fn unpack(archive: &Path, request: &BuildRequest, lock: &[u8], into: &Path) -> Result<(), LocalError> {
    let bytes = fs::read(archive)?;
    let Source::Fixture { name, version, checksum } = &request.source else { return Err(LocalError::Changed) };
    if Digest::of(&bytes) != *checksum {
        return Err(LocalError::Changed);
    }
    unpack::crate_archive(&bytes, &format!("{name}-{version}"), into, Bounds::default())?;
    fs::write(into.join("Cargo.lock"), lock)?;
    if lock::is_pinned(&into.join("Cargo.lock"), &request.lock.sha256)? { Ok(()) } else { Err(LocalError::Lock) }
}
