//! Pages, feeds, badges and the API, beside the paths that serve the log. All of it is made from a snapshot (see
//! [`crate::pages`]), and nothing here changes anything.
//!
//! | path | content |
//! | --- | --- |
//! | `/`, `/search`, `/crates/NAME[/VERSION]` | what the log says |
//! | `/requests/ID[?round=R]`, `/requests/ID/transcript` | one attempt, and what this node's build of it printed |
//! | `/requests/ID/events` | the attempt while it goes on, as server-sent events |
//! | `/builders`, `/builders/NAME`, `/queue`, `/log`, `/trends`, `/about` | the group |
//! | `/survey` | how a list of crates does on one machine |
//! | `/verify` | a verifier that runs in the browser |
//! | `/feeds/…`, `/badge/NAME[/VERSION]`, `/static/EDITION/NAME` | for other programs |
//! | `/api`, `/api/v1/…` | the same as JSON; its document at `/api/v1/openapi.json` |

mod api;
mod asked;
mod events;
mod feed;
mod html;
mod limit;
mod problem;
mod shown;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::middleware;
use axum::routing::get;
use synchronicity_verify::identity::RequestId;
use synchronicity_web::model::TranscriptPage;

use super::answer::{TEXT, whole};
use super::server::Guests;
use crate::artifact_store::{ArtifactStore, Printed};
use crate::pages::Pages;
use limit::Limits;

pub use limit::{API_BURST, STREAMS_PER_ADDRESS};

/// What pages and API are made from. Clones share it.
#[derive(Clone)]
pub struct WebSite {
    pages: Pages,
    store: ArtifactStore,
    limits: Arc<Limits>,
    /// Pages that follow a round, by address.
    followers: Guests,
}

impl WebSite {
    /// Over pages, and what is kept of builds.
    pub fn new(pages: Pages, store: ArtifactStore) -> WebSite {
        WebSite { pages, store, limits: Arc::default(), followers: Guests::of(STREAMS_PER_ADDRESS) }
    }
}

/// All routes, with their own answer to whatever is not there.
pub fn router(site: WebSite) -> Router {
    // What costs more than a page.
    let costly = Router::new()
        .route("/requests/{id}/transcript", get(shown::transcript))
        .route("/feeds/all.atom", get(feed::feed_of_all))
        .route("/feeds/crates/{file}", get(feed::feed_of_crate))
        .route("/feeds/verdicts/{file}", get(feed::feed_of_verdict))
        .nest("/api/v1", api::router())
        .layer(middleware::from_fn_with_state(site.limits.clone(), limit::limited));
    Router::new()
        .route("/", get(shown::home))
        .route("/search", get(shown::search))
        .route("/crates", get(shown::search))
        .route("/crates/{name}", get(shown::of_crate))
        .route("/crates/{name}/{version}", get(shown::of_version))
        .route("/requests/{id}", get(shown::request))
        .route("/requests/{id}/events", get(events::events))
        .route("/builders", get(shown::builders))
        .route("/builders/{name}", get(shown::builder))
        .route("/queue", get(shown::queue))
        .route("/log", get(shown::log))
        .route("/trends", get(shown::trends))
        .route("/survey", get(shown::survey))
        .route("/about", get(shown::group))
        .route("/verify", get(shown::verify))
        .route("/api", get(api::in_words))
        .route("/badge/{name}", get(feed::badge))
        .route("/badge/{name}/{version}", get(feed::badge_of_version))
        .route("/static/{edition}/{name}", get(feed::asset))
        .merge(costly)
        .fallback(shown::nothing)
        .with_state(site)
}

/// Why there is no transcript.
enum NoTranscript {
    /// Somebody can still commit.
    Withheld,
    /// This node has none, or was never asked.
    Missing,
    /// The store does not answer.
    Trouble(String),
}

impl NoTranscript {
    fn told(&self) -> (StatusCode, &str) {
        match self {
            Self::Withheld => (
                StatusCode::FORBIDDEN,
                "what a build printed is withheld until nobody can commit any more: who saw it could copy instead of building",
            ),
            Self::Missing => (StatusCode::NOT_FOUND, "this node keeps no transcript of this request"),
            Self::Trouble(error) => (StatusCode::INTERNAL_SERVER_ERROR, error),
        }
    }
}

impl WebSite {
    /// A part of what this node's latest build of a request printed.
    async fn transcript(&self, request: RequestId, from: usize, find: String) -> Result<TranscriptPage, NoTranscript> {
        let printed = self.printed(request).await?;
        let pages = self.pages.clone();
        let made = tokio::task::spawn_blocking(move || pages.transcript(&request, &printed, (from, &find))).await;
        made.map_err(|error| NoTranscript::Trouble(error.to_string()))?.ok_or(NoTranscript::Missing)
    }

    /// What this node's latest build of a request printed. Asked for after it is read whether it may be shown: in between the
    /// next attempt can have begun, and ended here.
    async fn printed(&self, request: RequestId) -> Result<Printed, NoTranscript> {
        if self.pages.chronicle().is_committing(&request) {
            return Err(NoTranscript::Withheld);
        }
        let printed = self.store.printed(&request).await;
        let chronicle = self.pages.chronicle();
        if chronicle.is_committing(&request) {
            return Err(NoTranscript::Withheld);
        }
        if chronicle.open_round(&request).is_none() && chronicle.attempts(&request).next().is_none() {
            return Err(NoTranscript::Missing);
        }
        printed.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => NoTranscript::Missing,
            _ => NoTranscript::Trouble(format!("the store cannot be read: {error}")),
        })
    }
}

/// A failure of this program, which nobody outside can mend.
fn broken(error: &dyn std::fmt::Display) -> Response<Body> {
    tracing::warn!(%error, "a page could not be made");
    whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the page could not be made\n")
}
