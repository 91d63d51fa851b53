//! The API: every page as JSON, from the same models. Read-only; errors are problems (RFC 9457).

mod document;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode, Uri};
use axum::middleware;
use axum::routing::get;
use serde::Serialize;
use synchronicity_verify::identity::RequestId;
use synchronicity_web::model::{
    BuilderRecord, Builders, CratePage, GroupPage, Home, LogPage, Queue, RequestPage, Search, SurveyPage,
    TranscriptPage, TrendsPage,
};

use super::super::answer::JSON;
use super::WebSite;
use super::asked::{Attempt, Below, LIMIT, Lines, Part, Searched, asked};
use super::html::tagged;
use super::problem::{Problem, as_problems, problem};

pub(super) use document::in_words;

/// Adds to `/api/v1`.
pub(super) fn router() -> Router<WebSite> {
    Router::new()
        .route("/home", get(home))
        .route("/crates", get(search))
        .route("/crates/{name}", get(of_crate))
        .route("/crates/{name}/{version}", get(of_version))
        .route("/requests/{id}", get(request))
        .route("/requests/{id}/transcript", get(transcript))
        .route("/builders", get(builders))
        .route("/builders/{name}", get(builder))
        .route("/queue", get(queue))
        .route("/log", get(log))
        .route("/trends", get(trends))
        .route("/survey", get(survey))
        .route("/group", get(group))
        .route("/openapi.json", get(document::openapi))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "no such path: /api/v1/openapi.json lists them") })
        .layer(middleware::from_fn(as_problems))
}

