//! What holds for every answer alike: gzip where it helps, `304` for whoever has it already, and leave for scripts of
//! other sites to read it.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::middleware::{self, Next};
use tower::Service;
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::compression::predicate::Predicate;

use super::answer::{Compressible, set, whole};

/// Ends the tag of a compressed answer: other bytes, so another tag.
const COMPRESSED: &str = "-gzip";

/// Adds to routes what holds for all of them.
pub(super) fn layered(router: Router) -> Router {
    router.layer(middleware::from_fn(finish))
}

/// Answers the question that a browser puts before it lets a script of another site send `If-None-Match`.
pub(super) fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD");
    set(&mut response, header::ACCESS_CONTROL_ALLOW_HEADERS, "If-None-Match");
    set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "86400");
    response
}

#[derive(Clone, Copy)]
struct Marked;

impl Predicate for Marked {
    fn should_compress<B>(&self, response: &axum::http::Response<B>) -> bool {
        response.extensions().get::<Compressible>().is_some()
    }
}

async fn finish(request: Request, next: Next) -> Response<Body> {
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    // Most who ask for a proof ask for it as it is: a layer that they do not need would cost them.
    let encodes = request.headers().contains_key(header::ACCEPT_ENCODING);
    let mut response = if encodes { compressed(request, next).await } else { next.run(request).await };
    set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    let Some(tag) = response.headers().get(header::ETAG).cloned() else { return response };
    set(&mut response, header::ACCESS_CONTROL_EXPOSE_HEADERS, "ETag");
    let compressed = response.headers().contains_key(header::CONTENT_ENCODING);
    let tag = if compressed { compressed_tag(&tag) } else { tag };
    let same = known.is_some_and(|known| names(&known, &tag));
    response.headers_mut().insert(header::ETAG, tag);
    if same && response.status() == StatusCode::OK { unchanged(response.headers()) } else { response }
}

async fn compressed(request: Request, next: Next) -> Response<Body> {
    // Bundles can be large: the fastest level already takes most of what there is to gain.
    let mut compression = Compression::new(next).quality(CompressionLevel::Fastest).compress_when(Marked);
    match compression.call(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// `304`, with the headers that a cache is to renew.
fn unchanged(headers: &HeaderMap) -> Response<Body> {
    let mut response = whole(StatusCode::NOT_MODIFIED, "", Body::empty());
    response.headers_mut().clear();
    let renewed = [
        header::ETAG,
        header::CACHE_CONTROL,
        header::VARY,
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
    ];
    for name in renewed {
        if let Some(value) = headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn compressed_tag(tag: &HeaderValue) -> HeaderValue {
    let inner = tag.to_str().unwrap_or_default().trim_matches('"');
    HeaderValue::from_str(&format!("\"{inner}{COMPRESSED}\"")).unwrap_or_else(|_| tag.clone())
}

/// Whether `If-None-Match` names a tag. Weak and strong ones count alike there (RFC 9110 §13.1.2).
fn names(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else { return false };
    known.split(',').map(str::trim).any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item) == tag)
}
