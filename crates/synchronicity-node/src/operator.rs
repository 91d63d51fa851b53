//! The operator's socket: a file in the node's folder that only its owner can open. One JSON line asks, one answers.
//!
//! ```text
//! → {"submit":{"spec":"hexyl@0.17.0"}}
//! ← {"submitted":{"request":"5f…","round":0,"purl":"pkg:cargo/hexyl@0.17.0","state":"ordered",…}}
//! → "status"
//! ← {"status":{…}}
//! ← {"failed":{"code":75,"message":"…","help":"…"}}
//! ```

mod ask;
mod serve;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use synchronicity_verify::membership::MEMBERSHIP_BYTES_MAX;

use crate::changes::EpochStatus;
use crate::status::Status;

pub use ask::{AskError, ask};
pub use serve::{Desk, bind, serve};

/// Longest line in either direction, in bytes.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Longest request, in bytes: the largest membership in hex, and little else.
const REQUEST_BYTES_MAX: u64 = 2 * MEMBERSHIP_BYTES_MAX as u64 + 1024;

/// What an operator can ask of a running node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The status document.
    Status,
    /// Why the builders of a request diverged.
    Explain {
        /// Identity of the request, in hex.
        request: String,
    },
    /// How far the epoch is, and what is proposed in it.
    Epoch,
    /// To propose the members of the next epoch, and to approve of them.
    Propose {
        /// Canonical bytes of the membership, in hex.
        membership: String,
    },
    /// To approve of what somebody proposes.
    Approve {
        /// Digest of the membership, in hex.
        membership: String,
    },
    /// To have something rebuilt by the group.
    Submit {
        /// `NAME`, `NAME@VERSION`, or the absolute path of a fixture's folder.
        spec: String,
    },
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Submit`].
    Submitted(Submitted),
    /// To [`Request::Explain`]: as `/explanations/ID` has it; `None` where there is nothing to explain.
    Explained(Option<Box<serde_json::Value>>),
    /// To [`Request::Epoch`].
    Epoch(EpochStatus),
    /// To [`Request::Propose`] and [`Request::Approve`].
    Said {
        /// Whether the group has ordered it; if not, it is on its way.
        ordered: bool,
        /// How far the epoch is now.
        epoch: EpochStatus,
    },
    /// To any: nothing was done.
    Failed {
        /// Exit code for the command that asked.
        code: u8,
        /// What went wrong.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Identity of the request, in hex.
    pub request: String,
    /// Which attempt at it.
    pub round: u32,
    /// Package URL of what is rebuilt.
    pub purl: String,
    /// `ordered`, `handed-over` if the group has not ordered it within some seconds, `open` if the group was at it
    /// already, or `concluded` if it has its verdict.
    pub state: String,
    /// The verdict, if it has one.
    pub verdict: Option<String>,
    /// Index of its entry, if it has one.
    pub index: Option<u64>,
}

/// A spelling of the socket's path that fits a socket address, which holds 107 bytes: through the open folder, which
/// must stay open while the path is used.
///
/// # Errors
/// What the operating system said about the folder.
fn short_path(socket: &Path) -> io::Result<(File, PathBuf)> {
    let folder = File::open(socket.parent().unwrap_or(Path::new(".")))?;
    let name = socket.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok((folder, path))
}
