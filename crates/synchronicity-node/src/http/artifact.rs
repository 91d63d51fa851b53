//! Artifacts by hash and transcripts by request and builder, streamed out of the store.

use std::io;
use std::ops::Range;

use async_compression::tokio::bufread::GzipDecoder;
use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use futures_util::TryStreamExt;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use tokio_util::io::{ReaderStream, StreamReader};

use super::Site;
use super::answer::{BYTES, Keep, TEXT, compressible, known_by, missing, set, whole};

pub(super) async fn artifact(
    Shared(site): Shared<Site>,
    Path(sha256): Path<String>,
    asked: HeaderMap,
) -> Response<Body> {
    let Ok(sha256) = sha256.parse::<Digest>() else {
        return missing("an artifact is named by 64 lower-case hex digits");
    };
    if !site.view.state().lock().is_revealed(&sha256) {
        return missing("no concluded round in which this artifact was revealed");
    }
    let Some(size) = site.store.size(&sha256).await else { return missing("this node does not keep this artifact") };
    let part = asked.get(header::RANGE).and_then(|range| part(range, size));
    let range = match &part {
        Some(Part::Outside) => {
            let mut refusal = whole(StatusCode::RANGE_NOT_SATISFIABLE, TEXT, "the artifact has no such bytes\n");
            content_range(&mut refusal, &format!("bytes */{size}"));
            return refusal;
        }
        Some(Part::Bytes(range)) => range.clone(),
        None => 0..size,
    };
    let body = Body::from_stream(site.store.artifact(&sha256, range.clone()));
    let mut response = known_by(whole(StatusCode::OK, BYTES, body), &sha256.to_string(), Keep::Forever);
    response.headers_mut().insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    if part.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        content_range(&mut response, &format!("bytes {}-{}/{size}", range.start, range.end - 1));
    }
    response
}

pub(super) async fn transcript(
    Shared(site): Shared<Site>,
    Path((request, builder)): Path<(String, String)>,
) -> Response<Body> {
    let Ok(request) = request.parse::<RequestId>() else {
        return missing("a request's identity is 64 lower-case hex digits");
    };
    if *builder != *site.name {
        return missing("a node keeps the transcripts of its own builds: ask that builder's node");
    }
    if !site.view.state().lock().is_concluded(&request) {
        return missing("no concluded round of this request: what a builder did is shown with the verdict, not before");
    }
    match site.store.transcript(&request).await {
        Ok(found) => {
            // Of another round there is another.
            let tag = format!("{:x}-{:x}", found.meta.last_modified.timestamp_millis(), found.meta.size);
            let kept = StreamReader::new(found.into_stream().map_err(io::Error::from));
            let body = Body::from_stream(ReaderStream::new(GzipDecoder::new(kept)));
            compressible(known_by(whole(StatusCode::OK, TEXT, body), &tag, Keep::Shortly))
        }
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &object_store::Error) -> Response<Body> {
    match error {
        object_store::Error::NotFound { .. } => missing("this node does not keep this"),
        error => {
            tracing::warn!(%error, "cannot serve from the store of artifacts");
            whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the store cannot be read\n")
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Bytes(Range<u64>),
    Outside,
}

/// The one part that `Range` asks for. Several parts, or what is not understood, get the whole (RFC 9110 §14.2).
fn part(range: &HeaderValue, size: u64) -> Option<Part> {
    let (from, to) = range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let range = match (from, to) {
        ("", last) => size.saturating_sub(number(last)?)..size,
        (from, "") => number(from)?..size,
        (from, to) => {
            let (from, to) = (number(from)?, number(to)?);
            if to < from {
                return None;
            }
            from..size.min(to.saturating_add(1))
        }
    };
    Some(if range.start < range.end { Part::Bytes(range) } else { Part::Outside })
}

fn content_range(response: &mut Response<Body>, range: &str) {
    if let Ok(range) = HeaderValue::from_str(range) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_one_range_within_the_artifact_and_everything_else_is_the_whole_or_nothing() {
        let of = |text: &'static str| part(&HeaderValue::from_static(text), 10);
        assert_eq!(of("bytes=0-0"), Some(Part::Bytes(0..1)));
        assert_eq!(of("bytes=3-"), Some(Part::Bytes(3..10)));
        assert_eq!(of("bytes=3-99"), Some(Part::Bytes(3..10)));
        assert_eq!(of("bytes=-4"), Some(Part::Bytes(6..10)));
        assert_eq!(of("bytes=-99"), Some(Part::Bytes(0..10)));
        assert_eq!(of("bytes=0-18446744073709551615"), Some(Part::Bytes(0..10)));
        for outside in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(of(outside), Some(Part::Outside), "{outside}");
        }
        for whole in
            ["bytes=0-1,3-4", "bytes=5-4", "bytes=-", "bytes=+1-2", "lines=0-1", "bytes=0-99999999999999999999"]
        {
            assert_eq!(of(whole), None, "{whole}");
        }
    }
}
