//! Which of a crate's published versions is meant.

use semver::Version;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{CrateName, CrateVersion};

use crate::download::DownloadError;

/// How many versions an error lists.
const NEAREST_SHOWN: usize = 5;

/// One published version, as the index states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The crate's name, as its author spells it.
    pub name: CrateName,
    /// The version.
    pub version: CrateVersion,
    /// SHA-256 of the `.crate` file.
    pub checksum: Digest,
    /// Whether the author withdrew it.
    pub yanked: bool,
    /// The oldest compiler release that the author supports, if stated: two or three numbers.
    pub rust_version: Option<String>,
}

/// Why a name and a version lead to no release.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No crate of this name.
    #[error("there is no crate {name} on crates.io{}", .similar.as_ref().map(|s| format!("; did you mean {s}?")).unwrap_or_default())]
    UnknownCrate {
        /// What was asked for.
        name: CrateName,
        /// A crate whose name differs in case, hyphens or underscores only.
        similar: Option<CrateName>,
    },
    /// The crate has no such version.
    #[error("{name} has no version {version}; {}", listed(.nearest))]
    UnknownVersion {
        /// The crate.
        name: CrateName,
        /// What was asked for.
        version: CrateVersion,
        /// Versions that exist, the nearest first.
        nearest: Vec<CrateVersion>,
    },
    /// The author withdrew this version.
    #[error("{name} {version} was yanked by its author; {}", listed(.nearest))]
    Yanked {
        /// The crate.
        name: CrateName,
        /// What was asked for.
        version: CrateVersion,
        /// Versions that are not yanked, the nearest first.
        nearest: Vec<CrateVersion>,
    },
    /// Every version was yanked, or is a pre-release, which must be asked for by name.
    #[error("{name} has no current release, so ask for a version by name; {}", listed(.nearest))]
    NoCurrent {
        /// The crate.
        name: CrateName,
        /// Pre-releases, the newest first.
        nearest: Vec<CrateVersion>,
    },
    /// The compiler is too old for this version.
    #[error("{name} {version} needs rustc {needed} or newer, and the pinned one is {pinned}; {}", listed(.nearest))]
    RustVersion {
        /// The crate.
        name: CrateName,
        /// The version.
        version: CrateVersion,
        /// The compiler release that the crate asks for.
        needed: String,
        /// The compiler release at hand.
        pinned: String,
        /// Versions that the pinned compiler is new enough for, the nearest first.
        nearest: Vec<CrateVersion>,
    },
    /// The index's file is not in the index's format.
    #[error("the registry's index entry of {name} cannot be read: {reason}")]
    BadIndex {
        /// The crate.
        name: CrateName,
        /// What is wrong with it.
        reason: String,
    },
    /// The index could not be fetched.
    #[error(transparent)]
    Download(#[from] DownloadError),
}

/// The release to build: exactly `version`, or without one the newest that is neither yanked nor a pre-release.
pub(crate) fn choose(
    name: &CrateName,
    version: Option<&CrateVersion>,
    rustc: &str,
    releases: &[Release],
) -> Result<Release, ResolveError> {
    let release = match version {
        Some(version) => choose_exact(name, version, releases)?,
        None => choose_newest(name, releases)?,
    };
    match &release.rust_version {
        Some(needed) if !supports(rustc, needed) => {
            let usable = |r: &&Release| !r.yanked && r.rust_version.as_ref().is_none_or(|n| supports(rustc, n));
            Err(ResolveError::RustVersion {
                name: name.clone(),
                version: release.version.clone(),
                needed: needed.clone(),
                pinned: rustc.to_owned(),
                nearest: nearest(&release.version, releases.iter().filter(usable)),
            })
        }
        _ => Ok(release.clone()),
    }
}

/// The spelling itself, or else the one version that differs in build metadata only: crates.io has no two of those.
pub(crate) fn find<'a>(
    name: &CrateName,
    version: &CrateVersion,
    releases: &'a [Release],
) -> Result<&'a Release, ResolveError> {
    let core = |version: &CrateVersion| version.as_str().split('+').next().map(str::to_owned);
    let bare = !version.as_str().contains('+');
    releases
        .iter()
        .find(|release| release.version == *version)
        .or_else(|| releases.iter().find(|release| bare && core(&release.version) == core(version)))
        .ok_or_else(|| {
            let nearest = nearest(version, releases.iter().filter(|release| !release.yanked));
            ResolveError::UnknownVersion { name: name.clone(), version: version.clone(), nearest }
        })
}

fn choose_exact<'a>(
    name: &CrateName,
    version: &CrateVersion,
    releases: &'a [Release],
) -> Result<&'a Release, ResolveError> {
    let release = find(name, version, releases)?;
    if !release.yanked {
        return Ok(release);
    }
    let nearest = nearest(version, releases.iter().filter(|release| !release.yanked));
    Err(ResolveError::Yanked { name: name.clone(), version: release.version.clone(), nearest })
}

fn choose_newest<'a>(name: &CrateName, releases: &'a [Release]) -> Result<&'a Release, ResolveError> {
    let current = |release: &&Release| !release.yanked && parsed(&release.version).pre.is_empty();
    releases.iter().filter(current).max_by_key(|release| parsed(&release.version)).ok_or_else(|| {
        let mut left: Vec<_> = releases.iter().filter(|release| !release.yanked).collect();
        left.sort_by_key(|release| std::cmp::Reverse(parsed(&release.version)));
        let nearest = left.into_iter().take(NEAREST_SHOWN).map(|release| release.version.clone()).collect();
        ResolveError::NoCurrent { name: name.clone(), nearest }
    })
}

/// Up to [`NEAREST_SHOWN`] versions, those with the least difference in the most significant number first.
fn nearest<'a>(wanted: &CrateVersion, releases: impl Iterator<Item = &'a Release>) -> Vec<CrateVersion> {
    let wanted = parsed(wanted);
    let mut candidates: Vec<_> = releases.map(|release| (parsed(&release.version), &release.version)).collect();
    candidates.sort();
    let place = candidates.partition_point(|(version, _)| *version < wanted);
    // How many releases lie between: differences of the numbers themselves would put 0.2.0 before 0.17.0 for 99.0.0.
    let mut near: Vec<_> = candidates.into_iter().enumerate().collect();
    near.sort_by_key(|(index, (version, _))| {
        let rank = if *index < place { 2 * (place - index) } else { 2 * (index - place) + 1 };
        (!version.pre.is_empty(), rank)
    });
    near.into_iter().take(NEAREST_SHOWN).map(|(_, (_, version))| version.clone()).collect()
}

fn parsed(version: &CrateVersion) -> Version {
    // Numbers above u64 are the one thing that both grammars might see differently; such a version sorts last.
    Version::parse(version.as_str()).unwrap_or(Version::new(0, 0, 0))
}

/// Whether the compiler release `rustc` (three numbers) is at least `needed` (one to three numbers).
pub(crate) fn supports(rustc: &str, needed: &str) -> bool {
    fn numbers(text: &str) -> Vec<u64> {
        let core = text.split(['-', '+']).next().unwrap_or(text);
        core.split('.').map(|part| part.parse().unwrap_or(0)).chain([0, 0]).take(3).collect()
    }
    numbers(rustc) >= numbers(needed)
}

fn listed(versions: &[CrateVersion]) -> String {
    if versions.is_empty() {
        return "no other version would do".into();
    }
    let names: Vec<_> = versions.iter().map(CrateVersion::as_str).collect();
    format!("near it: {}", names.join(", "))
}
