//! `node.toml`: what the operator chose for this node. Nothing in it is secret, and nothing in it is the group's.
//!
//! ```toml
//! name = "alder"
//! listen = "192.0.2.7:4800"      # where the other members reach this node
//! http = "127.0.0.1:4801"        # where the log is served, read-only
//! sandbox = "auto"               # or docker, gvisor, embedded
//! # public-url = "https://alder.example/log"   # what the policy names as the place of the log
//! # clock-skew-ms-max = 5000     # how far a block's time may be from this node's clock before it refuses to vote
//! # recosign-seconds = 3600      # how often an unchanged log is signed again; 0 for never
//! # survey = "/srv/survey"       # what `synchronicity survey` wrote, for the pages
//!
//! # [artifacts]                  # what stays of builds
//! # store = "s3://bucket/alder"  # instead of this folder; of this node alone
//! # keep-days = 90               # 0 for ever
//! # keep-bytes = 21474836480     # 0 for any number
//! ```
//!
//! What it may say of witnesses is in [`crate::witness::choices`], and of webhooks in [`crate::webhooks::choices`].

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use synchronicity_rebuild::bench::SandboxChoice;
use thiserror::Error;

use crate::artifact_store::retention::Keeping;
use crate::durable::{Disk, Synced};
use crate::recosign::{RECOSIGN_SECONDS, Schedule};
use crate::webhooks::choices::WebhookChoice;
use crate::witness::choices::{OutsideWitness, WitnessedLog};

/// The operator's choices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The member's name, as in the group file.
    pub name: String,
    /// `host:port` for the other members.
    pub listen: String,
    /// `host:port` of the read-only HTTP server.
    pub http: String,
    /// Where builds happen.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// Where clients find the log, if not at `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Largest difference between a block's time and this node's clock, in milliseconds.
    #[serde(default = "clock_skew_ms_max")]
    pub clock_skew_ms_max: u64,
    /// How often an unchanged log is signed again, in seconds; 0 for never.
    #[serde(default = "recosign_seconds")]
    pub recosign_seconds: u64,
    /// Name of this node's witness key, if not `NAME/witness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness_name: Option<String>,
    /// Folder of a survey that pages show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<PathBuf>,
    /// Where artifacts and transcripts are kept, and how long.
    #[serde(default, skip_serializing_if = "Keeping::is_default")]
    pub artifacts: Keeping,
    /// Logs of others that this node witnesses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnessed_log: Vec<WitnessedLog>,
    /// Witnesses that this node asks to cosign the group's log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside_witness: Vec<OutsideWitness>,
    /// Addresses that are told what the log gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhook: Vec<WebhookChoice>,
}

/// Which sandbox builds use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Docker where its daemon answers, otherwise the embedded one.
    #[default]
    Auto,
    /// Containers, through a Docker daemon.
    Docker,
    /// Containers in gVisor, through a Docker daemon that has `runsc` among its runtimes.
    Gvisor,
    /// Linux namespaces, without a daemon.
    Embedded,
}

impl From<Sandbox> for SandboxChoice {
    fn from(sandbox: Sandbox) -> Self {
        match sandbox {
            Sandbox::Auto => Self::Auto,
            Sandbox::Docker => Self::Docker,
            Sandbox::Gvisor => Self::Gvisor,
            Sandbox::Embedded => Self::Embedded,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum ConfigError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Not the TOML that this module documents.
    #[error("{} is not a node's configuration: {problem}", path.display())]
    #[diagnostic(help(
        "the fields are name, listen, http, sandbox, public-url, clock-skew-ms-max, recosign-seconds, witness-name and survey, \
         the tables [artifacts], [[witnessed-log]], [[outside-witness]] and [[webhook]]"
    ))]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and what.
        problem: String,
    },
    /// Not `host:port`, or a host without an address.
    #[error("{field} = {text:?} is no address: {problem}")]
    #[diagnostic(help("write host:port, as in 192.0.2.7:4800"))]
    Address {
        /// `listen`, `http`, or a member's name.
        field: String,
        /// What was written.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Config {
    /// Reads `node.toml`.
    ///
    /// # Errors
    /// [`ConfigError::File`] or [`ConfigError::Toml`].
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::File { path: path.to_owned(), error })?;
        toml::from_str(&text).map_err(|error| ConfigError::Toml { path: path.to_owned(), problem: error.to_string() })
    }

    /// Writes `node.toml`.
    ///
    /// # Errors
    /// [`ConfigError::File`].
    pub fn write(&self, path: &Path) -> Result<(), ConfigError> {
        let text = toml::to_string(self).expect("strings and integers are always TOML");
        Synced.write(path, text.as_bytes()).map_err(|error| ConfigError::File { path: path.to_owned(), error })
    }

    /// The URL under which clients find the log's files.
    pub fn log_url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.http))
    }

    /// When this node signs an unchanged log again, and which times of others it believes.
    pub fn schedule(&self) -> Schedule {
        Schedule { period_s: self.recosign_seconds, skew_ms_max: self.clock_skew_ms_max }
    }
}

/// The first address of `host:port`; looks the host up where it is a name.
///
/// # Errors
/// [`ConfigError::Address`], naming `field`.
pub fn resolve(field: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    let problem = |problem: String| ConfigError::Address { field: field.to_owned(), text: text.to_owned(), problem };
    let mut addresses = text.to_socket_addrs().map_err(|error| problem(error.to_string()))?;
    addresses.next().ok_or_else(|| problem("the name has no address".to_owned()))
}

/// Checks the form of `host:port` without looking anything up: names may resolve only where the node will run.
///
/// # Errors
/// [`ConfigError::Address`], naming `field`.
pub fn check_address(field: &str, text: &str) -> Result<(), ConfigError> {
    let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match parts.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(_)) => Ok(()),
        _ => {
            let problem = "it must be a host, a colon and a port".to_owned();
            Err(ConfigError::Address { field: field.to_owned(), text: text.to_owned(), problem })
        }
    }
}

/// How far a block's time may be from this node's clock, unless the operator says otherwise, in milliseconds.
pub const CLOCK_SKEW_MS_MAX: u64 = 5_000;

fn clock_skew_ms_max() -> u64 {
    CLOCK_SKEW_MS_MAX
}

fn recosign_seconds() -> u64 {
    RECOSIGN_SECONDS
}
