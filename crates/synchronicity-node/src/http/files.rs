//! Sending a file: small ones at once, large ones in pieces, because artifacts can be larger than what a node should hold
//! in memory.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use tokio_util::io::ReaderStream;

use super::answer::{Keep, TEXT, known_by, missing, whole};

/// Bytes of a file that are in memory at a time, for each connection.
const PIECE: usize = 64 * 1024;

enum Content {
    Small(Vec<u8>),
    Large(File),
}

/// The file, or 404. Files are replaced and never written in place, so length and time of writing tell two contents
/// apart.
pub(super) async fn send(path: PathBuf, kind: &'static str, keep: Keep) -> Response<Body> {
    let asked = path.clone();
    let opened = tokio::task::spawn_blocking(move || open(&asked)).await;
    match opened.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok((content, about)) => {
            let body = match content {
                Content::Small(bytes) => Body::from(bytes),
                Content::Large(file) => {
                    Body::from_stream(ReaderStream::with_capacity(tokio::fs::File::from_std(file), PIECE))
                }
            };
            let mut response = whole(StatusCode::OK, kind, body);
            response.headers_mut().insert(header::CONTENT_LENGTH, about.len().into());
            let tag = format!("{:x}-{:x}-{:x}", about.mtime(), about.mtime_nsec(), about.len());
            known_by(response, &tag, keep)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => missing("this node has no such file"),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot serve a file");
            whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the file cannot be read\n")
        }
    }
}

fn open(path: &Path) -> io::Result<(Content, Metadata)> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if about.len() > PIECE as u64 {
        return Ok((Content::Large(file), about));
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    file.by_ref().take(about.len()).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == about.len() {
        Ok((Content::Small(bytes), about))
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
