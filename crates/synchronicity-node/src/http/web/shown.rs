//! The pages, each from what is asked to the whole document.

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use synchronicity_verify::identity::RequestId;
use synchronicity_web::model::Missing;
use synchronicity_web::page;

use super::super::answer::missing;
use super::asked::{Attempt, Below, Lines, Part, Searched, asked};
use super::html::{html, html_alone};
use super::{WebSite, broken};
use crate::pages::HITS;

type Site = Shared<WebSite>;

/// Entries on a page of the log at most, and of a crate, whose versions have a badge each: no page is larger than 100 kB. The API
/// gives more at once.
const ENTRIES: usize = 80;
const ENTRIES_OF_CRATE: usize = 40;

/// As many as are asked for, and no more than a page has room for.
fn at_most(limit: Option<usize>, most: usize) -> usize {
    limit.map_or(most, |limit| limit.min(most))
}

pub(super) async fn home(Shared(site): Site) -> Response<Body> {
    html(StatusCode::OK, page::home(&site.pages.frame(), &site.pages.home()))
}

pub(super) async fn search(Shared(site): Site, uri: Uri) -> Response<Body> {
    match asked::<Searched>(&uri) {
        Ok(it) => {
            let found = site.pages.search(&it.query, &it.after, at_most(it.limit, HITS));
            html(StatusCode::OK, page::search(&site.pages.frame(), &found))
        }
        Err(why) => wrong(&site, &why),
    }
}

pub(super) async fn of_crate(Shared(site): Site, Path(name): Path<String>, uri: Uri) -> Response<Body> {
    crate_page(&site, &name, None, &uri)
}

pub(super) async fn of_version(
    Shared(site): Site,
    Path((name, version)): Path<(String, String)>,
    uri: Uri,
) -> Response<Body> {
    crate_page(&site, &name, Some(&version), &uri)
}

fn crate_page(site: &WebSite, name: &str, version: Option<&str>, uri: &Uri) -> Response<Body> {
    let below = match asked::<Below>(uri) {
        Ok(below) => below,
        Err(why) => return wrong(site, &why),
    };
    match site.pages.of_crate(name, version, below.before, at_most(below.limit, ENTRIES_OF_CRATE)) {
        Some(of_crate) => html(StatusCode::OK, page::of_crate(&site.pages.frame(), &of_crate)),
        None => not_found(
            site,
            "The log does not speak of that crate",
            "That means: no evidence so far, and never “not reproducible”. Look for another way to write its name.",
        ),
    }
}

pub(super) async fn request(Shared(site): Site, Path(id): Path<String>, uri: Uri) -> Response<Body> {
    let Ok(id) = id.parse::<RequestId>() else { return unknown_request(&site) };
    let round = match asked::<Attempt>(&uri) {
        Ok(attempt) => attempt.round,
        Err(why) => return wrong(&site, &why),
    };
    let pages = site.pages.clone();
    // The explanation of a difference is read from disk.
    match tokio::task::spawn_blocking(move || pages.request(&id, round)).await {
        Ok(Some(request)) => html(StatusCode::OK, page::request(&site.pages.frame(), &request)),
        Ok(None) => unknown_request(&site),
        Err(error) => broken(&error),
    }
}

pub(super) async fn transcript(Shared(site): Site, Path(id): Path<String>, uri: Uri) -> Response<Body> {
    let Ok(id) = id.parse::<RequestId>() else { return unknown_request(&site) };
    let lines = match asked::<Lines>(&uri) {
        Ok(lines) => lines,
        Err(why) => return wrong(&site, &why),
    };
    match site.transcript(id, lines.from(), lines.find).await {
        Ok(transcript) => html(StatusCode::OK, page::transcript(&site.pages.frame(), &transcript)),
        Err(none) => {
            let (code, why) = none.told();
            told(&site, code, "There is no transcript to show", why)
        }
    }
}

pub(super) async fn builders(Shared(site): Site) -> Response<Body> {
    html(StatusCode::OK, page::builders(&site.pages.frame(), &site.pages.builders()))
}

pub(super) async fn builder(Shared(site): Site, Path(name): Path<String>) -> Response<Body> {
    match site.pages.builder(&name) {
        Some(builder) => html(StatusCode::OK, page::builder(&site.pages.frame(), &builder)),
        None => not_found(&site, "There is no such builder", "The group’s members are on the page of builders."),
    }
}

pub(super) async fn queue(Shared(site): Site) -> Response<Body> {
    html(StatusCode::OK, page::queue(&site.pages.frame(), &site.pages.queue()))
}

pub(super) async fn log(Shared(site): Site, uri: Uri) -> Response<Body> {
    match asked::<Part>(&uri) {
        Ok(part) => {
            let log = site.pages.log(part.before, at_most(part.limit, ENTRIES), part.verdict);
            html(StatusCode::OK, page::log(&site.pages.frame(), &log))
        }
        Err(why) => wrong(&site, &why),
    }
}

pub(super) async fn trends(Shared(site): Site) -> Response<Body> {
    let pages = site.pages.clone();
    match tokio::task::spawn_blocking(move || pages.trends()).await {
        Ok(trends) => html(StatusCode::OK, page::trends(&site.pages.frame(), &trends)),
        Err(error) => broken(&error),
    }
}

pub(super) async fn survey(Shared(site): Site) -> Response<Body> {
    let pages = site.pages.clone();
    match tokio::task::spawn_blocking(move || pages.survey()).await {
        Ok(survey) => html(StatusCode::OK, page::survey(&site.pages.frame(), &survey)),
        Err(error) => broken(&error),
    }
}

pub(super) async fn group(Shared(site): Site) -> Response<Body> {
    html(StatusCode::OK, page::group(&site.pages.frame(), &site.pages.group()))
}

pub(super) async fn verify(Shared(site): Site) -> Response<Body> {
    html_alone(StatusCode::OK, page::verify(&site.pages.frame(), &site.pages.group()))
}

/// What is not there: a page for whoever reads pages, a line for programs.
pub(super) async fn nothing(Shared(site): Site, asked: HeaderMap) -> Response<Body> {
    let accepts = asked.get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        return not_found(&site, "There is nothing here", "Look for a crate, or begin at the first page.");
    }
    missing("there is nothing here; the paths are in docs/operating.md and docs/web.md")
}

fn unknown_request(site: &WebSite) -> Response<Body> {
    not_found(
        site,
        "This group was never asked for that",
        "A request has an identity of 64 hex digits; its attempts are counted from 0.",
    )
}

fn not_found(site: &WebSite, title: &str, advice: &str) -> Response<Body> {
    told(site, StatusCode::NOT_FOUND, title, advice)
}

fn wrong(site: &WebSite, why: &str) -> Response<Body> {
    told(site, StatusCode::BAD_REQUEST, "That cannot be asked", why)
}

fn told(site: &WebSite, code: StatusCode, title: &str, advice: &str) -> Response<Body> {
    let missing = Missing { title: title.to_owned(), advice: advice.to_owned() };
    html(code, page::missing(&site.pages.frame(), &missing))
}
