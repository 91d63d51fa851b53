//! What a crate's manifest promises: the names of its products, known before the build and not from what it prints.
//!
//! A build's own output cannot be trusted to name its artifacts: a proc macro that writes to standard output can forge
//! Cargo's messages. So Cargo of the host reads the manifest (`cargo metadata --no-deps`, format 1), and whoever
//! collects artifacts looks for these names only.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use synchronicity_verify::request::{Features, Products};
use synchronicity_verify::result::{ArtifactName, Failure};

use crate::host_cargo::{CargoError, HostCargo, Run};
use crate::skeleton::{Skeleton, SkeletonError};

/// One package's manifest, as Cargo understands it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// The oldest compiler release that the author supports, if stated.
    #[serde(default)]
    pub rust_version: Option<String>,
    targets: Vec<Target>,
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    crate_types: Vec<String>,
    #[serde(default, rename = "required-features")]
    required_features: Vec<String>,
}

/// What decides which code of a crate runs while it is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nature {
    /// Its library runs inside the compiler.
    pub proc_macro: bool,
    /// It has a build script of its own.
    pub build_script: bool,
}

/// Why a manifest could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Its file, or the folder around it.
    #[error(transparent)]
    Skeleton(#[from] SkeletonError),
    /// A dependency that is not from crates.io.
    #[error(
        "the dependency {dependency} comes from {kind}: only crates.io's archives are pinned by a checksum, so only they can be built for evidence"
    )]
    Foreign {
        /// The dependency, as the manifest names it.
        dependency: String,
        /// `a path`, `git` or `another registry`.
        kind: &'static str,
    },
    /// Cargo does not accept the manifest.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// Cargo's answer is not what this program expects.
    #[error("`cargo metadata` answered something unexpected: {0}")]
    Answer(String),
}

/// Why a choice of features and products leads to no artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProductsError {
    /// A feature that the crate does not have.
    #[error("{package} has no feature {feature:?}; it has: {known}")]
    UnknownFeature {
        /// The package.
        package: String,
        /// What was asked for.
        feature: String,
        /// Its features, separated by commas.
        known: String,
    },
    /// No target of the kind asked for.
    #[error("{package} has no {wanted} to build with these features{hint}")]
    None {
        /// The package.
        package: String,
        /// `executable` or `library`.
        wanted: &'static str,
        /// What would help, or nothing.
        hint: String,
    },
    /// A target whose file name no artifact may have.
    #[error("the target name {0:?} cannot be a file name of an artifact")]
    Name(String),
}

impl ProductsError {
    /// What a build that was asked for this is called: the same for every builder, whose Cargo reads the same manifest.
    pub fn failure(&self) -> Failure {
        match self {
            Self::None { .. } => Failure::NoTargets,
            Self::UnknownFeature { .. } | Self::Name(_) => Failure::Products,
        }
    }
}

impl Manifest {
    /// Reads the manifest of the unpacked crate in `source`, with Cargo of the host at home in the folder `home`.
    pub fn read(cargo: &HostCargo, home: &Path, source: &Path) -> Result<Self, ManifestError> {
        let skeleton = Skeleton::of(source)?;
        refuse_foreign(skeleton.table())?;
        let path = skeleton.manifest_path();
        let args = ["metadata", "--no-deps", "--offline", "--format-version=1", "--manifest-path"].map(OsStr::new);
        let args = [&args[..], &[path.as_os_str()]].concat();
        let output = cargo.run(Run { args: &args, home, limit: Duration::from_secs(60) })?;
        Self::from_metadata(&output)
    }

