//! For other programs: feeds, badges, and the files of the pages.

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode, header};
use synchronicity_verify::entry::Verdict;
use synchronicity_web::{asset, badge, feed};

use super::super::answer::{Keep, compressible, known_by, missing, set, whole};
use super::WebSite;
use super::html::tagged;

const ATOM: &str = "application/atom+xml; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Entries of a feed.
const ENTRIES: usize = 50;

/// `/feeds/all.atom`, `/feeds/crates/NAME.atom`, `/feeds/verdicts/VERDICT.atom`
pub(super) async fn feed(Shared(site): Shared<WebSite>, Path(path): Path<String>) -> Response<Body> {
    const NONE: &str = "no such feed: there are all.atom, crates/NAME.atom and verdicts/VERDICT.atom";
    let Some(what) = path.strip_suffix(".atom") else { return missing(NONE) };
    let (title, rows) = match what.split_once('/') {
        None if what == "all" => ("All verdicts".to_owned(), site.pages.entries(None, None, ENTRIES)),
        Some(("crates", name)) => (format!("Verdicts on {name}"), site.pages.entries(Some(name), None, ENTRIES)),
        Some(("verdicts", name)) => match Verdict::named(name) {
            Some(kind) => (format!("What was {name}"), site.pages.entries(None, Some(kind), ENTRIES)),
            None => return missing(NONE),
        },
        _ => return missing(NONE),
    };
    let Some(rows) = rows else { return missing("the log does not speak of that crate") };
    let path = format!("/feeds/{path}");
    tagged(StatusCode::OK, ATOM, feed::feed(&site.pages.frame(), &title, (site.pages.url(), &path), &rows))
}

/// `/badge/NAME`: of the newest entry on any version.
pub(super) async fn badge(Shared(site): Shared<WebSite>, Path(name): Path<String>) -> Response<Body> {
    picture(&site, without_ending(&name), None)
}

/// `/badge/NAME/VERSION`
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
