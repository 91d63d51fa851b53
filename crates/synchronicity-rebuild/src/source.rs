//! What a builder does first: the source that a request names, and its dependencies, by checksum.
//!
//! All of it happens on the host, with the network and before the sealed build, and none of it runs a line of the crate.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{BuildRequest, LockGrade, Products, Source};
use synchronicity_verify::result::Failure;
use tempfile::TempDir;

use crate::arrivals::Arrivals;
use crate::fixture::Fixture;
use crate::host_cargo::HostCargo;
use crate::local::{self, PackError};
use crate::lock::{self, LockError, Locked, ResolveLockError};
use crate::manifest::{Manifest, ManifestError};
use crate::registry::{ArchiveError, Registry};
use crate::release::ResolveError;
use crate::skeleton::SkeletonError;
use crate::unpack::{self, Bounds, UnpackError};
use crate::vendor::{self, VendorError, Wanted};

/// Files of a crate by which it would choose its own flags, programs or compiler. The request chooses those, and
/// `cargo install` ignores these files too.
pub(crate) const OVERRIDES: [&str; 4] =
    [".cargo/config", ".cargo/config.toml", "rust-toolchain", "rust-toolchain.toml"];

/// Where sources come from: the registry, a folder with a cache of verified archives, and Cargo of the host.
#[derive(Debug)]
pub struct Depot {
    dir: PathBuf,
    registry: Registry,
    cargo: HostCargo,
    arrivals: Arrivals,
}

/// Why a builder does not get a request's source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The index does not know the release, or does not answer.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The archive is not to be had.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The request's checksum is not the registry's.
    #[error("the request pins {package} with SHA-256 {pinned}, and the registry lists {listed}")]
    NotTheRegistrys {
        /// Name and version.
        package: String,
        /// The request's digest.
        pinned: Digest,
        /// The index's digest.
        listed: Digest,
    },
    /// The request names a fixture that this program does not have.
    #[error("this program has no fixture {package} with SHA-256 {pinned}; builders may be of different versions")]
    UnknownFixture {
        /// Name and version.
        package: String,
        /// The request's digest.
        pinned: Digest,
    },
    /// The archive was refused.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The lock was refused.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Cargo could not be asked whether the published lock can be used.
    #[error("the published lock cannot be judged: {0}")]
    Judge(#[from] ResolveLockError),
    /// The lock is not the one that the request pins, or not of the grade that it claims.
    #[error("the Cargo.lock beside the request {0}")]
    LockMismatch(&'static str),
    /// The dependencies could not be fetched.
    #[error(transparent)]
    Vendor(#[from] VendorError),
    /// The folder could not be written.
    #[error("{}: {error}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
}

impl SourceError {
    /// The failure to report if every other builder must come to it too, because the request itself is at fault; `None`
    /// for trouble of this machine, its network or the registry, which says nothing about the crate.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::NotTheRegistrys { .. } => Some(Failure::Unsupported),
            Self::Unpack(UnpackError::Disk { .. }) => None,
            // The bytes had the pinned digest, so every builder refuses the same archive.
            Self::Unpack(_) | Self::Lock(LockError::Foreign { .. }) => Some(Failure::Unsupported),
            Self::Vendor(VendorError::Skeleton(SkeletonError::Manifest(_))) => Some(Failure::Unsupported),
            Self::Lock(_) | Self::LockMismatch(_) | Self::Vendor(VendorError::LockDoesNotFit { .. }) => {
                Some(Failure::Lock)
            }
            Self::Judge(ResolveLockError::Skeleton(SkeletonError::Manifest(_))) => Some(Failure::Unsupported),
            Self::Judge(_)
            | Self::Resolve(_)
            | Self::Archive(_)
            | Self::UnknownFixture { .. }
            | Self::Vendor(_)
            | Self::Disk { .. } => None,
        }
    }
}

impl Depot {
    /// A depot for crates.io in the folder `dir`, which is created if it is not there.
    pub fn open(dir: &Path, cargo: HostCargo) -> io::Result<Self> {
        let registry = Registry::crates_io(&dir.join("crates"))?;
        Self::with_registry(dir, cargo, registry)
    }

    /// A depot with another registry: a mirror, or a server of a test.
    pub fn with_registry(dir: &Path, cargo: HostCargo, registry: Registry) -> io::Result<Self> {
        fs::create_dir_all(dir.join("cargo-home"))?;
        Ok(Self { dir: dir.to_owned(), registry, cargo, arrivals: Arrivals::default() })
    }

    /// The same, which tells of the archives that it downloads, and of those that Cargo downloads for it.
    #[must_use]
    pub fn telling(self, arrivals: Arrivals) -> Self {
        Self { registry: self.registry.telling(arrivals.clone()), arrivals, ..self }
    }

