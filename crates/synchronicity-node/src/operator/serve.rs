//! The node's end of the socket.

use std::fs::{self, Permissions};
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use synchronicity_verify::identity::RequestId;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::{Answer, REQUEST_BYTES_MAX, Request, short_path};
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
        Ok(Request::Submit { spec }) => match desk.submissions.submit(&spec).await {
            Ok(submitted) => Answer::Submitted(submitted),
            Err(error) => {
                let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
                Answer::Failed { code: error.exit_code(), message: error.to_string(), help }
            }
        },
        Err(error) => Answer::Failed {
            code: exit::USAGE,
            message: format!("not understood: {error}"),
            help: Some("use the same version of this program for the node and for its commands".to_owned()),
        },
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await?;
    write.shutdown().await
}
