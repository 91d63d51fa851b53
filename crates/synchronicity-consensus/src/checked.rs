//! Commands as they travel, and those that were checked lately.
//!
//! A command comes to a member several times: from its author, in a block, again when that block is sent on or read. Its
//! signature costs more than everything else about it, so it is checked once; whoever has the same bytes again gets the
//! same command. A signature over several commands is checked for the first of them.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use synchronicity_core::command::{Command, CommandError, SignedMessage};
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;

/// Commands that are remembered at a time, and batches, in each of two generations.
const REMEMBERED_MAX: usize = 16_384;

/// Bytes of commands that are remembered at a time, in each of two generations.
const REMEMBERED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A command and its canonical bytes, which are asked for again and again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    command: Command,
    bytes: Vec<u8>,
}

impl Signed {
    pub(crate) fn new(command: Command) -> Arc<Self> {
        Arc::new(Self { bytes: command.to_bytes(), command })
    }

    /// The canonical bytes, at most [`COMMAND_BYTES_MAX`](synchronicity_core::command::COMMAND_BYTES_MAX).
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Deref for Signed {
    type Target = Command;

    fn deref(&self) -> &Command {
        &self.command
    }
}

/// Where the bytes come from that are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// From anybody: every signature is checked.
    Anybody,
    /// From this member's own archive, into which nothing comes unchecked.
    OwnDisk,
}

/// How commands are read. Clones share what was checked.
#[derive(Clone)]
pub(crate) struct Reading {
    group: Arc<Group>,
    source: Source,
    checked: Arc<Mutex<Checked>>,
}

/// What was found to be signed.
#[derive(Default)]
struct Checked {
    commands: Generations<Arc<Signed>>,
    batches: Generations<()>,
}

/// The latest of many things, by name. Looked up and never walked through, so that no order of the maps' own gets out.
struct Generations<T> {
    young: HashMap<Digest, T>,
    young_bytes: usize,
    old: HashMap<Digest, T>,
}

/// Ids of commands, to be asked and never walked through: their order differs from process to process.
pub(crate) type Ids = HashSet<Digest>;

impl Reading {
    pub(crate) fn new(group: Arc<Group>) -> Self {
        Self { group, source: Source::Anybody, checked: Arc::default() }
    }

    /// The same for what this member has read and written down before.
    pub(crate) fn own_disk(&self) -> Self {
        Self { source: Source::OwnDisk, ..self.clone() }
    }

    /// # Errors
    /// Any [`CommandError`].
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<Arc<Signed>, CommandError> {
        self.read_if(bytes, SignedMessage::is_signed)
    }

    /// As [`Reading::read`]; `is_signed` is asked where a signature has to be checked.
    ///
    /// # Errors
    /// Any [`CommandError`].
    pub(crate) fn read_if(
        &self,
        bytes: &[u8],
        is_signed: impl FnOnce(&SignedMessage) -> bool,
    ) -> Result<Arc<Signed>, CommandError> {
        let name = Digest::of(bytes);
        if let Some(known) = self.checked().commands.find(&name) {
            return Ok(known);
        }
        let command = match self.source {
            Source::Anybody => Command::from_bytes_if(bytes, &self.group, |it| self.was_signed(it, is_signed))?,
            // Not remembered: what is remembered was checked by this process.
            Source::OwnDisk => {
                let command = Command::from_own_disk(bytes, &self.group)?;
                return Ok(Arc::new(Signed { command, bytes: bytes.to_vec() }));
            }
        };
        let signed = Arc::new(Signed { command, bytes: bytes.to_vec() });
        self.checked().commands.remember(name, signed.clone(), bytes.len());
        Ok(signed)
    }

    /// Spares the check of what this process has signed itself.
    pub(crate) fn remember(&self, signed: &Arc<Signed>) {
        let name = Digest::of(signed.bytes());
        self.checked().commands.remember(name, signed.clone(), signed.bytes.len());
    }

    fn was_signed(&self, message: &SignedMessage, is_signed: impl FnOnce(&SignedMessage) -> bool) -> bool {
        let Some(batch) = message.batch() else {
            return is_signed(message);
        };
        if self.checked().batches.find(&batch).is_some() {
            return true;
        }
        let signed = is_signed(message);
        if signed {
            self.checked().batches.remember(batch, (), size_of::<Digest>());
        }
        signed
    }

    fn checked(&self) -> MutexGuard<'_, Checked> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self { young: HashMap::new(), young_bytes: 0, old: HashMap::new() }
    }
}

impl<T: Clone> Generations<T> {
    fn find(&self, name: &Digest) -> Option<T> {
        self.young.get(name).or_else(|| self.old.get(name)).cloned()
    }

    fn remember(&mut self, name: Digest, thing: T, bytes: usize) {
        if self.young.len() >= REMEMBERED_MAX || self.young_bytes + bytes > REMEMBERED_BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(name, thing).is_none() {
            self.young_bytes += bytes;
        }
    }
}

pub(crate) fn ids(commands: &[Arc<Signed>]) -> Ids {
    commands.iter().map(|command| command.id()).collect()
}

#[cfg(test)]
mod tests;
