//! `state.redb`: what a node must not forget. Only this file and those below it name the database.
//!
//! Two things lie in it. The ordered blocks that changed something, with the height and time of the last block of
//! all, from which the machine is folded again at start. And the journal: sealed results with their nonces, the largest
//! checkpoint that this builder cosigned, and the last one that its witness cosigned of each log of others. Every method
//! that writes returns when the content is on disk.
//!
//! ```text
//! meta    schema → 1, group → 32 bytes, position → u64be height ‖ u64be time, cosigned → u64be size ‖ 32 bytes,
//!         base → u64be size ‖ 32 bytes, of the log with which the first block's epoch began; missing in the first one
//! blocks  height → the block, as synchronicity_core::block writes it
//! sealed  request id ‖ u32be round → 32-byte nonce ‖ result
//! witnessed  origin of a log → u64be size ‖ 32 bytes ‖ the checkpoint as a signed note; missing in older files
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use miette::Diagnostic;
use redb::{Database, ReadOnlyDatabase, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::group::Group;
use synchronicity_core::journal::{Journal, Sealed};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::result::BuildResult;
use thiserror::Error;

mod base;
mod refold;
mod witnessed;

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const BLOCKS: TableDefinition<u64, &[u8]> = TableDefinition::new("blocks");
const SEALED: TableDefinition<&[u8], &[u8]> = TableDefinition::new("sealed");

const SCHEMA: &[u8] = &[1];

/// The node's database.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// Empty after a failed write: the database refuses everything from then on, so the next use opens it again.
    database: Mutex<Option<Database>>,
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
    #[error("{} is at block {height} already, and the epoch that it was to begin with began at {begun}", path.display())]
    #[diagnostic(help("nothing was changed; this node needs no `group join`: start it"))]
    Ahead {
        /// The file.
        path: PathBuf,
        /// Height of its last block.
        height: u64,
        /// Height at which the epoch began.
        begun: u64,
    },
    /// A newer or older layout.
    #[error("{} was written by another version of this program", path.display())]
    #[diagnostic(help("run the version that wrote it"))]
    Schema {
        /// The file.
        path: PathBuf,
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
    /// Opens or creates the database of a node of this group.
    ///
    /// # Errors
    /// [`OpenError`]; a database of another group is left as it is.
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
        // A database that was closed in order tells whose it is without a byte being written, by opening or otherwise.
        if let Ok(database) = ReadOnlyDatabase::open(path)
            && let Some(stored) = read_owner(&database).map_err(failed)?
        {
            check_owner(path, stored, earlier, group)?;
        }
        let database = Database::create(path).map_err(|error| failed(error.into()))?;
        let owner = match read_owner(&database).map_err(failed)? {
            Some(stored) => check_owner(path, stored, earlier, group)?,
            None => {
                claim(&database, group).map_err(failed)?;
                group
            }
        };
        Ok((Store { path: path.to_owned(), database: Mutex::new(Some(database)) }, owner.clone()))
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
        self.write(|database| {
            let transaction = database.begin_write()?;
            {
                let at = [position.height.to_be_bytes(), position.time_ms.to_be_bytes()].concat();
                transaction.open_table(META)?.insert("position", at.as_slice())?;
                for block in effective {
                    transaction.open_table(BLOCKS)?.insert(block.height, block.to_bytes().as_slice())?;
                }
            }
            transaction.commit()?;
            Ok(())
        })
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

/// Reads whose database this is; `None` if it is nobody's yet.
fn read_owner(database: &impl ReadableDatabase) -> Result<Option<Stored>, redb::Error> {
    let meta = match database.begin_read()?.open_table(META) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        meta => meta?,
    };
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
    if stored.schema != SCHEMA {
        return Err(OpenError::Schema { path: path.to_owned() });
    }
    earlier.iter().chain([group]).find(|group| stored.group == group.id().0).ok_or_else(|| {
        let stored = <[u8; 32]>::try_from(stored.group).map_or("?".to_owned(), |id| Digest(id).to_string());
        OpenError::ForeignGroup { path: path.to_owned(), stored, configured: group.id() }
    })
}

/// Makes an empty database this group's.
fn claim(database: &Database, group: &Group) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("schema", SCHEMA)?;
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
