//! The machine, folded again from the ordered blocks in the database.

use redb::{ReadableDatabase, ReadableTable};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::group::Group;
use synchronicity_core::log::Logged;
use synchronicity_core::machine::{ApplyError, Machine};

use super::{BLOCKS, META, OpenError, Position, Store, two_words};

impl Store {
    /// The machine, folded again from the blocks that changed something.
    ///
    /// # Errors
    /// [`OpenError::Database`] or [`OpenError::Damaged`].
    pub fn machine(&self, group: &Group) -> Result<Machine, OpenError> {
        self.fold(Machine::new(group.clone()), |_| Ok(()))
    }

    /// As [`Store::machine`], from the machine with which the blocks begin; `each` is given every entry that they log, in order.
    /// Where a block follows the last one of an epoch, the next epoch begins.
    ///
    /// # Errors
    /// As [`Store::machine`], and what `each` said.
    pub fn fold<E: From<OpenError>>(
        &self,
        machine: Machine,
        mut each: impl FnMut(Logged) -> Result<(), E>,
    ) -> Result<Machine, E> {
        self.fold_blocks(machine, |_, _, logged| logged.into_iter().try_for_each(&mut each))
    }

    /// The same, where `each` is given every effective block: its place, the machine after it, and the entries that it logged.
    ///
    /// # Errors
    /// As [`Store::fold`].
    pub fn fold_blocks<E: From<OpenError>>(
        &self,
        mut machine: Machine,
        mut each: impl FnMut(Position, &Machine, Vec<Logged>) -> Result<(), E>,
    ) -> Result<Machine, E> {
        let folded = self.with(|database| {
            let transaction = database.begin_read()?;
            let position = transaction.open_table(META)?.get("position")?.map(|row| row.value().to_vec());
            let Some(position) = position else { return Ok(Ok(machine)) };
            for row in transaction.open_table(BLOCKS)?.iter()? {
                let (height, bytes) = row?;
                let (at, logged) = match self.step(&mut machine, height.value(), bytes.value()) {
                    Ok(stepped) => stepped,
                    Err(error) => return Ok(Err(error.into())),
                };
                if let Err(error) = each(at, &machine, logged) {
                    return Ok(Err(error));
                }
            }
            Ok(self.reach(&mut machine, &position).map(|()| machine).map_err(E::from))
        });
        folded.map_err(|error| self.unreadable(error))?
    }

    fn step(&self, machine: &mut Machine, height: u64, block: &[u8]) -> Result<(Position, Vec<Logged>), OpenError> {
        machine.begin_epoch();
        let block = OrderedBlock::from_bytes(block, machine.group());
        let block = block.map_err(|_| self.damaged(format!("block {height}")))?;
        let logged = machine.apply_effective(&block).map_err(|error| self.not_a_chain(error))?.logged;
        Ok((Position { height: block.height, time_ms: block.time_ms }, logged))
    }

    fn reach(&self, machine: &mut Machine, position: &[u8]) -> Result<(), OpenError> {
        let (height, time_ms) = two_words(position).ok_or_else(|| self.damaged("the position".to_owned()))?;
        if height > machine.executed().height {
            machine.begin_epoch();
        }
        machine.skip_to(height, time_ms).map_err(|error| self.not_a_chain(error))
    }

    fn not_a_chain(&self, error: ApplyError) -> OpenError {
        self.damaged(format!("its blocks do not follow each other: {error}"))
    }
}
