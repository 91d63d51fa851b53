//! What this node's witness cosigned of the logs of others.

use redb::{ReadableDatabase, ReadableTable, TableDefinition};

use super::{OpenError, Store, WriteError, decode_cosigned, table_if_any};
use crate::witness::decide::Seen;

const WITNESSED: TableDefinition<&str, &[u8]> = TableDefinition::new("witnessed");

impl Store {
    /// Writes the last checkpoint that the witness cosigns of a log.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn put_witnessed(&self, origin: &str, seen: &Seen) -> Result<(), WriteError> {
        let value = [seen.size.to_be_bytes().as_slice(), &seen.root.0, seen.note.as_bytes()].concat();
        self.write(|database| {
            let transaction = database.begin_write()?;
            transaction.open_table(WITNESSED)?.insert(origin, value.as_slice())?;
            transaction.commit()?;
            Ok(())
        })
    }

    /// The last checkpoint that the witness cosigned of each log, by origin.
    ///
    /// # Errors
    /// [`OpenError::Database`] or [`OpenError::Damaged`].
    pub fn witnessed(&self) -> Result<Vec<(String, Seen)>, OpenError> {
        let read = self.with(|database| {
            let Some(table) = table_if_any(&database.begin_read()?, WITNESSED)? else { return Ok(Vec::new()) };
            let mut rows = Vec::new();
            for row in table.iter()? {
                let (origin, value) = row?;
                rows.push((origin.value().to_owned(), decode_seen(value.value())));
            }
            Ok(rows)
        });
        let rows = read.map_err(|error| self.unreadable(error))?;
        let seen = |(origin, seen): (String, Option<Seen>)| match seen {
            Some(seen) => Ok((origin, seen)),
            None => Err(self.damaged(format!("what was witnessed of {origin}"))),
        };
        rows.into_iter().map(seen).collect()
    }
}

fn decode_seen(bytes: &[u8]) -> Option<Seen> {
    let (head, note) = bytes.split_at_checked(40)?;
    let (size, root) = decode_cosigned(head)?;
    Some(Seen { size, root, note: String::from_utf8(note.to_vec()).ok()? })
}
