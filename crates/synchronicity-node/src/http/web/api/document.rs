//! The OpenAPI document, out of the handlers and models; and the same for people.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{Response, StatusCode};
use serde_json::Value;
use synchronicity_web::model::{ApiOperation, ApiPage};
use synchronicity_web::page;
use utoipa::OpenApi;

use super::super::super::answer::JSON;
use super::super::html::{html, tagged};
use super::super::{WebSite, events, feed};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Synchronicity",
        description = "What a group of builders found out about crates, as one of its nodes sees it. An answer is that node's word; evidence is a proof \
                       that verifies under a policy of your own.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        super::home,
        super::search,
        super::of_crate,
        super::of_version,
        super::request,
        super::transcript,
        super::builders,
        super::builder,
        super::queue,
        super::log,
        super::trends,
        super::survey,
        super::group,
        events::events,
        feed::feed_of_all,
        feed::feed_of_crate,
        feed::feed_of_verdict,
        feed::badge,
        feed::badge_of_version
    ),
    tags(
        (name = "pages", description = "Each page of the site, as JSON"),
        (name = "programs", description = "Feeds, badges, and a round as it moves")
    )
)]
struct Document;

/// Made once: it does not change as long as the program runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| Document::openapi().to_json().unwrap_or_default());

/// `/api/v1/openapi.json`
pub(super) async fn openapi() -> Response<Body> {
    tagged(StatusCode::OK, JSON, DOCUMENT.as_bytes())
}

/// `/api`: the document in words.
pub(in crate::http::web) async fn in_words(Shared(site): Shared<WebSite>) -> Response<Body> {
    let document: Value = serde_json::from_str(&DOCUMENT).unwrap_or_default();
    html(StatusCode::OK, page::api(&site.pages.frame(), &told(&document)))
}

fn told(document: &Value) -> ApiPage {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let responses = operation["responses"].as_object().into_iter().flatten();
            ApiOperation {
                method: method.to_uppercase(),
                path: path.clone(),
                summary: text(&operation["summary"]),
                parameters: parameters
                    .map(|it| (text(&it["name"]), text(&it["description"]).replace('`', "")))
                    .collect(),
                responses: responses
                    .map(|(code, response)| (code.clone(), response_in_words(code, response)))
                    .collect(),
            }
        })
    });
    ApiPage { version: text(&document["info"]["version"]), operations: operations.collect() }
}

fn response_in_words(code: &str, response: &Value) -> String {
    let said = response["description"].as_str().unwrap_or_default();
    let kind = response["content"].as_object().into_iter().flatten().next();
    let name = kind.and_then(|(_, content)| content["schema"]["$ref"].as_str()?.rsplit_once('/').map(|(_, name)| name));
    let status = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()?.canonical_reason());
    let words = [status.unwrap_or_default(), said, name.unwrap_or_default()];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(": ")
}
