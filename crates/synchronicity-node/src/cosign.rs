//! Cosignatures of checkpoints: made by this builder, gathered from the others, counted until there is a quorum.
//!
//! They need no order, so they travel beside the chain. A message is one byte, `?` from a node that still misses
//! some or `.` from one that does not, and then a signed note: the text of a checkpoint with every cosignature of it
//! that the sender holds. A `?` is answered by who holds more, a `.` never is, so that no two nodes keep each other
//! talking. Of two cosignatures of one member the one with the later time counts: members sign an unchanged log again
//! from time to time (see [`crate::recosign`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use synchronicity_core::group::Group;
use synchronicity_verify::checkpoint::{Checkpoint, CheckpointError};
use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{BadSignature, NoteError, NoteSignature, SignedNote, VerifierKey};
use thiserror::Error;

use crate::recosign;

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
    /// Logs that are smaller matter no more.
    least: u64,
}

/// What a message brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The statement that it is about.
    pub statement: Statement,
    /// Whether it had a cosignature that was not at hand, or one with a later time.
    pub news: bool,
    /// Whether it lacked one that is at hand, or had one with an earlier time.
    pub lacks: bool,
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
        Cosignatures { group, lines: BTreeMap::new(), least: 0 }
    }

    /// The text that is signed for a statement.
    pub fn text(&self, statement: &Statement) -> String {
        Checkpoint { origin: self.group.origin().to_owned(), size: statement.0, root: statement.1 }.to_string()
    }

    /// Takes a message from anyone. Lines of keys that are no member's are ignored, and so are those that state a time
    /// after `latest_s`: who takes such a time could not take the member's true ones until then. Only of lines that would be
    /// kept is the signature checked, because that costs more than anything else here and any member can send any number.
    ///
    /// # Errors
    /// [`MessageError`]; nothing of the message is kept then.
    pub fn receive(&mut self, message: &[u8], latest_s: u64) -> Result<Received, MessageError> {
        let (asks, note) = match message.split_first() {
            Some((b'?', note)) => (true, note),
            Some((b'.', note)) => (false, note),
            _ => return Err(MessageError::Kind),
        };
        let note = SignedNote::parse(note)?;
        let checkpoint = self.checkpoint(&note)?;
        let statement = (checkpoint.size, checkpoint.root);
        let (mut told, mut good) = (BTreeMap::new(), Vec::new());
        for (position, key, line) in self.member_lines(&note) {
            let time_s = recosign::time_s(line);
            if time_s > latest_s {
                continue;
            }
            told.insert(position, time_s);
            if self.would_keep(&statement, position, time_s) {
                cosignature::verify(key, &note.text, line)?;
                good.push((position, line.clone()));
            }
        }
        let mut news = false;
        for (member, line) in good {
            news |= self.add(statement, member, line);
        }
        let mut held = self.lines.get(&statement).into_iter().flatten();
        let lacks = held.any(|(member, line)| told.get(member).is_none_or(|time_s| *time_s < recosign::time_s(line)));
        Ok(Received { statement, news, lacks, asks })
    }

    /// Whether a good line of this member with this time would be kept: it is not at hand, nor one as late.
    fn would_keep(&self, statement: &Statement, member: usize, time_s: u64) -> bool {
        if statement.0 < self.least {
            return false;
        }
        if let Some(held_s) = self.signed_s(statement, member) {
            return held_s < time_s;
        }
        let mut signed = self.statements_of(member);
        // In their order, so that the first one is the smallest: the one that another replaces.
        signed.next().is_none_or(|smallest| signed.count() + 1 < SIZES_PER_MEMBER || smallest < *statement)
    }

    /// Takes this builder's own line.
    pub fn add_own(&mut self, statement: Statement, member: usize, line: NoteSignature) {
        self.add(statement, member, line);
    }

    /// A message with everything at hand about a statement, which asks for more; `None` without a cosignature.
    pub fn question(&self, statement: &Statement) -> Option<Vec<u8>> {
        self.message(statement, '?')
    }

    /// The same as an answer to a `?`, or as news: nobody answers to it.
    pub fn answer(&self, statement: &Statement) -> Option<Vec<u8>> {
        self.message(statement, '.')
    }

    fn message(&self, statement: &Statement, mark: char) -> Option<Vec<u8>> {
        let lines = self.lines.get(statement)?;
        let note = SignedNote { text: self.text(statement), signatures: lines.values().cloned().collect() };
        Some(format!("{mark}{note}").into_bytes())
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

    /// When this member signed, in seconds; `None` if its line is not at hand.
    pub fn signed_s(&self, statement: &Statement, member: usize) -> Option<u64> {
        self.lines.get(statement)?.get(&member).map(recosign::time_s)
    }

    /// When each member whose line is at hand signed, in seconds.
    pub fn times(&self, statement: &Statement) -> Vec<u64> {
        self.lines.get(statement).into_iter().flat_map(BTreeMap::values).map(recosign::time_s).collect()
    }

    /// Whether every member's line is at hand.
    pub fn complete(&self, statement: &Statement) -> bool {
        self.lines.get(statement).is_some_and(|lines| lines.len() == self.group.members().len())
    }

    /// Forgets everything about logs smaller than `size`, and takes nothing about them any more.
    pub fn forget_below(&mut self, size: u64) {
        self.least = self.least.max(size);
        self.lines.retain(|statement, _| statement.0 >= size);
    }

    /// Checks a note against the group: the checkpoint it states, and the line of each member on it, by position.
    ///
    /// # Errors
    /// [`MessageError`] for another log's checkpoint and for a member's line that does not verify.
    pub fn verify(&self, note: &SignedNote) -> Result<(Checkpoint, BTreeMap<usize, NoteSignature>), MessageError> {
        let checkpoint = self.checkpoint(note)?;
        let mut lines = BTreeMap::new();
        for (position, key, line) in self.member_lines(note) {
            cosignature::verify(key, &note.text, line)?;
            lines.insert(position, line.clone());
        }
        Ok((checkpoint, lines))
    }

    fn checkpoint(&self, note: &SignedNote) -> Result<Checkpoint, MessageError> {
        let checkpoint: Checkpoint = note.text.parse()?;
        if checkpoint.origin != self.group.origin() {
            return Err(MessageError::OtherLog(checkpoint.origin));
        }
        Ok(checkpoint)
    }

    /// The line of each member on a note, with the member's position and key. Nothing of it is verified.
    fn member_lines<'a>(
        &'a self,
        note: &'a SignedNote,
    ) -> impl Iterator<Item = (usize, &'a VerifierKey, &'a NoteSignature)> {
        let keys = self.group.members().iter().map(|member| &member.cosigner);
        keys.enumerate().filter_map(|(position, key)| Some((position, key, note.signature_of(key)?)))
    }

    fn add(&mut self, statement: Statement, member: usize, line: NoteSignature) -> bool {
        let lines = self.lines.entry(statement).or_default();
        // Lines of one member over one statement differ in their times only, and time does not run backwards.
        let news = lines.get(&member).is_none_or(|held| recosign::time_s(held) < recosign::time_s(&line));
        if news {
            lines.insert(member, line);
        }
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
