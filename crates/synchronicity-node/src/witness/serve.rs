//! The witness over HTTP: the only paths of this server to which anybody may post, and how much of that is taken.
//!
//! | path | content |
//! | --- | --- |
//! | `POST /witness/add-checkpoint` | cosignature of a checkpoint that continues the last one |
//! | `/witness/HASH/checkpoint` | the last checkpoint cosigned of the log whose origin has this SHA-256 |
//! | `/witness/key` | the verifier key of this witness |

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Path, State as Shared};
use axum::http::{Method, Request, Response, StatusCode};
use axum::routing::{get, post};
use synchronicity_verify::digest::Digest;
use tokio::sync::{Semaphore, watch};

use super::request::BODY_BYTES_MAX;
use super::{Witness, answer};
use crate::recosign;
use crate::store::Store;

/// Where checkpoints are posted to.
const ADD_CHECKPOINT: &str = "/witness/add-checkpoint";

/// Bodies that are read at one time; [`BODY_BYTES_MAX`] of memory each.
const BODIES: usize = 16;

/// Bytes of a body that is too long that are read all the same.
const THROWN_AWAY_MAX: usize = 4 * BODY_BYTES_MAX;

/// How long a client may take to send a body.
const BODY_TIME: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Desk {
    witness: Arc<Witness<Weak<Store>>>,
    room: Arc<Semaphore>,
    /// True once this node has stopped signing: it ends, or its disk is full.
    resting: watch::Receiver<bool>,
}

/// Whether a request that is no GET may pass on: to every other path the server is read-only.
pub fn takes(request: &Request<impl Sized>) -> bool {
    request.method() == Method::POST && request.uri().path() == ADD_CHECKPOINT
}

/// The routes of a witness, if there is one, until `resting` says that nothing is signed any more.
pub fn router(witness: Option<Witness<Weak<Store>>>, resting: watch::Receiver<bool>) -> Router {
    let Some(witness) = witness else { return Router::new() };
    let desk = Desk { witness: Arc::new(witness), room: Arc::new(Semaphore::new(BODIES)), resting };
    Router::new()
        .route(ADD_CHECKPOINT, post(add_checkpoint))
        .route("/witness/key", get(key))
        .route("/witness/{hash}/checkpoint", get(checkpoint))
        .with_state(desk)
}

async fn add_checkpoint(Shared(desk): Shared<Desk>, body: Body) -> Response<Body> {
    let busy = |why: &str| answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}; try again later\n"));
    if *desk.resting.borrow() {
        return busy("this node signs nothing at present");
    }
    let Ok(_room) = desk.room.clone().try_acquire_owned() else { return busy("too many requests at a time") };
    let body = match tokio::time::timeout(BODY_TIME, read(body)).await {
        Err(_) => return answer::text(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
        Ok(None) => return answer::text(StatusCode::BAD_REQUEST, "the body broke off\n"),
        Ok(Some(body)) => body,
    };
    // A thread that may wait for the disk.
    let now_s = recosign::now().as_secs();
    let witness = desk.witness.clone();
    match tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, now_s)).await {
        Ok(outcome) => {
            if let Err(error) = &outcome {
                tracing::debug!(%error, "a checkpoint was not cosigned");
            }
            answer::response(&outcome)
        }
        Err(_) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed\n"),
    }
}

/// The body, or so much of it that it is seen to be too long. The rest of one that is not much too long is thrown away,
/// because a connection that is closed on unread bytes would take the answer with it.
async fn read(mut body: Body) -> Option<Vec<u8>> {
    let (mut kept, mut length) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        length += data.len();
        kept.extend_from_slice(&data[..data.len().min(BODY_BYTES_MAX + 1 - kept.len())]);
        if length > THROWN_AWAY_MAX {
            break;
        }
    }
    Some(kept)
}

async fn key(Shared(desk): Shared<Desk>) -> Response<Body> {
    answer::text(StatusCode::OK, format!("{}\n", desk.witness.key()))
}

async fn checkpoint(Shared(desk): Shared<Desk>, Path(hash): Path<String>) -> Response<Body> {
    match hash.parse::<Digest>().ok().and_then(|hash| desk.witness.latest(&hash)) {
        Some(note) => answer::text(StatusCode::OK, note),
        None => answer::text(StatusCode::NOT_FOUND, "no checkpoint of a log with this origin was cosigned here\n"),
    }
}
