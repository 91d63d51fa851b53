//! The peer's log: every hash of the tree in memory, as `tlog_tiles` wants to read them.

use tlog_tiles::tlog::{Error, Hash, HashReader, stored_hashes};

/// All hashes, in the peer's order.
pub(crate) struct Stored {
    pub(crate) size: u64,
    hashes: Vec<Hash>,
}

impl Stored {
    /// The log without entries, with room for `size` of them.
    pub(crate) fn with_room_for(size: u64) -> Self {
        Self { size: 0, hashes: Vec::with_capacity(2 * size as usize) }
    }

    /// Appends entries, each its own index, until there are `size`.
    pub(crate) fn grow_to(&mut self, size: u64) {
        (self.size..size).for_each(|entry| self.append(&entry.to_be_bytes()));
    }

    /// Appends an entry as the peer's documentation says.
    pub(crate) fn append(&mut self, entry: &[u8]) {
        let hashes = stored_hashes(self.size, entry, self).expect("every earlier hash is stored");
        self.hashes.extend(hashes);
        self.size += 1;
    }

    /// Goes back to the tree of `size` leaves, which had `hashes` hashes.
    pub(crate) fn cut_back_to(&mut self, size: u64, hashes: usize) {
        self.size = size;
        self.hashes.truncate(hashes);
    }

    pub(crate) fn hashes(&self) -> usize {
        self.hashes.len()
    }
}

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        Ok(indexes.iter().map(|index| self.hashes[*index as usize]).collect())
    }
}
