//! The index of a copied log: made when the log was replayed, so that it need not be replayed for every question.
//!
//! ```text
//! synchronicity/copy-index@v1 LF
//! u64be number of entries, u64be number of keys
//! (hash of the entry: 32 bytes ‖ u64be where it ends in the file of entries)*
//! (key: 32 bytes ‖ u64be index)*        sorted, each pair once
//! SHA-256 of all before
//! ```
//!
//! A cache: it may be lost, and its form changes with the program.

use std::ops::Range;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::map::{MapKey, PrefixMap};

const FIRST_LINE: &[u8] = b"synchronicity/copy-index@v1\n";

/// A hash or a key, and a number.
const RECORD: usize = 40;

/// Where the entries of a log are, and what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) leaves: Vec<Digest>,
    /// Where each entry ends, in bytes from the start of the file. As many as `leaves`, rising.
    ends: Vec<u64>,
    /// Sorted, each pair once.
    keys: Vec<(MapKey, u64)>,
}

impl Index {
    /// Records the next entry: its hash, its length in bytes, and its keys.
    pub(super) fn push(&mut self, leaf: Digest, length: usize, keys: impl IntoIterator<Item = MapKey>) {
        let index = self.leaves.len() as u64;
        let start = self.ends.last().copied().unwrap_or(0);
        self.leaves.push(leaf);
        self.ends.push(start + 2 + length as u64);
        self.keys.extend(keys.into_iter().map(|key| (key, index)));
    }

    /// The indices of the entries under `key`, rising.
    pub(super) fn under(&self, key: &MapKey) -> impl Iterator<Item = u64> {
        let start = self.keys.partition_point(|(other, _)| other < key);
        self.keys[start..].iter().take_while(move |(other, _)| other == key).map(|(_, index)| *index)
    }

    /// The root of the map of the first `size` entries.
    pub(super) fn map_root(&self, size: u64) -> Digest {
        let mut map = PrefixMap::new();
        self.keys.iter().filter(|(_, index)| *index < size).for_each(|(key, index)| map.insert(*key, *index));
        map.root()
    }

    /// Where entry `index` is in the file of entries, without its length.
    pub(super) fn place(&self, index: u64) -> Option<Range<u64>> {
        let index = usize::try_from(index).ok()?;
        let before = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        Some(before + 2..*self.ends.get(index)?)
    }

    /// Bytes of the first `size` entries, with their lengths.
    pub(super) fn bytes_of(&self, size: usize) -> Option<u64> {
        if size == 0 { Some(0) } else { self.ends.get(size - 1).copied() }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut keys = self.keys.clone();
        keys.sort_unstable();
        keys.dedup();
        let mut bytes = Vec::with_capacity(FIRST_LINE.len() + RECORD * (self.leaves.len() + keys.len() + 2));
        bytes.extend_from_slice(FIRST_LINE);
        bytes.extend_from_slice(&(self.leaves.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&(keys.len() as u64).to_be_bytes());
        let keys = keys.iter().map(|(key, index)| (&key.0, index));
        for (digest, number) in self.leaves.iter().zip(&self.ends).chain(keys) {
            bytes.extend_from_slice(&digest.0);
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        let sum = Digest::of(&bytes);
        bytes.extend_from_slice(&sum.0);
        bytes
    }

    /// `None` for what [`Index::to_bytes`] did not write.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<32>()?;
        if Digest::of(body).0 != *sum {
            return None;
        }
        let body = body.strip_prefix(FIRST_LINE)?;
        let (size, body) = body.split_first_chunk()?;
        let (count, body) = body.split_first_chunk()?;
        let size = usize::try_from(u64::from_be_bytes(*size)).ok()?;
        let count = usize::try_from(u64::from_be_bytes(*count)).ok()?;
        if size.checked_add(count)?.checked_mul(RECORD)? != body.len() {
            return None;
        }
        let (places, keys) = body.split_at(size * RECORD);
        let (leaves, ends): (Vec<_>, Vec<_>) = records(places).unzip();
        let keys: Vec<_> = records(keys).map(|(key, index)| (MapKey(key), index)).collect();
        let sound = ends.is_sorted_by(|a, b| a < b) && keys.is_sorted_by(|a, b| a < b);
        sound.then_some(Self { leaves, ends, keys })
    }
}

fn records(bytes: &[u8]) -> impl Iterator<Item = (Digest, u64)> {
    bytes.chunks_exact(RECORD).filter_map(|record| {
        let (digest, number) = record.split_first_chunk()?;
        Some((Digest(*digest), u64::from_be_bytes(number.try_into().ok()?)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(lengths: &[u16], keys: &[u8]) -> Index {
        let mut index = Index::default();
        for (number, length) in lengths.iter().enumerate() {
            let own = keys.iter().map(|key| MapKey(Digest::of(&[key % (number as u8 + 1)])));
            index.push(Digest::of(&number.to_be_bytes()), usize::from(*length), own);
        }
        index
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back_and_one_changed_byte_is_seen(
            lengths in prop::collection::vec(any::<u16>(), 0..20), keys in prop::collection::vec(any::<u8>(), 0..4),
            at in any::<prop::sample::Index>(), change in 1..=255u8,
        ) {
            let index = index(&lengths, &keys);
            let bytes = index.to_bytes();
            let read = Index::parse(&bytes).unwrap();
            prop_assert_eq!(&read.leaves, &index.leaves);
            prop_assert_eq!(read.to_bytes(), bytes.clone());
            for (key, number) in &index.keys {
                prop_assert!(read.under(key).any(|index| index == *number));
            }
            let total: u64 = lengths.iter().map(|length| 2 + u64::from(*length)).sum();
            prop_assert_eq!(read.bytes_of(lengths.len()), Some(total));
            let mut bad = bytes;
            let at = at.index(bad.len());
            bad[at] ^= change;
            prop_assert_eq!(Index::parse(&bad), None);
        }

        #[test]
        fn no_bytes_make_a_reader_panic_or_hold_much(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // With a right sum behind them, so that the reader goes on.
            let mut summed = [FIRST_LINE, bytes.as_slice()].concat();
            let sum = Digest::of(&summed);
            summed.extend_from_slice(&sum.0);
            if let Some(index) = Index::parse(&summed) {
                prop_assert!(index.leaves.len() <= bytes.len() / RECORD);
            }
            prop_assert_eq!(Index::parse(&bytes), None);
        }
    }

    #[test]
    fn an_entry_lies_between_its_length_and_the_next() {
        let index = index(&[3, 0, 5], &[]);
        assert_eq!([0, 1, 2, 3].map(|at| index.place(at)), [Some(2..5), Some(7..7), Some(9..14), None]);
        assert_eq!(index.place(u64::MAX), None);
    }
}
