//! What became of one crate: a JSON file of its own, written when its builds are done.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use synchronicity_explain::cause::{Cause, Certainty};

use crate::check::varied::Circumstance;

/// One crate's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) format: u32,
    /// The list's words for it.
    pub(super) key: String,
    /// When its first build began, in seconds since 1970.
    pub(super) began: u64,
    pub(super) end: End,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum End {
    /// Nothing was built: there is no such release, or it cannot be pinned.
    Refused {
        /// Why.
        reason: String,
    },
    /// It was built at least once.
    Tried(Box<Tried>),
}

/// A crate that was built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tried {
    pub(super) name: String,
    pub(super) version: String,
    /// SHA-256 of the source's archive.
    pub(super) sha256: String,
    pub(super) kind: Kind,
    /// Whether it has a build script of its own.
    pub(super) build_script: bool,
    /// `published`, `resolved` or `replaced`.
    pub(super) lock: String,
    pub(super) result: Outcome,
}

/// What is built of a crate: each has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Executables.
    Binary,
    /// A library for other crates.
    Library,
    /// A library that runs inside the compiler.
    ProcMacro,
}

/// What the two builds say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// Both have artifacts.
    Built(Box<Built>),
    /// The first alone has.
    OnlyOnce {
        /// How the second failed.
        failure: String,
    },
    /// Neither, or a limit was met.
    Fails {
        /// How.
        failure: String,
        /// Lines of what the build printed: around the first error, and the last.
        tail: Vec<String>,
    },
}

/// Two builds with artifacts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Built {
    /// Of the first build and of the second, in milliseconds.
    pub(super) took_ms: [u64; 2],
    /// The crates that the first build compiled, each as `name vVERSION`.
    pub(super) compiled: Vec<String>,
    pub(super) artifacts: [Vec<Made>; 2],
    pub(super) varied: Vec<Circumstance>,
    /// Why they differ; empty where they do not.
    pub(super) causes: Vec<Found>,
    /// The whole explanation, as `diff --json` prints it.
    pub(super) explanation: Option<Value>,
}

/// An artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    pub(super) name: String,
    /// In bytes.
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// A cause of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    pub(super) cause: Cause,
    pub(super) certainty: Certainty,
    /// The crate that it comes from, where that is known.
    #[serde(rename = "crate")]
    pub(super) guilty: Option<String>,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Binary, Self::Library, Self::ProcMacro];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Library => "library",
            Self::ProcMacro => "proc-macro",
        }
    }
}

impl Built {
    pub(super) fn is_reproducible(&self) -> bool {
        self.artifacts[0] == self.artifacts[1]
    }

    /// Whether the build compiled a crate that calls the C compiler.
    pub(super) fn is_native(&self) -> bool {
        let calls = |compiled: &String| matches!(compiled.split(' ').next(), Some("cc" | "cmake"));
        self.compiled.iter().any(calls)
    }
}
