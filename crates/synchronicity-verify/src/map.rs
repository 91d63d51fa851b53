//! The map of the log: for each crate, and for each artifact, all entries that speak of it.
//!
//! A log alone can prove that an entry is there, never that there is no other. So each entry states the root of a
//! prefix tree over everything logged up to and including itself; builders compute it before they cosign, and the last
//! entry of a log vouches for all of it. An answer under that root is complete: these entries and no more, or none.
//!
//! ```text
//! key of a crate      tagged("synchronicity/map-crate/v1", package URL)
//! key of an artifact  tagged("synchronicity/map-artifact/v1", SHA-256 of the file)
//!
//! root of no leaf at any depth       tagged("synchronicity/map-empty/v1")
//! root of one leaf at any depth      tagged("synchronicity/map-leaf/v1", key, (u64be index)*)
//! root of more at depth d            tagged("synchronicity/map-node/v1", root of those whose bit d is 0, ... is 1)
//! ```
//!
//! Bit 0 is the most significant bit of the key's first byte. The indices of a leaf rise. The root follows from the
//! set of leaves, not from the order in which they came.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::digest::Digest;
use crate::entry::Entry;
use crate::source::{CrateName, CrateVersion, registry_purl};

mod prefix;
mod proof;

pub use prefix::{Prefix, PrefixError};
pub use proof::{MapLeaf, MapMismatch, MapProof, TooMany};

/// Where in the map something stands. Frozen: another way to make keys would be another domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapKey(pub Digest);

/// The map. A clone shares its nodes and costs nothing, so that readers work on a snapshot.
#[derive(Clone, Debug, Default)]
pub struct PrefixMap {
    root: Option<Node>,
    keys: u64,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Arc<(Digest, MapLeaf)>),
    Inner(Arc<Inner>),
}

#[derive(Debug)]
struct Inner {
    hash: Digest,
    /// By the bit at the node's depth. At most one is absent, where longer prefixes are shared.
    children: [Option<Node>; 2],
}

impl MapKey {
    /// The key of a version of a crate of crates.io, whatever its target and toolchain.
    pub fn of_crate(name: &CrateName, version: &CrateVersion) -> Self {
        Self::of_purl(&registry_purl(name, version))
    }

    /// The key of what a package URL names, spelled as [`Source::purl`](crate::source::Source::purl) does.
    pub fn of_purl(purl: &str) -> Self {
        Self(Digest::tagged("synchronicity/map-crate/v1", &[purl.as_bytes()]))
    }

    /// The key of a file, by its SHA-256.
    pub fn of_artifact(sha256: &Digest) -> Self {
        Self(Digest::tagged("synchronicity/map-artifact/v1", &[&sha256.0]))
    }

    /// Every key under which an entry stands, sorted, each once: its crate's, and those of the artifacts that were
    /// reproduced.
    pub fn of_entry(entry: &Entry) -> Vec<Self> {
        let artifacts = entry.agreed.as_ref().and_then(|result| result.artifacts());
        let artifacts = artifacts.into_iter().flatten().map(|artifact| Self::of_artifact(&artifact.sha256));
        let mut keys: Vec<Self> = artifacts.chain([Self::of_purl(&entry.request.source.purl())]).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Bit `depth` of the key, from the most significant; 0 beyond its end.
    fn bit(&self, depth: u16) -> usize {
        let byte = self.0.0.get(usize::from(depth / 8)).copied().unwrap_or(0);
        usize::from(byte >> (7 - depth % 8) & 1)
    }
}

impl PrefixMap {
    /// The map of a log without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that the entry at `index` stands under `key`. Indices of a key must come in rising order; one that is
    /// not larger than the last changes nothing.
    pub fn insert(&mut self, key: MapKey, index: u64) {
        let known = self.indices(&key);
        if known.last().is_some_and(|last| *last >= index) {
            return;
        }
        let indices: Vec<u64> = known.iter().copied().chain([index]).collect();
        self.keys += u64::from(known.is_empty());
        let leaf = Node::leaf(MapLeaf { key, indices });
        self.root = Some(Node::put(self.root.as_ref(), 0, key, leaf));
    }

