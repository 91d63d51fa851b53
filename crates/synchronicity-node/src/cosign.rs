//! Cosignatures of checkpoints: made by this builder, gathered from the others, counted until there is a quorum.
//!
//! They need no order, so they travel beside the chain. A message is one byte, `?` from a node that still misses
//! some or `.` from one that does not, and then a signed note: the text of a checkpoint with every cosignature of it
//! that the sender holds. A `?` is answered, a `.` never is, so that no two nodes keep each other talking.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use synchronicity_core::group::Group;
use synchronicity_verify::checkpoint::{Checkpoint, CheckpointError};
use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{BadSignature, NoteError, NoteSignature, SignedNote};
use thiserror::Error;

/// How many sizes are remembered for one member: what a member signs beyond that replaces its smallest.
const SIZES_PER_MEMBER: usize = 16;

/// What is signed: a size of the log and its root.
pub type Statement = (u64, Digest);

/// Every good cosignature at hand.
#[derive(Debug)]
pub struct Cosignatures {
    group: Arc<Group>,
    /// For each statement, the line of each member who signed it, by the member's position in the group.
    lines: BTreeMap<Statement, BTreeMap<usize, NoteSignature>>,
}

/// What a message brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The statement that it is about.
    pub statement: Statement,
    /// Whether it had a cosignature that was not at hand.
    pub news: bool,
    /// Whether its sender asks for ours.
    pub asks: bool,
}

/// Why a message counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Neither `?` nor `.` before the note.
    #[error("not a cosignature message")]
    Kind,
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note's text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint of another log.
    #[error("a cosignature of {0}, which is not this group's log")]
    OtherLog(String),
    /// A member's line that does not verify.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

impl Cosignatures {
    /// None yet.
    pub fn new(group: Arc<Group>) -> Cosignatures {
        Cosignatures { group, lines: BTreeMap::new() }
    }

    /// The text that is signed for a statement.
    pub fn text(&self, statement: &Statement) -> String {
        Checkpoint { origin: self.group.origin().to_owned(), size: statement.0, root: statement.1 }.to_string()
    }

    /// Takes a message from anyone. Lines of keys that are no member's are ignored.
    ///
    /// # Errors
    /// [`MessageError`]; nothing of the message is kept then.
    pub fn receive(&mut self, message: &[u8]) -> Result<Received, MessageError> {
        let (asks, note) = match message.split_first() {
            Some((b'?', note)) => (true, note),
            Some((b'.', note)) => (false, note),
            _ => return Err(MessageError::Kind),
        };
        let note = SignedNote::parse(note)?;
        let (checkpoint, lines) = self.verify(&note)?;
        let statement = (checkpoint.size, checkpoint.root);
        let mut news = false;
        for (member, line) in lines {
            news |= self.add(statement, member, line);
        }
        Ok(Received { statement, news, asks })
    }

    /// Takes this builder's own line.
    pub fn add_own(&mut self, statement: Statement, member: usize, line: NoteSignature) {
        self.add(statement, member, line);
    }

    /// A message with everything at hand about a statement; `None` without a cosignature.
    pub fn message(&self, statement: &Statement) -> Option<Vec<u8>> {
        let lines = self.lines.get(statement)?;
        let mark = if lines.len() < self.group.members().len() { '?' } else { '.' };
        let note = SignedNote { text: self.text(statement), signatures: lines.values().cloned().collect() };
        Some(format!("{mark}{note}").into_bytes())
    }

    /// The answer to a `?`: as [`Cosignatures::message`], but itself no question.
    pub fn answer(&self, statement: &Statement) -> Option<Vec<u8>> {
        let mut message = self.message(statement)?;
        message[0] = b'.';
        Some(message)
    }

    /// Every statement with a quorum, of a size from `least` to `most`, smallest first, with its cosignatures in the
    /// order of the members.
    pub fn quorums(&self, least: u64, most: u64) -> Vec<(Statement, Vec<NoteSignature>)> {
        let quorum = self.group.quorum();
        let within = self.lines.iter().filter(|(statement, _)| (least..=most).contains(&statement.0));
        within
            .filter(|(_, lines)| lines.len() >= quorum)
            .map(|(statement, lines)| (*statement, lines.values().cloned().collect()))
            .collect()
    }

    /// Whether this member's line is at hand.
    pub fn has(&self, statement: &Statement, member: usize) -> bool {
        self.lines.get(statement).is_some_and(|lines| lines.contains_key(&member))
    }

    /// Whether every member's line is at hand.
    pub fn complete(&self, statement: &Statement) -> bool {
        self.lines.get(statement).is_some_and(|lines| lines.len() == self.group.members().len())
    }

    /// Forgets everything about logs smaller than `size`.
    pub fn forget_below(&mut self, size: u64) {
        self.lines.retain(|statement, _| statement.0 >= size);
    }

    /// Checks a note against the group: the checkpoint it states, and the line of each member on it, by position.
    ///
    /// # Errors
    /// [`MessageError`] for another log's checkpoint and for a member's line that does not verify.
    pub fn verify(&self, note: &SignedNote) -> Result<(Checkpoint, BTreeMap<usize, NoteSignature>), MessageError> {
        let checkpoint: Checkpoint = note.text.parse()?;
        if checkpoint.origin != self.group.origin() {
            return Err(MessageError::OtherLog(checkpoint.origin));
        }
        let mut lines = BTreeMap::new();
        for (position, member) in self.group.members().iter().enumerate() {
            if let Some(line) = note.signature_of(&member.cosigner) {
                cosignature::verify(&member.cosigner, &note.text, line)?;
                lines.insert(position, line.clone());
            }
        }
        Ok((checkpoint, lines))
    }

    fn add(&mut self, statement: Statement, member: usize, line: NoteSignature) -> bool {
        let lines = self.lines.entry(statement).or_default();
        // The first line stays: a second one differs in its time only.
        let news = !lines.contains_key(&member);
        lines.entry(member).or_insert(line);
        let signed: BTreeSet<Statement> = self.statements_of(member).collect();
        if signed.len() > SIZES_PER_MEMBER
            && let Some(smallest) = signed.first()
        {
            self.remove(smallest, member);
        }
        news
    }

    fn statements_of(&self, member: usize) -> impl Iterator<Item = Statement> {
        self.lines.iter().filter(move |(_, lines)| lines.contains_key(&member)).map(|(statement, _)| *statement)
    }

    fn remove(&mut self, statement: &Statement, member: usize) {
        if let Some(lines) = self.lines.get_mut(statement) {
            lines.remove(&member);
            if lines.is_empty() {
                self.lines.remove(statement);
            }
        }
    }
}

#[cfg(test)]
mod tests;
