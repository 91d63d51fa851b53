//! Answers: what they hold, how long they may be kept, and by what they are known again.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";
pub(super) const BYTES: &str = "application/octet-stream";

/// An answer that gains from compression carries this. Hashes and binaries do not: they only cost time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compressible;

/// How long an answer may be kept without asking again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    /// The content of this path never changes.
    Forever,
    /// It grows with the log.
    Shortly,
}

pub(super) fn text(content: String) -> Response<Body> {
    compressible(whole(StatusCode::OK, TEXT, content))
}

pub(super) fn missing(why: &'static str) -> Response<Body> {
    whole(StatusCode::NOT_FOUND, TEXT, format!("{why}\n"))
}

pub(super) fn whole(code: StatusCode, kind: &'static str, content: impl Into<Body>) -> Response<Body> {
    // What a build wrote must never run in somebody's browser.
    let headers = [(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (code, headers, content.into()).into_response()
}

pub(super) fn compressible(mut response: Response<Body>) -> Response<Body> {
    response.extensions_mut().insert(Compressible);
    // Whether or not this one will be compressed: a cache must not hand one form to everybody.
    set(&mut response, header::VARY, "accept-encoding");
    response
}

/// Marks a good answer with what it is known by and how long it may be kept; others stay as they are.
pub(super) fn known_by(mut response: Response<Body>, tag: &str, keep: Keep) -> Response<Body> {
    if response.status() == StatusCode::OK
        && let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\""))
    {
        response.headers_mut().insert(header::ETAG, tag);
        kept(&mut response, keep);
    }
    response
}

pub(super) fn kept(response: &mut Response<Body>, keep: Keep) {
    let keep = match keep {
        Keep::Forever => "public, max-age=31536000, immutable",
        Keep::Shortly => "public, max-age=5",
    };
    set(response, header::CACHE_CONTROL, keep);
}

pub(super) fn set(response: &mut Response<Body>, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}
