//! The build request: everything that a build's outcome can depend on, pinned.
//!
//! Its canonical bytes are deterministic CBOR (maps with integer keys) of at most [`REQUEST_BYTES_MAX`]; their
//! tagged digest is the request's identity. Two requests with one identity are the same request.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::canonical::{self, CborError, text_map};
use crate::digest::Digest;
use crate::identity::RequestId;
use crate::recipe;
pub use crate::source::{CrateName, CrateVersion, NameError, Source, registry_purl};

/// The largest encoded request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// The only schema so far.
pub const REQUEST_SCHEMA: u8 = 1;

/// What builders are asked to build, and exactly how.
///
/// Fields are open so that a request can be composed; [`BuildRequest::check`] says whether it is well-formed, and
/// [`BuildRequest::from_bytes`] never returns one that is not.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BuildRequest {
    /// Always [`REQUEST_SCHEMA`].
    #[n(0)]
    pub schema: u8,
    /// The source archive.
    #[n(1)]
    pub source: Source,
    /// The `Cargo.lock`, whose bytes travel beside the request.
    #[n(2)]
    pub lock: Lock,
    /// The compiler.
    #[n(3)]
    pub toolchain: Toolchain,
    /// The system around the compiler.
    #[n(4)]
    pub environment: Environment,
    /// Target triple, as in `x86_64-unknown-linux-gnu`: 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    #[n(5)]
    pub target: String,
    /// Cargo profile: always [`recipe::PROFILE`].
    #[n(6)]
    pub profile: String,
    /// Cargo features of the root package.
    #[n(7)]
    pub features: Features,
    /// Which products are built and hashed.
    #[n(8)]
    pub products: Products,
    /// Environment variables of the build, beyond what the sandbox always sets. Names are of `A-Z 0-9 _` and do not
    /// begin with a digit. Groups admit those of the standard [`recipe`] only.
    #[cbor(n(9), with = "text_map")]
    pub env: BTreeMap<String, String>,
    /// Flags for rustc, in order. Groups admit those of the standard [`recipe`] only.
    #[n(10)]
    pub rustflags: Vec<String>,
    /// What the build may use before it counts as failed.
    #[n(11)]
    pub limits: Limits,
}

/// The pinned `Cargo.lock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Lock {
    /// Who decided its content.
    #[n(0)]
    pub grade: LockGrade,
    /// SHA-256 of the file's bytes.
    #[n(1)]
    pub sha256: Digest,
}

/// Who decided the versions of the dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum LockGrade {
    /// The crate's author: the lock was in the published archive.
    #[n(0)]
    Published,
    /// The submitter, once and for every builder, because the archive has none.
    #[n(1)]
    Resolved,
    /// The submitter, once and for every builder, because the pinned Cargo refuses the one in the archive.
    #[n(2)]
    Replaced,
}

impl LockGrade {
    /// `published`, `resolved` or `replaced`: the word in every JSON of this project.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Resolved => "resolved",
            Self::Replaced => "replaced",
        }
    }
}

/// The pinned compiler.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Toolchain {
    /// Release number, as in `1.95.0`.
    #[n(0)]
    pub release: String,
    /// rustc's commit hash: 40 lower-case hex digits.
    #[n(1)]
    pub commit: String,
    /// Host triple of the compiler.
    #[n(2)]
    pub host: String,
}

/// The pinned system around the compiler: linker, C library, tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Environment {
    /// A container image.
    #[n(0)]
    #[cbor(map)]
    Image {
        /// SHA-256 of the image's single root file system layer, uncompressed (its diff id).
        #[n(0)]
        layer: Digest,
    },
    /// The builder's own system, as the embedded sandbox presents it.
    #[n(1)]
    #[cbor(map)]
    Host {
        /// Fingerprint of the tools that a build can reach.
        #[n(0)]
        fingerprint: Digest,
    },
}

/// Cargo features of the root package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Features {
    /// Whether the default features are on.
    #[n(0)]
    pub default: bool,
    /// Whether all features are on.
    #[n(1)]
    pub all: bool,
    /// Named features, sorted bytewise, each once.
    #[n(2)]
    pub named: Vec<String>,
}

impl Features {
    /// Whether a request may name them: sorted, each once, and each by a name that a feature can have.
    pub fn is_well_formed(&self) -> bool {
        self.are_sorted() && self.are_named()
    }

    fn are_sorted(&self) -> bool {
        self.named.is_sorted_by(|a, b| a < b)
    }

    fn are_named(&self) -> bool {
        self.named.iter().all(|name| is_feature(name))
    }
}

/// What is built and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Products {
    /// The executables of the root package, built in its own folder as a maintainer builds them.
    #[n(0)]
    Binaries,
    /// The `.rlib`, `.rmeta`, `.so` and `.a` of the root package.
    #[n(1)]
    Library,
    /// The executables of the root package, built as `cargo install --locked` builds them. Cargo's name for a package
    /// from the registry is part of what it compiles, so these differ from [`Products::Binaries`], and are the ones
    /// that a user can get by that command. Only for registry sources with a published lock.
    #[n(2)]
    Installed,
}

impl Products {
    /// `binaries`, `library` or `installed`: the word in every JSON of this project.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binaries => "binaries",
            Self::Library => "library",
            Self::Installed => "installed",
        }
    }

    /// Whether a user's own `cargo install --locked` takes these sources: what [`Products::Installed`] asks for.
    pub fn installable(source: &Source, lock: LockGrade) -> bool {
        matches!(source, Source::Registry { .. }) && lock == LockGrade::Published
    }

    /// Whether the artifacts are programs to run.
    pub fn executable(self) -> bool {
        matches!(self, Self::Binaries | Self::Installed)
    }
}

