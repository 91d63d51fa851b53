//! Commands as they travel, and those that were checked lately.
//!
//! A command comes to a member several times: from its author, in a block, again when that block is sent on or read. Its
//! signature costs more than everything else about it, so it is checked once; whoever has the same bytes again gets the
//! same command.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use synchronicity_core::command::{Command, CommandError};
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;

/// Commands that are remembered at a time, in each of two generations.
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
    checked: Arc<Mutex<Generations>>,
}

#[derive(Default)]
struct Generations {
    young: BTreeMap<Digest, Arc<Signed>>,
    young_bytes: usize,
    old: BTreeMap<Digest, Arc<Signed>>,
}

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
        let name = Digest::of(bytes);
        if let Some(known) = self.checked().find(&name) {
            return Ok(known);
        }
        let command = match self.source {
            Source::Anybody => Command::from_bytes(bytes, &self.group)?,
            // Not remembered: what is remembered was checked by this process.
            Source::OwnDisk => {
                let command = Command::from_own_disk(bytes, &self.group)?;
                return Ok(Arc::new(Signed { command, bytes: bytes.to_vec() }));
            }
        };
        let signed = Arc::new(Signed { command, bytes: bytes.to_vec() });
        self.checked().remember(name, &signed);
        Ok(signed)
    }

    /// Spares the check of what this process has signed itself.
    pub(crate) fn remember(&self, signed: &Arc<Signed>) {
        self.checked().remember(Digest::of(signed.bytes()), signed);
    }

    fn checked(&self) -> MutexGuard<'_, Generations> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn find(&self, name: &Digest) -> Option<Arc<Signed>> {
        self.young.get(name).or_else(|| self.old.get(name)).cloned()
    }

    fn remember(&mut self, name: Digest, signed: &Arc<Signed>) {
        if self.young.len() >= REMEMBERED_MAX || self.young_bytes + signed.bytes.len() > REMEMBERED_BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(name, signed.clone()).is_none() {
            self.young_bytes += signed.bytes.len();
        }
    }
}

/// Ids of commands.
pub(crate) fn ids(commands: &[Arc<Signed>]) -> BTreeSet<Digest> {
    commands.iter().map(|command| command.id()).collect()
}

#[cfg(test)]
mod tests;
