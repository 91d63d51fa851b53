//! What one build came to: a list of artifacts, or a named failure. Both are results that builders can agree on.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use minicbor::{Decode, Encode};

use crate::canonical::{self, CborError, text_newtype};
use crate::digest::Digest;

/// The most artifacts that one build may have.
pub const ARTIFACTS_MAX: usize = 128;

/// The largest encoded result, in bytes: [`ARTIFACTS_MAX`] artifacts with the longest names fit.
pub const RESULT_BYTES_MAX: usize = 24 * 1024;

/// The outcome of one build by one builder.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BuildResult {
    /// The build ended well and these are its products.
    #[n(0)]
    Built(#[n(0)] Artifacts),
    /// The build failed in a way that another builder can confirm.
    #[n(1)]
    Failed(#[n(0)] Failure),
}

/// The products of a build: 1 to [`ARTIFACTS_MAX`] artifacts, sorted by name, each name once.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(transparent)]
pub struct Artifacts(#[n(0)] Vec<Artifact>);

/// One product of a build.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Artifact {
    /// File name.
    #[n(0)]
    pub name: ArtifactName,
    /// Size in bytes.
    #[n(1)]
    pub size: u64,
    /// SHA-256 of the content.
    #[n(2)]
    pub sha256: Digest,
}

/// The file name of an artifact: 1 to 128 bytes, no slash or backslash, no control character, not `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactName(String);

/// The named ways in which a build can fail. Trouble of the builder's own machine is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Failure {
    /// The compiler or a build script reported an error.
    #[n(0)]
    Compile,
    /// The build asked for the network, which it does not have.
    #[n(1)]
    Network,
    /// The build took longer than its limit.
    #[n(2)]
    Time,
    /// The build used more memory than its limit.
    #[n(3)]
    Memory,
    /// The build wrote more than its limit.
    #[n(4)]
    Disk,
    /// The build printed more than its limit.
    #[n(5)]
    Transcript,
    /// The build started more processes than its limit.
    #[n(6)]
    Processes,
    /// The crate needs a newer compiler than the pinned one.
    #[n(7)]
    RustVersion,
    /// The pinned `Cargo.lock` does not fit the crate.
    #[n(8)]
    Lock,
    /// The build ended well, but a product that the manifest promises is missing.
    #[n(9)]
    Products,
    /// The crate asks for something that this project does not build.
    #[n(10)]
    Unsupported,
    /// The build looked for a library, a header or a program that is not there.
    #[n(11)]
    SystemPackage,
    /// The build asked for git, or for the repository that a published crate comes without.
    #[n(12)]
    Git,
    /// The crate has nothing of what the request asks for: no executable, or no library, with these features.
    #[n(13)]
    NoTargets,
}

/// A list that cannot be a build's artifacts, or bytes that are no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResultError {
    /// Not canonical bytes, or too many of them.
    #[error("build result: {0}")]
    Cbor(#[from] CborError),
    /// No artifact, or too many.
    #[error("{0} artifacts; a build has 1 to {ARTIFACTS_MAX}")]
    Count(usize),
    /// Two artifacts with one name.
    #[error("two artifacts are named {0}")]
    Duplicate(ArtifactName),
    /// A name that no artifact may have.
    #[error("not an artifact's file name: {0:?}; use 1 to 128 bytes without slashes and control characters")]
    Name(String),
    /// A word that names no failure.
    #[error("not a named failure: {0:?}")]
    Failure(String),
}

impl BuildResult {
    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads canonical bytes of at most [`RESULT_BYTES_MAX`]; refuses every other spelling.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ResultError> {
        Ok(canonical::decode(bytes, RESULT_BYTES_MAX)?)
    }

    /// `tagged("synchronicity/result/v1", [canonical bytes])`: what builders commit to, and what is tallied.
    pub fn digest(&self) -> Digest {
        Digest::tagged("synchronicity/result/v1", &[&self.to_bytes()])
    }

    /// The artifacts, if the build ended well.
    pub fn artifacts(&self) -> Option<&Artifacts> {
        match self {
            Self::Built(artifacts) => Some(artifacts),
            Self::Failed(_) => None,
        }
    }
}

