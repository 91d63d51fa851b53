//! Where the blocks of this database begin, if not with the first block of all: with an epoch, of whose beginning the log
//! says everything, or with a state that a quorum has signed.

use std::path::Path;

use redb::{Database, ReadableDatabase, WriteTransaction};
use synchronicity_core::group::Group;
use synchronicity_core::machine::Executed;
use synchronicity_verify::digest::Digest;

use super::snapshots::{self, SNAPSHOTS, Snapshot};
use super::{BLOCKS, META, OpenError, SEALED, Store, decode_cosigned, migrate, peek, read_owner, table_if_any};

impl Store {
    /// Size and root of the log with which the first block's epoch began; `None` where the blocks begin with the first.
    ///
    /// # Errors
    /// [`OpenError::Database`] or [`OpenError::Damaged`].
    pub fn base(&self) -> Result<Option<(u64, Digest)>, OpenError> {
        let Some(row) = self.meta("base")? else { return Ok(None) };
        decode_cosigned(&row).map(Some).ok_or_else(|| self.damaged("the log of its beginning".to_owned()))
    }

    /// The block with which the chain of this group's epoch begins here, with its certificate; `None` where it begins with the
    /// epoch.
    ///
    /// # Errors
    /// [`OpenError::Database`].
    pub fn floor(&self, group: &Group) -> Result<Option<Vec<u8>>, OpenError> {
        let row = self.meta("floor")?;
        Ok(row.and_then(|row| row.strip_prefix(&group.id().0).map(<[u8]>::to_vec)))
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, OpenError> {
        let row = self
            .with(|database| Ok(database.begin_read()?.open_table(META)?.get(name)?.map(|row| row.value().to_vec())));
        row.map_err(|error| self.unreadable(error))
    }

    /// Whether [`Store::begin_with`] and [`Store::begin_at`] would take this state; nothing is changed, and no file made.
    ///
    /// # Errors
    /// As theirs.
    pub fn check_beginning(path: &Path, begun: &Executed) -> Result<(), OpenError> {
        if path.exists() { check_beginning(path, begun).map(|_| ()) } else { Ok(()) }
    }

    /// Makes the database one that begins with the epoch of this group: all blocks go, the journal stays. One
    /// transaction: a crash leaves the old database or the new one.
    ///
    /// # Errors
    /// [`OpenError::Database`]; [`OpenError::TooOld`] and [`OpenError::TooNew`] for a database of an unknown schema, and
    /// [`OpenError::Ahead`] for one that has come further: these are left as they are.
    pub fn begin_with(path: &Path, group: &Group, begun: &Executed) -> Result<Store, OpenError> {
        take_over(path, group, begun, |_| Ok(()))
    }

    /// The same for a state of this group that a quorum has signed: `floor` is the block with its certificate that says so.
    ///
    /// # Errors
    /// As [`Store::begin_with`].
    pub fn begin_at(path: &Path, group: &Group, snapshot: &Snapshot, floor: &[u8]) -> Result<Store, OpenError> {
        take_over(path, group, &snapshot.executed, |transaction| {
            snapshots::begin_at(transaction, snapshot)?;
            transaction.open_table(META)?.insert("floor", [&group.id().0, floor].concat().as_slice())?;
            Ok(())
        })
    }
}

fn take_over(
    path: &Path,
    group: &Group,
    begun: &Executed,
    more: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<Store, OpenError> {
    let failed = |error: redb::Error| OpenError::Database { path: path.to_owned(), error: Box::new(error) };
    let (database, schema) = check_beginning(path, begun)?;
    replace((&database, schema), group, begun, more).map_err(failed)?;
    Store::of(path, database).map_err(failed)
}

/// The database and its schema, if it has not come further than this state.
fn check_beginning(path: &Path, begun: &Executed) -> Result<(Database, u8), OpenError> {
    let failed = |error: redb::Error| OpenError::Database { path: path.to_owned(), error: Box::new(error) };
    if let Some(stored) = peek(path).map_err(failed)? {
        migrate::known(path, &stored)?;
    }
    let database = Database::create(path).map_err(|error| failed(error.into()))?;
    let schema = match read_owner(&database).map_err(failed)? {
        Some(stored) => migrate::known(path, &stored)?,
        None => migrate::PRESENT,
    };
    let height = position_height(&database).map_err(failed)?.unwrap_or(0);
    if height > begun.height {
        return Err(OpenError::Ahead { path: path.to_owned(), height, begun: begun.height });
    }
    Ok((database, schema))
}

fn position_height(database: &Database) -> Result<Option<u64>, redb::Error> {
    let Some(meta) = table_if_any(&database.begin_read()?, META)? else { return Ok(None) };
    let row = meta.get("position")?.map(|row| row.value().to_vec());
    Ok(row.and_then(|row| super::two_words(&row)).map(|(height, _)| height))
}

fn replace(
    (database, schema): (&Database, u8),
    group: &Group,
    begun: &Executed,
    more: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    // For the journal, which stays.
    migrate::within(&transaction, schema)?;
    transaction.delete_table(BLOCKS)?;
    transaction.delete_table(SNAPSHOTS)?;
    {
        transaction.open_table(BLOCKS)?;
        transaction.open_table(SEALED)?;
        let mut meta = transaction.open_table(META)?;
        meta.insert("group", group.id().0.as_slice())?;
        let position = [begun.height.to_be_bytes(), begun.time_ms.to_be_bytes()].concat();
        meta.insert("position", position.as_slice())?;
        let base = [begun.log_size.to_be_bytes().as_slice(), &begun.log_root.0].concat();
        meta.insert("base", base.as_slice())?;
        meta.remove("begin")?;
        meta.remove("floor")?;
    }
    more(&transaction)?;
    transaction.commit()?;
    Ok(())
}
