//! The task that turns cosignatures into a published log: it gathers them, writes the log when there is a quorum, and
//! tells the others until everybody has everything.

mod asking;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use miette::Diagnostic;
use synchronicity_consensus::Handle;
use synchronicity_core::group::Group;
use synchronicity_verify::note::{self, NoteSignature, SignedNote, Signer};
use synchronicity_verify::policy::Policy;
use synchronicity_verify::verify::verify_checkpoint;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::block_in_place;

use self::asking::{ASK_AGAIN_MAX, Asking};
use crate::cosign::{Cosignatures, MessageError, Statement};
use crate::durable::Synced;
use crate::health::{Health, Topic};
use crate::log_reader::LogReader;
use crate::presence::{Presence, Presences};
use crate::proofs;
use crate::publish::{self, LoadError, PublishError, PublishedLog, SharedLog};
use crate::recosign::{self, Schedule};
use crate::state::State;

/// The longest pause of a node that misses newer times only: a dozen questions an hour.
const ASK_FOR_TIMES_MAX: Duration = Duration::from_secs(86_400);

/// The published checkpoint, for everybody who serves it.
pub type Published = watch::Receiver<Option<Arc<SignedNote>>>;

/// What the publisher needs of the node.
pub struct Publisher {
    /// The folded state.
    pub state: State,
    /// The log on disk.
    pub log: SharedLog,
    /// Reads what is published.
    pub reader: LogReader,
    /// Every good cosignature at hand.
    pub cosignatures: Cosignatures,
    /// When newer times are worth another write, and which of them to believe.
    pub schedule: Schedule,
    /// The log's own key.
    pub log_key: Signer,
    /// This member's position in the group.
    pub me: usize,
    /// Whether the published checkpoint is still the last one of the epoch before.
    pub inherited: bool,
    /// Where proof files go.
    pub proofs: PathBuf,
    /// What of them is still to be written.
    pub owed: Owed,
    /// To the other members.
    pub chain: Handle,
    /// What they tell of themselves on the same way.
    pub presences: Presences,
    /// Complaints.
    pub health: Health,
    /// The published checkpoint.
    pub published: watch::Sender<Option<Arc<SignedNote>>>,
}

/// The entries whose proof files are to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owed {
    /// The first entry that came with the checkpoint published last: more cosignatures of it go into the same proofs.
    latest: u64,
    /// The first entry whose proof file is not written yet.
    from: Option<u64>,
    /// Whether proof files of earlier runs have been looked for.
    searched: bool,
}

/// Why the log on disk is not this group's log.
#[derive(Debug, Error, Diagnostic)]
pub enum AdoptError {
    /// The log on disk is damaged.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Load(#[from] LoadError),
    /// Its checkpoint is not signed as this group signs.
    #[error("the published checkpoint is not this group's: {0}")]
    #[diagnostic(help("the log folder belongs to another group; restore it from a backup, or move it away"))]
    Signatures(String),
    /// It has entries that the state does not have, or other ones.
    #[error("the published log of {published} entries is not the one that the state folds to ({folded} entries)")]
    #[diagnostic(help(
        "log folder and state.redb were not kept together, or `group join` was interrupted: move the log folder away and run \
         `group join`, which takes up both anew"
    ))]
    OtherLog {
        /// Entries under the published checkpoint.
        published: u64,
        /// Entries in the state.
        folded: u64,
    },
}

/// Checks that there is no published log where there is no state: it could not be the state's.
///
/// # Errors
/// [`AdoptError`]; nothing is changed.
pub fn check_begun(folder: &Path) -> Result<(), AdoptError> {
    match PublishedLog::open(folder, Synced)?.size() {
        0 => Ok(()),
        published => Err(AdoptError::OtherLog { published, folded: 0 }),
    }
}

/// The published log, as a node found it.
#[derive(Debug)]
pub struct Adopted {
    /// The log.
    pub log: PublishedLog<Synced>,
    /// The cosignatures of it that are this group's members'.
    pub cosignatures: Cosignatures,
    /// Whether the members of the epoch before have signed its checkpoint, and a quorum of these has not yet.
    pub inherited: bool,
}

