//! What builders revealed and did not agree on: no entry of the log has it, and the blocks that have it go.
//!
//! Nothing depends on it but what people are shown. So a row that cannot be read counts as none, and a result is believed
//! only if the entry has its digest ([`Resuming::recall`](synchronicity_core::resume::Resuming::recall)).

use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use synchronicity_core::machine::Machine;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::result::BuildResult;

use super::{OpenError, Store, table_if_any};

const DISSENT: TableDefinition<&[u8], &[u8]> = TableDefinition::new("dissent");

/// The results of a round that has its verdict, but for the one that was agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dissent {
    /// What was built.
    pub request: RequestId,
    /// Each once; none where all who revealed agreed.
    pub results: Vec<BuildResult>,
}

impl Dissent {
    /// Of the round that this entry concluded, by the machine that concluded it.
    pub fn of(entry: &Entry, machine: &Machine) -> Dissent {
        let request = entry.request.id();
        let results = machine.round(&request).into_iter().flat_map(|round| round.results());
        Dissent { request, results: results.filter(|result| Some(*result) != entry.agreed.as_ref()).cloned().collect() }
    }

    fn to_row(&self) -> Vec<u8> {
        let mut row = Vec::new();
        for result in &self.results {
            let bytes = result.to_bytes();
            row.extend(u32::try_from(bytes.len()).expect("a result has some KiB at most").to_be_bytes());
            row.extend(bytes);
        }
        row
    }

    fn from_row(key: &[u8], row: &[u8]) -> Option<Dissent> {
        let (mut rest, mut results) = (row, Vec::new());
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk()?;
            let (bytes, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
            results.push(BuildResult::from_bytes(bytes).ok()?);
            rest = after;
        }
        Some(Dissent { request: RequestId(Digest(key.try_into().ok()?)), results })
    }
}

impl Store {
    /// What is kept of every request.
    ///
    /// # Errors
    /// [`OpenError::Database`].
    pub fn dissent(&self) -> Result<Vec<Dissent>, OpenError> {
        let read = self.with(|database| {
            let Some(table) = table_if_any(&database.begin_read()?, DISSENT)? else { return Ok(Vec::new()) };
            let mut kept = Vec::new();
            for row in table.iter()? {
                let (key, row) = row?;
                kept.extend(Dissent::from_row(key.value(), row.value()));
            }
            Ok(kept)
        });
        read.map_err(|error| self.unreadable(error))
    }
}

/// Replaces what is kept of these requests: an earlier attempt is of no interest any more.
pub(super) fn write(transaction: &WriteTransaction, dissent: &[Dissent]) -> Result<(), redb::Error> {
    if dissent.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(DISSENT)?;
    for one in dissent {
        let key = one.request.0.0.as_slice();
        if one.results.is_empty() {
            table.remove(key)?;
        } else {
            table.insert(key, one.to_row().as_slice())?;
        }
    }
    Ok(())
}
