//! What everybody may read: the log as static files, proofs, and how the node is. Nothing here changes anything; what
//! outside logs may post to a witness is in [`crate::witness::serve`].
//!
//! | path | content |
//! | --- | --- |
//! | `/checkpoint`, `/tile/...` | the transparency log, as C2SP `tlog-tiles` |
//! | `/proof/NAME/VERSION` | proof of the latest entry in which this crate was reproduced |
//! | `/lookup/PREFIX` | everything that the log has under keys that begin so, and that it is all |
//! | `/bundle` | the whole log in one file |
//! | `/proof/index/I` | proof of entry `I`, whatever its verdict |
//! | `/attestation/index/I/provenance`, `…/summary`, `…/link` | what this builder signs for other tools, of entries in which it agreed |
//! | `/policy`, `/group` | what a client needs to verify, and who the members are |
//! | `/group/ID` | who they are, or were, in the epoch of the group with this identity |
//! | `/succession` | from the policy of any earlier epoch to the present one |
//! | `/snapshot` | a state that a quorum has signed, for a member without the chain |
//! | `/status`, `/health` | JSON, and `ok` or a reason with status 503 |
//! | `/request/ID` | what a request pins, as JSON |
//! | `/artifacts/SHA256`, `/transcripts/ID/NAME` | of this node's own builds, once their round is concluded |
//! | `/equivocations`, `/equivocations/ID` | proofs that members signed contradictory votes |
//! | `/explanations/ID` | why builders diverged, as this node sees it: advice, never evidence |
//!
//! Pages for people and the API are in [`web`].

mod answer;
mod artifact;
mod attestation;
mod equivocation;
mod explanation;
mod files;
pub mod log;
mod lookup;
mod revalidate;
mod server;
pub mod web;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode, header};
use axum::routing::get;
use synchronicity::request_json;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::request::BuildRequest;

use self::answer::{BYTES, JSON, Keep, TEXT, compressible, known_by, missing, set, text, whole};
use self::log::LogSite;
use self::web::WebSite;
use crate::artifact_store::ArtifactStore;
use crate::attestations::Attester;
use crate::explaining::Explanations;
use crate::groups::Groups;
use crate::offences::Offences;
use crate::snapshot::Snapshots;
use crate::view::View;

pub use server::{Caller, Served, serve};

/// What the routes read from.
#[derive(Clone)]
pub struct Site {
    /// The member's name.
    pub name: Arc<str>,
    /// What is kept of builds.
    pub store: ArtifactStore,
    /// Why builders diverged.
    pub explanations: Explanations,
    /// What other members did wrong.
    pub offences: Offences,
    /// Status.
    pub view: View,
    /// The log, and proofs from it.
    pub log: LogSite,
    /// The policy file of the group.
    pub policy: Arc<str>,
    /// The group file.
    pub group: Arc<str>,
    /// The groups of all epochs that are known here.
    pub groups: Groups,
    /// The succession file, where an epoch has ended.
    pub succession: Option<Arc<str>>,
    /// Signs statements for other tools.
    pub attester: Attester,
    /// States that the group has signed.
    pub snapshots: Snapshots,
    /// Pages and API.
    pub web: WebSite,
}

/// The routes over a site.
pub fn router(site: Site) -> Router {
    let (log, web) = (log::router(site.log.clone()), site.web.clone());
    let node = Router::new()
        .route("/attestation/index/{index}/{kind}", get(attestation::attestation))
        .route("/policy", get(|Shared(site): Shared<Site>| async move { document(&site.policy) }))
        .route("/group", get(|Shared(site): Shared<Site>| async move { document(&site.group) }))
        .route("/group/{id}", get(group))
        .route("/succession", get(succession))
        .route("/snapshot", get(snapshot))
        .route("/status", get(status))
        .route("/health", get(health))
        .route("/request/{id}", get(request))
        .route("/transcripts/{id}/{builder}", get(artifact::transcript))
        .route("/artifacts/{sha256}", get(artifact::artifact))
        .route("/equivocations", get(equivocation::list))
        .route("/equivocations/{id}", get(equivocation::proof))
        .route("/explanations/{id}", get(explanation::explanation))
        .with_state(site);
    with_pages(node.merge(log), web)
}

/// Routes as everybody sees them, with the pages and the API beside them.
pub fn with_pages(routes: Router, web: WebSite) -> Router {
    revalidate::layered(routes.merge(web::router(web)))
}

/// Routes as everybody sees them, without pages: compressed, revalidated, readable from other sites.
pub fn public(routes: Router) -> Router {
    let nothing = || async { missing("there is nothing here; the paths are in docs/operating.md") };
    revalidate::layered(routes.fallback(nothing))
}

/// A text that is the same as long as the node runs.
fn document(content: &str) -> Response<Body> {
    let tag = Digest::of(content.as_bytes()).to_string();
    known_by(text(content.to_owned()), &tag[..32], Keep::Shortly)
}

/// Whose keys are accused by a proof of equivocation stands in the file of that group, also when its epoch has ended.
async fn group(Shared(site): Shared<Site>, Path(id): Path<String>) -> Response<Body> {
    let Ok(id) = id.parse::<Digest>() else { return missing("a group's identity is 64 lower-case hex digits") };
    match site.groups.of(&id) {
        // Not for ever: addresses are not part of the identity.
        Some(group) => document(&group.to_text()),
        None => missing("this node has no file of such a group"),
    }
}

async fn succession(Shared(site): Shared<Site>) -> Response<Body> {
    match &site.succession {
        Some(succession) => document(succession),
        None => missing("this group is in its first epoch"),
    }
}

/// Never kept: it is of the moment, and whoever takes it up fetches the log up to there right after.
async fn snapshot(Shared(site): Shared<Site>) -> Response<Body> {
    let mut response = match site.snapshots.get().await {
        Some(bytes) => whole(StatusCode::OK, BYTES, Bytes::from_owner(bytes)),
        None => whole(
            StatusCode::SERVICE_UNAVAILABLE,
            TEXT,
            "the group signs no state at the moment: ask again, or ask another node\n",
        ),
    };
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

async fn status(Shared(site): Shared<Site>) -> Response<Body> {
    match serde_json::to_vec(&site.view.status()) {
        Ok(status) => compressible(whole(StatusCode::OK, JSON, status)),
        Err(error) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
    }
}

async fn health(Shared(site): Shared<Site>) -> Response<Body> {
    let health = site.view.health();
    let code = if health == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    whole(code, TEXT, format!("{health}\n"))
}

async fn request(Shared(site): Shared<Site>, Path(id): Path<String>) -> Response<Body> {
    let Ok(id) = id.parse::<RequestId>() else { return missing("a request's identity is 64 lower-case hex digits") };
    let request = site.view.request(&id);
    let linked = |request: BuildRequest| {
        let mut told = request_json::of(&request);
        // Of this node; whether there is anything yet is said there.
        told["transcript"] = format!("/transcripts/{id}/{}", site.name).into();
        told["explanation"] = format!("/explanations/{id}").into();
        serde_json::to_vec(&told)
    };
    match request.map(linked) {
        Some(Ok(request)) => {
            known_by(compressible(whole(StatusCode::OK, JSON, request)), &id.to_string(), Keep::Forever)
        }
        Some(Err(error)) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
        None => missing("this group was never asked for this request"),
    }
}
