//! What a bench and its workers tell one another: an order on standard input, reports on standard output, each one line
//! of JSON.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use synchronicity_verify::request::BuildRequest;

use crate::conditions::Conditions;
use crate::containment::Walls;
use crate::docker_shim::Labels;

/// Everything a worker needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Canonical bytes of the request.
    pub(crate) request: Vec<u8>,
    /// The bytes of the pinned `Cargo.lock`.
    pub(crate) lock: Vec<u8>,
    /// The build's own folder.
    pub(crate) folder: PathBuf,
    /// Downloaded archives.
    pub(crate) depot: PathBuf,
    /// Where dependencies are fetched to.
    pub(crate) cargo_home: PathBuf,
    /// Where the frozen toolchain is.
    pub(crate) rustup_home: PathBuf,
    /// Which sandbox, and how.
    pub(crate) room: Room,
    /// Other circumstances than the recipe's, and a source of nobody else's: for `check`.
    #[serde(default)]
    pub(crate) trial: Option<Trial>,
    /// How long the result is of use, from now on; without it, for ever.
    #[serde(default)]
    pub(crate) patience: Option<Duration>,
    /// Packages of the system without which the build is not begun.
    #[serde(default)]
    pub(crate) packages: Vec<String>,
}

/// A build of which no evidence comes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trial {
    /// Under which circumstances.
    pub conditions: Conditions,
    /// The `.crate` file of a local folder, where that is built.
    pub archive: Option<PathBuf>,
}

/// Which sandbox runs the build.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Room {
    Docker { program: PathBuf, labels: Labels, gvisor: bool },
    Embedded { program: PathBuf, required: Walls },
}

/// What a worker says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    Fetching,
    /// So many bytes have come since then.
    Arriving {
        bytes: u64,
    },
    Building {
        compiled: String,
    },
    /// The first try failed in a way that may be chance.
    Retrying {
        first: String,
    },
    /// Canonical bytes of the result, and what the first try came to where there were two.
    Finished {
        result: Vec<u8>,
        first: Option<String>,
    },
    Broken {
        reason: String,
    },
}

impl Order {
    pub(crate) fn request(&self) -> Result<BuildRequest, String> {
        BuildRequest::from_bytes(&self.request).map_err(|error| error.to_string())
    }

    /// The transcript's file.
    pub(crate) fn transcript(folder: &std::path::Path) -> PathBuf {
        folder.join("transcript.txt")
    }

    /// The folder of the collected artifacts.
    pub(crate) fn artifacts(folder: &std::path::Path) -> PathBuf {
        folder.join("artifacts")
    }
}