    /// The indices of all entries under `key`, rising; none if there is none.
    pub fn indices(&self, key: &MapKey) -> &[u64] {
        let mut node = self.root.as_ref();
        for depth in 0.. {
            match node {
                Some(Node::Inner(inner)) => node = inner.children[key.bit(depth)].as_ref(),
                Some(Node::Leaf(leaf)) if leaf.1.key == *key => return &leaf.1.indices,
                Some(Node::Leaf(_)) | None => break,
            }
        }
        &[]
    }

    /// How many keys it has.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Root of the map.
    pub fn root(&self) -> Digest {
        Node::root(self.root.as_ref())
    }

    /// Proves which leaves have keys with this prefix, and that no others have.
    ///
    /// # Errors
    /// [`TooMany`] if there are more than `most`: ask with a longer prefix.
    pub fn prove(&self, prefix: &Prefix, most: usize) -> Result<MapProof, TooMany> {
        let mut siblings = Vec::new();
        let mut node = self.root.as_ref();
        while let (Some(Node::Inner(inner)), depth) = (node, siblings.len() as u16)
            && depth < prefix.bits()
        {
            let bit = prefix.first_key().bit(depth);
            siblings.push(Node::root(inner.children[1 - bit].as_ref()));
            node = inner.children[bit].as_ref();
        }
        let mut leaves = Vec::new();
        let mut open: Vec<&Node> = node.into_iter().collect();
        while let Some(node) = open.pop() {
            match node {
                Node::Leaf(_) if leaves.len() == most => return Err(TooMany { most }),
                Node::Leaf(leaf) => leaves.push(leaf.1.clone()),
                // The left child is taken first, so that leaves come in the order of their keys.
                Node::Inner(inner) => open.extend(inner.children.iter().rev().flatten()),
            }
        }
        Ok(MapProof { siblings, leaves })
    }
}

/// The root binds every leaf.
impl PartialEq for PrefixMap {
    fn eq(&self, other: &Self) -> bool {
        self.root() == other.root()
    }
}

impl Eq for PrefixMap {}

impl Node {
    fn root(node: Option<&Self>) -> Digest {
        match node {
            None => empty_root(),
            Some(Self::Leaf(leaf)) => leaf.0,
            Some(Self::Inner(inner)) => inner.hash,
        }
    }

    fn leaf(leaf: MapLeaf) -> Self {
        Self::Leaf(Arc::new((leaf_root(&leaf), leaf)))
    }

    fn inner(children: [Option<Self>; 2]) -> Self {
        let [left, right] = &children;
        let hash = node_root(&Self::root(left.as_ref()), &Self::root(right.as_ref()));
        Self::Inner(Arc::new(Inner { hash, children }))
    }

    /// `node`, which is at `depth`, with `leaf` of `key` added or replaced.
    fn put(node: Option<&Self>, depth: u16, key: MapKey, leaf: Self) -> Self {
        match node {
            None => leaf,
            Some(Self::Leaf(other)) if other.1.key == key => leaf,
            Some(Self::Leaf(other)) => {
                let other = (other.1.key, Self::Leaf(other.clone()));
                Self::fork(depth, (key, leaf), other)
            }
            Some(Self::Inner(inner)) => {
                let mut children = inner.children.clone();
                let side = key.bit(depth);
                children[side] = Some(Self::put(children[side].as_ref(), depth + 1, key, leaf));
                Self::inner(children)
            }
        }
    }

    /// Two leaves of different keys whose first `depth` bits are equal.
    fn fork(depth: u16, one: (MapKey, Self), other: (MapKey, Self)) -> Self {
        let (side, opposite) = (one.0.bit(depth), other.0.bit(depth));
        let mut children = [None, None];
        if side == opposite {
            children[side] = Some(Self::fork(depth + 1, one, other));
        } else {
            (children[side], children[opposite]) = (Some(one.1), Some(other.1));
        }
        Self::inner(children)
    }
}

/// Root of the map without keys.
pub fn empty_root() -> Digest {
    Digest::tagged("synchronicity/map-empty/v1", &[])
}

fn leaf_root(leaf: &MapLeaf) -> Digest {
    let indices: Vec<u8> = leaf.indices.iter().flat_map(|index| index.to_be_bytes()).collect();
    Digest::tagged("synchronicity/map-leaf/v1", &[&leaf.key.0.0, &indices])
}

fn node_root(left: &Digest, right: &Digest) -> Digest {
    Digest::tagged("synchronicity/map-node/v1", &[&left.0, &right.0])
}
