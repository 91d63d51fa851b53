//! Why builders diverged, as this node sees it.

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode};
use synchronicity_verify::identity::RequestId;

use super::Site;
use super::answer::{JSON, Keep, TEXT, compressible, kept, missing, whole};

pub(super) async fn explanation(Shared(site): Shared<Site>, Path(request): Path<String>) -> Response<Body> {
    let Ok(request) = request.parse::<RequestId>() else {
        return missing("a request's identity is 64 lower-case hex digits");
    };
    let explanations = site.explanations;
    // It is read from disk.
    let told = tokio::task::spawn_blocking(move || explanations.of(&request)).await;
    match told {
        Ok(Ok(told)) => {
            let mut response = compressible(whole(StatusCode::OK, JSON, told.to_string()));
            kept(&mut response, Keep::Shortly);
            response
        }
        Ok(Err(none)) => whole(StatusCode::NOT_FOUND, TEXT, format!("{none}\n")),
        Err(error) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}
