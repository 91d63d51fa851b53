//! Lookups and the whole log over HTTP: what the log says of something, and that it says no more.

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode};
use synchronicity_verify::bundle;
use synchronicity_verify::map::{Prefix, PrefixMap};
use synchronicity_verify::tile::{TileLevel, tiles_between};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use super::answer::{BYTES, Keep, TEXT, compressible, known_by, missing, text, whole};
use super::log::{LogSite, Shown};
use crate::lookups::{LookupFailure, answer};

/// Bytes of a bundle that are in memory at a time, for each connection.
const PIECE: usize = 64 * 1024;

/// `/lookup/`: the empty prefix.
pub(super) async fn everything(site: Shared<LogSite>) -> Response<Body> {
    lookup(site, Path(String::new())).await
}

/// `/lookup/PREFIX`
pub(super) async fn lookup(Shared(site): Shared<LogSite>, Path(prefix): Path<String>) -> Response<Body> {
    let Ok(prefix) = prefix.parse::<Prefix>() else {
        return whole(StatusCode::BAD_REQUEST, TEXT, "a prefix is at most 64 lower-case hex digits\n");
    };
    let Some(shown) = site.shown() else { return missing("nothing is published yet") };
    let Some(map) = site.map_at(shown.size) else {
        // Another checkpoint was published in between.
        return whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the map is not at hand yet: ask again in a moment\n");
    };
    let tag = format!("{}-{prefix}", shown.tag);
    match tokio::task::spawn_blocking(move || made(&site, &map, &shown, prefix)).await {
        Ok(Ok(answer)) => known_by(text(answer), &tag, Keep::Shortly),
        Ok(Err(LookupFailure::Read(error))) => {
            tracing::warn!(%error, "cannot answer a lookup");
            whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the log cannot be read\n")
        }
        Ok(Err(too_much)) => whole(StatusCode::PAYLOAD_TOO_LARGE, TEXT, format!("{too_much}\n")),
        Err(error) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}

fn made(site: &LogSite, map: &PrefixMap, shown: &Shown, prefix: Prefix) -> Result<String, LookupFailure> {
    Ok(answer(site.reader(), map, &shown.note, prefix)?.to_string())
}

/// `/bundle`: the whole log. A file that cannot be read ends it early, and its reader counts.
pub(super) async fn whole_log(Shared(site): Shared<LogSite>) -> Response<Body> {
    let Some(shown) = site.shown() else { return missing("nothing is published yet") };
    let (mut to, from) = tokio::io::duplex(PIECE);
    let note = shown.note.clone();
    tokio::spawn(async move {
        to.write_all(&bundle::head(&note)).await?;
        let bundles = tiles_between(0, shown.size).filter(|path| path.level == TileLevel::Entries);
        for path in bundles {
            let mut file = tokio::fs::File::open(site.reader().file(&path)).await?;
            tokio::io::copy(&mut file, &mut to).await?;
        }
        to.shutdown().await
    });
    let response = whole(StatusCode::OK, BYTES, Body::from_stream(ReaderStream::with_capacity(from, PIECE)));
    known_by(compressible(response), &format!("{}-bundle", shown.tag), Keep::Shortly)
}
