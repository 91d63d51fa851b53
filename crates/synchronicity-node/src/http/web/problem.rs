//! Errors of the API, as RFC 9457 has them.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use axum::middleware::Next;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::answer::{Keep, kept, whole};

pub(super) const PROBLEM: &str = "application/problem+json";

/// Why there is no answer (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// What kind of problem: `about:blank`, for the status says it all.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, and what can be done.
    detail: String,
}

/// A problem as an answer.
pub(super) fn problem(code: StatusCode, detail: impl Into<String>) -> Response<Body> {
    let title = code.canonical_reason().unwrap_or("Error");
    let problem = Problem { r#type: "about:blank", title, status: code.as_u16(), detail: detail.into() };
    let told = serde_json::to_vec(&problem).expect("words and a number are always JSON");
    let mut response = whole(code, PROBLEM, told);
    if code == StatusCode::NOT_FOUND {
        kept(&mut response, Keep::Shortly);
    }
    response
}

/// Makes problems of errors that are none yet: of paths that are no text, and the like.
pub(super) async fn as_problems(request: Request, next: Next) -> Response<Body> {
    let response = next.run(request).await;
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM);
    let code = response.status();
    if is_problem || !(code.is_client_error() || code.is_server_error()) {
        return response;
    }
    problem(code, "what was asked for could not be understood; /api/v1/openapi.json says what can be asked")
}
