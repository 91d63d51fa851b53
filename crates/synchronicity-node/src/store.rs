//! `state.redb`: what a node must not forget. Only this file and those below it name the database.
//!
//! Two things lie in it. The latest ordered blocks that changed something, with the height and time of the last block of
//! all, and snapshots of the state before them, from which the machine is folded again at start. And the journal: sealed results with their nonces, the largest
//! checkpoint that this builder cosigned, and the last one that its witness cosigned of each log of others. Every method
//! that writes returns when the content is on disk.
//!
//! ```text
//! meta    schema → 2, group → 32 bytes, position → u64be height ‖ u64be time, cosigned → u64be size ‖ 32 bytes,
//!         base → u64be size ‖ 32 bytes, of the log with which the first block's epoch began; missing in the first one
//!         begin → u64be height of the snapshot with which the blocks begin; missing where they begin with an epoch,
//!         floor → the block and its certificate with which the chain begins here, as synchronicity_consensus writes them;
//!         missing where the chain begins with the epoch
//! blocks  height → the block, as synchronicity_core::block writes it
//! snapshots  height → 32 bytes of the group ‖ u64be time ‖ u64be log size ‖ 32 bytes of the log's root ‖ 32 bytes of the open
//!         state's digest ‖ the open state, as synchronicity_core::open writes it
//! dissent request id → for each result that builders revealed in its latest round and that they did not agree on,
//!         u32be length ‖ the result; missing where there is none, and in older files
//! sealed  request id ‖ u32be round → 32-byte nonce ‖ result
//! witnessed  origin of a log → u64be size ‖ 32 bytes ‖ the checkpoint as a signed note; missing in older files
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use miette::Diagnostic;
use redb::{
    Database, Key, ReadOnlyDatabase, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    TableError, Value,
};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::group::Group;
use synchronicity_core::journal::{Journal, Sealed};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::result::BuildResult;
use thiserror::Error;

mod base;
mod dissent;
mod migrate;
mod refold;
mod snapshots;
mod witnessed;

pub use dissent::Dissent;
pub use snapshots::{EVERY, Every, Progress, Snapshot};

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const BLOCKS: TableDefinition<u64, &[u8]> = TableDefinition::new("blocks");
const SEALED: TableDefinition<&[u8], &[u8]> = TableDefinition::new("sealed");

/// The node's database.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// Empty after a failed write: the database refuses everything from then on, so the next use opens it again.
    database: Mutex<Option<Database>>,
    /// When a snapshot is due, and what lies behind the newest one.
    every: Every,
    since: Mutex<Every>,
}

/// Height and time of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Height in the chain.
    pub height: u64,
    /// Time of the block, in milliseconds since 1970.
    pub time_ms: u64,
}

/// Why a node's database cannot be used at all.
#[derive(Debug, Error, Diagnostic)]
pub enum OpenError {
    /// The file cannot be opened.
    #[error("cannot open {}: {error}", path.display())]
    #[diagnostic(help(
        "see that the disk is there and has room; a damaged file must be restored together with the rest of the folder"
    ))]
    Database {
        /// The file.
        path: PathBuf,
        /// What the database said.
        error: Box<redb::Error>,
    },
    /// It was written for another group.
    #[error("{} belongs to group {stored}, the group file is of group {configured}", path.display())]
    #[diagnostic(help(
        "a node's history is of one group; put the right group.toml back, or start a new folder for the other group"
    ))]
    ForeignGroup {
        /// The file.
        path: PathBuf,
        /// Group in the file.
        stored: String,
        /// Group of the group file.
        configured: Digest,
    },
    /// It has come further than what was to replace it.
    #[error("{} is at block {height} already, and the state that it was to begin with is of block {begun}", path.display())]
    #[diagnostic(help("nothing was changed; this node needs no `group join`: start it"))]
    Ahead {
        /// The file.
        path: PathBuf,
        /// Height of its last block.
        height: u64,
        /// Height of that state.
        begun: u64,
    },
    /// A layout from which no step of this program leads on.
    #[error("{} has schema {found}, and this program knows those from {oldest} on", path.display())]
    #[diagnostic(help(
        "nothing was changed; start the node once with a version in between, whose changelog names schema {found}: it brings the \
         file to its own"
    ))]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u8,
        /// The oldest one that is known.
        oldest: u8,
    },
    /// A layout of a later version.
    #[error("{} has schema {found}, and this program knows those up to {present}: a newer version wrote it", path.display())]
    #[diagnostic(help(
        "nothing was changed; run that version, or a later one. No schema is brought back to an older one: see Upgrading in \
         docs/operating.md"
    ))]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u8,
        /// That of this program.
        present: u8,
    },
    /// A row that this program never writes.
    #[error("{} is damaged: {what}", path.display())]
    #[diagnostic(help(
        "restore the folder from a backup; never start with an empty journal under keys that have signed"
    ))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which row.
        what: String,
    },
}

