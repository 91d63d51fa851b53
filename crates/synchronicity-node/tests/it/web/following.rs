//! A page that follows a round, and transcripts that nobody may see too early.

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt;
use serde_json::Value;

use super::stage::{Stage, ask, body, built, header, page};
use crate::world::request;

/// Reads events of an answer, one at a time.
struct Events(axum::body::BodyDataStream, String);

impl Events {
    async fn of(routes: &Router, path: &str) -> Events {
        let response = ask(routes, path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            (header(&response, "content-type"), header(&response, "content-encoding")),
            ("text/event-stream", "")
        );
        let body: Body = response.into_body();
        Events(body.into_data_stream(), String::new())
    }

    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.1 = rest;
                let Some((name, data)) = event.split_once('\n') else { continue };
                let (name, data) = (name.strip_prefix("event: ").unwrap(), data.strip_prefix("data: ").unwrap());
                return Some((name.to_owned(), serde_json::from_str(data).unwrap()));
            }
            let piece = self.0.next().await?.unwrap();
            self.1.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// The next one of this name.
    async fn until(&mut self, name: &str) -> Value {
        loop {
            let (found, data) = self.next().await.expect("the stream ends too early");
            if found == name {
                return data;
            }
        }
    }

    /// The first state of the round that is shown with this word. Results are seen a moment before the verdict on them: they
    /// are read from the state, and the rest from the snapshot that follows.
    async fn round(&mut self, word: &str) -> String {
        loop {
            let html = self.until("round").await["html"].as_str().unwrap().to_owned();
            if html.contains(word) {
                return html;
            }
        }
    }
}

#[tokio::test]
async fn a_page_that_follows_a_round_sees_it_move_to_its_verdict() {
    let mut stage = Stage::of(4);
    let (asked, same) = (request(0), built("hexyl", b"the same"));
    stage.submit(&asked, 0);
    stage.print(&asked, "Compiling hexyl v0.0.0\n<script>alert(1)</script>\n").await;
    let routes = stage.routes();
    let mut events = Events::of(&routes, &format!("/requests/{}/events", asked.id())).await;
    let first = events.round("committing").await;
    assert!(!first.contains("committed"), "{first}");
    assert!(events.until("note").await["text"].as_str().unwrap().contains("Withheld"));
    let all: Vec<_> = (0..4).map(|member| (member, same.clone())).collect();
    stage.commit(&asked, 0, &all[..3]);
    events.round("committed").await;
    stage.commit(&asked, 0, &all[3..]);
    // Whatever came before, lines do not come while somebody could commit.
    let lines = events.until("lines").await;
    assert_eq!(lines["lines"][1], "<script>alert(1)</script>", "text, which the page shows as text");
    assert_eq!(lines["from"], 1);
    stage.reveal(&asked, 0, &all);
    let last = events.round("reproduced").await;
    assert!(last.contains("logged as entry 0"), "{last}");
}

#[tokio::test]
async fn lines_that_come_while_the_round_is_open_have_the_numbers_that_links_lead_to() {
    let mut stage = Stage::of(4);
    let (asked, same) = (request(0), built("hexyl", b"the same"));
    stage.submit(&asked, 0);
    let printed: String = (1..=4_321).map(|number| format!("this is line {number}\n")).collect();
    stage.print(&asked, &printed).await;
    let all: Vec<_> = (0..4).map(|member| (member, same.clone())).collect();
    stage.commit(&asked, 0, &all);
    let (routes, id) = (stage.routes(), asked.id());
    let mut events = Events::of(&routes, &format!("/requests/{id}/events")).await;
    let mut next = 322;
    while next <= 4_321 {
        let part = events.until("lines").await;
        assert_eq!(part["from"], next);
        for line in part["lines"].as_array().unwrap() {
            assert_eq!(line, &format!("this is line {next}"));
            next += 1;
        }
    }
    // The verdict is not there yet: a link leads to its line, and the search finds it.
    let (_, shown) = page(&routes, &format!("/requests/{id}/transcript?from=4000")).await;
    assert!(shown.contains("<tr id=\"L4000\">") && shown.contains("this is line 4000"), "{shown}");
    let (_, found) = page(&routes, &format!("/requests/{id}/transcript?find=line+4321")).await;
    assert!(found.contains("1 line with") && found.contains("from=4321#L4321"), "{found}");
    let (_, shown) = page(&routes, &format!("/requests/{id}")).await;
    assert!(shown.contains("data-live=\"true\"") && !shown.contains(" disabled"), "{shown}");
}

#[tokio::test]
async fn a_transcript_is_withheld_as_long_as_somebody_can_commit_and_of_earlier_attempts_too() {
    let mut stage = Stage::of(4);
    let asked = request(0);
    stage.submit(&asked, 0);
    stage.print(&asked, "how it is built\n").await;
    let path = format!("/requests/{}/transcript", asked.id());
    let codes = async |stage: &Stage| {
        let routes = stage.routes();
        let (shown, text) = page(&routes, &path).await;
        let api = ask(&routes, &format!("/api/v1{path}"), &[]).await;
        assert_eq!(api.status(), shown);
        let told = body(api).await;
        assert_eq!(text.contains("how it is built"), shown == StatusCode::OK);
        assert_eq!(told.contains("how it is built"), shown == StatusCode::OK);
        shown
    };
    assert_eq!(codes(&stage).await, StatusCode::FORBIDDEN);
    let [a, b] = [built("hexyl", b"a"), built("hexyl", b"b")];
    let results = [(0, a.clone()), (1, a), (2, b.clone()), (3, b)];
    stage.commit(&asked, 0, &results[..3]);
    assert_eq!(codes(&stage).await, StatusCode::FORBIDDEN, "the fourth can still commit");
    stage.commit(&asked, 0, &results[3..]);
    assert_eq!(codes(&stage).await, StatusCode::OK);
    stage.reveal(&asked, 0, &results);
    assert_eq!(codes(&stage).await, StatusCode::OK);
    // The store has the transcript of the latest build: of the next attempt, as soon as that is built.
    stage.submit(&asked, 1);
    assert_eq!(codes(&stage).await, StatusCode::FORBIDDEN);
    let mut events = Events::of(&stage.routes(), &format!("/requests/{}/events?round=0", asked.id())).await;
    let (mut told, mut ended) = (Vec::new(), false);
    while !ended && told.len() < 2 {
        let (name, _) = events.next().await.unwrap();
        ended = name == "end";
        told.push(name);
    }
    assert!(!told.contains(&"lines".to_owned()), "{told:?}");
}

#[tokio::test]
async fn one_address_follows_so_many_rounds_and_no_more() {
    let mut stage = Stage::of(4);
    let asked = request(0);
    stage.submit(&asked, 0);
    let (routes, path) = (stage.routes(), format!("/requests/{}/events", asked.id()));
    let mut open = Vec::new();
    for _ in 0..synchronicity_node::http::web::STREAMS_PER_ADDRESS {
        open.push(Events::of(&routes, &path).await);
    }
    assert_eq!(ask(&routes, &path, &[]).await.status(), StatusCode::TOO_MANY_REQUESTS);
    open.pop();
    // The follower finds out when it has something to say.
    stage.commit(&asked, 0, &[(1, built("hexyl", b"x"))]);
    let mut tries = 0;
    while ask(&routes, &path, &[]).await.status() != StatusCode::OK {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        tries += 1;
        assert!(tries < 1000, "the place is not given back");
    }
}
