//! The pinned `Cargo.lock`: which exact dependencies every builder compiles.
//!
//! A published lock is used as it is. A crate without one is resolved once, by the submitter, for everybody: builders
//! that resolve at different times get different dependencies. Either way the lock is screened before Cargo obeys it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{CrateName, CrateVersion, Source};
use tame_index::CRATES_IO_INDEX;

use crate::host_cargo::{CargoError, HostCargo, Run};
use crate::skeleton::{Skeleton, SkeletonError};

/// The largest lock accepted, in bytes: it travels through the group's consensus.
pub const LOCK_BYTES_MAX: usize = 512 << 10;

/// One dependency, as a screened lock pins it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Locked {
    /// The crate's name.
    pub name: CrateName,
    /// Its exact version.
    pub version: CrateVersion,
    /// SHA-256 of its `.crate` file.
    pub checksum: Digest,
}

/// Why a lock cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// More than [`LOCK_BYTES_MAX`].
    #[error("Cargo.lock has {0} bytes; at most {LOCK_BYTES_MAX} are accepted")]
    TooLarge(usize),
    /// Not a `Cargo.lock`.
    #[error("Cargo.lock cannot be read: {0}")]
    Malformed(String),
    /// It does not list the crate that it is for.
    #[error("Cargo.lock is not for {name} {version}: it lists no such package of its own")]
    NoRoot {
        /// The crate.
        name: CrateName,
        /// Its version.
        version: CrateVersion,
    },
    /// A dependency that is not from crates.io.
    #[error(
        "Cargo.lock takes {name} from {from}: only crates.io's archives are pinned by a checksum, so only they can be built for evidence"
    )]
    Foreign {
        /// The dependency.
        name: String,
        /// Its source, or `a path`.
        from: String,
    },
    /// A dependency without a checksum.
    #[error("Cargo.lock states no valid checksum for {name} {version}, so its content is not pinned")]
    NoChecksum {
        /// The dependency.
        name: String,
        /// Its version.
        version: String,
    },
}

