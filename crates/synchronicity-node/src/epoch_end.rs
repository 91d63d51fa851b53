//! When an epoch is over here: its last entry is published, signed by its own members, and the others had time for it.
//!
//! A member that is a little slower executes the last block, and gathers the signatures over the last entry, from those who
//! are still there. So nobody leaves at once: who has every signature stays a moment to answer, and who misses some
//! waits for them a while. Whoever comes after that reads the log of somebody who has gone over (`group join`).

use std::sync::Arc;
use std::time::Duration;

use synchronicity_core::group::Group;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::proof::Proof;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep, timeout_at};

use crate::epochs::Epochs;
use crate::health::{Health, Topic};
use crate::log_reader::{LogReader, Patience};
use crate::publisher::Published;
use crate::state::State;

/// How long a node stays that has the signatures of all.
const ANSWERING: Duration = Duration::from_secs(3);

/// How long a node waits for the signatures that are missing beyond a quorum.
const WAITING: Duration = Duration::from_secs(20);

/// After how long without a quorum of signatures the operator is told what may be wrong.
const COMPLAINING: Duration = Duration::from_secs(60);

/// How long to wait before a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Watches for the end.
pub struct EpochEnd {
    /// The folded state.
    pub state: State,
    /// The published checkpoint.
    pub published: Published,
    /// Reads what is published.
    pub reader: LogReader,
    /// Where the end is recorded.
    pub epochs: Epochs,
    /// Complaints.
    pub health: Health,
}

impl EpochEnd {
    /// Resolves when this node may go over, with the group that follows. What it needs for that is on disk then.
    pub async fn wait(mut self) -> Group {
        let (next, size) = self.closed().await;
        tracing::info!(epoch = next.epoch(), group = %next.id(), "the epoch is over; its last entry is being signed");
        let note = self.signed(size).await;
        while let Err(problem) = block_in_place(|| self.record(&note, size)) {
            let advice = "see that the disk has room; it is tried again";
            self.health.complain(Topic::Disk, format!("cannot record the end of the epoch: {problem}; {advice}"));
            sleep(RETRY).await;
        }
        self.health.recover(Topic::Disk);
        self.linger(note).await;
        next
    }

    /// Waits for the last block to be on disk.
    async fn closed(&self) -> (Group, u64) {
        let mut changes = self.state.changes();
        loop {
            let persisted = *changes.borrow_and_update();
            let closed = {
                let folded = self.state.lock();
                let durable = folded.machine.executed() == persisted;
                folded.machine.closed().filter(|_| durable).cloned()
            };
            if let Some(next) = closed {
                return (next, persisted.log_size);
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for a published checkpoint over all of the epoch's log.
    async fn signed(&mut self, size: u64) -> Arc<SignedNote> {
        let whole = |note: &Option<Arc<SignedNote>>| note.as_ref().is_some_and(|note| covers(note, size));
        let mut told = false;
        loop {
            let deadline = Instant::now() + COMPLAINING;
            match timeout_at(deadline, self.published.wait_for(whole)).await.map(|seen| seen.map(|note| note.clone())) {
                Ok(Ok(Some(note))) => {
                    self.health.recover(Topic::Epoch);
                    return note;
                }
                Err(_) if !told => {
                    told = true;
                    self.health.complain(
                        Topic::Epoch,
                        "the epoch is over, and too few members have signed its last entry: if the others have gone over \
                         without this node, stop it and run `group join`",
                    );
                }
                Err(_) => {}
                // The publisher is gone, so the node is ending.
                Ok(_) => std::future::pending::<()>().await,
            }
        }
    }

    fn record(&self, note: &SignedNote, size: u64) -> Result<(), String> {
        let group = self.state.group();
        let policy = group.policy(None).map_err(|error| error.to_string())?;
        let proof =
            self.reader.proof(note, size.saturating_sub(1), Patience::Disk).map_err(|error| error.to_string())?;
        let proof: Proof = proof.ok_or("the published log does not reach the last entry")?;
        self.epochs.record(group, &policy, &proof).map_err(|error| error.to_string())
    }

    async fn linger(&mut self, mut note: Arc<SignedNote>) {
        let deadline = Instant::now() + WAITING;
        let all = self.state.group().members().len();
        // Beside the log's own line.
        while note.signatures.len() <= all {
            match timeout_at(deadline, self.published.changed()).await {
                Ok(Ok(())) => {
                    if let Some(newer) = self.published.borrow_and_update().clone() {
                        note = newer;
                    }
                }
                _ => return,
            }
        }
        sleep(ANSWERING).await;
    }
}

fn covers(note: &SignedNote, size: u64) -> bool {
    let checkpoint = note.text.parse::<synchronicity_verify::checkpoint::Checkpoint>();
    checkpoint.is_ok_and(|checkpoint| checkpoint.size == size)
}
