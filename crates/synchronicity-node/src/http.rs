//! What everybody may read: the log as static files, proofs, and how the node is. Nothing here changes anything.
//!
//! | path | content |
//! | --- | --- |
//! | `/checkpoint`, `/tile/...` | the transparency log, as C2SP `tlog-tiles` |
//! | `/proof/NAME/VERSION` | proof of the latest entry in which this crate was reproduced |
//! | `/proof/index/I` | proof of entry `I`, whatever its verdict |
//! | `/policy`, `/group` | what a client needs to verify, and who the members are |
//! | `/status`, `/health` | JSON, and `ok` or a reason with status 503 |
//! | `/request/ID` | what a request pins, as JSON |
//! | `/transcript/ID`, `/artifact/SHA256` | of this node's own builds, once their round is concluded |

mod files;
mod server;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::tile::TilePath;

use crate::folder::Folder;
use crate::proofs;
use crate::request_view;
use crate::view::View;

pub use server::{Served, serve};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// What the routes read from.
#[derive(Clone)]
pub struct Site {
    /// Where the files are.
    pub folder: Folder,
    /// Status, proofs, the published checkpoint.
    pub view: View,
    /// The policy file of the group.
    pub policy: Arc<str>,
    /// The group file.
    pub group: Arc<str>,
}

/// The routes over a site.
pub fn router(site: Site) -> Router {
    Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/proof/{name}/{version}", get(proof))
        .route("/policy", get(|Shared(site): Shared<Site>| async move { text(site.policy.to_string()) }))
        .route("/group", get(|Shared(site): Shared<Site>| async move { text(site.group.to_string()) }))
        .route("/status", get(status))
        .route("/health", get(health))
        .route("/request/{id}", get(request))
        .route("/transcript/{id}", get(transcript))
        .route("/artifact/{sha256}", get(artifact))
        .fallback(|| async { missing("there is nothing here; the paths are in docs/operating.md") })
        .with_state(site)
}

async fn checkpoint(Shared(site): Shared<Site>) -> Response<Body> {
    match site.view.published() {
        Some(note) => text(note.to_string()),
        None => missing("nothing is published yet"),
    }
}

async fn tile(Shared(site): Shared<Site>, Path(path): Path<String>) -> Response<Body> {
    // Parsed and printed again: only the one spelling of a tile's path ever reaches the file system.
    let Ok(path) = format!("tile/{path}").parse::<TilePath>() else { return missing("not the path of a tile") };
    let mut response = files::send(&site.folder.log().join(path.path()), BYTES).await;
    if response.status() == StatusCode::OK {
        let forever = header::HeaderValue::from_static("public, max-age=31536000, immutable");
        response.headers_mut().insert(header::CACHE_CONTROL, forever);
    }
    response
}

async fn proof(Shared(site): Shared<Site>, Path((name, version)): Path<(String, String)>) -> Response<Body> {
    let Some(note) = site.view.published() else { return missing("nothing is published yet") };
    let size = note.text.parse::<synchronicity_verify::checkpoint::Checkpoint>().map_or(0, |published| published.size);
    // No version is a plain number, so a crate that is named `index` keeps its proofs.
    let index = match (name.as_str(), version.parse::<u64>()) {
        ("index", Ok(index)) => Some(index),
        _ => site.view.find(&name, &version, size),
    };
    let proof = index.and_then(|index| proofs::proof_of(site.view.state(), &note, index));
    match proof {
        Some(proof) => text(proof.to_string()),
        None => missing("no evidence for this in the log as published so far"),
    }
}

async fn status(Shared(site): Shared<Site>) -> Response<Body> {
    match serde_json::to_vec(&site.view.status()) {
        Ok(status) => whole(StatusCode::OK, JSON, status),
        Err(error) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
    }
}

async fn health(Shared(site): Shared<Site>) -> Response<Body> {
    let health = site.view.health();
    let code = if health == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    whole(code, TEXT, format!("{health}\n"))
}

async fn request(Shared(site): Shared<Site>, Path(id): Path<String>) -> Response<Body> {
    let Ok(id) = id.parse::<RequestId>() else { return missing("a request's identity is 64 lower-case hex digits") };
    let request = site.view.request(&id);
    match request.map(|request| serde_json::to_vec(&request_view::of(&request))) {
        Some(Ok(request)) => whole(StatusCode::OK, JSON, request),
        Some(Err(error)) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
        None => missing("this group was never asked for this request"),
    }
}

async fn transcript(Shared(site): Shared<Site>, Path(id): Path<String>) -> Response<Body> {
    match id.parse::<RequestId>() {
        Ok(id) if !site.view.state().lock().is_concluded(&id) => {
            missing("no concluded round of this request: what a builder did is shown with the verdict, not before")
        }
        Ok(id) => files::send(&site.folder.transcripts().join(id.to_string()), TEXT).await,
        Err(_) => missing("a request's identity is 64 lower-case hex digits"),
    }
}

async fn artifact(Shared(site): Shared<Site>, Path(sha256): Path<String>) -> Response<Body> {
    match sha256.parse::<Digest>() {
        Ok(sha256) if !site.view.state().lock().is_revealed(&sha256) => {
            missing("no concluded round in which this artifact was revealed")
        }
        Ok(sha256) => files::send(&site.folder.artifacts().join(sha256.to_string()), BYTES).await,
        Err(_) => missing("an artifact is named by 64 lower-case hex digits"),
    }
}

fn text(content: String) -> Response<Body> {
    whole(StatusCode::OK, TEXT, content)
}

fn missing(why: &'static str) -> Response<Body> {
    whole(StatusCode::NOT_FOUND, TEXT, format!("{why}\n"))
}

fn whole(code: StatusCode, kind: &'static str, content: impl Into<Body>) -> Response<Body> {
    // What a build wrote must never run in somebody's browser.
    let headers = [(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (code, headers, content.into()).into_response()
}
