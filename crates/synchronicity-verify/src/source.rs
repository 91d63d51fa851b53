//! Which source is built: a crate's name, its version, and the checksum of its archive.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::canonical::text_newtype;
use crate::digest::Digest;

/// The name of a crate by the rules of crates.io: 1 to 64 of `A-Z a-z 0-9 - _`, the first a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrateName(String);

/// The version of a crate: semantic versioning 2.0.0, at most 128 bytes, spelled canonically.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrateVersion(String);

/// Where the source comes from. Two sources with the same name but from different places never share a purl.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Source {
    /// A `.crate` archive published on crates.io.
    #[n(0)]
    #[cbor(map)]
    Registry {
        /// The crate's name.
        #[n(0)]
        name: CrateName,
        /// The crate's version.
        #[n(1)]
        version: CrateVersion,
        /// SHA-256 of the `.crate` file, as the registry's index states it.
        #[n(2)]
        checksum: Digest,
    },
    /// One of the project's own fixture crates, which misbehave on purpose.
    #[n(1)]
    #[cbor(map)]
    Fixture {
        /// The fixture's name.
        #[n(0)]
        name: CrateName,
        /// The fixture's version.
        #[n(1)]
        version: CrateVersion,
        /// SHA-256 of the fixture's deterministic tar archive.
        #[n(2)]
        checksum: Digest,
    },
}

/// A text that names no crate or no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a crate's name.
    #[error("not a crate name: {0:?}; use 1 to 64 of A-Z a-z 0-9 - _, beginning with a letter")]
    Name(String),
    /// Not a version.
    #[error("not a version: {0:?}; write all three numbers, as in 1.0.0 or 2.0.0-rc.1")]
    Version(String),
}

impl Source {
    /// The crate's name.
    pub fn name(&self) -> &CrateName {
        match self {
            Self::Registry { name, .. } | Self::Fixture { name, .. } => name,
        }
    }

    /// The crate's version.
    pub fn version(&self) -> &CrateVersion {
        match self {
            Self::Registry { version, .. } | Self::Fixture { version, .. } => version,
        }
    }

    /// SHA-256 of the archive that is unpacked and built.
    pub fn checksum(&self) -> &Digest {
        match self {
            Self::Registry { checksum, .. } | Self::Fixture { checksum, .. } => checksum,
        }
    }

    /// The package URL: `pkg:cargo/name@version`, or `pkg:generic/synchronicity-fixture/name@version`.
    pub fn purl(&self) -> String {
        match self {
            Self::Registry { name, version, .. } => registry_purl(name, version),
            Self::Fixture { name, version, .. } => purl("generic/synchronicity-fixture", name, version),
        }
    }
}

/// The package URL of a crate of crates.io: `pkg:cargo/name@version`.
pub fn registry_purl(name: &CrateName, version: &CrateVersion) -> String {
    purl("cargo", name, version)
}

fn purl(kind: &str, name: &CrateName, version: &CrateVersion) -> String {
    // A purl percent-encodes the plus sign of build metadata; a version has no other reserved character.
    format!("pkg:{kind}/{name}@{}", version.as_str().replace('+', "%2B"))
}

text_newtype!(CrateName, NameError);
text_newtype!(CrateVersion, NameError);

impl TryFrom<String> for CrateName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let good = text.len() <= 64
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if good { Ok(Self(text)) } else { Err(NameError::Name(text)) }
    }
}

impl TryFrom<String> for CrateVersion {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if text.len() <= 128 && is_semantic_version(&text) { Ok(Self(text)) } else { Err(NameError::Version(text)) }
    }
}

fn is_semantic_version(text: &str) -> bool {
    let (text, build) = split_optional(text, '+');
    let (core, pre) = split_optional(text, '-');
    let numbers: Vec<_> = core.split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|number| is_number(number))
        && pre.is_none_or(|pre| pre.split('.').all(|part| is_identifier(part) && !is_padded_number(part)))
        && build.is_none_or(|build| build.split('.').all(is_identifier))
}

fn split_optional(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && !is_padded_number(text) && text.parse::<u64>().is_ok()
}

fn is_padded_number(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