/// Reads the published log and checks that it is what this group signed, or, in a new epoch, what the epoch before left
/// under the policy `before`. Whether it is what the state folds to is for whoever folds it to say.
///
/// # Errors
/// [`AdoptError`]; nothing is changed.
pub fn adopt(folder: &Path, group: &Group, before: Option<&Policy>) -> Result<Adopted, AdoptError> {
    let log = PublishedLog::open(folder, Synced)?;
    let mut cosignatures = Cosignatures::new(Arc::new(group.clone()));
    let Some(note) = log.note() else { return Ok(Adopted { log, cosignatures, inherited: false }) };
    let refused = |error: MessageError| AdoptError::Signatures(error.to_string());
    let (checkpoint, lines) = cosignatures.verify(note).map_err(refused)?;
    let key = group.log_key();
    let signed = note.signature_of(key).is_some_and(|line| note::verify(key, &note.text, line).is_ok());
    let own = signed && lines.len() >= group.quorum();
    let inherited = !own && before.is_some_and(|policy| verify_checkpoint(note, policy).is_ok());
    if !own && !inherited {
        return Err(AdoptError::Signatures("the log's signature or a quorum of cosignatures is missing".to_owned()));
    }
    for (member, line) in lines {
        cosignatures.add_own((checkpoint.size, checkpoint.root), member, line);
    }
    Ok(Adopted { log, cosignatures, inherited })
}

impl Publisher {
    /// Runs until the senders are gone. `own` brings this builder's cosignatures, already persisted in the journal;
    /// `gossip` the others' messages.
    pub async fn run(
        mut self,
        mut own: mpsc::Receiver<(Statement, NoteSignature)>,
        mut gossip: mpsc::Receiver<(usize, Vec<u8>)>,
    ) {
        // What a crash between checkpoint and proofs left undone.
        let published = self.log().size();
        self.owed = Owed { latest: published, from: Some(published), searched: false };
        self.prove();
        let mut asking = Asking::new();
        let mut changes = self.state.changes();
        loop {
            tokio::select! {
                signed = own.recv() => match signed {
                    Some((statement, line)) => {
                        self.cosignatures.add_own(statement, self.me, line);
                        asking.restart();
                    }
                    None => return,
                },
                message = gossip.recv() => match message {
                    Some((member, bytes)) => self.hear(member, &bytes, &mut asking),
                    None => return,
                },
                changed = changes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(asking.next().into()) => {}
            }
            self.publish();
            self.prove();
            self.tell(&mut asking);
        }
    }

    fn hear(&mut self, member: usize, bytes: &[u8], asking: &mut Asking) {
        if let Some(presence) = Presence::parse(bytes) {
            return self.presences.heard(member, presence);
        }
        match self.cosignatures.receive(bytes, self.schedule.latest_s(recosign::now())) {
            Ok(received) => {
                let statement = received.statement;
                if received.asks && received.lacks && asking.may_answer(member, statement, Instant::now()) {
                    let answer = self.cosignatures.answer(&statement);
                    answer.into_iter().for_each(|answer| self.broadcast(answer));
                }
            }
            Err(error) => tracing::debug!(member, %error, "a cosignature message counts for nothing"),
        }
    }

    /// Tells of a new cosignature of its own, asks for what is missing, with growing pauses, and falls silent when
    /// nothing is.
    fn tell(&mut self, asking: &mut Asking) {
        let executed = self.state.persisted();
        let statement = (executed.log_size, executed.log_root);
        let Some(signed_s) = self.cosignatures.signed_s(&statement, self.me) else { return asking.rest() };
        let group = self.state.group();
        let times = self.cosignatures.times(&statement);
        let pause_max = if times.len() < group.members().len() {
            Some(ASK_AGAIN_MAX)
        } else if !self.schedule.is_joined(&times, signed_s, group.quorum()) {
            // Nobody misses an entry for want of a newer time, and others may sign more seldom.
            Some(ASK_FOR_TIMES_MAX)
        } else {
            None
        };
        let message = match pause_max {
            Some(pause_max) if asking.due(pause_max) => self.cosignatures.question(&statement),
            None if asking.has_news() => self.cosignatures.answer(&statement),
            _ => None,
        };
        if pause_max.is_none() {
            asking.rest();
        }
        if let Some(message) = message {
            asking.told();
            self.broadcast(message);
        }
    }

