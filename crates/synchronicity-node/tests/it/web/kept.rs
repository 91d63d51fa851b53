//! How long answers may be kept, and that whoever has one already is told so, until there is something else to say.

use axum::http::StatusCode;

use super::stage::{Stage, ask, body, built, header};
use crate::world::request;

fn played() -> Stage {
    let mut stage = Stage::of(4);
    stage.conclude(&request(0), &vec![built("hexyl", b"the same"); 4]);
    stage.submit(&request(1), 0);
    stage
}

/// All that changes with the log.
fn of_the_log() -> Vec<String> {
    let of_requests =
        ["/requests/ID", "/api/v1/requests/ID"].map(|path| path.replace("ID", &request(1).id().to_string()));
    let pages =
        ["/", "/search?q=hex", "/crates/hexyl", "/builders", "/builders/builder-00", "/queue", "/log", "/trends"];
    let json =
        ["home", "crates?query=hex", "crates/hexyl", "builders", "builders/builder-00", "queue", "log", "trends"];
    let programs = ["/feeds/all.atom", "/feeds/crates/hexyl.atom", "/feeds/verdicts/diverged.atom", "/badge/hexyl"];
    let json = json.iter().map(|path| format!("/api/v1/{path}"));
    pages.iter().chain(&programs).map(|path| (*path).to_owned()).chain(json).chain(of_requests).collect()
}

/// All that does not, or hardly.
fn of_the_group() -> Vec<String> {
    let pages = ["/about", "/verify", "/survey", "/api", "/crates/hexyl/0.0.0", "/badge/hexyl/0.0.0.svg"];
    let json = ["group", "survey", "crates/hexyl/0.0.0", "openapi.json"].map(|path| format!("/api/v1/{path}"));
    pages.iter().map(|path| (*path).to_owned()).chain(json).collect()
}

#[tokio::test]
async fn every_answer_may_be_kept_for_five_seconds_and_whoever_has_it_is_told_so() {
    let stage = played();
    stage.print(&request(0), "Compiling hexyl\n").await;
    let routes = stage.routes();
    let id = request(0).id();
    let transcripts = ["/requests/ID/transcript", "/api/v1/requests/ID/transcript", "/api/v1/requests/ID?round=0"];
    let transcripts = transcripts.map(|path| path.replace("ID", &id.to_string()));
    for path in of_the_log().into_iter().chain(of_the_group()).chain(transcripts) {
        let first = ask(&routes, &path, &[]).await;
        assert_eq!(first.status(), StatusCode::OK, "{path}");
        let tag = header(&first, "etag").to_owned();
        assert!(tag.len() > 20 && tag.starts_with('"') && tag.ends_with('"'), "{path}: {tag}");
        let small = ask(&routes, &path, &[("accept-encoding", "gzip")]).await;
        let tag_of_small = header(&small, "etag").to_owned();
        assert_eq!(header(&small, "content-encoding"), "gzip", "{path}");
        assert_ne!(tag, tag_of_small, "{path}: other bytes");
        for (known, accepts) in [
            (tag.clone(), "identity"),
            (format!("W/{tag}"), "identity"),
            (format!("\"another\", {tag}"), "identity"),
            ("*".to_owned(), "identity"),
            (tag_of_small, "gzip"),
        ] {
            let again = ask(&routes, &path, &[("if-none-match", &known), ("accept-encoding", accepts)]).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}: {known}");
            assert_eq!(header(&again, "cache-control"), "public, max-age=5", "{path}");
            assert!(!header(&again, "etag").is_empty() && body(again).await.is_empty(), "{path}: {known}");
        }
        let other = ask(&routes, &path, &[("if-none-match", "\"another\"")]).await;
        assert_eq!((other.status(), header(&other, "cache-control")), (StatusCode::OK, "public, max-age=5"), "{path}");
        assert_eq!(body(other).await, body(first).await, "{path}");
    }
}

#[tokio::test]
async fn whoever_has_an_old_answer_gets_the_new_one() {
    let mut stage = played();
    let routes = stage.routes();
    let mut known = Vec::new();
    for path in of_the_log() {
        let answer = ask(&routes, &path, &[]).await;
        known.push((path, header(&answer, "etag").to_owned()));
    }
    let apart: Vec<_> = (0..4_u8).map(|content| (usize::from(content), built("hexyl", &[content]))).collect();
    stage.commit(&request(1), 0, &apart);
    stage.reveal(&request(1), 0, &apart);
    for (path, tag) in known {
        let answer = ask(&routes, &path, &[("if-none-match", &tag)]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_ne!(header(&answer, "etag"), tag, "{path}");
    }
}

#[tokio::test]
async fn what_goes_on_and_what_is_refused_is_kept_by_nobody() {
    let routes = played().routes();
    let id = request(1).id();
    let events = ask(&routes, &format!("/requests/{id}/events"), &[]).await;
    assert_eq!((header(&events, "cache-control"), header(&events, "etag")), ("no-store", ""));
    for (path, keeps) in [
        ("/api/v1/log?limit=0".to_owned(), ""),
        (format!("/api/v1/requests/{id}/transcript"), ""),
        // Many may ask for what is not there.
        ("/api/v1/crates/nothing".to_owned(), "public, max-age=5"),
    ] {
        let refusal = ask(&routes, &path, &[]).await;
        assert!(refusal.status().is_client_error(), "{path}");
        assert_eq!((header(&refusal, "cache-control"), header(&refusal, "etag")), (keeps, ""), "{path}");
    }
}
