//! What browsers, caches and programs are told with every answer.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use serde_json::Value;
use synchronicity_node::http::Caller;
use synchronicity_node::http::web::API_BURST;
use synchronicity_web::asset;
use tower::ServiceExt;

use super::stage::{Stage, ask, body, built, header, json, page};
use crate::world::request;

fn played() -> Stage {
    let mut stage = Stage::of(4);
    stage.conclude(&request(0), &vec![built("hexyl", b"the same"); 4]);
    let apart: Vec<_> = [b"a", b"b", b"c", b"d"].map(|content| built("hexyl", content)).to_vec();
    stage.conclude(&request(1), &apart);
    stage.submit(&request(2), 0);
    stage
}

fn pages() -> Vec<String> {
    let id = request(0).id();
    let fixed =
        ["/", "/search?q=hex", "/crates", "/crates/hexyl", "/crates/HEXYL/0.1.0", "/builders", "/queue", "/log"];
    let more =
        ["/log?verdict=diverged&before=9", "/trends", "/survey", "/about", "/verify", "/api", "/builders/builder-00"];
    let of_request =
        [format!("/requests/{id}"), format!("/requests/{id}?round=0"), format!("/requests/{}", request(2).id())];
    fixed.into_iter().chain(more).map(str::to_owned).chain(of_request).collect()
}

