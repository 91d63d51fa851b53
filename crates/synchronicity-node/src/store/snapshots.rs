//! Snapshots: what the log does not say, beside the blocks from which it follows, so that old blocks can go.
//!
//! Every so many effective blocks, or so many bytes of them, the open state is written in the same transaction as the blocks that
//! led to it. Blocks before a snapshot go when a later one is there and everything that they logged is under a published
//! checkpoint, which is on disk before it is published. So what is left always holds the blocks behind the last snapshot but
//! one. What builders revealed without agreeing no entry says; it is kept beside the blocks, and stays (`dissent.rs`).

use std::sync::PoisonError;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_verify::digest::Digest;

use super::dissent::{self, Dissent};
use super::{BLOCKS, META, OpenError, Position, Store, WriteError, table_if_any};

pub(super) const SNAPSHOTS: TableDefinition<u64, &[u8]> = TableDefinition::new("snapshots");

/// The state after a block, but for what the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Id of the group in force.
    pub group: Digest,
    /// How far it is.
    pub executed: Executed,
    /// [`Machine::open_state`].
    pub open: Vec<u8>,
}

/// What blocks came to that were executed together.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Of the last of them.
    pub position: Position,
    /// Those that changed anything.
    pub effective: &'a [&'a OrderedBlock],
    /// Of each round that they concluded.
    pub dissent: &'a [Dissent],
}

impl<'a> Progress<'a> {
    /// Of blocks that concluded no round.
    pub fn to(position: Position, effective: &'a [&'a OrderedBlock]) -> Progress<'a> {
        Progress { position, effective, dissent: &[] }
    }
}

/// After how much a snapshot is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
    /// Effective blocks.
    pub blocks: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// A verdict takes at most some hundred effective blocks.
pub const EVERY: Every = Every { blocks: 4096, bytes: 64 << 20 };

impl Snapshot {
    /// The state of a machine; `None` behind the last block of an epoch, of which the log says everything.
    pub fn of(machine: &Machine) -> Option<Snapshot> {
        let group = machine.group().id();
        let snapshot = || Snapshot { group, executed: machine.executed(), open: machine.open_state() };
        machine.closed().is_none().then(snapshot)
    }

    fn to_row(&self) -> Vec<u8> {
        let Executed { time_ms, log_size, log_root, open, .. } = &self.executed;
        let numbers = [time_ms.to_be_bytes(), log_size.to_be_bytes()].concat();
        [&self.group.0, numbers.as_slice(), &log_root.0, &open.0, &self.open].concat()
    }

    fn from_row(height: u64, row: &[u8]) -> Option<Snapshot> {
        let (group, row) = row.split_first_chunk()?;
        let (time_ms, row) = row.split_first_chunk()?;
        let (log_size, row) = row.split_first_chunk()?;
        let (log_root, row) = row.split_first_chunk()?;
        let (open, bytes) = row.split_first_chunk()?;
        let (time_ms, log_size) = (u64::from_be_bytes(*time_ms), u64::from_be_bytes(*log_size));
        let executed = Executed { height, time_ms, log_size, log_root: Digest(*log_root), open: Digest(*open) };
        Some(Snapshot { group: Digest(*group), executed, open: bytes.to_vec() })
    }
}

impl Store {
    /// The same database with snapshots after other amounts.
    #[must_use]
    pub fn with_snapshots(mut self, every: Every) -> Store {
        self.every = every;
        self
    }

    /// The snapshot with which the blocks begin; `None` where they begin with an epoch.
    ///
    /// # Errors
    /// [`OpenError::Database`] or [`OpenError::Damaged`].
    pub fn begins_at(&self) -> Result<Option<Snapshot>, OpenError> {
        let read = self.with(|database| {
            let transaction = database.begin_read()?;
            let begin = transaction.open_table(META)?.get("begin")?.map(|row| row.value().to_vec());
            let Some(begin) = begin else { return Ok(None) };
            let height = begin.try_into().map_or(u64::MAX, u64::from_be_bytes);
            let row = match table_if_any(&transaction, SNAPSHOTS)? {
                Some(table) => table.get(height)?.map(|row| row.value().to_vec()),
                None => None,
            };
            Ok(Some((height, row)))
        });
        let Some((height, row)) = read.map_err(|error| self.unreadable(error))? else { return Ok(None) };
        let snapshot = row.and_then(|row| Snapshot::from_row(height, &row));
        snapshot.map(Some).ok_or_else(|| self.damaged(format!("the snapshot at block {height}")))
    }

