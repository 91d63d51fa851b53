//! What a sandbox is: it runs one cargo command over pinned inputs, within limits, and leaves nothing running.
//!
//! Two sandboxes do this for users, the module `docker` and [`crate::embedded`]; [`crate::scripted`] does it for tests.
//! Inside, every sandbox shows the same fixed paths, so that builders agree without path remapping:
//!
//! ```text
//! /opt/rustwide/workdir       the source           read-only
//! /opt/rustwide/cargo-home    its `registry`       read-only
//! /opt/rustwide/rustup-home   the toolchain        read-only
//! /opt/rustwide/target        products             read-write, the only place that outlives the build
//! /tmp                        private              read-write, gone after the build
//! ```

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
pub use synchronicity_verify::recipe::{INNER_CARGO_HOME, INNER_TARGET};
use synchronicity_verify::request::Limits;
use synchronicity_verify::result::Failure;

/// Where the source is inside.
pub const INNER_SOURCE: &str = "/opt/rustwide/workdir";
/// All of a cargo home that is shown inside. Beside it lie the files by which cargo and this program lock it: a build that
/// could open them, if only for reading, could make every other one wait.
pub(crate) const REGISTRY: &str = "registry";
/// Where toolchains are inside.
pub const INNER_RUSTUP_HOME: &str = "/opt/rustwide/rustup-home";
/// The host name inside.
pub const INNER_HOSTNAME: &str = "builder";
/// User and group inside, and outside too where root runs the sandbox: a number that Debian reserves and gives to
/// nobody, within the range that even nested user namespaces usually map.
pub const BUILD_USER: u32 = 59_999;

/// How many files a file system in memory of this size may hold: their inodes are memory that its size does not count.
pub(crate) fn files_max(bytes: u64) -> u64 {
    (bytes / 4096).max(1024)
}

/// One build, ready to run: everything is fetched and verified, nothing has run yet.
#[derive(Debug, Clone)]
pub struct Job {
    /// The verified source with the pinned `Cargo.lock` in it.
    pub source: PathBuf,
    /// A cargo home with every dependency in it.
    pub cargo_home: PathBuf,
    /// A rustup home with the pinned toolchain in `toolchains/`.
    pub rustup_home: PathBuf,
    /// An empty folder of this build alone for whatever the sandbox needs outside.
    pub scratch: PathBuf,
    /// An empty folder for the products. After the build it may hold anything.
    pub target: PathBuf,
    /// Program and arguments, with inner paths.
    pub command: Vec<String>,
    /// The whole environment of the command.
    pub env: BTreeMap<String, String>,
    /// What the build may use.
    pub limits: Limits,
    /// Who the build is to itself.
    pub identity: Identity,
}

/// The names by which a build knows its machine and its user. A recipe fixes them; only a trial has others, and only the
/// embedded sandbox gives them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Host name.
    pub host: String,
    /// Number of user and group, inside.
    pub user: u32,
}

impl Default for Identity {
    fn default() -> Self {
        Self { host: INNER_HOSTNAME.into(), user: BUILD_USER }
    }
}

/// How a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The command succeeded.
    Succeeded,
    /// The command failed; the transcript says why.
    Failed,
    /// The build was stopped at a limit, or by the watcher.
    Stopped(Failure),
}

/// Receives every line that a build prints, without its line end; may stop the build.
pub type Watch<'a> = dyn FnMut(&str) -> ControlFlow<Failure> + 'a;

/// Runs builds.
///
/// What an implementation promises: the command sees no network and no file of the host beyond the job's folders and
/// the environment that the request pins; it cannot write to source, cargo home and rustup home; when `build`
/// returns, in any way, every process of the build is gone, so that its products can be hashed. Several builds may
/// run at once if their jobs share no writable folder.
pub trait Sandbox {
    /// Runs the job's command to its end or to a limit.
    ///
    /// An `Err` is trouble of this machine and says nothing about the crate.
    fn build(&self, job: &Job, watch: &mut Watch<'_>) -> Result<Finished, SandboxError>;
}

/// Trouble of this machine, not of the crate that it was to build.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Docker, or rustwide on top of it.
    #[error("Docker could not run the build: {0}; `docker info` and `docker ps` show what state it is in")]
    Docker(String),
    /// The kernel refused a step of the embedded sandbox.
    #[error("the embedded sandbox could not {step}: {reason}; the program's doctor says what this machine can give")]
    Embedded {
        /// What was tried, as in `mount /proc`.
        step: String,
        /// The kernel's answer.
        reason: String,
    },
    /// A file of the host.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was tried, as in `create`.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The sandbox image, environment or toolchain is not the one that the request pins.
    #[error("{0}")]
    Pin(String),
}

impl SandboxError {
    /// For `map_err` on operations with one path.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
