//! Proof of everything that a map has under a prefix: enough leaves and hashes to compute its root.

use alloc::vec::Vec;

use super::prefix::Prefix;
use super::{MapKey, empty_root, leaf_root, node_root};
use crate::digest::Digest;

/// A key and the entries under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapLeaf {
    /// The key.
    pub key: MapKey,
    /// Indices of the entries, rising; at least one.
    pub indices: Vec<u64>,
}

/// What a map has under a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapProof {
    /// Roots beside the way from the root of the map down towards the prefix, one for each bit that was walked: as many
    /// as the prefix has bits, or fewer if the way ended before, at a single leaf or at nothing.
    pub siblings: Vec<Digest>,
    /// All leaves at the end of that way, in the order of their keys. Where it ended early that is at most one leaf,
    /// whose key need not have the prefix: it shows that no other key has.
    pub leaves: Vec<MapLeaf>,
}

/// A proof that does not lead to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the map's proof does not lead to its root")]
pub struct MapMismatch;

/// More keys have the prefix than were to be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {most} keys begin so: ask with a longer prefix")]
pub struct TooMany {
    /// How many were to be listed at most.
    pub most: usize,
}

impl MapProof {
    /// Checks that the map with this root has, of all keys with the prefix, exactly those among [`MapProof::leaves`].
    ///
    /// # Errors
    /// [`MapMismatch`].
    pub fn verify(&self, prefix: &Prefix, root: &Digest) -> Result<(), MapMismatch> {
        let depth = u16::try_from(self.siblings.len()).map_err(|_| MapMismatch)?;
        // Above the prefix's own depth only a node with at most one leaf ends the way.
        let ended = depth == prefix.bits() || (depth < prefix.bits() && self.leaves.len() <= 1);
        let shared = |leaf: &MapLeaf| (0..depth).all(|bit| leaf.key.bit(bit) == prefix.first_key().bit(bit));
        let sorted = self.leaves.is_sorted_by(|a, b| a.key < b.key);
        let rising = |leaf: &MapLeaf| !leaf.indices.is_empty() && leaf.indices.is_sorted_by(|a, b| a < b);
        if !ended || !sorted || !self.leaves.iter().all(|leaf| shared(leaf) && rising(leaf)) {
            return Err(MapMismatch);
        }
        let mut hash = subtree_root(&self.leaves, depth);
        for (bit, sibling) in (0..depth).zip(&self.siblings).rev() {
            let right = prefix.first_key().bit(bit) == 1;
            hash = if right { node_root(sibling, &hash) } else { node_root(&hash, sibling) };
        }
        if hash == *root { Ok(()) } else { Err(MapMismatch) }
    }

    /// The indices of all entries under a key that the proof's prefix covers; none if there is none.
    pub fn indices(&self, key: &MapKey) -> &[u64] {
        let leaf = self.leaves.iter().find(|leaf| leaf.key == *key);
        leaf.map_or(&[], |leaf| &leaf.indices)
    }
}

/// Root of the leaves, which are sorted by key, each key once, and share their first `depth` bits. It ends at bit 256 at
/// the latest, because no two keys are equal.
fn subtree_root(leaves: &[MapLeaf], depth: u16) -> Digest {
    match leaves {
        [] => empty_root(),
        [leaf] => leaf_root(leaf),
        _ => {
            let (left, right) = leaves.split_at(leaves.partition_point(|leaf| leaf.key.bit(depth) == 0));
            node_root(&subtree_root(left, depth + 1), &subtree_root(right, depth + 1))
        }
    }
}
