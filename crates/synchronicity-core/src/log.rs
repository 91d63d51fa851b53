//! Step 7, log: the verdicts of the group in order, each the leaf of a Merkle tree.
//!
//! The machine holds the right edge of the tree, the map of the log, and no entry: what a block logs is handed out with what the block did,
//! once, and whoever publishes the log keeps it.

use synchronicity_verify::digest::Digest;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::map::PrefixMap;
use synchronicity_verify::merkle::{self, Frontier};
use synchronicity_verify::replay::Replay;

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
    /// Its bytes: strict CBOR, as [`Leaf`] reads it.
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

    /// The log as far as a replay has read it.
    pub(crate) fn of_replay(replay: &Replay) -> Log {
        Log { frontier: replay.frontier().clone(), map: replay.map().clone() }
    }

    /// Records an entry in the map, states the map's root in it, appends it, and hands it out.
    pub(crate) fn append(&mut self, mut leaf: Leaf) -> Logged {
        let index = self.size();
        for key in leaf.keys() {
            self.map.insert(key, index);
        }
        // The map holds indices and no hashes of entries: that is why an entry can state a root that counts itself.
        leaf.state_map_root(self.map.root());
        let entry = leaf.to_bytes();
        self.frontier.append(merkle::leaf_hash(&entry));
        Logged { index, entry, root: self.root(), map: self.map.clone() }
    }
}