#[tokio::test]
async fn every_page_forbids_what_it_does_not_need_and_is_known_again() {
    let routes = played().routes();
    for path in pages() {
        let response = ask(&routes, &path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8", "{path}");
        let policy = header(&response, "content-security-policy").to_owned();
        for rule in ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")] {
            assert_eq!(header(&response, name), value, "{path}");
        }
        assert_eq!(header(&response, "set-cookie"), "", "{path}");
        let asks = if path == "/verify" { "connect-src 'none'" } else { "connect-src 'self'" };
        assert!(policy.contains(asks), "{path}: {policy}");
        let tag = header(&response, "etag").to_owned();
        assert!(tag.len() > 20, "{path}");
        let small = ask(&routes, &path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(header(&small, "content-encoding"), "gzip", "{path}");
        let text = body(response).await;
        assert!(text.starts_with("<!doctype html>") && text.len() < 100_000, "{path}: {} bytes", text.len());
        assert_eq!(text.matches("<h1>").count(), 1, "{path}");
        let again = ask(&routes, &path, &[("if-none-match", &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
}

#[tokio::test]
async fn every_address_on_a_page_leads_somewhere() {
    let stage = played();
    stage.print(&request(0), "Compiling hexyl\n").await;
    let routes = stage.routes();
    // Of the node around the pages, or of a log that is not published here.
    let elsewhere = [
        "/proof/",
        "/tile/",
        "/policy",
        "/group",
        "/checkpoint",
        "/bundle",
        "/request/",
        "/artifacts/",
        "/transcripts/",
    ];
    let mut looked_at = 0;
    for from in pages() {
        let (_, text) = page(&routes, &from).await;
        for part in text.split(" href=\"").chain(text.split(" src=\"")).skip(1) {
            let address = part.split('"').next().unwrap().replace("&amp;", "&");
            let path = address.split('#').next().unwrap();
            if path.starts_with('/') && !elsewhere.iter().any(|begin| path.starts_with(begin)) {
                assert_eq!(ask(&routes, path, &[]).await.status(), StatusCode::OK, "{from}: {path}");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 200, "{looked_at}");
}

#[tokio::test]
async fn files_of_the_pages_are_kept_for_ever_under_names_that_change() {
    let routes = played().routes();
    for asset in asset::ALL {
        let response = ask(&routes, &asset.path(), &[]).await;
        assert_eq!(header(&response, "content-type"), asset.kind);
        assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(body(response).await, asset.content);
    }
    assert_eq!(ask(&routes, "/static/0000000000000000/style.css", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_not_there_is_told_to_people_as_a_page_and_to_programs_as_a_problem() {
    let routes = played().routes();
    let nowhere = "0".repeat(64);
    for (path, code) in [
        ("/crates/nothing".to_owned(), 404),
        ("/crates/hexyl/9.9.9".to_owned(), 404),
        ("/builders/nobody".to_owned(), 404),
        (format!("/requests/{nowhere}"), 404),
        (format!("/requests/{}?round=7", request(0).id()), 404),
        ("/requests/abc".to_owned(), 404),
        (format!("/requests/{}/transcript", request(0).id()), 404),
        ("/log?before=-1".to_owned(), 400),
        ("/log?verdict=good".to_owned(), 400),
        ("/log?before=9007199254740992".to_owned(), 400),
        ("/log?limit=201".to_owned(), 400),
        ("/crates/hexyl?before=9007199254740992".to_owned(), 400),
        (format!("/requests/{}/transcript?from=9007199254740992", request(0).id()), 400),
        (format!("/requests/{}?round=-1", request(0).id()), 400),
        ("/requests/abc/events".to_owned(), 404),
    ] {
        let response = ask(&routes, &path, &[]).await;
        assert_eq!(response.status().as_u16(), code, "{path}");
        let is_page = header(&response, "content-type").starts_with("text/html");
        assert_eq!(is_page, !path.ends_with("/events"), "{path}");
        if path.ends_with("/events") {
            continue;
        }
        let api = format!("/api/v1{path}");
        let response = ask(&routes, &api, &[]).await;
        assert_eq!(header(&response, "content-type"), "application/problem+json", "{api}");
        let told: Value = serde_json::from_str(&body(response).await).unwrap();
        assert_eq!(told["status"], code, "{api}");
        assert!(told["title"].is_string() && told["detail"].as_str().unwrap().len() > 10, "{told}");
    }
    for path in ["/api/v1/nothing", "/api/v1", "/api/v1/crates/%ff", "/api/v1/log?limit=0", "/api/v1/log?limit=201"] {
        let response = ask(&routes, path, &[]).await;
        assert!(response.status().is_client_error(), "{path}");
        assert_eq!(header(&response, "content-type"), "application/problem+json", "{path}");
    }
    let for_people = ask(&routes, "/nothing", &[("accept", "text/html,*/*")]).await;
    assert!(header(&for_people, "content-type").starts_with("text/html") && for_people.status() == 404);
    let for_programs = ask(&routes, "/nothing", &[("accept", "*/*")]).await;
    assert!(header(&for_programs, "content-type").starts_with("text/plain") && for_programs.status() == 404);
}

#[tokio::test]
async fn the_document_of_the_api_names_what_is_there_and_every_type_that_it_uses() {
    let routes = played().routes();
    let (_, document) = json(&routes, "/api/v1/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 19);
    let id = request(0).id().to_string();
    for (path, methods) in paths {
        let filled = match path.as_str() {
            path if path.starts_with("/api/v1/builders/") => path.replace("{name}", "builder-00"),
            path => path.replace("{name}", "hexyl").replace("{version}", "0.0.0").replace("{id}", &id),
        };
        let response = ask(&routes, &filled.replace("{verdict}", "diverged"), &[]).await;
        let expected = if path.ends_with("/transcript") { 404 } else { 200 };
        assert_eq!(response.status().as_u16(), expected, "{filled}");
        let responses = methods["get"]["responses"].as_object().unwrap();
        // Badges are the only ones of which an address may have as many as it wants: a README has some.
        assert_eq!(responses.contains_key("429"), !path.starts_with("/badge/"), "{path}");
        let documented = responses[&expected.to_string()]["content"].as_object().unwrap();
        let kind = header(&response, "content-type").split(';').next().unwrap();
        assert!(documented.contains_key(kind), "{path}: {kind} and not {documented:?}");
        let Some(schema) = documented[kind]["schema"]["$ref"].as_str() else {
            assert_eq!(documented[kind]["schema"]["type"], "string", "{path}");
            continue;
        };
        if kind != "application/json" {
            continue;
        }
        // What is required is there.
        let schema = document.pointer(schema.trim_start_matches('#')).unwrap();
        let told: Value = serde_json::from_str(&body(response).await).unwrap();
        let required = schema["required"].as_array().unwrap();
        assert!(required.iter().all(|field| told.get(field.as_str().unwrap()).is_some()), "{path}: {told}");
    }
    let text = document.to_string();
    let uses = text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut count = 0;
    for used in uses {
        assert!(document.pointer(used).is_some(), "{used}");
        count += 1;
    }
    assert!(count > 40, "{count}");
    let (_, in_words) = page(&routes, "/api").await;
    assert!(paths.keys().all(|path| in_words.contains(&format!("GET {path}"))));
}

async fn asked_by(routes: &Router, from: [u8; 4], path: &str) -> Response<Body> {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(Caller(from.into()));
    routes.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn an_address_that_asks_the_api_too_often_waits_and_others_do_not() {
    let routes = played().routes();
    let (here, there) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    let mut answered = 0;
    // Its share grows while it asks, but more slowly than anything answers.
    let refused = loop {
        let response = asked_by(&routes, here, "/api/v1/queue").await;
        if response.status() != StatusCode::OK {
            break response;
        }
        answered += 1;
        assert!(answered < 100 * API_BURST, "nobody was refused");
    };
    assert!(answered >= API_BURST, "{answered}");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(header(&refused, "content-type"), "application/problem+json");
    let page = asked_by(&routes, here, "/queue").await;
    assert_eq!(page.status(), StatusCode::OK, "a page is no question to the API");
    assert_eq!(asked_by(&routes, there, "/api/v1/queue").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn badges_and_feeds_say_what_the_newest_entry_says() {
    let routes = played().routes();
    for (path, words) in [
        ("/badge/hexyl/0.0.0", "rebuilt: reproduced 4/4"),
        ("/badge/hexyl/0.0.0.svg", "rebuilt: reproduced 4/4"),
        ("/badge/hexyl/0.1.0", "rebuilt: diverged"),
        ("/badge/hexyl.svg", "rebuilt: diverged"),
        ("/badge/nothing/1.0.0", "rebuilt: no evidence"),
    ] {
        let response = ask(&routes, path, &[]).await;
        assert_eq!(header(&response, "content-type"), "image/svg+xml");
        assert!(body(response).await.contains(words), "{path}");
    }
    let entries = async |path: &str| {
        let response = ask(&routes, path, &[]).await;
        assert_eq!(header(&response, "content-type"), "application/atom+xml; charset=utf-8", "{path}");
        body(response).await.matches("<entry>").count()
    };
    assert_eq!(entries("/feeds/all.atom").await, 2);
    assert_eq!(entries("/feeds/crates/hexyl.atom").await, 2);
    assert_eq!(entries("/feeds/verdicts/diverged.atom").await, 1);
    for none in ["/feeds/crates/nothing.atom", "/feeds/verdicts/good.atom", "/feeds/all", "/feeds/x/y/z.atom"] {
        assert_eq!(ask(&routes, none, &[]).await.status(), StatusCode::NOT_FOUND, "{none}");
    }
}
