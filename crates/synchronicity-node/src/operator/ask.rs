//! The command's end of the socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use super::{Answer, LINE_BYTES_MAX, Request, short_path};

/// Why a running node did not answer.
#[derive(Debug, Error, Diagnostic)]
pub enum AskError {
    /// Nobody listens.
    #[error("no node is running on {}", folder.display())]
    #[diagnostic(help("start it with: synchronicity-node run --dir {}", folder.display()))]
    NotRunning {
        /// The node's folder.
        folder: PathBuf,
    },
    /// The socket belongs to somebody else.
    #[error("the socket {} may only be used by the node's operator", path.display())]
    #[diagnostic(help("run this command as the user who runs the node"))]
    Forbidden {
        /// The socket.
        path: PathBuf,
    },
    /// The conversation broke off.
    #[error("the node broke off: {0}")]
    #[diagnostic(help("look at the node's trace; it may be stopping"))]
    Broken(#[from] io::Error),
    /// The answer is none.
    #[error("the node's answer is not understood: {0}")]
    #[diagnostic(help("use the same version of this program for the node and for its commands"))]
    Strange(#[from] serde_json::Error),
}

/// Asks the node in this folder and waits for its answer, as long as it takes.
///
/// # Errors
/// [`AskError`].
pub fn ask(folder: &Path, socket: &Path, request: &Request) -> Result<Answer, AskError> {
    let connected = short_path(socket).and_then(|(_open, path)| UnixStream::connect(path));
    let mut stream = connected.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => AskError::Forbidden { path: socket.to_owned() },
        _ => AskError::NotRunning { folder: folder.to_owned() },
    })?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(AskError::Broken(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(serde_json::from_str(&answer)?)
}