    /// Puts the source of `request`, with its pinned `Cargo.lock`, into the folder `into`, which must not exist.
    ///
    /// The digest is compared with the registry's index again: a submitter's word is not enough. Where the archive holds
    /// a lock of its own, the pinned one must be that.
    pub fn obtain(&self, request: &BuildRequest, lock: &[u8], into: &Path) -> Result<(), SourceError> {
        if Digest::of(lock) != request.lock.sha256 {
            return Err(SourceError::LockMismatch("does not have the pinned SHA-256"));
        }
        lock::screen(lock, request.source.name(), request.source.version())?;
        let parent = into.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let disk = |path: &Path, error| SourceError::Disk { path: path.to_owned(), error };
        let staging = tempfile::Builder::new().prefix(".obtain-").tempdir_in(parent).map_err(|e| disk(parent, e))?;
        let staged = staging.path().join("source");
        self.unpack_source(&request.source, &staged)?;
        let lock_path = staged.join("Cargo.lock");
        self.check_grade(request, &staged, &lock_path)?;
        fs::write(&lock_path, lock).map_err(|error| disk(&lock_path, error))?;
        for name in OVERRIDES {
            remove_if_there(&staged.join(name)).map_err(|error| disk(&staged.join(name), error))?;
        }
        fs::rename(&staged, into).map_err(|error| disk(into, error))
    }

    /// Fetches the dependencies of the source in `source` (as [`Depot::obtain`] left it) into `cargo_home`, such that
    /// `cargo build --locked --offline` finds them there, even if it may only read; and the crate itself, if the request
    /// wants it installed from there.
    ///
    /// Every archive and every unpacked file is compared with the lock's checksums, also those of earlier builds.
    pub fn vendor(&self, request: &BuildRequest, source: &Path, cargo_home: &Path) -> Result<(), SourceError> {
        let lock = fs::read(source.join("Cargo.lock"))
            .map_err(|error| SourceError::Disk { path: source.join("Cargo.lock"), error })?;
        let locked = lock::screen(&lock, request.source.name(), request.source.version())?;
        let installed = request.products == Products::Installed;
        let root = Locked::published(&request.source).filter(|_| installed);
        let wanted = Wanted { target: &request.target, source, lock: &lock, locked, root };
        Ok(vendor::fetch(&self.cargo, wanted, cargo_home, &self.arrivals)?)
    }

    /// The manifest of the unpacked crate in `source`.
    pub fn manifest(&self, source: &Path) -> Result<Manifest, ManifestError> {
        Manifest::read(&self.cargo, &self.cargo_home(), source)
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A submitter's word for the lock's grade is not enough either: who resolves anew chooses the dependencies.
    fn check_grade(&self, request: &BuildRequest, staged: &Path, published: &Path) -> Result<(), SourceError> {
        let problem = match request.lock.grade {
            LockGrade::Published if lock::is_pinned(published, &request.lock.sha256).unwrap_or(false) => return Ok(()),
            LockGrade::Published => "is not the one that the crate was published with",
            LockGrade::Resolved if !published.exists() => return Ok(()),
            LockGrade::Resolved => "takes the place of a published one without saying so",
            LockGrade::Replaced => match fs::read(published) {
                Ok(lock) if !self.lock_fits(staged, &request.source, &lock)? => return Ok(()),
                Ok(_) => "takes the place of a published one that Cargo accepts",
                Err(_) => "is said to take the place of a published one, and the crate has none",
            },
        };
        Err(SourceError::LockMismatch(problem))
    }

    pub(crate) fn lock_fits(&self, unpacked: &Path, source: &Source, lock: &[u8]) -> Result<bool, ResolveLockError> {
        lock::fits(&self.cargo, &self.cargo_home(), unpacked, source.name(), source.version(), lock)
    }

    pub(crate) fn resolve_lock(&self, unpacked: &Path, source: &Source) -> Result<Vec<u8>, ResolveLockError> {
        lock::resolve(&self.cargo, &self.cargo_home(), unpacked, source.name(), source.version())
    }

    /// The crate in a folder of this machine as an archive: its root folder's name, and the bytes.
    pub(crate) fn pack(&self, folder: &Path, scratch: &Path) -> Result<(String, Vec<u8>), PackError> {
        local::pack(&self.cargo, &self.cargo_home(), scratch, folder)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A folder that is deleted when dropped.
    pub(crate) fn scratch(&self) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix("scratch-").tempdir_in(&self.dir)
    }

    /// Home of the Cargo that reads manifests and resolves locks: apart from the one that builds see.
    fn cargo_home(&self) -> PathBuf {
        self.dir.join("cargo-home")
    }

    fn unpack_source(&self, source: &Source, into: &Path) -> Result<(), SourceError> {
        let root = format!("{}-{}", source.name(), source.version());
        let package = || format!("{} {}", source.name(), source.version());
        match source {
            Source::Registry { name, version, checksum } => {
                let release = self.registry.release(name, version)?;
                if release.checksum != *checksum {
                    let (pinned, listed) = (*checksum, release.checksum);
                    return Err(SourceError::NotTheRegistrys { package: package(), pinned, listed });
                }
                Ok(unpack::crate_archive(&self.registry.archive(&release)?, &root, into, Bounds::default())?)
            }
            Source::Fixture { checksum, .. } => match Fixture::with_checksum(checksum) {
                Some(fixture) if fixture.source() == *source => {
                    Ok(unpack::tar_archive(&fixture.archive(), &root, into, Bounds::default())?)
                }
                _ => Err(SourceError::UnknownFixture { package: package(), pinned: *checksum }),
            },
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        // An archive may have a folder where a file is expected.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => fs::remove_dir_all(path),
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Err(error),
        _ => Ok(()),
    }
}
