//! An attempt while it goes on, as server-sent events: its part of the page whenever that changes, and what this node's build
//! printed once nobody can commit any more.
//!
//! | event | data |
//! | --- | --- |
//! | `round` | `{"html": …}`: the part of the page, escaped as on the page |
//! | `note` | `{"text": …}`: whether the transcript is shown |
//! | `lines` | `{"from": N, "lines": […]}`: of the transcript; N is the number of the first, as on the page of the transcript |
//! | `end` | `{}`: the verdict is there, and published if that comes soon |

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State as Shared};
use axum::http::{Response, StatusCode, header};
use futures_util::stream;
use serde_json::{Value, json};
use synchronicity_verify::identity::RequestId;
use synchronicity_web::model::Bytes as Size;
use synchronicity_web::page;
use tokio::sync::mpsc::{self, Sender};
use utoipa::ToSchema;

use super::super::answer::{set, whole};
use super::super::server::Caller;
use super::WebSite;
use super::asked::{Attempt, asked};
use super::problem::{Problem, problem};
use crate::pages::tail;

/// Events that wait for a slow reader; then the follower waits.
const QUEUE: usize = 8;

/// A sign of life, so that proxies do not take silence for the end.
const ALIVE: Duration = Duration::from_secs(15);

/// How long a page waits for the proof after the verdict before it is loaded again.
const PROOF: Duration = Duration::from_secs(15);

/// Between two looks while the proof is waited for.
const LOOK: Duration = Duration::from_millis(300);

/// Lines of a transcript that are sent, and of one event.
const LINES: usize = 4_000;
const LINES_AT_ONCE: usize = 500;

/// An event of a stream.
#[derive(ToSchema)]
struct Event {
    /// What it tells: `round`, `note`, `lines` or `end`.
    #[schema(pattern = "^(round|note|lines|end)$")]
    event: &'static str,
    /// It as JSON, on one line.
    data: String,
}

impl Event {
    fn new(event: &'static str, data: &Value) -> Event {
        // JSON has no line ends of its own, so one line of data is always enough.
        Event { event, data: data.to_string() }
    }

    fn bytes(&self) -> Bytes {
        format!("event: {}\ndata: {}\n\n", self.event, self.data).into()
    }
}

/// An attempt while it goes on, as server-sent events; they end once its verdict is published
#[utoipa::path(get, path = "/requests/{id}/events", tag = "programs",
    description = "`round`: {\"html\": its part of the page}, whenever that changes. `note`: {\"text\": whether the transcript is shown}. `lines`: {\"from\": \
                   number of the first, \"lines\": of the transcript}, once nobody can commit any more. `end`: {}.",
    params(("id" = String, Path, description = "Identity of the request, 64 hex digits"), Attempt),
    responses((status = 200, body = Event, content_type = "text/event-stream"), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "This address follows 8 rounds")))]
pub(super) async fn events(Shared(site): Shared<WebSite>, Path(id): Path<String>, about: Request) -> Response<Body> {
    let Ok(request) = id.parse::<RequestId>() else {
        return problem(StatusCode::NOT_FOUND, "a request's identity is 64 lower-case hex digits");
    };
    let round = match asked::<Attempt>(about.uri()) {
        Ok(attempt) => attempt.round,
        Err(why) => return problem(StatusCode::BAD_REQUEST, why),
    };
    let pages = site.pages.clone();
    let latest = move || pages.request(&request, round).map(|page| page.round);
    let Ok(Some(round)) = tokio::task::spawn_blocking(latest).await else {
        return problem(StatusCode::NOT_FOUND, "this group was never asked for that");
    };
    let from = about.extensions().get::<Caller>().map_or(std::net::Ipv4Addr::LOCALHOST.into(), |caller| caller.0);
    let Some(guest) = site.followers.admit(from) else {
        return problem(StatusCode::TOO_MANY_REQUESTS, "too many pages of this address follow a round: close one");
    };
    let (to, events) = mpsc::channel::<Bytes>(QUEUE);
    tokio::spawn(async move {
        // Ends with an error when the reader has gone, which is how most readers end.
        let _ = follow(site, (request, round), &to).await;
        drop(guest);
    });
    let events = stream::unfold(events, |mut events| async move {
        let event = events.recv().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(event), events))
    });
    let mut response = whole(StatusCode::OK, "text/event-stream", Body::from_stream(events));
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// The reader is gone.
struct Gone;

async fn follow(site: WebSite, (request, round): (RequestId, u32), to: &Sender<Bytes>) -> Result<(), Gone> {
    let mut changes = site.pages.changes();
    let (mut shown, mut note, mut printed) = (String::new(), String::new(), false);
    let mut ended: Option<Instant> = None;
    loop {
        let pages = site.pages.clone();
        let made = tokio::task::spawn_blocking(move || {
            let it = pages.request(&request, Some(round))?;
            let html = page::round(&it);
            Some((it, html))
        });
        let Ok(Some((it, html))) = made.await else { return Err(Gone) };
        if html != shown {
            send(to, "round", &json!({ "html": html })).await?;
            shown = html;
        }
        if it.transcript_note != note {
            send(to, "note", &json!({ "text": it.transcript_note })).await?;
            note = it.transcript_note;
        }
        if it.transcript && !printed {
            printed = true;
            print(&site, request, to).await?;
        }
        if it.verdict.is_some() {
            let since = *ended.get_or_insert_with(Instant::now);
            if it.published || since.elapsed() > PROOF {
                return send(to, "end", &json!({})).await;
            }
        }
        let pause = if ended.is_some() { LOOK } else { ALIVE };
        tokio::select! {
            changed = changes.changed() => changed.map_err(|_| Gone)?,
            () = tokio::time::sleep(pause) => to.send(Bytes::from_static(b":\n\n")).await.map_err(|_| Gone)?,
            () = to.closed() => return Err(Gone),
        }
    }
}

/// The transcript, which exists before the commitment does. What cannot be shown is left out: the page of the transcript says why.
async fn print(site: &WebSite, request: RequestId, to: &Sender<Bytes>) -> Result<(), Gone> {
    let Ok(printed) = site.printed(request).await else { return Ok(()) };
    let (first, lines) = tail(&printed.text, LINES);
    for (part, lines) in lines.chunks(LINES_AT_ONCE).enumerate() {
        send(to, "lines", &json!({ "from": first + part * LINES_AT_ONCE, "lines": lines })).await?;
    }
    if let Some(cut_at) = printed.cut_at {
        let text =
            format!("It is longer than what is shown here: these are the last lines of its first {}.", Size(cut_at));
        send(to, "note", &json!({ "text": text })).await?;
    }
    Ok(())
}

async fn send(to: &Sender<Bytes>, event: &'static str, data: &Value) -> Result<(), Gone> {
    to.send(Event::new(event, data).bytes()).await.map_err(|_| Gone)
}
