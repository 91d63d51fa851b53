//! Whatever a crate, a build or a visitor wrote, it is text.

use axum::http::StatusCode;
use synchronicity_verify::result::BuildResult;

use super::stage::{Stage, built, page};
use crate::world::request;

/// An artifact may be called so.
const NAME: &str = "<img src=x onerror=alert(1)>\u{202e}fdp";

fn results() -> Vec<BuildResult> {
    (0..4_u8).map(|content| built(NAME, &[content])).collect()
}

fn harmless(text: &str, about: &str) {
    for markup in ["<img src=x", "<script>alert", "onerror=alert(1)>", "\u{202e}", "\u{1b}", "\0", "<svg/onload"] {
        assert!(!text.contains(markup), "{about}: {markup:?}");
    }
}

#[tokio::test]
async fn names_transcripts_and_explanations_are_shown_as_text() {
    let mut stage = Stage::of(4);
    stage.conclude(&request(0), &results());
    let wicked = "<script>alert(1)</script>\u{202e}\u{1b}[2J\0";
    stage.print(&request(0), &format!("{wicked}\n{}\nend\n", "<svg/onload=x>".repeat(100_000))).await;
    stage.explain_in(wicked);
    let (routes, id) = (stage.routes(), request(0).id());
    let (code, shown) = page(&routes, &format!("/requests/{id}")).await;
    assert_eq!(code, StatusCode::OK);
    harmless(&shown, "request");
    assert!(shown.contains("&lt;img src=x onerror=alert(1)&gt;\\u{202e}fdp"), "{shown}");
    assert!(shown.matches("&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}\\u{1b}[2J\\u{0}").count() >= 14, "{shown}");
    let (code, shown) = page(&routes, &format!("/requests/{id}/transcript?find=alert")).await;
    assert_eq!(code, StatusCode::OK);
    harmless(&shown, "transcript");
    assert!(shown.contains("1 line with"), "{shown}");
    let (_, whole) = page(&routes, &format!("/requests/{id}/transcript")).await;
    harmless(&whole, "whole transcript");
    assert!(whole.len() < 100_000 && whole.contains("more bytes)"), "{} bytes", whole.len());
    harmless(&page(&routes, "/trends").await.1, "trends");
}

#[tokio::test]
async fn what_somebody_asks_for_is_shown_as_text() {
    let mut stage = Stage::of(4);
    stage.conclude(&request(0), &results());
    let (routes, id) = (stage.routes(), request(0).id());
    let script = "%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE%00%1b";
    stage.print(&request(0), "nothing\n").await;
    for path in [
        format!("/search?q={script}"),
        format!("/crates/{}", script.replace('/', "%2F")),
        format!("/builders/{}", script.replace('/', "%2F")),
        format!("/requests/{}", script.replace('/', "%2F")),
        format!("/requests/{id}/transcript?find={script}"),
        format!("/log?verdict={script}"),
        format!("/log?before={script}"),
        format!("/badge/{}", script.replace('/', "%2F")),
        format!("/{script}"),
    ] {
        let (_, shown) = page(&routes, &path).await;
        harmless(&shown, &path);
    }
    let long = "a".repeat(10_000);
    let (code, shown) = page(&routes, &format!("/search?q={long}")).await;
    assert!(code == StatusCode::OK && shown.len() < 100_000, "{} bytes", shown.len());
}
