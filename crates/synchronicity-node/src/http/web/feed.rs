//! For other programs: feeds, badges, and the files of the pages.

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode, header};
use synchronicity_verify::entry::Verdict;
use synchronicity_web::model::EntryRow;
use synchronicity_web::{asset, badge, feed};

use super::super::answer::{Keep, compressible, known_by, missing, set, whole};
use super::WebSite;
use super::html::tagged;
use super::problem::Problem;

const ATOM: &str = "application/atom+xml; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Entries of a feed.
const ENTRIES: usize = 50;

const NO_FEED: &str = "no such feed: there are all.atom, crates/NAME.atom and verdicts/VERDICT.atom";

/// The latest 50 verdicts, as an Atom feed
#[utoipa::path(get, path = "/feeds/all.atom", tag = "programs",
    responses((status = 200, body = String, content_type = "application/atom+xml"), (status = 429, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn feed_of_all(Shared(site): Shared<WebSite>) -> Response<Body> {
    atom(&site, "All verdicts", "all.atom", site.pages.entries(None, None, ENTRIES))
}

/// The latest 50 verdicts on a crate, as an Atom feed
#[utoipa::path(get, path = "/feeds/crates/{name}.atom", tag = "programs", params(("name" = String, Path, description = "Name of the crate")),
    responses((status = 200, body = String, content_type = "application/atom+xml"), (status = 404, body = String, content_type = "text/plain"), (status = 429, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn feed_of_crate(Shared(site): Shared<WebSite>, Path(file): Path<String>) -> Response<Body> {
    let Some(name) = file.strip_suffix(".atom") else { return missing(NO_FEED) };
    let rows = site.pages.entries(Some(name), None, ENTRIES);
    atom(&site, &format!("Verdicts on {name}"), &format!("crates/{file}"), rows)
}

/// The latest 50 verdicts of one kind, as an Atom feed
#[utoipa::path(get, path = "/feeds/verdicts/{verdict}.atom", tag = "programs",
    params(("verdict" = String, Path, description = "`reproduced`, `diverged`, `unbuildable` or `inconclusive`")),
    responses((status = 200, body = String, content_type = "application/atom+xml"), (status = 404, body = String, content_type = "text/plain"), (status = 429, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn feed_of_verdict(Shared(site): Shared<WebSite>, Path(file): Path<String>) -> Response<Body> {
    let Some(kind) = file.strip_suffix(".atom").and_then(Verdict::named) else { return missing(NO_FEED) };
    let rows = site.pages.entries(None, Some(kind), ENTRIES);
    atom(&site, &format!("What was {}", kind.as_str()), &format!("verdicts/{file}"), rows)
}

fn atom(site: &WebSite, title: &str, file: &str, rows: Option<Vec<EntryRow>>) -> Response<Body> {
    let Some(rows) = rows else { return missing("the log does not speak of that crate") };
    let path = format!("/feeds/{file}");
    tagged(StatusCode::OK, ATOM, feed::feed(&site.pages.frame(), title, (site.pages.url(), &path), &rows))
}

/// A picture of the newest entry on any version of a crate; the name may end in .svg
#[utoipa::path(get, path = "/badge/{name}", tag = "programs", params(("name" = String, Path, description = "Name of the crate")),
    responses((status = 200, body = String, content_type = "image/svg+xml", description = "Of a crate that the log does not speak of: no evidence")))]
pub(super) async fn badge(Shared(site): Shared<WebSite>, Path(name): Path<String>) -> Response<Body> {
    picture(&site, without_ending(&name), None)
}

/// A picture of the newest entry on a version; that may end in .svg
#[utoipa::path(get, path = "/badge/{name}/{version}", tag = "programs",
    params(("name" = String, Path, description = "Name of the crate"), ("version" = String, Path, description = "Its version")),
    responses((status = 200, body = String, content_type = "image/svg+xml", description = "Of a version that the log does not speak of: no evidence")))]
pub(super) async fn badge_of_version(
    Shared(site): Shared<WebSite>,
    Path((name, version)): Path<(String, String)>,
) -> Response<Body> {
    picture(&site, &name, Some(without_ending(&version)))
}

/// Some hosts show a picture only where its path looks like one.
fn without_ending(name: &str) -> &str {
    name.strip_suffix(".svg").unwrap_or(name)
}

fn picture(site: &WebSite, name: &str, version: Option<&str>) -> Response<Body> {
    let latest = site.pages.latest(name, version);
    let mut response = tagged(StatusCode::OK, SVG, badge::badge(latest.as_ref()));
    set(&mut response, header::CONTENT_SECURITY_POLICY, "default-src 'none'");
    response
}

/// `/static/EDITION/NAME`
pub(super) async fn asset(Path((edition, name)): Path<(String, String)>) -> Response<Body> {
    match asset::find(&edition, &name) {
        Some(asset) => {
            let response = compressible(whole(StatusCode::OK, asset.kind, asset.content));
            known_by(response, &edition, Keep::Forever)
        }
        None => missing("no such file in this edition of the pages: load the page again"),
    }
}
