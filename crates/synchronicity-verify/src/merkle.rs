//! The Merkle tree of RFC 6962 §2.1: hashes, inclusion proofs, consistency proofs.
//!
//! Sizes and indices are 64-bit; nothing here overflows or panics, whatever it is given.

use alloc::vec;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::subtree::{self, Subtree};

/// Root of the tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Digest = Digest([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// `SHA-256(00 ‖ entry)`.
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(entry);
    Digest(hash.finalize().into())
}

/// `SHA-256(01 ‖ left ‖ right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Digest::of(&bytes)
}

/// The right edge of a growing tree: enough to append and to state the root, in at most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees that make up the tree, largest first: one for each set bit of the size.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The frontier of a tree of `size` leaves, from the roots of the subtrees that make it up.
    pub(crate) fn load<E>(size: u64, root_of: impl FnMut(Subtree) -> Result<Digest, E>) -> Result<Self, E> {
        Ok(Self { size, peaks: subtree::peaks(size).map(root_of).collect::<Result<_, E>>()? })
    }

    /// Appends the hash of one leaf ([`leaf_hash`]).
    pub fn append(&mut self, leaf: Digest) {
        self.append_each(leaf, |_, _| {});
    }

    /// As [`Frontier::append`]; `completed` is told the height and root of each perfect subtree that the leaf
    /// completes, from the leaf itself up.
    pub(crate) fn append_each(&mut self, leaf: Digest, mut completed: impl FnMut(u32, &Digest)) {
        let mut node = leaf;
        completed(0, &node);
        // Each trailing one bit of the old size is a perfect subtree as large as the node in hand.
        for height in 1..=self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
                completed(height, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return EMPTY_ROOT };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// A proof was asked for that does not exist: of a leaf beyond the tree, or of a larger tree inside a smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such Merkle proof: ask for an index below the size, within the leaves at hand")]
pub struct NoSuchProof;

/// A Merkle proof that does not lead to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Merkle proof does not lead to the root")]
pub struct ProofMismatch;

/// Root of the tree over `leaves` (hashes of leaves).
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The inclusion proof `PATH(index, D[0:size])` over `leaves[..size]` (hashes of leaves), from the leaf's sibling up
/// to the root's child.
pub fn inclusion_proof(leaves: &[Digest], size: u64, index: u64) -> Result<Vec<Digest>, NoSuchProof> {
    let size = usize::try_from(size).map_err(|_| NoSuchProof)?;
    let mut index = usize::try_from(index).map_err(|_| NoSuchProof)?;
    let mut leaves = leaves.get(..size).filter(|leaves| index < leaves.len()).ok_or(NoSuchProof)?;
    let mut path = Vec::new();
    while leaves.len() > 1 {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if index < left.len() {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            index -= left.len();
            leaves = right;
        }
    }
    path.reverse();
    Ok(path)
}

/// Root of the tree over `leaves` (hashes of leaves), and the inclusion proof of each of them as [`inclusion_proof`] gives it,
/// with each node hashed once.
pub fn root_and_inclusion_proofs(leaves: &[Digest]) -> (Digest, Vec<Vec<Digest>>) {
    match leaves {
        [] => (EMPTY_ROOT, Vec::new()),
        [leaf] => (*leaf, vec![Vec::new()]),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            let (left, mut proofs) = root_and_inclusion_proofs(left);
            let (right, mut others) = root_and_inclusion_proofs(right);
            proofs.iter_mut().for_each(|proof| proof.push(right));
            others.iter_mut().for_each(|proof| proof.push(left));
            proofs.append(&mut others);
            (node_hash(&left, &right), proofs)
        }
    }
}

/// The consistency proof `PROOF(old, D[0:new])` over `leaves[..new]` (hashes of leaves); empty if `old` is 0 or `new`.
pub fn consistency_proof(leaves: &[Digest], old: u64, new: u64) -> Result<Vec<Digest>, NoSuchProof> {
    // While the old tree is the left edge of what is left, its root is known to the verifier and is not sent.
    path_between(leaves, old, new, true)
}

