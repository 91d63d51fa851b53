//! From the layout in which an earlier version of this program left `state.redb` to the present one: a step for each schema, in
//! one transaction that writes the new number last. A crash leaves the old file or the new one, and nothing in between.
//!
//! There is no way back: what a newer layout holds an older program would drop without a word. It refuses by the number.
//! Read before a step has run are only the rows `schema`, `group` and `position`, which every layout has in the same form.
//!
//! A step is about two layouts of the past. So it names tables and rows by itself, and calls nothing that writes the present one:
//! that changes with the next schema, and the step must not.

use std::path::Path;

use redb::{Database, WriteTransaction};

use super::{META, OpenError, Stored};

/// The layout that this program writes, as the parent module documents it.
pub(super) const PRESENT: u8 = 2;

/// The oldest one from which there is a way to it.
const OLDEST: u8 = 1;

type Step = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// What leads from each layout to the next, beginning with the oldest.
const STEPS: [Step; (PRESENT - OLDEST) as usize] = [old_blocks_may_be_gone];

/// 1 to 2. The second schema has snapshots behind which old blocks go, and the rows `begin` and `floor`; where they are missing
/// the blocks begin with an epoch, as in the first schema they always do. So there is nothing to write but the number, which
/// keeps programs away that would fold a state from blocks whose beginning is gone.
fn old_blocks_may_be_gone(_: &WriteTransaction) -> Result<(), redb::Error> {
    Ok(())
}

/// The number of a file's layout, if there is a way from it to the present one.
///
/// # Errors
/// [`OpenError::TooOld`], [`OpenError::TooNew`] or [`OpenError::Damaged`].
pub(super) fn known(path: &Path, stored: &Stored) -> Result<u8, OpenError> {
    let path = || path.to_owned();
    match stored.schema.as_slice() {
        [found] if *found < OLDEST => Err(OpenError::TooOld { path: path(), found: *found, oldest: OLDEST }),
        [found] if *found > PRESENT => Err(OpenError::TooNew { path: path(), found: *found, present: PRESENT }),
        [found] => Ok(*found),
        _ => Err(OpenError::Damaged { path: path(), what: "the number of its schema".to_owned() }),
    }
}

/// Brings a file of a known layout to the present one. One that has it already is not written to.
pub(super) fn bring(database: &Database, found: u8) -> Result<(), redb::Error> {
    if found == PRESENT {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    within(&transaction, found)?;
    transaction.commit()?;
    tracing::info!(from = found, to = PRESENT, "state.redb has the layout of this version now; older ones refuse it");
    Ok(())
}

/// The same as a part of a transaction that changes more.
pub(super) fn within(transaction: &WriteTransaction, found: u8) -> Result<(), redb::Error> {
    for step in &STEPS[usize::from(found - OLDEST)..] {
        step(transaction)?;
    }
    transaction.open_table(META)?.insert("schema", [PRESENT].as_slice())?;
    Ok(())
}
