//! Artifacts from builder to builder, by hash, over the group's own encrypted links: for explanations of what diverged, and
//! for nothing else. What comes is checked against the signed result that its builder revealed ([`fetch`]).
//!
//! It must never cost the group anything that matters. Parcels have a channel of their own, which is slow on purpose and
//! which everything else overtakes (`synchronicity_consensus`); one artifact is fetched at a time, one piece after another;
//! a member is given [`allowance::PEER_BYTES_MAX`] in an hour, and no answer at all where it asks more often than
//! [`allowance::gap`] allows; nothing larger than [`ARTIFACT_BYTES_MAX`] is exchanged; and a member that is silent, slow or
//! lying costs the one who asks some seconds.

pub mod allowance;
pub mod fetch;
pub mod parcel;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use synchronicity_consensus::{Handle, Parcels};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::result::Artifact;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{Instant as Moment, sleep_until, timeout_at};

use self::allowance::{Allowance, Pace, gap};
use self::fetch::{Fetch, Refused, Step};
use self::parcel::{PIECE_BYTES, Parcel, Why};
use crate::artifact_store::ArtifactStore;
use crate::state::State;

/// The largest artifact that is asked for or given, in bytes.
pub const ARTIFACT_BYTES_MAX: u64 = 64 << 20;

/// How long an answer may take before the question is put again, and how often it is put.
const ANSWER_TIME: Duration = Duration::from_secs(4);
const ASKED_MAX: u32 = 3;

/// How long one artifact may take for each MiB that it has begun, on top of [`ANSWER_TIME`]: an honest giver with a bad
/// line makes 50 KiB in a second; a giver that is slow on purpose is left after that. In a large group the pace allows less,
/// and then it is [`PACES`] times what the pace takes.
const TIME_PER_MIB: Duration = Duration::from_secs(20);
const PACES: u32 = 2;
const PIECES_PER_MIB: u32 = (1 << 20) / PIECE_BYTES as u32;

/// Questions that are admitted and not yet answered: more than that and the store is slower than the line.
const ASKS_WAITING_MAX: usize = 64;

/// Fetches, one at a time. Clones share the place for the answers.
#[derive(Clone)]
pub struct Exchange {
    chain: Handle,
    expected: Expected,
    /// Between two questions.
    gap: Duration,
}

/// Whose answers about what are awaited; everything else that comes is dropped.
type Expected = Arc<Mutex<Option<Awaited>>>;

struct Awaited {
    from: usize,
    sha256: Digest,
    answers: mpsc::Sender<Answer>,
}

enum Answer {
    Piece { at: u64, bytes: Vec<u8> },
    Nothing(Why),
}

/// Why an artifact was not had from a member.
#[derive(Debug, Error)]
pub enum FetchError {
    /// Nothing came, or too slowly.
    #[error("does not answer, or too slowly")]
    Silent,
    /// The member has it not, or does not give it.
    #[error("{}", .0.as_str())]
    Declined(Why),
    /// What came is not what was revealed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// This machine.
    #[error("cannot be written down here: {0}")]
    Disk(#[from] io::Error),
}

impl Exchange {
    /// Starts to answer the other members with what is in `store`.
    pub fn start(chain: Handle, state: State, store: ArtifactStore, parcels: Parcels) -> Exchange {
        let expected = Expected::default();
        let members = state.group().members().len();
        let (admitted, asks) = mpsc::channel(ASKS_WAITING_MAX);
        let giver = Giver { chain: chain.clone(), state, store, allowance: Allowance::default() };
        tokio::spawn(giver.run(asks));
        tokio::spawn(hear(parcels, expected.clone(), Pace::new(members), admitted));
        Exchange { chain, expected, gap: gap(members) }
    }

    /// Fetches an artifact from the member at this place of the group into a new file. Not to be called twice at a time.
    ///
    /// # Errors
    /// [`FetchError`]; then the file, if there is one, is worthless.
    pub async fn fetch(&self, from: usize, artifact: &Artifact, to: &Path) -> Result<(), FetchError> {
        let mut fetch = Fetch::new(artifact.sha256, artifact.size, io::BufWriter::new(File::create_new(to)?));
        let (send, mut answers) = mpsc::channel(4);
        if artifact.size == 0 {
            let got = Digest::of(b"");
            return if got == artifact.sha256 { Ok(()) } else { Err(Refused::Hash { got }.into()) };
        }
        *self.slot() = Some(Awaited { from, sha256: artifact.sha256, answers: send });
        let end = Moment::now() + ANSWER_TIME + time(artifact.size, self.gap);
        let done = self.follow(from, &mut fetch, &mut answers, end).await;
        *self.slot() = None;
        done
    }