/// Why something could not be made durable. It may be on disk nevertheless; repeating the call is safe.
#[derive(Debug, Error, Diagnostic)]
#[error("cannot write the node's state: {0}")]
#[diagnostic(help("see that the disk has room; the node signs nothing until the write succeeds"))]
pub struct WriteError(Box<redb::Error>);

impl Store {
    /// Opens or creates the database of a node of this group. One that an earlier version wrote is brought to the present schema.
    ///
    /// # Errors
    /// [`OpenError`]; a database of another group, or of an unknown schema, is left as it is.
    pub fn open(path: &Path, group: &Group) -> Result<Store, OpenError> {
        Store::open_in(path, &[], group).map(|(store, _)| store)
    }

    /// The same for a group that has had `earlier` epochs: the group with which the blocks in it begin, too. A new database
    /// begins with `group`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_in(path: &Path, earlier: &[Group], group: &Group) -> Result<(Store, Group), OpenError> {
        let failed = |error: redb::Error| OpenError::Database { path: path.to_owned(), error: Box::new(error) };
        if let Some(stored) = peek(path).map_err(failed)? {
            migrate::known(path, &stored)?;
            check_owner(path, stored, earlier, group)?;
        }
        let database = Database::create(path).map_err(|error| failed(error.into()))?;
        let owner = match read_owner(&database).map_err(failed)? {
            Some(stored) => {
                let schema = migrate::known(path, &stored)?;
                let owner = check_owner(path, stored, earlier, group)?;
                migrate::bring(&database, schema).map_err(failed)?;
                owner
            }
            None => {
                claim(&database, group).map_err(failed)?;
                group
            }
        };
        let store = Store::of(path, database).map_err(failed)?;
        Ok((store, owner.clone()))
    }

    fn of(path: &Path, database: Database) -> Result<Store, redb::Error> {
        let since = Mutex::new(snapshots::since(&database)?);
        Ok(Store { path: path.to_owned(), database: Mutex::new(Some(database)), every: EVERY, since })
    }

    /// The journal, as the last run left it.
    ///
    /// # Errors
    /// [`OpenError::Database`] or [`OpenError::Damaged`].
    pub fn journal(&self) -> Result<Journal, OpenError> {
        let read = self.with(|database| {
            let transaction = database.begin_read()?;
            let cosigned = transaction.open_table(META)?.get("cosigned")?.map(|row| row.value().to_vec());
            let mut sealed = Vec::new();
            for row in transaction.open_table(SEALED)?.iter()? {
                let (key, value) = row?;
                sealed.push(decode_seal(key.value(), value.value()));
            }
            Ok((cosigned, sealed))
        });
        let (cosigned, rows) = read.map_err(|error| self.unreadable(error))?;
        let mut journal = Journal::new();
        for row in rows {
            let ((request, round), sealed) = row.ok_or_else(|| self.damaged("a sealed result".to_owned()))?;
            journal.seal(request, round, sealed).map_err(|error| self.damaged(error.to_string()))?;
        }
        if let Some(bytes) = cosigned {
            let (size, root) = decode_cosigned(&bytes).ok_or_else(|| self.damaged("the cosigned size".to_owned()))?;
            journal.cosign(size, root).map_err(|error| self.damaged(error.to_string()))?;
        }
        Ok(journal)
    }

    /// Records that the chain has got to `position`, and those blocks up to it that changed anything. One transaction: a
    /// crash leaves all or nothing.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn append<'a, B>(&self, position: Position, effective: B) -> Result<(), WriteError>
    where
        B: IntoIterator<Item = &'a OrderedBlock>,
    {
        let effective: Vec<&OrderedBlock> = effective.into_iter().collect();
        self.record(&Progress::to(position, &effective), || None, || 0)
    }

    /// Writes the seal of a round.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn put_seal(&self, request: &RequestId, round: u32, sealed: &Sealed) -> Result<(), WriteError> {
        let value = [sealed.nonce.as_slice(), &sealed.result.to_bytes()].concat();
        self.write(|database| {
            let transaction = database.begin_write()?;
            transaction.open_table(SEALED)?.insert(seal_key(request, round).as_slice(), value.as_slice())?;
            transaction.commit()?;
            Ok(())
        })
    }

    /// Forgets the seals of rounds that are over.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn remove_seals(&self, seals: &[(RequestId, u32)]) -> Result<(), WriteError> {
        self.write(|database| {
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(SEALED)?;
                for (request, round) in seals {
                    table.remove(seal_key(request, *round).as_slice())?;
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// Writes the largest checkpoint that this builder cosigns.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn put_cosigned(&self, size: u64, root: &Digest) -> Result<(), WriteError> {
        let value = [size.to_be_bytes().as_slice(), &root.0].concat();
        self.write(|database| {
            let transaction = database.begin_write()?;
            transaction.open_table(META)?.insert("cosigned", value.as_slice())?;
            transaction.commit()?;
            Ok(())
        })
    }

    fn write<T>(&self, run: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, WriteError> {
        self.with(run).map_err(|error| WriteError(Box::new(error)))
    }

    fn with<T>(&self, run: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, redb::Error> {
        // A panic inside `run` cannot leave the database half-written: an unfinished transaction is none.
        let mut slot = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match slot.take() {
            Some(database) => database,
            None => Database::open(&self.path)?,
        };
        let done = run(&database);
        if done.is_ok() {
            *slot = Some(database);
        }
        done
    }

    fn unreadable(&self, error: redb::Error) -> OpenError {
        OpenError::Database { path: self.path.clone(), error: Box::new(error) }
    }

    fn damaged(&self, what: String) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), what }
    }
}