/// The path of [`roots_from`]: a consistency proof that takes nothing as known, so that its first hash is always there.
/// Empty if `old` is 0 or `new`.
pub fn extension_path(leaves: &[Digest], old: u64, new: u64) -> Result<Vec<Digest>, NoSuchProof> {
    path_between(leaves, old, new, old == new)
}

fn path_between(leaves: &[Digest], old: u64, new: u64, mut known: bool) -> Result<Vec<Digest>, NoSuchProof> {
    let new = usize::try_from(new).map_err(|_| NoSuchProof)?;
    let mut old = usize::try_from(old).map_err(|_| NoSuchProof)?;
    let mut leaves = leaves.get(..new).filter(|leaves| old <= leaves.len()).ok_or(NoSuchProof)?;
    let mut path = Vec::new();
    if old == 0 {
        return Ok(path);
    }
    while old < leaves.len() {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if old <= left.len() {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            old -= left.len();
            leaves = right;
            known = false;
        }
    }
    if !known {
        path.push(root(leaves));
    }
    path.reverse();
    Ok(path)
}

/// Checks that `leaf` (a leaf's hash) stands at `index` in the tree of `size` leaves with this root.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    path: &[Digest],
    root: &Digest,
) -> Result<(), ProofMismatch> {
    if inclusion_root(leaf, index, size, path)? == *root { Ok(()) } else { Err(ProofMismatch) }
}

/// Root of the tree of `size` leaves in which `leaf` (a leaf's hash) stands at `index`, by an inclusion proof.
///
/// An error if `index` is not below `size`, or the path is not as long as they ask for. Any other path leads to some root:
/// what it proves depends on where that root comes from.
pub fn inclusion_root(leaf: &Digest, index: u64, size: u64, path: &[Digest]) -> Result<Digest, ProofMismatch> {
    if index >= size {
        return Err(ProofMismatch);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(ProofMismatch);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // At the right edge a node without a sibling is its parent: climb until there is one.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(hash) } else { Err(ProofMismatch) }
}

/// Checks that the tree of `new` leaves begins with the tree of `old` leaves. With `old` 0 there is nothing to show:
/// the path must be empty and the old root the empty one.
pub fn verify_consistency(
    old: u64,
    new: u64,
    path: &[Digest],
    old_root: &Digest,
    new_root: &Digest,
) -> Result<(), ProofMismatch> {
    if old > new {
        return Err(ProofMismatch);
    }
    if old == 0 || old == new {
        let expected = if old == 0 { EMPTY_ROOT } else { *new_root };
        return if path.is_empty() && *old_root == expected { Ok(()) } else { Err(ProofMismatch) };
    }
    // A perfect old tree is a node of the new one: its root is the first hash, and is not sent.
    let (first, rest) =
        if old.is_power_of_two() { (old_root, path) } else { path.split_first().ok_or(ProofMismatch)? };
    let roots = roots_from(old, new, first, rest)?;
    if roots == (*old_root, *new_root) { Ok(()) } else { Err(ProofMismatch) }
}

/// The roots at `old` and at `new` leaves of one and the same tree, from the hashes of [`extension_path`]: `first` is
/// the largest perfect subtree that ends where the old tree ends, `rest` what stands beside it, upwards.
///
/// An error unless `0 < old < new` and the path is as long as the sizes ask for. Each hash goes into the new root.
pub fn roots_from(old: u64, new: u64, first: &Digest, rest: &[Digest]) -> Result<(Digest, Digest), ProofMismatch> {
    if old == 0 || old >= new {
        return Err(ProofMismatch);
    }
    let shift = (old - 1).trailing_ones();
    let (mut node, mut last) = (shr(old - 1, shift), shr(new - 1, shift));
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofMismatch);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok((old_hash, new_hash)) } else { Err(ProofMismatch) }
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

/// A shift that may be by all 64 bits.
fn shr(value: u64, by: u32) -> u64 {
    value.checked_shr(by).unwrap_or(0)
}