impl Artifacts {
    /// Sorts `artifacts` by name and checks that there are 1 to [`ARTIFACTS_MAX`], each name once.
    pub fn new(mut artifacts: Vec<Artifact>) -> Result<Self, ResultError> {
        artifacts.sort_by(|a, b| a.name.cmp(&b.name));
        if artifacts.is_empty() || artifacts.len() > ARTIFACTS_MAX {
            return Err(ResultError::Count(artifacts.len()));
        }
        match artifacts.windows(2).find(|pair| pair[0].name == pair[1].name) {
            Some(pair) => Err(ResultError::Duplicate(pair[0].name.clone())),
            None => Ok(Self(artifacts)),
        }
    }

    /// The artifacts, sorted by name.
    pub fn as_slice(&self) -> &[Artifact] {
        &self.0
    }

    /// The artifacts, sorted by name.
    pub fn iter(&self) -> core::slice::Iter<'_, Artifact> {
        self.0.iter()
    }

    /// The first artifact (by name) with this content.
    pub fn with_content(&self, sha256: &Digest) -> Option<&Artifact> {
        self.0.iter().find(|artifact| artifact.sha256 == *sha256)
    }
}

impl<'a> IntoIterator for &'a Artifacts {
    type Item = &'a Artifact;
    type IntoIter = core::slice::Iter<'a, Artifact>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'b, C> Decode<'b, C> for Artifacts {
    /// An unsorted list decodes to the sorted one; the comparison with the input then refuses it.
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.decode_with(ctx)?).map_err(minicbor::decode::Error::message)
    }
}

text_newtype!(ArtifactName, ResultError);

impl TryFrom<String> for ArtifactName {
    type Error = ResultError;

    fn try_from(text: String) -> Result<Self, ResultError> {
        let bad = text.is_empty()
            || text.len() > 128
            || text == "."
            || text == ".."
            || text.chars().any(|c| c == '/' || c == '\\' || c.is_control());
        if bad { Err(ResultError::Name(text)) } else { Ok(Self(text)) }
    }
}

impl Failure {
    /// Every failure, in the order of their codes.
    pub const ALL: [Self; 14] = [
        Self::Compile,
        Self::Network,
        Self::Time,
        Self::Memory,
        Self::Disk,
        Self::Transcript,
        Self::Processes,
        Self::RustVersion,
        Self::Lock,
        Self::Products,
        Self::Unsupported,
        Self::SystemPackage,
        Self::Git,
        Self::NoTargets,
    ];

    /// The failure's name, as status documents and command lines spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compile => "compile-error",
            Self::Network => "needs-network",
            Self::Time => "out-of-time",
            Self::Memory => "out-of-memory",
            Self::Disk => "out-of-disk",
            Self::Transcript => "transcript-too-long",
            Self::Processes => "too-many-processes",
            Self::RustVersion => "needs-newer-rust",
            Self::Lock => "lock-does-not-fit",
            Self::Products => "products-missing",
            Self::Unsupported => "unsupported",
            Self::SystemPackage => "needs-system-package",
            Self::Git => "needs-git",
            Self::NoTargets => "no-targets",
        }
    }

    /// What a person can do about it: one sentence without a final stop.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Compile => "read the transcript; the same error appears with the pinned toolchain and lock anywhere",
            Self::Network => "builds have no network: look for a feature that vendors what the build script downloads",
            Self::Time => "submit again with a longer time limit, or fewer features",
            Self::Memory => "submit again with a larger memory limit, or fewer parallel jobs",
            Self::Disk => "submit again with a larger disk limit",
            Self::Transcript => "find what prints so much; submit again with a larger transcript limit if it is wanted",
            Self::Processes => "submit again with a larger process limit, or fewer parallel jobs",
            Self::RustVersion => "submit again with the toolchain that the crate's rust-version asks for",
            Self::Lock => "submit again with a lock resolved for this crate and these features",
            Self::Products => {
                "check the chosen features and products: some targets of the manifest are not built by them"
            }
            Self::Unsupported => "the crate needs something that is not built here, such as a git dependency",
            Self::SystemPackage => {
                "the transcript names what is missing: look for a feature that brings its own, or have the group agree on \
                 an environment that has it"
            }
            Self::Git => {
                "builds see the published archive, without its repository: ask the author to do without git where there \
                 is none"
            }
            Self::NoTargets => {
                "ask for the library instead of executables, or the other way round, or turn on the features that the \
                 executables need"
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Failure {
    type Err = ResultError;

    fn from_str(text: &str) -> Result<Self, ResultError> {
        Self::ALL.into_iter().find(|failure| failure.as_str() == text).ok_or_else(|| ResultError::Failure(text.into()))
    }
}
