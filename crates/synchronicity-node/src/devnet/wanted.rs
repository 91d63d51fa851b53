//! What was asked for, settled before any node is started: a mistyped name costs a second, not a group.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use synchronicity_rebuild::fixture::{Fixture, FixtureError};
use synchronicity_rebuild::registry::Registry;
use synchronicity_rebuild::release::ResolveError;
use synchronicity_rebuild::spec::{Spec, SpecError};

use super::event::Event;
use super::view::View;

/// One crate to rebuild.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What `submit` is given: `name@version`, or the folder of a fixture.
    pub(super) spec: String,
    /// `name-version`, for folders and for people.
    pub(super) name_version: String,
}

/// Why something that was asked for cannot be rebuilt. Nothing was started.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum WantedError {
    #[error("cannot rebuild {asked}")]
    #[diagnostic(help("write a crate of crates.io as NAME or NAME@1.2.3, a fixture as its folder"))]
    Spec { asked: String, source: SpecError },
    #[error("cannot rebuild {asked}")]
    Resolve { asked: String, source: Box<ResolveError> },
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    #[error("cannot keep downloads in {}", cache.display())]
    #[diagnostic(help("check the rights of the folder and the free space"))]
    Cache { cache: PathBuf, source: std::io::Error },
}

impl WantedError {
    /// Whether the same command may do better later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Resolve { source, .. } => matches!(**source, ResolveError::Download(_)),
            Self::Cache { .. } => true,
            Self::Spec { .. } | Self::Fixture(_) => false,
        }
    }
}

/// Looks up every crate, in the order given, each once. `rustc` is the release of the pinned compiler.
pub(super) fn resolve(
    crates: &[String],
    cache: &Path,
    rustc: &str,
    view: &mut View,
) -> Result<Vec<Wanted>, WantedError> {
    let registry =
        Registry::crates_io(cache).map_err(|source| WantedError::Cache { cache: cache.to_owned(), source })?;
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for asked in crates {
        let wanted = one(asked, &registry, rustc)?;
        if seen.insert(wanted.name_version.clone()) {
            view.show(&Event::Resolved { asked: asked.clone(), name_version: wanted.name_version.clone() });
            all.push(wanted);
        }
    }
    Ok(all)
}

fn one(asked: &str, registry: &Registry, rustc: &str) -> Result<Wanted, WantedError> {
    let spec: Spec = asked.parse().map_err(|source| WantedError::Spec { asked: asked.to_owned(), source })?;
    match &spec {
        Spec::Crate { name, version } => {
            let release = registry
                .resolve(name, version.as_ref(), rustc)
                .map_err(|source| WantedError::Resolve { asked: asked.to_owned(), source: Box::new(source) })?;
            let (name, version) = (release.name, release.version);
            Ok(Wanted { spec: format!("{name}@{version}"), name_version: format!("{name}-{version}") })
        }
        Spec::Folder(folder) => {
            let source = Fixture::in_folder(folder)?.source();
            let name_version = format!("{}-{}", source.name(), source.version());
            Ok(Wanted { spec: asked.to_owned(), name_version })
        }
    }
}