    async fn follow(
        &self,
        from: usize,
        fetch: &mut Fetch<io::BufWriter<File>>,
        answers: &mut mpsc::Receiver<Answer>,
        end: Moment,
    ) -> Result<(), FetchError> {
        let mut asked = 0;
        let mut next = Moment::now();
        loop {
            // Sooner it would not be answered.
            sleep_until(next).await;
            next = Moment::now() + self.gap;
            if asked == ASKED_MAX || Moment::now() >= end {
                return Err(FetchError::Silent);
            }
            // A queue that is full, or an engine that has ended, is met by asking again, or not.
            let _ = self.chain.send(from, fetch.ask().to_bytes());
            asked += 1;
            let patience = end.min(Moment::now() + ANSWER_TIME);
            loop {
                match timeout_at(patience, answers.recv()).await {
                    Ok(Some(Answer::Nothing(why))) => return Err(FetchError::Declined(why)),
                    Ok(Some(Answer::Piece { at, bytes })) => match fetch.take(at, &bytes)? {
                        Step::Whole => {
                            // Nor would the first question about the next artifact be.
                            sleep_until(next).await;
                            return Ok(());
                        }
                        Step::Again => continue,
                        Step::More => asked = 0,
                    },
                    Ok(None) => return Err(FetchError::Silent),
                    Err(_) => {}
                }
                break;
            }
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Awaited>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an artifact may take beyond [`ANSWER_TIME`]: `bytes` of it, with so long a `gap` between two questions.
fn time(bytes: u64, gap: Duration) -> Duration {
    let begun = u32::try_from(bytes >> 20).unwrap_or(u32::MAX).saturating_add(1);
    TIME_PER_MIB.max(gap.saturating_mul(PACES * PIECES_PER_MIB)).saturating_mul(begun)
}

/// A question that is to be answered.
struct Asked {
    by: usize,
    sha256: Digest,
    offset: u64,
}

/// Takes up parcels: hands answers on to whoever awaits them, and questions that keep to the pace to the giver. It waits for
/// no store, so that a slow one does not make this node lose what it asked for.
async fn hear(mut parcels: Parcels, expected: Expected, mut pace: Pace, admitted: mpsc::Sender<Asked>) {
    while let Some((from, bytes)) = parcels.recv().await {
        match Parcel::parse(&bytes) {
            Some(Parcel::Ask { sha256, offset }) => {
                if pace.admits(from, Instant::now()) {
                    // What finds no room is asked for again.
                    let _ = admitted.try_send(Asked { by: from, sha256, offset });
                }
            }
            Some(Parcel::Piece { sha256, offset, bytes }) => {
                hand_on(&expected, from, sha256, || Answer::Piece { at: offset, bytes: bytes.to_vec() });
            }
            Some(Parcel::Nothing { sha256, why }) => hand_on(&expected, from, sha256, || Answer::Nothing(why)),
            None => tracing::debug!(from, bytes = bytes.len(), "a parcel that says nothing"),
        }
    }
}

/// Answers questions.
struct Giver {
    chain: Handle,
    state: State,
    store: ArtifactStore,
    allowance: Allowance,
}

impl Giver {
    async fn run(mut self, mut asks: mpsc::Receiver<Asked>) {
        while let Some(Asked { by, sha256, offset }) = asks.recv().await {
            let answer = self.answer(by, sha256, offset).await;
            // What finds no room is asked for again.
            let _ = self.chain.send_spare(by, answer);
        }
    }

    async fn answer(&mut self, to: usize, sha256: Digest, offset: u64) -> Vec<u8> {
        match self.piece(to, &sha256, offset).await {
            Ok(bytes) => Parcel::Piece { sha256, offset, bytes: &bytes }.to_bytes(),
            Err(why) => Parcel::Nothing { sha256, why }.to_bytes(),
        }
    }

    async fn piece(&mut self, to: usize, sha256: &Digest, offset: u64) -> Result<Vec<u8>, Why> {
        // Before the verdict what a builder made is nobody's business: it could be copied instead of built.
        if !self.state.lock().is_revealed(sha256) {
            return Err(Why::Absent);
        }
        let size = self.store.size(sha256).await.ok_or(Why::Absent)?;
        if size > ARTIFACT_BYTES_MAX {
            return Err(Why::TooLarge);
        }
        let end = size.min(offset.saturating_add(PIECE_BYTES as u64));
        if offset >= end {
            return Err(Why::Absent);
        }
        if !self.allowance.take(to, end - offset, Instant::now()) {
            return Err(Why::Enough);
        }
        self.store.piece(sha256, offset..end).await.ok_or(Why::Absent)
    }
}

fn hand_on(expected: &Expected, from: usize, sha256: Digest, answer: impl FnOnce() -> Answer) {
    let expected = expected.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(awaited) = expected.as_ref().filter(|awaited| (awaited.from, awaited.sha256) == (from, sha256)) {
        // A full channel is that of a giver who answers what was not asked.
        let _ = awaited.answers.try_send(answer());
    }
}
