//! What a person asks for: `hexyl`, `hexyl@0.17.0`, or a folder.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use synchronicity_verify::request::{CrateName, CrateVersion, NameError};

/// A source as a person names it, before anything is pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// A crate of crates.io; without a version, its newest.
    Crate {
        /// The crate's name.
        name: CrateName,
        /// The exact version, or `None` for the newest.
        version: Option<CrateVersion>,
    },
    /// A folder of this machine: accepted only if it is one of the project's fixtures.
    Folder(PathBuf),
}

/// A text that names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The part before `@`.
    #[error("{0}")]
    Name(NameError),
    /// The part after `@`.
    #[error(
        "{version:?} is not an exact version; write all three numbers, as in {name}@1.0.0 (ranges are not accepted)"
    )]
    Version {
        /// The crate's name.
        name: CrateName,
        /// What stood after the `@`.
        version: String,
    },
}

impl FromStr for Spec {
    type Err = SpecError;

    /// A text with a slash, or one that begins with a dot, is a folder: no crate's name has either.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        if text.contains('/') || text.starts_with('.') {
            return Ok(Self::Folder(text.into()));
        }
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let name: CrateName = name.parse().map_err(SpecError::Name)?;
        let version = match version {
            None => None,
            Some(text) => match text.parse() {
                Ok(version) => Some(version),
                Err(_) => return Err(SpecError::Version { name, version: text.into() }),
            },
        };
        Ok(Self::Crate { name, version })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crate { name, version: Some(version) } => write!(f, "{name}@{version}"),
            Self::Crate { name, version: None } => write!(f, "{name}"),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests;
