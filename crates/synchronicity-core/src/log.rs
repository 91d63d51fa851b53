//! Step 7, log: the verdicts of the group in order, each the leaf of a Merkle tree.
//!
//! The machine holds the whole log, entries included: every node must be able to prove every entry, and a log of
//! verdicts grows with builds, not with traffic.

use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::map::{MapKey, PrefixMap};
use synchronicity_verify::merkle::{self, Frontier, NoSuchProof};

/// The transparency log as far as the machine's height. It only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    entries: Vec<Vec<u8>>,
    leaves: Vec<Digest>,
    frontier: Frontier,
    map: PrefixMap,
}

impl Log {
    /// How many entries it has.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Its Merkle root.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// The bytes of an entry: strict CBOR, as [`Entry`](synchronicity_verify::entry::Entry) reads it.
    pub fn entry(&self, index: u64) -> Option<&[u8]> {
        let index = usize::try_from(index).ok()?;
        self.entries.get(index).map(Vec::as_slice)
    }

    /// The leaf hashes of all entries, in order.
    pub fn leaves(&self) -> &[Digest] {
        &self.leaves
    }

    /// The path from an entry to the root that the log had at `size` entries.
    ///
    /// # Errors
    /// [`NoSuchProof`] unless `index < size` and `size` is at most the present one.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Digest>, NoSuchProof> {
        merkle::inclusion_proof(&self.leaves, size, index)
    }

    /// The proof that the log of `new` entries begins with the log of `old` entries.
    ///
    /// # Errors
    /// [`NoSuchProof`] unless `old <= new` and `new` is at most the present size.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Digest>, NoSuchProof> {
        merkle::consistency_proof(&self.leaves, old, new)
    }

    /// Which entries speak of which crates and files. A clone is a snapshot, and costs nothing.
    pub fn map(&self) -> &PrefixMap {
        &self.map
    }

    /// Records an entry in the map, states the map's root in it, appends it, and gives its index.
    pub(crate) fn append(&mut self, mut entry: Entry) -> u64 {
        let index = self.size();
        for key in MapKey::of_entry(&entry) {
            self.map.insert(key, index);
        }
        // The map holds indices and no hashes of entries: that is why an entry can state a root that counts itself.
        entry.map_root = self.map.root();
        let entry = entry.to_bytes();
        let leaf = merkle::leaf_hash(&entry);
        self.frontier.append(leaf);
        self.leaves.push(leaf);
        self.entries.push(entry);
        index
    }
}
