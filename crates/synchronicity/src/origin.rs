//! Where cargo says that a package comes from: the same words in its lock file and in its record of what is installed.

use synchronicity_verify::map::MapKey;
use synchronicity_verify::request::{CrateName, CrateVersion};

use crate::printable::printable;

/// How cargo names crates.io, whatever protocol it speaks.
pub(crate) const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A package, by what decides whether a group can have built it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Of crates.io, where a name and a version are one thing for everybody.
    CratesIo(CrateName, CrateVersion),
    /// Of elsewhere: a repository, another registry. In cargo's words.
    Elsewhere(String),
    /// A folder of whoever builds.
    Folder,
}

/// A package that claims to be of crates.io, with a name or version that nothing there has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no crate of crates.io can be named {} {}", printable(.name), printable(.version))]
pub(crate) struct NoCrate {
    name: String,
    version: String,
}

impl Origin {
    /// Of a package's name, version and source, as cargo writes them; without a source it is a folder.
    pub(crate) fn of(name: &str, version: &str, source: Option<&str>) -> Result<Self, NoCrate> {
        match source {
            None => Ok(Self::Folder),
            Some(source) if source.starts_with("path+") => Ok(Self::Folder),
            Some(CRATES_IO) => Self::crates_io(name, version),
            Some(source) => Ok(Self::Elsewhere(source.to_owned())),
        }
    }

    /// A crate of crates.io.
    pub(crate) fn crates_io(name: &str, version: &str) -> Result<Self, NoCrate> {
        match (name.parse(), version.parse()) {
            (Ok(name), Ok(version)) => Ok(Self::CratesIo(name, version)),
            _ => Err(NoCrate { name: name.to_owned(), version: version.to_owned() }),
        }
    }

    /// What the log can have about it.
    pub(crate) fn key(&self) -> Option<MapKey> {
        match self {
            Self::CratesIo(name, version) => Some(MapKey::of_crate(name, version)),
            Self::Elsewhere(_) | Self::Folder => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_registry_can_have_evidence() {
        let of = |source| Origin::of("a", "1.0.0", source).unwrap();
        assert!(matches!(of(Some(CRATES_IO)), Origin::CratesIo(..)));
        assert_eq!(of(None), Origin::Folder);
        assert_eq!(of(Some("path+file:///x")), Origin::Folder);
        for elsewhere in
            ["git+https://example.org/a#1", "registry+https://example.org/index", "sparse+https://example.org/"]
        {
            assert_eq!(of(Some(elsewhere)), Origin::Elsewhere(elsewhere.to_owned()));
        }
        assert!(Origin::of("../a", "1.0.0", Some(CRATES_IO)).is_err());
        assert!(Origin::of("a", "1.0", Some(CRATES_IO)).is_err());
        let error = Origin::of("a\x1b", "1.0.0", Some(CRATES_IO)).unwrap_err();
        assert_eq!(error.to_string(), "no crate of crates.io can be named a\\u{1b} 1.0.0");
    }
}