    fn from_metadata(json: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Manifest>,
        }
        let metadata: Metadata =
            serde_json::from_slice(json).map_err(|error| ManifestError::Answer(error.to_string()))?;
        let [package] = <[Manifest; 1]>::try_from(metadata.packages)
            .map_err(|packages| ManifestError::Answer(format!("{} packages instead of one", packages.len())))?;
        Ok(package)
    }

    /// What sort of crate it is.
    pub fn nature(&self) -> Nature {
        let has = |wanted: &str| self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == wanted));
        Nature { proc_macro: has("proc-macro"), build_script: has("custom-build") }
    }

    /// Executables if the crate has any that these features enable, its library otherwise.
    pub fn default_products(&self, features: &Features) -> Products {
        let enabled = self.enabled(features);
        if self.binaries(&enabled).next().is_some() { Products::Binaries } else { Products::Library }
    }

    /// File names of the artifacts that a build with these features must leave behind; at least one, sorted, each once.
    ///
    /// Executables are named after their targets. A library `x-y` gives `libx_y.rlib` and `libx_y.rmeta` (Rust
    /// library), `libx_y.so` (proc macro, `cdylib`, `dylib`) and `libx_y.a` (`staticlib`).
    pub fn expected(&self, features: &Features, products: Products) -> Result<Vec<ArtifactName>, ProductsError> {
        self.check_features(features)?;
        let enabled = self.enabled(features);
        let names: BTreeSet<String> = match products {
            Products::Binaries | Products::Installed => {
                self.binaries(&enabled).map(|target| target.name.clone()).collect()
            }
            Products::Library => self.library().into_iter().flat_map(Target::library_files).collect(),
        };
        if names.is_empty() {
            return Err(self.nothing_to_build(products));
        }
        names.into_iter().map(|name| name.parse().map_err(|_| ProductsError::Name(name))).collect()
    }

    fn check_features(&self, features: &Features) -> Result<(), ProductsError> {
        // `dependency/feature` names a feature of another package, which only the resolver can check.
        let unknown = features.named.iter().find(|name| !name.contains('/') && !self.features.contains_key(*name));
        match unknown {
            None => Ok(()),
            Some(feature) => Err(ProductsError::UnknownFeature {
                package: self.name.clone(),
                feature: feature.clone(),
                known: self.features.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    fn nothing_to_build(&self, products: Products) -> ProductsError {
        let has_binaries = self.targets.iter().any(Target::is_binary);
        let (wanted, hint) = match products {
            Products::Binaries | Products::Installed if has_binaries => {
                let all = self.targets.iter().filter(|target| target.is_binary());
                let needed: BTreeSet<_> = all.flat_map(|target| target.required_features.iter().cloned()).collect();
                ("executable", format!("; its executables need: {}", Vec::from_iter(needed).join(", ")))
            }
            Products::Binaries | Products::Installed => ("executable", "; ask for its library instead".into()),
            Products::Library if has_binaries => ("library", "; ask for its executables instead".into()),
            Products::Library => ("library", String::new()),
        };
        ProductsError::None { package: self.name.clone(), wanted, hint }
    }

    fn binaries(&self, enabled: &BTreeSet<String>) -> impl Iterator<Item = &Target> {
        // Cargo silently leaves out executables whose required features are off, and so do we.
        self.targets.iter().filter(|t| t.is_binary() && t.required_features.iter().all(|f| enabled.contains(f)))
    }

    fn library(&self) -> Option<&Target> {
        self.targets.iter().find(|target| target.is_library())
    }

    /// The root package's own features that are on, with everything they imply.
    fn enabled(&self, features: &Features) -> BTreeSet<String> {
        let mut waiting: Vec<&str> = features.named.iter().map(String::as_str).collect();
        if features.default {
            waiting.push("default");
        }
        if features.all {
            waiting.extend(self.features.keys().map(String::as_str));
        }
        let mut enabled = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            if enabled.insert(name.to_owned()) {
                waiting.extend(self.features.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        enabled
    }
}

impl Target {
    fn is_binary(&self) -> bool {
        self.kind.iter().any(|kind| kind == "bin")
    }

    fn is_library(&self) -> bool {
        let library = ["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"];
        self.kind.iter().any(|kind| library.contains(&kind.as_str()))
    }

    fn library_files(&self) -> Vec<String> {
        let stem = format!("lib{}", self.name.replace('-', "_"));
        let endings = self.crate_types.iter().flat_map(|crate_type| match crate_type.as_str() {
            "lib" | "rlib" => &["rlib", "rmeta"][..],
            "proc-macro" | "cdylib" | "dylib" => &["so"],
            "staticlib" => &["a"],
            _ => &[],
        });
        endings.map(|ending| format!("{stem}.{ending}")).collect()
    }
}

/// Looks before Cargo does: for a missing path Cargo would only complain about a file that is not there.
fn refuse_foreign(manifest: &toml::Table) -> Result<(), ManifestError> {
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|t| t.values());
    let tables = targets.filter_map(toml::Value::as_table).chain([manifest]);
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, dependency) in table.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
                let has = |key: &str| dependency.get(key).is_some();
                let kind = match () {
                    () if has("path") => "a path",
                    () if has("git") => "git",
                    () if has("registry") || has("registry-index") => "another registry",
                    () => continue,
                };
                return Err(ManifestError::Foreign { dependency: name.clone(), kind });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
