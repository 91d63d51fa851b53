//! Where the blocks of this database begin, if not with the first block of all: with an epoch, of whose beginning the log
//! says everything.

use std::path::Path;
use std::sync::Mutex;

use redb::{Database, ReadableDatabase, TableError};
use synchronicity_core::group::Group;
use synchronicity_core::machine::Executed;
use synchronicity_verify::digest::Digest;

use super::{BLOCKS, META, OpenError, SCHEMA, SEALED, Store, decode_cosigned, read_owner};

impl Store {
    /// Size and root of the log with which the first block's epoch began; `None` where the blocks begin with the first.
    ///
    /// # Errors
    /// [`OpenError::Database`] or [`OpenError::Damaged`].
    pub fn base(&self) -> Result<Option<(u64, Digest)>, OpenError> {
        let row = self
            .with(|database| Ok(database.begin_read()?.open_table(META)?.get("base")?.map(|row| row.value().to_vec())));
        let Some(row) = row.map_err(|error| self.unreadable(error))? else { return Ok(None) };
        decode_cosigned(&row).map(Some).ok_or_else(|| self.damaged("the log of its beginning".to_owned()))
    }

    /// Makes the database one that begins with the epoch of this group: all blocks go, the journal stays. One
    /// transaction: a crash leaves the old database or the new one.
    ///
    /// # Errors
    /// [`OpenError::Database`]; [`OpenError::Schema`] for a database of another version, and [`OpenError::Ahead`] for one
    /// that has come further: these are left as they are.
    pub fn begin_with(path: &Path, group: &Group, begun: &Executed) -> Result<Store, OpenError> {
        let failed = |error: redb::Error| OpenError::Database { path: path.to_owned(), error: Box::new(error) };
        let database = Database::create(path).map_err(|error| failed(error.into()))?;
        if let Some(stored) = read_owner(&database).map_err(failed)?
            && stored.schema != SCHEMA
        {
            return Err(OpenError::Schema { path: path.to_owned() });
        }
        let height = position_height(&database).map_err(failed)?.unwrap_or(0);
        if height > begun.height {
            return Err(OpenError::Ahead { path: path.to_owned(), height, begun: begun.height });
        }
        replace(&database, group, begun).map_err(failed)?;
        Ok(Store { path: path.to_owned(), database: Mutex::new(Some(database)) })
    }
}

fn position_height(database: &Database) -> Result<Option<u64>, redb::Error> {
    let meta = match database.begin_read()?.open_table(META) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        meta => meta?,
    };
    let row = meta.get("position")?.map(|row| row.value().to_vec());
    Ok(row.and_then(|row| super::two_words(&row)).map(|(height, _)| height))
}

fn replace(database: &Database, group: &Group, begun: &Executed) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.delete_table(BLOCKS)?;
    {
        transaction.open_table(BLOCKS)?;
        transaction.open_table(SEALED)?;
        let mut meta = transaction.open_table(META)?;
        meta.insert("schema", SCHEMA)?;
        meta.insert("group", group.id().0.as_slice())?;
        let position = [begun.height.to_be_bytes(), begun.time_ms.to_be_bytes()].concat();
        meta.insert("position", position.as_slice())?;
        let base = [begun.log_size.to_be_bytes().as_slice(), &begun.log_root.0].concat();
        meta.insert("base", base.as_slice())?;
    }
    transaction.commit()?;
    Ok(())
}