/// What one build may use; beyond it the build ends with the failure named after the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Limits {
    /// Memory of all processes together, in bytes.
    #[n(0)]
    pub memory_bytes: u64,
    /// Wall-clock time, in seconds.
    #[n(1)]
    pub time_seconds: u64,
    /// Disk space that the build writes, in bytes.
    #[n(2)]
    pub disk_bytes: u64,
    /// Processes at one time.
    #[n(3)]
    pub processes: u32,
    /// Transcript, in bytes.
    #[n(4)]
    pub transcript_bytes: u64,
    /// Parallel jobs of cargo. Pinned, because some crates' output depends on it.
    #[n(5)]
    pub jobs: u16,
}

impl Limits {
    /// The most that a request may ask of every builder in the group.
    pub const MAX: Self = Self {
        memory_bytes: 16 << 30,
        time_seconds: 2 * 3600,
        disk_bytes: 64 << 30,
        processes: 8192,
        transcript_bytes: 64 << 20,
        jobs: 64,
    };

    /// Whether a request may ask for them: none is zero, and none above [`Limits::MAX`].
    pub fn are_possible(&self) -> bool {
        self.numbers().into_iter().zip(Self::MAX.numbers()).all(|(limit, max)| (1..=max).contains(&limit))
    }

    fn numbers(&self) -> [u64; 6] {
        let (processes, jobs) = (self.processes.into(), self.jobs.into());
        [self.memory_bytes, self.time_seconds, self.disk_bytes, processes, self.transcript_bytes, jobs]
    }
}

/// A request that is not well-formed, or bytes that are no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not canonical bytes, or too many of them.
    #[error("build request: {0}")]
    Cbor(#[from] CborError),
    /// A schema of another version of this program.
    #[error("build request of schema {0}; this program knows schema {REQUEST_SCHEMA}: upgrade it")]
    Schema(u8),
    /// A field with a value that no build can have.
    #[error("build request: {field} {problem}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl BuildRequest {
    /// Canonical bytes: the preimage of the identity.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads canonical bytes back; refuses every other spelling, unknown fields, and requests that fail
    /// [`BuildRequest::check`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RequestError> {
        let request: Self = canonical::decode(bytes, REQUEST_BYTES_MAX)?;
        request.check_fields()?;
        Ok(request)
    }

    /// `tagged("synchronicity/request/v1", [canonical bytes])`.
    pub fn id(&self) -> RequestId {
        id_of(&self.to_bytes())
    }

    /// Whether [`BuildRequest::from_bytes`] would accept the bytes of this request.
    pub fn check(&self) -> Result<(), RequestError> {
        self.checked_id().map(drop)
    }

    /// The identity of a request that passes [`BuildRequest::check`], for the price of one encoding.
    pub(crate) fn checked_id(&self) -> Result<RequestId, RequestError> {
        let bytes = self.to_bytes();
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(CborError::TooLong { size: bytes.len(), limit: REQUEST_BYTES_MAX }.into());
        }
        self.check_fields()?;
        Ok(id_of(&bytes))
    }

    fn check_fields(&self) -> Result<(), RequestError> {
        if self.schema != REQUEST_SCHEMA {
            return Err(RequestError::Schema(self.schema));
        }
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        require(self.toolchain.commit.len() == 40, "toolchain commit", "must have 40 digits")?;
        require(self.toolchain.commit.bytes().all(hex), "toolchain commit", "must be lower-case hex")?;
        require(is_word(&self.toolchain.release), "toolchain release", WORD)?;
        require(is_triple(&self.toolchain.host), "toolchain host", TRIPLE)?;
        require(is_triple(&self.target), "target", TRIPLE)?;
        require(self.profile == recipe::PROFILE, "profile", "must be release")?;
        require(self.features.are_sorted(), "features", "must be sorted, each once")?;
        require(self.features.are_named(), "features", FEATURE)?;
        for (name, value) in &self.env {
            require(is_variable(name), "env", "has a name that is not of A-Z 0-9 _ or begins with a digit")?;
            require(is_line(value), "env", "has a value with a control character")?;
        }
        require(self.rustflags.iter().all(|flag| is_line(flag)), "rustflags", "must have no control characters")?;
        let installable = Products::installable(&self.source, self.lock.grade);
        require(self.products != Products::Installed || installable, "products", INSTALLED)?;
        require(self.limits.are_possible(), "limits", LIMITS)
    }
}

fn id_of(bytes: &[u8]) -> RequestId {
    RequestId(Digest::tagged("synchronicity/request/v1", &[bytes]))
}

const WORD: &str = "must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit";

const TRIPLE: &str = "must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit";
const LIMITS: &str = "must be above zero, and at most 16 GiB of memory, 2 h, 64 GiB of disk, 8192 processes, \
                      64 MiB of transcript and 64 jobs";
const INSTALLED: &str = "are `installed` only for a crate of the registry with its published lock";
const FEATURE: &str = "must be names of features, or a dependency's as in dependency/feature, of at most 64 bytes";

fn require(good: bool, field: &'static str, problem: &'static str) -> Result<(), RequestError> {
    if good { Ok(()) } else { Err(RequestError::Field { field, problem }) }
}

/// Safe as one argument of a command and as one path segment: no separator, no leading dash or dot.
fn is_word(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_triple(text: &str) -> bool {
    is_word(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Cargo's rule for features, of the package itself or (`dependency/feature`) of a dependency. Nothing in it separates
/// features on a command line, and no part looks like an option.
fn is_feature(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_alphanumeric() || first == '_')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.'))
    };
    let (dependency, feature) = text.split_once('/').unwrap_or(("_", text));
    text.len() <= 64 && is_name(dependency) && is_name(feature)
}

/// A variable's name that no program takes for an option of its own.
fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
