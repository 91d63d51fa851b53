//! How an outcome of `add-checkpoint` is said over HTTP (C2SP `tlog-witness`).

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use synchronicity_verify::note::NoteSignature;

use super::NotCosigned;
use super::decide::Refusal;
use super::request::RequestError;

/// The content type of a size: how a witness says where it is.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

const TEXT: &str = "text/plain; charset=utf-8";

/// The response: signature lines, the size that was cosigned last, or a reason.
pub fn response(outcome: &Result<NoteSignature, NotCosigned>) -> Response<Body> {
    match outcome {
        Ok(line) => whole(StatusCode::OK, TEXT, format!("{line}\n")),
        Err(NotCosigned::Refused(Refusal::Conflict { size })) => {
            whole(StatusCode::CONFLICT, SIZE_TYPE, format!("{size}\n"))
        }
        Err(error) => whole(status(error), TEXT, format!("{error}\n")),
    }
}

fn status(error: &NotCosigned) -> StatusCode {
    match error {
        NotCosigned::Refused(refusal) => match refusal {
            Refusal::Malformed(RequestError::TooLong) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Malformed(_) | Refusal::Backwards { .. } => StatusCode::BAD_REQUEST,
            Refusal::UnknownLog => StatusCode::NOT_FOUND,
            Refusal::Signature => StatusCode::FORBIDDEN,
            Refusal::Conflict { .. } => StatusCode::CONFLICT,
            Refusal::Inconsistent { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        },
        NotCosigned::Memory(_) => StatusCode::SERVICE_UNAVAILABLE,
        NotCosigned::Key(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A whole answer that no browser takes for something else.
pub fn whole(code: StatusCode, kind: &'static str, content: String) -> Response<Body> {
    let headers = [(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (code, headers, content).into_response()
}

/// Plain text.
pub fn text(code: StatusCode, content: impl Into<String>) -> Response<Body> {
    whole(code, TEXT, content.into())
}
