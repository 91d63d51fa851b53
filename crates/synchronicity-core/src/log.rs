//! Step 7, log: the verdicts of the group in order, each the leaf of a Merkle tree.
//!
//! The machine holds the right edge of the tree, the map of the log, and no entry: what a block logs is handed out with what the block did,
//! once, and whoever publishes the log keeps it.

use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::map::{MapKey, PrefixMap};
use synchronicity_verify::merkle::{self, Frontier};

/// The transparency log as far as the machine's height: its size and root, and which entries speak of what. It only
/// grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    frontier: Frontier,
    map: PrefixMap,
}

/// An entry that a block appended to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its index.
    pub index: u64,
    /// Its bytes: strict CBOR, as [`Entry`](synchronicity_verify::entry::Entry) reads it.
    pub entry: Vec<u8>,
    /// Root of the log that ends with it.
    pub root: Digest,
    /// The map of that log, whose root the entry states.
    pub map: PrefixMap,
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

    /// Which entries speak of which crates and files. A clone is a snapshot, and costs nothing.
    pub fn map(&self) -> &PrefixMap {
        &self.map
    }

    /// Records an entry in the map, states the map's root in it, appends it, and hands it out.
    pub(crate) fn append(&mut self, mut entry: Entry) -> Logged {
        let index = self.size();
        for key in MapKey::of_entry(&entry) {
            self.map.insert(key, index);
        }
        // The map holds indices and no hashes of entries: that is why an entry can state a root that counts itself.
        entry.map_root = self.map.root();
        let entry = entry.to_bytes();
        self.frontier.append(merkle::leaf_hash(&entry));
        Logged { index, entry, root: self.root(), map: self.map.clone() }
    }
}