fn json(model: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(model) {
        Ok(told) => tagged(StatusCode::OK, JSON, told),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn found(model: Option<impl Serialize>, what: &str) -> Response<Body> {
    model.map_or_else(|| problem(StatusCode::NOT_FOUND, what), |model| json(&model))
}

/// What cannot be asked, as an answer.
fn wrong(why: impl Into<String>) -> Response<Body> {
    problem(StatusCode::BAD_REQUEST, why)
}

const NO_CRATE: &str = "the log does not speak of that: no evidence so far, and never `not reproducible`";
const NO_REQUEST: &str = "this group was never asked for that";

/// Counts, the latest entries, and what is being rebuilt
#[utoipa::path(get, path = "/api/v1/home", tag = "pages", responses((status = 200, body = Home), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn home(Shared(site): Shared<WebSite>) -> Response<Body> {
    json(&site.pages.home())
}

/// Crates by a part of their name
#[utoipa::path(get, path = "/api/v1/crates", tag = "pages", params(Searched),
    responses((status = 200, body = Search), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn search(Shared(site): Shared<WebSite>, uri: Uri) -> Response<Body> {
    match asked::<Searched>(&uri) {
        Ok(it) => json(&site.pages.search(&it.query, &it.after, it.limit.unwrap_or(LIMIT))),
        Err(why) => wrong(why),
    }
}

fn of(site: &WebSite, name: &str, version: Option<&str>, uri: &Uri) -> Response<Body> {
    match asked::<Below>(uri) {
        Ok(it) => found(site.pages.of_crate(name, version, it.before, it.limit.unwrap_or(LIMIT)), NO_CRATE),
        Err(why) => wrong(why),
    }
}

/// What the log says of a crate
#[utoipa::path(get, path = "/api/v1/crates/{name}", tag = "pages", params(("name" = String, Path, description = "Name of the crate"), Below),
    responses((status = 200, body = CratePage), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn of_crate(Shared(site): Shared<WebSite>, Path(name): Path<String>, uri: Uri) -> Response<Body> {
    of(&site, &name, None, &uri)
}

/// What the log says of a version
#[utoipa::path(get, path = "/api/v1/crates/{name}/{version}", tag = "pages",
    params(("name" = String, Path, description = "Name of the crate"), ("version" = String, Path, description = "Its version"), Below),
    responses((status = 200, body = CratePage), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn of_version(
    Shared(site): Shared<WebSite>,
    Path((name, version)): Path<(String, String)>,
    uri: Uri,
) -> Response<Body> {
    of(&site, &name, Some(&version), &uri)
}

/// One attempt at a request: time line, builders, artifacts
#[utoipa::path(get, path = "/api/v1/requests/{id}", tag = "pages", params(("id" = String, Path, description = "Identity of the request, 64 hex digits"), Attempt),
    responses((status = 200, body = RequestPage), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn request(Shared(site): Shared<WebSite>, Path(id): Path<String>, uri: Uri) -> Response<Body> {
    let Ok(id) = id.parse::<RequestId>() else { return problem(StatusCode::NOT_FOUND, NO_REQUEST) };
    let round = match asked::<Attempt>(&uri) {
        Ok(attempt) => attempt.round,
        Err(why) => return wrong(why),
    };
    let pages = site.pages;
    match tokio::task::spawn_blocking(move || pages.request(&id, round)).await {
        Ok(page) => found(page, NO_REQUEST),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// What this node's latest build of a request printed, once nobody can commit any more
#[utoipa::path(get, path = "/api/v1/requests/{id}/transcript", tag = "pages", params(("id" = String, Path, description = "Identity of the request, 64 hex digits"), Lines),
    responses((status = 200, body = TranscriptPage), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "Somebody can still commit"), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn transcript(Shared(site): Shared<WebSite>, Path(id): Path<String>, uri: Uri) -> Response<Body> {
    let Ok(id) = id.parse::<RequestId>() else { return problem(StatusCode::NOT_FOUND, NO_REQUEST) };
    let lines = match asked::<Lines>(&uri) {
        Ok(lines) => lines,
        Err(why) => return wrong(why),
    };
    match site.transcript(id, lines.from(), lines.find).await {
        Ok(transcript) => json(&transcript),
        Err(none) => {
            let (code, why) = none.told();
            problem(code, why)
        }
    }
}

/// All builders of the group, and how each has done
#[utoipa::path(get, path = "/api/v1/builders", tag = "pages", responses((status = 200, body = Builders), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn builders(Shared(site): Shared<WebSite>) -> Response<Body> {
    json(&site.pages.builders())
}

/// One builder
#[utoipa::path(get, path = "/api/v1/builders/{name}", tag = "pages", params(("name" = String, Path, description = "Name of the member")),
    responses((status = 200, body = BuilderRecord), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn builder(Shared(site): Shared<WebSite>, Path(name): Path<String>) -> Response<Body> {
    found(site.pages.builder(&name), "there is no such builder")
}

/// Rounds without a verdict, in the order in which builders build them
#[utoipa::path(get, path = "/api/v1/queue", tag = "pages", responses((status = 200, body = Queue), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn queue(Shared(site): Shared<WebSite>) -> Response<Body> {
    json(&site.pages.queue())
}

/// Entries of the log, and the checkpoint over them
#[utoipa::path(get, path = "/api/v1/log", tag = "pages", params(Part),
    responses((status = 200, body = LogPage), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn log(Shared(site): Shared<WebSite>, uri: Uri) -> Response<Body> {
    match asked::<Part>(&uri) {
        Ok(it) => json(&site.pages.log(it.before, it.limit.unwrap_or(LIMIT), it.verdict)),
        Err(why) => wrong(why),
    }
}

/// Rates over time and by cause
#[utoipa::path(get, path = "/api/v1/trends", tag = "pages", responses((status = 200, body = TrendsPage), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn trends(Shared(site): Shared<WebSite>) -> Response<Body> {
    let pages = site.pages;
    match tokio::task::spawn_blocking(move || pages.trends()).await {
        Ok(trends) => json(&trends),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// How a list of crates does on one machine, if this node shows such a survey
#[utoipa::path(get, path = "/api/v1/survey", tag = "pages", responses((status = 200, body = SurveyPage), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn survey(Shared(site): Shared<WebSite>) -> Response<Body> {
    let pages = site.pages;
    match tokio::task::spawn_blocking(move || pages.survey()).await {
        Ok(survey) => json(&survey),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// Who the group is, and its policy
#[utoipa::path(get, path = "/api/v1/group", tag = "pages", responses((status = 200, body = GroupPage), (status = 429, body = Problem, content_type = "application/problem+json")))]
async fn group(Shared(site): Shared<WebSite>) -> Response<Body> {
    json(&site.pages.group())
}
