//! What is installed already, and what stands in the way.

use std::collections::BTreeSet;

use miette::Diagnostic;
use semver::Version;
use serde_json::{Value, json};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{BuildRequest, Features};
use synchronicity_verify::result::Artifact;

use super::place::Root;
use super::together::Chosen;
use crate::exit::{self, Stop};
use crate::install_record::locked::Records;
use crate::install_record::{Evidence, Installed, OURS, Ours};
use crate::origin::CRATES_IO;
use crate::printable::printable;
use crate::read;
use crate::report::built;

/// A crate as it will be installed.
pub(super) struct Present {
    name: String,
    version: String,
    /// In cargo's words.
    pub(super) package: String,
    /// Names and contents.
    pub(super) executables: Vec<(String, Digest)>,
    /// What cargo records.
    pub(super) details: Value,
    ours: Ours,
}

/// What a root has of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// All of it, recorded.
    Installed,
    /// Less.
    ToDo {
        /// The version that is there.
        before: Option<String>,
        /// Packages of the same name.
        replaced: Vec<String>,
        /// Executables of these that the crate does not have any more.
        obsolete: Vec<String>,
    },
}

/// Why nothing is installed over what is there.
#[derive(Debug, PartialEq, Eq, thiserror::Error, Diagnostic)]
pub(super) enum Occupied {
    #[error("{bin} is there already, and {owner}")]
    #[diagnostic(help("nothing was installed; --force replaces it"))]
    Executable { bin: String, owner: String },
    #[error("{name} {there} is installed, and {version} is older")]
    #[diagnostic(help("nothing was installed; --force goes back to the older version"))]
    Newer { name: String, there: String, version: String },
}

impl Present {
    /// By entries of logs.
    pub(super) fn of_entries(chosen: &Chosen) -> Self {
        let evidence = |(log, entry): &(String, u64)| Evidence { log: log.clone(), entry: *entry };
        Self::new(&chosen.entry.request, built(&chosen.entry), chosen.evidence.iter().map(evidence).collect())
    }

    /// A build of this machine.
    pub(super) fn of_build(request: &BuildRequest, artifacts: &[Artifact]) -> Self {
        Self::new(request, artifacts, Vec::new())
    }

    fn new(request: &BuildRequest, artifacts: &[Artifact], evidence: Vec<Evidence>) -> Self {
        let (name, version) = (request.source.name().to_string(), request.source.version().to_string());
        let executables: Vec<_> = artifacts.iter().map(|a| (a.name.to_string(), a.sha256)).collect();
        let ours = Ours::of(evidence, &executables);
        let package = format!("{name} {version} ({CRATES_IO})");
        let Features { default, all, named } = &request.features;
        let compiler = &request.toolchain;
        let details = json!({
            "version_req": format!("={version}"),
            "bins": executables.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>(),
            "features": named,
            "all_features": all,
            "no_default_features": !default,
            "profile": request.profile,
            "target": request.target,
            "rustc": format!(
                "rustc {release}\nbinary: rustc\ncommit-hash: {}\nhost: {}\nrelease: {release}\n",
                compiler.commit, compiler.host, release = compiler.release
            ),
            OURS: ours,
        });
        Self { name, version, package, executables, details, ours }
    }

    /// Whether it is installed, and if not, what it takes the place of.
    ///
    /// # Errors
    /// An executable that is not of this crate, or a newer version, unless it is to be replaced by `force`.
    pub(super) fn state(&self, root: &Root, records: &Records, force: bool) -> Result<State, Stop> {
        let occupied = |occupied| Stop::new(exit::USAGE, occupied);
        let recorded = records.installed()?;
        let same_name: Vec<&Installed> = recorded.iter().filter(|installed| installed.name == self.name).collect();
        let there = |name: &str| read::is_there(&root.place(name));
        let is_right = |(name, sha256): &(String, Digest)| {
            root.place(name).is_file() && read::digest(&root.place(name)).is_ok_and(|found| found == *sha256)
        };
        let recorded_right = |installed: &&&Installed| {
            installed.package == self.package && installed.ours.as_ref().is_some_and(|ours| ours.is_same(&self.ours))
        };
        if same_name.iter().find(recorded_right).is_some() && self.executables.iter().all(is_right) {
            return Ok(State::Installed);
        }
        if !force {
            for (name, _) in self.executables.iter().filter(|(name, _)| there(name)) {
                let owner = records.owner(name);
                if !owner.is_some_and(|owner| same_name.iter().any(|installed| installed.package == owner)) {
                    let owner = owner.map_or("nobody recorded it".into(), |owner| format!("of {}", printable(owner)));
                    return Err(occupied(Occupied::Executable { bin: printable(name), owner }));
                }
            }
        }
        let newest = same_name.iter().filter_map(|installed| Version::parse(&installed.version).ok()).max();
        if let (Some(there), Ok(version)) = (&newest, Version::parse(&self.version))
            && *there > version
            && !force
        {
            let (name, version) = (self.name.clone(), self.version.clone());
            return Err(occupied(Occupied::Newer { name, there: there.to_string(), version }));
        }
        let obsolete = same_name.iter().flat_map(|installed| &installed.bins);
        let obsolete = obsolete.filter(|bin| !self.executables.iter().any(|(name, _)| name == *bin)).cloned().collect();
        let replaced = same_name.iter().map(|installed| installed.package.clone()).filter(|it| *it != self.package);
        Ok(State::ToDo { before: newest.map(|version| version.to_string()), replaced: replaced.collect(), obsolete })
    }
}

impl Occupied {
    /// Whether a newer version is there.
    pub(super) fn is_newer(stop: &Stop) -> bool {
        matches!(stop.report.downcast_ref(), Some(Self::Newer { .. }))
    }
}
