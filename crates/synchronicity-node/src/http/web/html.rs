//! Pages as answers: what a browser may do with them, and by what they are known again.

use axum::body::Body;
use axum::http::{HeaderName, Response, StatusCode, header};
use synchronicity_verify::digest::Digest;

use super::super::answer::{Keep, compressible, known_by, set, whole};

const HTML: &str = "text/html; charset=utf-8";

/// Nothing inline, nothing from elsewhere, no frames, no forms to elsewhere; and whom scripts may ask.
macro_rules! policy {
    ($asked:literal) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src ",
            $asked,
            "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    };
}

/// A page whose scripts may ask nobody anything.
pub(super) fn html_alone(code: StatusCode, page: String) -> Response<Body> {
    let mut response = html(code, page);
    set(&mut response, header::CONTENT_SECURITY_POLICY, policy!("'none'"));
    response
}

/// A page.
pub(super) fn html(code: StatusCode, page: String) -> Response<Body> {
    let mut response = tagged(code, HTML, page);
    set(&mut response, header::CONTENT_SECURITY_POLICY, policy!("'self'"));
    set(&mut response, header::REFERRER_POLICY, "no-referrer");
    set(&mut response, header::X_FRAME_OPTIONS, "DENY");
    set(&mut response, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(&mut response, HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()");
    response
}

/// Text that somebody may ask for again, known by its hash.
pub(super) fn tagged(code: StatusCode, kind: &'static str, content: impl Into<Vec<u8>>) -> Response<Body> {
    let content = content.into();
    let tag = Digest::of(&content).to_string();
    known_by(compressible(whole(code, kind, content)), &tag[..32], Keep::Shortly)
}