    fn broadcast(&self, message: Vec<u8>) {
        // Not told now is told with the next question.
        if let Err(error) = self.chain.broadcast(message) {
            tracing::debug!(%error, "cosignatures were not told");
        }
    }

    fn publish(&mut self) {
        let Some((statement, lines)) = self.publishable() else { return };
        match block_in_place(|| self.write(statement, lines)) {
            Ok(()) => self.health.recover(Topic::Publish),
            Err(error) => self.health.complain(Topic::Publish, format!("{error}; it is tried again")),
        }
    }

    /// The largest statement that can be published: signed by a quorum, within the persisted state, and either larger
    /// than the published one, or the same with more cosignatures or, by the schedule, with newer ones.
    fn publishable(&self) -> Option<(Statement, Vec<NoteSignature>)> {
        let executed = self.state.persisted();
        let quorum = self.state.group().quorum();
        let (published, signed) = {
            let log = self.log();
            // After the log's own line.
            let lines = log.note().into_iter().flat_map(|note| note.signatures.iter().skip(1));
            (log.size(), lines.map(recosign::time_s).collect::<Vec<u64>>())
        };
        let candidates = self.cosignatures.quorums(published, executed.log_size);
        candidates.into_iter().rev().find(|(statement, lines)| {
            let times = || lines.iter().map(recosign::time_s).collect::<Vec<u64>>();
            let more = self.inherited
                || statement.0 > published
                || lines.len() > signed.len()
                || self.schedule.is_fresher(&times(), &signed, quorum);
            // If the log cannot be read, whoever tries to publish it says so.
            more && self.state.root_at(statement.0).map_or(true, |root| root == Some(statement.1))
        })
    }

    fn log(&self) -> MutexGuard<'_, PublishedLog<Synced>> {
        publish::locked(&self.log)
    }

    fn write(&mut self, statement: Statement, lines: Vec<NoteSignature>) -> Result<(), PublishError> {
        let text = self.cosignatures.text(&statement);
        let log_line = note::sign(&self.log_key, &text).map_err(|error| PublishError::Malformed(error.to_string()))?;
        let note = SignedNote { text, signatures: std::iter::once(log_line).chain(lines).collect() };
        let from = {
            let mut log = self.log();
            let from = log.size();
            log.publish(note)?;
            from
        };
        self.inherited = false;
        self.cosignatures.forget_below(statement.0);
        if statement.0 > from {
            self.owed.latest = from;
        }
        // What a failure left from before stays owed.
        self.owed.from = Some(self.owed.from.map_or(self.owed.latest, |owed| owed.min(self.owed.latest)));
        tracing::info!(size = statement.0, entries = statement.0 - from, "published");
        Ok(())
    }

    /// Writes the proofs that are owed, and only then shows a new checkpoint: whoever sees it finds the proofs. If they
    /// cannot be written it is shown all the same, because a proof can be made from the log at any time.
    fn prove(&mut self) {
        let Some(from) = self.owed.from else { return };
        let (size, note) = {
            let log = self.log();
            (log.size(), log.note().cloned())
        };
        let Some(note) = note else { return };
        match block_in_place(|| self.write_proofs(&note, size, from)) {
            Ok(()) => {
                (self.owed.from, self.owed.searched) = (None, true);
                self.take_times(size);
                self.health.recover(Topic::Proofs);
            }
            Err(error) => {
                let complaint = format!("cannot write proof files: {error}; it is tried again");
                self.health.complain(Topic::Proofs, complaint);
            }
        }
        self.published.send_replace(Some(Arc::new(note)));
        self.state.lock().forget_maps_below(size);
    }

    fn write_proofs(&self, note: &SignedNote, size: u64, from: u64) -> io::Result<()> {
        if !self.owed.searched {
            let reproduced = self.state.lock().catalogue.all(size);
            proofs::write_missing(&self.reader, note, &reproduced, &self.proofs)?;
        }
        proofs::write_proofs(&self.reader, note, from, &self.proofs)
    }

    /// Notes how long the entries below `size` took from their conclusion to their proof on disk.
    fn take_times(&self, size: u64) {
        let mut folded = self.state.lock();
        let later = folded.concluded.split_off(&size);
        for (index, concluded) in std::mem::replace(&mut folded.concluded, later) {
            folded.proof_ms.insert(index, concluded.elapsed().as_millis() as u64);
        }
    }
}
