//! The log over HTTP: its files, and proofs from them. It knows nothing of the group and of consensus, only a folder and
//! the checkpoint that is published there.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode};
use axum::routing::get;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::map::PrefixMap;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::proof;
use synchronicity_verify::tile::{TileLevel, TilePath};
use tokio::sync::watch;

use super::answer::{BYTES, Keep, TEXT, compressible, known_by, missing, text, whole};
use super::{files, lookup};
use crate::log_reader::{LogReader, Patience, Placed, ReadError};
use crate::witness::client::Outside;

/// Finds the latest entry below a size in which a crate of this name and version was reproduced.
pub type Find = Arc<dyn Fn(&str, &str, u64) -> Option<u64> + Send + Sync>;

/// The map of the log at a size; `None` where it is not at hand.
pub type MapAt = Arc<dyn Fn(u64) -> Option<PrefixMap> + Send + Sync>;

/// What the routes of the log read from. Clones share it.
#[derive(Clone)]
pub struct LogSite {
    reader: LogReader,
    published: watch::Receiver<Option<Arc<SignedNote>>>,
    find: Find,
    map_at: MapAt,
    outside: Outside,
    shown: Arc<Mutex<Option<Shown>>>,
}

/// The published checkpoint, its bytes, and what they are known by: made once, for all answers under it.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) note: Arc<SignedNote>,
    pub(super) size: u64,
    pub(super) text: Arc<str>,
    pub(super) tag: Arc<str>,
}

impl LogSite {
    /// A site over a folder that has all files under whatever checkpoint is published.
    pub fn new(
        reader: LogReader,
        published: watch::Receiver<Option<Arc<SignedNote>>>,
        find: Find,
        map_at: MapAt,
    ) -> LogSite {
        LogSite { reader, published, find, map_at, outside: Outside::default(), shown: Arc::default() }
    }

    /// The same site, which shows the lines of outside witnesses too, on the checkpoint and on nothing else: a proof with
    /// a line that the policy does not name is refused.
    pub fn with_outside(self, outside: Outside) -> LogSite {
        LogSite { outside, ..self }
    }

    pub(super) fn reader(&self) -> &LogReader {
        &self.reader
    }

    pub(super) fn map_at(&self, size: u64) -> Option<PrefixMap> {
        (self.map_at)(size)
    }

    pub(super) fn shown(&self) -> Option<Shown> {
        let note = self.published.borrow().clone()?;
        // What was shown before is whole, whoever panicked.
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shown {
            Some(shown) if Arc::ptr_eq(&shown.note, &note) => Some(shown.clone()),
            _ => {
                let size = note.text.parse::<Checkpoint>().ok()?.size;
                let text: Arc<str> = note.to_string().into();
                let digest = Digest::of(text.as_bytes()).to_string();
                *shown = Some(Shown { note, size, text, tag: digest[..32].into() });
                shown.clone()
            }
        }
    }
}

/// The routes of the log. Whatever else is to be read from its folder belongs here, beside the proofs.
pub fn router(site: LogSite) -> Router {
    Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/proof/index/{index}", get(proof_at))
        .route("/proof/{name}/{version}", get(proof_of))
        .route("/lookup/", get(lookup::everything))
        .route("/lookup/{prefix}", get(lookup::lookup))
        .route("/bundle", get(lookup::whole_log))
        .with_state(site)
}

async fn checkpoint(Shared(site): Shared<LogSite>) -> Response<Body> {
    let Some(shown) = site.shown() else { return missing("nothing is published yet") };
    match site.outside.add_to(&shown.note) {
        None => known_by(text(shown.text.to_string()), &shown.tag, Keep::Shortly),
        Some(note) => {
            let note = note.to_string();
            let digest = Digest::of(note.as_bytes()).to_string();
            known_by(text(note), &digest[..32], Keep::Shortly)
        }
    }
}

async fn tile(Shared(site): Shared<LogSite>, Path(path): Path<String>) -> Response<Body> {
    // Parsed and printed again: only the one spelling of a tile's path ever reaches the file system.
    let Ok(path) = format!("tile/{path}").parse::<TilePath>() else { return missing("not the path of a tile") };
    let response = files::send(site.reader.file(&path), BYTES, Keep::Forever).await;
    if path.level == TileLevel::Entries { compressible(response) } else { response }
}

async fn proof_at(Shared(site): Shared<LogSite>, Path(index): Path<String>) -> Response<Body> {
    // No version is a plain number, so a crate that is named `index` keeps its proofs.
    match index.parse::<u64>() {
        Ok(index) => proven(&site, |_| Some(index)).await,
        Err(_) => proven(&site, |size| (site.find)("index", &index, size)).await,
    }
}

async fn proof_of(Shared(site): Shared<LogSite>, Path((name, version)): Path<(String, String)>) -> Response<Body> {
    proven(&site, |size| (site.find)(&name, &version, size)).await
}

async fn proven(site: &LogSite, find: impl Fn(u64) -> Option<u64>) -> Response<Body> {
    let Some(shown) = site.shown() else { return missing("nothing is published yet") };
    let Some(index) = find(shown.size) else { return missing("no evidence for this in the log as published so far") };
    let made = match site.reader.placed(shown.size, index, Patience::Memory) {
        Err(ReadError::NotAtHand) => {
            let reader = site.reader.clone();
            let made = tokio::task::spawn_blocking(move || reader.placed(shown.size, index, Patience::Disk)).await;
            made.unwrap_or(Err(ReadError::NotAtHand))
        }
        made => made,
    };
    match made {
        Ok(Some(Placed { entry, path })) => {
            let proof = proof::text(&entry, index, &path, &shown.text);
            known_by(text(proof), &format!("{}-{index}", shown.tag), Keep::Shortly)
        }
        Ok(None) => missing("no evidence for this in the log as published so far"),
        Err(error) => {
            tracing::warn!(index, %error, "cannot prove an entry");
            whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the log cannot be read\n")
        }
    }
}
