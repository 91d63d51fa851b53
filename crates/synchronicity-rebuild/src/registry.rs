//! The registry: which versions a crate has, and the archive of one of them, checked against the index.
//!
//! The index is the sparse one (RFC 2789): one file of JSON lines for each crate, one line for each version, with the
//! SHA-256 of its archive. That digest is what makes a source the source.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{CrateName, CrateVersion};
use tame_index::index::IndexConfig;
use tame_index::index::sparse::CRATES_IO_HTTP_INDEX;
use tame_index::{IndexKrate, KrateName};

use crate::arrivals::Arrivals;
use crate::cache::Cache;
use crate::download::{DownloadError, Downloader, Patience};
use crate::release::{self, Release, ResolveError};

/// The largest archive accepted, in bytes. crates.io's own default is 10 MiB, with exceptions up to a few times that.
pub const CRATE_BYTES_MAX: u64 = 64 << 20;

/// The largest index file accepted, in bytes: the longest ones have thousands of versions and a few MiB.
const INDEX_BYTES_MAX: u64 = 32 << 20;

/// A sparse index with the archives it lists, and a cache of those that were checked.
#[derive(Debug)]
pub struct Registry {
    index: String,
    downloader: Downloader,
    cache: Cache,
    config: OnceLock<IndexConfig>,
}

/// Why the archive of a release is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// What arrived is not what the index lists.
    #[error(
        "the archive of {name} {version} has SHA-256 {found}, and the index says {expected}: it was changed or damaged on its way; nothing of it was unpacked"
    )]
    WrongChecksum {
        /// The crate.
        name: CrateName,
        /// The version.
        version: CrateVersion,
        /// The index's digest.
        expected: Digest,
        /// The digest of what arrived.
        found: Digest,
    },
    /// The archive could not be fetched.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The registry's `config.json` is not in its format.
    #[error("the registry's config.json cannot be read: {0}")]
    BadConfig(String),
    /// The cache of archives cannot be used.
    #[error("the archive cache: {0}")]
    Cache(#[from] io::Error),
}

impl Registry {
    /// crates.io, with checked archives kept in the folder `cache`.
    pub fn crates_io(cache: &Path) -> io::Result<Self> {
        let index = CRATES_IO_HTTP_INDEX.strip_prefix("sparse+").unwrap_or(CRATES_IO_HTTP_INDEX);
        Self::at(index, cache, Patience::default())
    }

    /// The sparse index at `index`, an `http(s)` address that ends in a slash: a mirror, or a server of a test.
    pub fn at(index: &str, cache: &Path, patience: Patience) -> io::Result<Self> {
        Ok(Self {
            index: index.to_owned(),
            downloader: Downloader::new(patience),
            cache: Cache::open(cache)?,
            config: OnceLock::new(),
        })
    }

    /// The same, which tells of what it downloads.
    #[must_use]
    pub fn telling(self, arrivals: Arrivals) -> Self {
        Self { downloader: self.downloader.telling(arrivals), ..self }
    }

    /// The release to build: exactly `version`, or without one the newest that is neither yanked nor a pre-release.
    ///
    /// `rustc` is the pinned compiler's release number. Nothing is silently replaced by an older version that would do:
    /// the error names it instead.
    pub fn resolve(
        &self,
        name: &CrateName,
        version: Option<&CrateVersion>,
        rustc: &str,
    ) -> Result<Release, ResolveError> {
        release::choose(name, version, rustc, &self.releases(name)?)
    }

    /// The release `name` `version`, yanked or not: for a builder, who was asked for it while it was not.
    pub fn release(&self, name: &CrateName, version: &CrateVersion) -> Result<Release, ResolveError> {
        let releases = self.releases(name)?;
        release::find(name, version, &releases).cloned()
    }

    /// The `.crate` file of `release`: from the cache, or fetched. Its SHA-256 is the index's.
    pub fn archive(&self, release: &Release) -> Result<Vec<u8>, ArchiveError> {
        if let Some(bytes) = self.cache.get(&release.checksum)? {
            return Ok(bytes);
        }
        let bytes = self.downloader.get(&self.archive_url(release)?, CRATE_BYTES_MAX)?;
        let found = Digest::of(&bytes);
        if found != release.checksum {
            return Err(ArchiveError::WrongChecksum {
                name: release.name.clone(),
                version: release.version.clone(),
                expected: release.checksum,
                found,
            });
        }
        self.cache.put(&bytes)?;
        Ok(bytes)
    }

    /// Every release of `name`, in the index's order.
    fn releases(&self, name: &CrateName) -> Result<Vec<Release>, ResolveError> {
        match self.index_entry(name) {
            Ok(releases) if releases.iter().all(|release| release.name == *name) => Ok(releases),
            // The index's paths are in lower case, so `Serde` leads to the file of `serde`.
            Ok(releases) => Err(ResolveError::UnknownCrate {
                name: name.clone(),
                similar: releases.into_iter().next().map(|release| release.name),
            }),
            Err(ResolveError::Download(DownloadError::Absent { .. })) => {
                Err(ResolveError::UnknownCrate { name: name.clone(), similar: self.respelled(name) })
            }
            Err(error) => Err(error),
        }
    }

    fn index_entry(&self, name: &CrateName) -> Result<Vec<Release>, ResolveError> {
        let bad = |reason: String| ResolveError::BadIndex { name: name.clone(), reason };
        let krate_name = KrateName::try_from(name.as_str()).map_err(|error| bad(error.to_string()))?;
        let url = format!("{}{}", self.index, krate_name.relative_path(Some('/')));
        let bytes = self.downloader.get(&url, INDEX_BYTES_MAX)?;
        let krate = IndexKrate::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        // A line with a version that Cargo would not accept either concerns nobody who asks for another.
        let releases: Vec<_> = krate.versions.iter().filter_map(read_release).collect();
        if releases.is_empty() { Err(bad("it lists no usable version".into())) } else { Ok(releases) }
    }

    /// A crate whose name is `name` with its hyphens and underscores exchanged, if the index has one.
    fn respelled(&self, name: &CrateName) -> Option<CrateName> {
        let hyphens = name.as_str().replace('_', "-");
        let underscores = name.as_str().replace('-', "_");
        let other = [hyphens, underscores].into_iter().find(|other| other != name.as_str())?;
        let releases = self.index_entry(&other.parse().ok()?).ok()?;
        releases.into_iter().next().map(|release| release.name)
    }

    fn archive_url(&self, release: &Release) -> Result<String, ArchiveError> {
        let bad = |error: &dyn std::fmt::Display| ArchiveError::BadConfig(error.to_string());
        let config = match self.config.get() {
            Some(config) => config,
            None => {
                let bytes = self.downloader.get(&format!("{}config.json", self.index), 64 << 10)?;
                let config = serde_json::from_slice(&bytes).map_err(|error| bad(&error))?;
                self.config.get_or_init(|| config)
            }
        };
        let name = KrateName::try_from(release.name.as_str()).map_err(|error| bad(&error))?;
        Ok(config.download_url(name, release.version.as_str()))
    }
}

fn read_release(version: &tame_index::IndexVersion) -> Option<Release> {
    Some(Release {
        name: version.name.parse().ok()?,
        version: version.version.parse().ok()?,
        checksum: Digest(*version.checksum()),
        yanked: version.is_yanked(),
        rust_version: version.rust_version().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
