//! The node's end of the socket.

use std::fs::{self, Permissions};
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::{Answer, REQUEST_BYTES_MAX, Request, short_path};
use crate::changes::{ChangeError, Changes};
use crate::exit;
use crate::explaining::Explanations;
use crate::submit::Submissions;
use crate::view::View;

/// How long an operator's command may take to say what it wants.
const ASK_TIME: Duration = Duration::from_secs(10);

/// What answers come from.
#[derive(Clone)]
pub struct Desk {
    /// The status.
    pub view: View,
    /// Takes submissions.
    pub submissions: Submissions,
    /// Why builders diverged.
    pub explanations: Explanations,
    /// Takes changes of membership.
    pub changes: Changes,
}

/// Makes the socket. Only the holder of the folder's lock may call this: it removes what an earlier process left.
///
/// # Errors
/// What the operating system said.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (_open, short) = short_path(path)?;
    let listener = UnixListener::bind(short)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until `stop` resolves.
pub async fn serve(listener: UnixListener, desk: Desk, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let desk = desk.clone();
                tokio::spawn(async move {
                    // A command that breaks off has nobody left to tell.
                    let _ = converse(stream, desk).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an operator's command");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, desk: Desk) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(REQUEST_BYTES_MAX));
    tokio::time::timeout(ASK_TIME, reader.read_line(&mut line)).await??;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(Request::Status) => Answer::Status(Box::new(desk.view.status())),
        Ok(Request::Explain { request }) => {
            let told = request.parse::<RequestId>().ok().and_then(|request| desk.explanations.of(&request).ok());
            Answer::Explained(told.map(Box::new))
        }
        Ok(Request::Epoch) => Answer::Epoch(desk.changes.status()),
        Ok(Request::Propose { membership }) => match unhex(&membership) {
            Some(bytes) => said(&desk, desk.changes.propose(&bytes).await),
            None => misunderstood("the membership is not hex"),
        },
        Ok(Request::Approve { membership }) => match membership.parse::<Digest>() {
            Ok(membership) => said(&desk, desk.changes.approve(membership).await),
            Err(error) => misunderstood(&error.to_string()),
        },
        Ok(Request::Submit { spec }) => match desk.submissions.submit(&spec).await {
            Ok(submitted) => Answer::Submitted(submitted),
            Err(error) => {
                let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
                Answer::Failed { code: error.exit_code(), message: error.to_string(), help }
            }
        },
        Err(error) => misunderstood(&error.to_string()),
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await?;
    write.shutdown().await
}

fn said(desk: &Desk, outcome: Result<bool, ChangeError>) -> Answer {
    match outcome {
        Ok(ordered) => Answer::Said { ordered, epoch: desk.changes.status() },
        Err(error) => {
            let code = if matches!(error, ChangeError::NoSuccessor(_)) { exit::USAGE } else { exit::TRY_LATER };
            let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
            Answer::Failed { code, message: error.to_string(), help }
        }
    }
}

fn misunderstood(problem: &str) -> Answer {
    Answer::Failed {
        code: exit::USAGE,
        message: format!("not understood: {problem}"),
        help: Some("use the same version of this program for the node and for its commands".to_owned()),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}