struct Stored {
    schema: Vec<u8>,
    group: Vec<u8>,
}

/// A database that was closed in order tells whose it is without a byte being written, by opening or otherwise. Of any other
/// this says nothing.
fn peek(path: &Path) -> Result<Option<Stored>, redb::Error> {
    ReadOnlyDatabase::open(path).map_or(Ok(None), |database| read_owner(&database))
}

/// Reads whose database this is; `None` if it is nobody's yet.
fn read_owner(database: &impl ReadableDatabase) -> Result<Option<Stored>, redb::Error> {
    let Some(meta) = table_if_any(&database.begin_read()?, META)? else { return Ok(None) };
    let Some(group) = meta.get("group")?.map(|row| row.value().to_vec()) else { return Ok(None) };
    let schema = meta.get("schema")?.map(|row| row.value().to_vec()).unwrap_or_default();
    Ok(Some(Stored { schema, group }))
}

/// The group whose database it is.
fn check_owner<'a>(
    path: &Path,
    stored: Stored,
    earlier: &'a [Group],
    group: &'a Group,
) -> Result<&'a Group, OpenError> {
    earlier.iter().chain([group]).find(|group| stored.group == group.id().0).ok_or_else(|| {
        let stored = <[u8; 32]>::try_from(stored.group).map_or("?".to_owned(), |id| Digest(id).to_string());
        OpenError::ForeignGroup { path: path.to_owned(), stored, configured: group.id() }
    })
}

/// A table that files of some age do not have.
fn table_if_any<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, redb::Error> {
    match transaction.open_table(table) {
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        table => Ok(Some(table?)),
    }
}

/// Makes an empty database this group's.
fn claim(database: &Database, group: &Group) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("schema", [migrate::PRESENT].as_slice())?;
        meta.insert("group", group.id().0.as_slice())?;
        transaction.open_table(BLOCKS)?;
        transaction.open_table(SEALED)?;
    }
    transaction.commit()?;
    Ok(())
}

fn seal_key(request: &RequestId, round: u32) -> Vec<u8> {
    [request.0.0.as_slice(), &round.to_be_bytes()].concat()
}

fn decode_seal(key: &[u8], value: &[u8]) -> Option<((RequestId, u32), Sealed)> {
    let (request, round) = key.split_first_chunk::<32>()?;
    let (nonce, result) = value.split_first_chunk::<32>()?;
    let result = BuildResult::from_bytes(result).ok()?;
    let key = (RequestId(Digest(*request)), u32::from_be_bytes(round.try_into().ok()?));
    Some((key, Sealed { result, nonce: *nonce }))
}

fn decode_cosigned(bytes: &[u8]) -> Option<(u64, Digest)> {
    let (size, root) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*size), Digest(root.try_into().ok()?)))
}

fn two_words(bytes: &[u8]) -> Option<(u64, u64)> {
    let (first, second) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*first), u64::from_be_bytes(second.try_into().ok()?)))
}
