//! Asks outside witnesses to cosign what this node has published, and keeps their lines for the readers of the
//! checkpoint.
//!
//! One task for each witness, so that a slow one delays neither the others nor the publisher, which knows nothing of
//! them. Their lines are kept in memory: after a restart they are asked for again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use synchronicity_core::group::Group;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::note::{NoteSignature, SignedNote};
use tokio::sync::watch;
use tokio::time::Instant;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::choices::Outsider;
use super::exchange::{self, ANSWER_BYTES_MAX, Asked, Trouble};
use super::request::AddCheckpoint;
use crate::log_reader::LogReader;
use crate::publisher::Published;
use crate::recosign::{self, Schedule};

/// Pause between a publication and the question: cosignatures of members that come late are published one by one.
const SETTLE: Duration = Duration::from_secs(1);

/// Pause after a failure; doubles each time up to [`AGAIN_MAX`].
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(300);

/// Time to reach a witness, and for one question as a whole.
const CONNECT_TIME: Duration = Duration::from_secs(5);
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// Questions about one checkpoint in a row: the second begins where the witness says it is, and another member of the
/// group may have come between.
const QUESTIONS: usize = 4;

/// The newest line of each outside witness. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Outside(Arc<Mutex<BTreeMap<usize, Held>>>);

/// A line, and the checkpoint under which it stands.
#[derive(Clone, Debug)]
struct Held {
    text: String,
    line: NoteSignature,
}

impl Outside {
    /// A published checkpoint with the lines of outside witnesses that are at hand for it; `None` if there is none.
    pub fn add_to(&self, note: &SignedNote) -> Option<SignedNote> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = held.values().filter(|held| held.text == note.text).map(|held| held.line.clone()).peekable();
        lines.peek()?;
        let signatures = note.signatures.iter().cloned().chain(lines).collect();
        Some(SignedNote { text: note.text.clone(), signatures })
    }

    fn keep(&self, witness: usize, text: String, line: NoteSignature) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(witness, Held { text, line });
    }
}

/// One outside witness, and what is needed to ask it.
pub struct Client {
    /// Its place among all.
    pub place: usize,
    /// Key and address.
    pub witness: Outsider,
    /// The group, for the log's key.
    pub group: Arc<Group>,
    /// The published log, for proofs.
    pub reader: LogReader,
    /// Which times to believe.
    pub schedule: Schedule,
    /// Where lines go.
    pub outside: Outside,
}

/// Starts a task for each outside witness, until `stopping` changes.
pub fn follow_all(
    outsiders: Vec<Outsider>,
    (group, reader): (&Arc<Group>, &LogReader),
    schedule: Schedule,
    published: &Published,
    stopping: &watch::Receiver<bool>,
) -> Outside {
    let outside = Outside::default();
    for (place, witness) in outsiders.into_iter().enumerate() {
        let (group, reader, outside) = (group.clone(), reader.clone(), outside.clone());
        let client = Client { place, witness, group, reader, schedule, outside };
        tokio::spawn(client.follow(published.clone(), stopping.clone()));
    }
    outside
}

impl Client {
    /// Asks after each publication, until it is answered or there is a newer one, until `stop` changes.
    pub async fn follow(self, mut published: Published, mut stop: watch::Receiver<bool>) {
        let client = Arc::new(self);
        let name = client.witness.key.name();
        // The size that the witness has cosigned, as far as is known. A wrong one costs one more question.
        let (mut old, mut pause, mut told) = (0, AGAIN, String::new());
        published.mark_changed();
        let mut next = None;
        loop {
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                changed = published.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let settled = Instant::now() + SETTLE;
                    next = Some(next.map_or(settled, |next| next.min(settled)));
                    continue;
                }
                () = due => next = None,
            }
            let Some(note) = published.borrow_and_update().clone() else { continue };
            let asker = client.clone();
            let asked = tokio::task::spawn_blocking(move || asker.ask(&note, old)).await;
            let asked = asked.unwrap_or_else(|error| Err(Trouble::Away(error.to_string())));
            match asked {
                Ok(size) => {
                    tracing::debug!(witness = name, size, "cosigned by an outside witness");
                    (old, pause) = (size, AGAIN);
                    told.clear();
                }
                Err(trouble) => {
                    let complaint = trouble.to_string();
                    if complaint != told {
                        tracing::warn!(witness = name, "an outside witness does not cosign: {complaint}");
                        told = complaint;
                    }
                    next = Some(Instant::now() + pause);
                    pause = pause.saturating_mul(2).min(AGAIN_MAX);
                }
            }
        }
    }

    /// Asks until there is a line, beginning with `old` as the size that the witness is at. Gives the size that it has
    /// cosigned.
    fn ask(&self, note: &SignedNote, mut old: u64) -> Result<u64, Trouble> {
        let checkpoint: Checkpoint = note.text.parse().map_err(|_| Trouble::BadAnswer)?;
        let of_log = note.signature_of(self.group.log_key()).cloned();
        let bare = SignedNote { text: note.text.clone(), signatures: of_log.into_iter().collect() };
        let size = checkpoint.size;
        let mut last = Trouble::BadAnswer;
        for _ in 0..QUESTIONS {
            old = if old > size { 0 } else { old };
            let path =
                self.reader.consistency_proof(size, old, size).map_err(|error| Trouble::Unproven(error.to_string()))?;
            let (status, answer) = self.post(&AddCheckpoint::body(old, &path, &bare))?;
            let latest_s = self.schedule.latest_s(recosign::now());
            let asked = Asked { key: &self.witness.key, text: &note.text, size, old, latest_s };
            match exchange::read(&asked, status, &answer) {
                Ok(line) => {
                    self.outside.keep(self.place, note.text.clone(), line);
                    return Ok(size);
                }
                Err(Trouble::OtherSize(stated)) => (old, last) = (stated, Trouble::OtherSize(stated)),
                Err(trouble) => return Err(trouble),
            }
        }
        Err(last)
    }

    fn post(&self, body: &str) -> Result<(u16, Vec<u8>), Trouble> {
        let away = |error: ureq::Error| Trouble::Away(error.to_string());
        let mut response = agent().post(&self.witness.url).send(body).map_err(away)?;
        let status = response.status().as_u16();
        let limit = ANSWER_BYTES_MAX as u64;
        let answer = response.body_mut().with_config().limit(limit).read_to_vec().map_err(away)?;
        Ok((status, answer))
    }
}

/// A connection for one question: the next is an hour away as a rule, and no witness keeps one open for that long.
fn agent() -> Agent {
    let roots = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT_TIME))
        .timeout_global(Some(ANSWER_TIME))
        .tls_config(roots)
        .build()
        .into()
}