    /// As [`Store::append`], for blocks up to the state that `snapshot` tells when it is asked: that is written too if it is
    /// due, and blocks go that are not needed any more. `published` is then asked for the size of the log under the published
    /// checkpoint. The dissent of concluded rounds is in the same transaction.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn record(
        &self,
        progress: &Progress<'_>,
        snapshot: impl FnOnce() -> Option<Snapshot>,
        published: impl FnOnce() -> u64,
    ) -> Result<(), WriteError> {
        let Progress { position, effective, dissent } = *progress;
        let blocks: Vec<(u64, Vec<u8>)> = effective.iter().map(|block| (block.height, block.to_bytes())).collect();
        let mut since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.blocks += blocks.len() as u64;
        since.bytes += blocks.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
        let due = since.blocks >= self.every.blocks || since.bytes >= self.every.bytes;
        let snapshot = if due { snapshot() } else { None };
        let published = if snapshot.is_some() { published() } else { 0 };
        self.write(|database| {
            let transaction = database.begin_write()?;
            {
                let at = [position.height.to_be_bytes(), position.time_ms.to_be_bytes()].concat();
                transaction.open_table(META)?.insert("position", at.as_slice())?;
                let mut table = transaction.open_table(BLOCKS)?;
                for (height, bytes) in &blocks {
                    table.insert(height, bytes.as_slice())?;
                }
            }
            dissent::write(&transaction, dissent)?;
            if let Some(snapshot) = &snapshot {
                drop_before(&transaction, published)?;
                let row = snapshot.to_row();
                transaction.open_table(SNAPSHOTS)?.insert(snapshot.executed.height, row.as_slice())?;
            }
            transaction.commit()?;
            Ok(())
        })?;
        let since = if snapshot.is_some() { Every { blocks: 0, bytes: 0 } } else { since };
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
        Ok(())
    }
}

/// Drops what lies before the newest snapshot whose log is published, if there is one.
fn drop_before(transaction: &redb::WriteTransaction, published: u64) -> Result<(), redb::Error> {
    let mut snapshots = transaction.open_table(SNAPSHOTS)?;
    let mut newest = None;
    for row in snapshots.iter()?.rev() {
        let (height, row) = row?;
        let snapshot = Snapshot::from_row(height.value(), row.value());
        if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.executed.log_size <= published) {
            newest = Some(snapshot);
            break;
        }
    }
    let Some(Snapshot { group, executed: Executed { height, .. }, .. }) = newest else { return Ok(()) };
    snapshots.retain_in(..height, |_, _| false)?;
    transaction.open_table(BLOCKS)?.retain_in(..=height, |_, _| false)?;
    let mut meta = transaction.open_table(META)?;
    meta.insert("begin", height.to_be_bytes().as_slice())?;
    meta.insert("group", group.0.as_slice())?;
    Ok(())
}

/// What lies behind the newest snapshot.
pub(super) fn since(database: &Database) -> Result<Every, redb::Error> {
    let transaction = database.begin_read()?;
    let newest = match table_if_any(&transaction, SNAPSHOTS)? {
        Some(table) => table.last()?.map(|(height, _)| height.value()),
        None => None,
    };
    let mut since = Every { blocks: 0, bytes: 0 };
    for row in transaction.open_table(BLOCKS)?.range(newest.map_or(0, |height| height + 1)..)? {
        since.blocks += 1;
        since.bytes += row?.1.value().len() as u64;
    }
    Ok(since)
}

/// Writes a snapshot with which the blocks begin, in place of all blocks.
pub(super) fn begin_at(transaction: &redb::WriteTransaction, snapshot: &Snapshot) -> Result<(), redb::Error> {
    let (height, row) = (snapshot.executed.height, snapshot.to_row());
    transaction.open_table(SNAPSHOTS)?.insert(height, row.as_slice())?;
    transaction.open_table(META)?.insert("begin", height.to_be_bytes().as_slice())?;
    Ok(())
}
