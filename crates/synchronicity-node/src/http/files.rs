//! Sending a file in pieces: artifacts can be larger than what a node should hold in memory.

use std::io;
use std::path::Path;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::{TEXT, missing, whole};

/// Bytes of a file that are in memory at a time, for each connection.
const PIECE: usize = 64 * 1024;

/// The file, or 404.
pub(super) async fn send(path: &Path, kind: &'static str) -> Response<Body> {
    match open(path).await {
        Ok((file, length)) => {
            let mut response = whole(StatusCode::OK, kind, Body::from_stream(ReaderStream::with_capacity(file, PIECE)));
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            response
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => missing("this node has no such file"),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot serve a file");
            whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the file cannot be read\n")
        }
    }
}

async fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path).await?;
    let about = file.metadata().await?;
    if about.is_file() { Ok((file, about.len())) } else { Err(io::ErrorKind::NotFound.into()) }
}