/// Why no lock could be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveLockError {
    /// The crate's files could not be shown to Cargo.
    #[error(transparent)]
    Skeleton(#[from] SkeletonError),
    /// Cargo found no set of versions, or could not reach the registry.
    #[error("the dependencies cannot be resolved: {0}")]
    Cargo(#[from] CargoError),
    /// Cargo's lock could not be read back.
    #[error("the resolved Cargo.lock: {0}")]
    Disk(#[from] io::Error),
    /// What Cargo resolved cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Checks that `bytes` is a lock for `name` `version` in which every other package comes from crates.io and has a
/// checksum. Returns those packages, sorted.
///
/// Format: `Cargo.lock` versions 1 to 4, see the Cargo book's page on it. Version 1 keeps the checksums in `[metadata]`.
pub fn screen(bytes: &[u8], name: &CrateName, version: &CrateVersion) -> Result<Vec<Locked>, LockError> {
    if bytes.len() > LOCK_BYTES_MAX {
        return Err(LockError::TooLarge(bytes.len()));
    }
    let malformed = |error: &dyn std::fmt::Display| LockError::Malformed(error.to_string());
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error))?;
    let file: LockFile = toml::from_str(text).map_err(|error| malformed(&error))?;
    let (own, foreign): (Vec<_>, Vec<_>) = file.package.iter().partition(|package| package.source.is_none());
    if let Some(other) = own.iter().find(|p| p.name != name.as_str() || p.version != version.as_str()) {
        return Err(LockError::Foreign { name: other.name.clone(), from: "a path".into() });
    }
    if own.len() != 1 {
        return Err(LockError::NoRoot { name: name.clone(), version: version.clone() });
    }
    let mut locked = foreign.into_iter().map(|package| file.locked(package)).collect::<Result<Vec<_>, _>>()?;
    locked.sort();
    Ok(locked)
}

/// Resolves the dependencies of the unpacked crate in `source` as of now, and returns the bytes of the lock, screened.
pub fn resolve(
    cargo: &HostCargo,
    home: &Path,
    source: &Path,
    name: &CrateName,
    version: &CrateVersion,
) -> Result<Vec<u8>, ResolveLockError> {
    let skeleton = Skeleton::of(source)?;
    let path = skeleton.manifest_path();
    let args = [OsStr::new("generate-lockfile"), OsStr::new("--manifest-path"), path.as_os_str()];
    cargo.run(Run { args: &args, home, limit: Duration::from_secs(300) })?;
    let bytes = fs::read(skeleton.lock_path())?;
    screen(&bytes, name, version)?;
    Ok(bytes)
}

/// Whether the pinned Cargo builds the unpacked crate in `source` with `lock`: [`screen`] accepts it, and it is one of this
/// crate's dependencies. Asks the registry's index.
pub fn fits(
    cargo: &HostCargo,
    home: &Path,
    source: &Path,
    name: &CrateName,
    version: &CrateVersion,
    lock: &[u8],
) -> Result<bool, ResolveLockError> {
    if screen(lock, name, version).is_err() {
        return Ok(false);
    }
    let skeleton = Skeleton::of(source)?.with_lock(lock)?;
    let path = skeleton.manifest_path();
    // This looks at the crate's own dependencies alone, and changes nothing where the lock has them all.
    let args = ["update", "--workspace", "--locked", "--manifest-path"].map(OsStr::new);
    let args = [&args[..], &[path.as_os_str()]].concat();
    match cargo.run(Run { args: &args, home, limit: Duration::from_secs(300) }) {
        Ok(_) => Ok(true),
        Err(CargoError::Failed { stderr, .. }) if is_refusal(&stderr) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether Cargo's standard error says that a lock does not fit. Cargo has no codes for this; its words are stable
/// enough for the one pinned release that a request names.
pub(crate) fn is_refusal(stderr: &str) -> bool {
    ["--locked was passed", "changed between lock files", "failed to parse lock file", "failed to select a version"]
        .iter()
        .any(|words| stderr.contains(words))
}

/// Whether the file at `path` is the lock with this digest. To be asked right before a build: whatever prepares a
/// workspace may have resolved anew without a word.
pub fn is_pinned(path: &Path, sha256: &Digest) -> io::Result<bool> {
    Ok(Digest::of(&fs::read(path)?) == *sha256)
}

#[derive(Deserialize)]
struct LockFile {
    #[serde(default)]
    package: Vec<LockPackage>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct LockPackage {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

impl Locked {
    /// The crate that `source` names, as a lock would list it where another depends on it; none for a fixture.
    pub(crate) fn published(source: &Source) -> Option<Self> {
        let Source::Registry { name, version, checksum } = source else { return None };
        Some(Self { name: name.clone(), version: version.clone(), checksum: *checksum })
    }
}

impl LockFile {
    fn locked(&self, package: &LockPackage) -> Result<Locked, LockError> {
        let LockPackage { name, version, source, checksum } = package;
        let source = source.as_deref().unwrap_or_default();
        // Cargo writes the address of the git index whatever protocol it used.
        if source.strip_prefix("registry+") != Some(CRATES_IO_INDEX) {
            return Err(LockError::Foreign { name: name.clone(), from: source.to_owned() });
        }
        let in_metadata = || self.metadata.get(&format!("checksum {name} {version} ({source})"));
        let checksum = checksum.as_ref().or_else(in_metadata).and_then(|text| text.parse().ok());
        let Some(checksum) = checksum else {
            return Err(LockError::NoChecksum { name: name.clone(), version: version.clone() });
        };
        let malformed = |error: &dyn std::fmt::Display| LockError::Malformed(error.to_string());
        Ok(Locked {
            name: name.parse().map_err(|error| malformed(&error))?,
            version: version.parse().map_err(|error| malformed(&error))?,
            checksum,
        })
    }
}

#[cfg(test)]
mod tests;
