//! Proofs from the roots of perfect subtrees, wherever those are kept: in tiles, in a cache, in memory.
//!
//! A perfect subtree is a run of 2^height leaves that begins at a multiple of 2^height; its root never changes once
//! the log has these leaves. Every root and proof of every size is made of such roots, of as many as the size has
//! bits and a few more. Whoever asks hands over a function that finds them.

use alloc::vec::Vec;

use crate::digest::Digest;
use crate::merkle::{EMPTY_ROOT, NoSuchProof, node_hash};

/// A perfect subtree: the 2^height leaves from leaf `index << height` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subtree {
    /// 0 for a leaf; at most 63.
    pub height: u8,
    /// Its position among the subtrees of this height, from 0.
    pub index: u64,
}

/// The root of the tree that the first `size` leaves make.
///
/// # Errors
/// What `root_of` said.
pub fn root<E>(size: u64, mut root_of: impl FnMut(Subtree) -> Result<Digest, E>) -> Result<Digest, E> {
    range_root(0, size, &mut root_of)
}

/// The inclusion proof `PATH(index, D[0:size])`, from the leaf's sibling up to the root's child.
///
/// # Errors
/// [`NoSuchProof`] unless `index < size`, and what `root_of` said.
pub fn inclusion_proof<E: From<NoSuchProof>>(
    index: u64,
    size: u64,
    mut root_of: impl FnMut(Subtree) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    if index >= size {
        return Err(NoSuchProof.into());
    }
    let (mut first, mut len) = (0, size);
    let mut path = Vec::new();
    while len > 1 {
        let left = split(len);
        if index - first < left {
            path.push(range_root(first + left, len - left, &mut root_of)?);
            len = left;
        } else {
            path.push(range_root(first, left, &mut root_of)?);
            (first, len) = (first + left, len - left);
        }
    }
    path.reverse();
    Ok(path)
}

/// The consistency proof `PROOF(old, D[0:new])`; empty if `old` is 0 or `new`.
///
/// # Errors
/// [`NoSuchProof`] unless `old <= new`, and what `root_of` said.
pub fn consistency_proof<E: From<NoSuchProof>>(
    old: u64,
    new: u64,
    mut root_of: impl FnMut(Subtree) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    if old > new {
        return Err(NoSuchProof.into());
    }
    let mut path = Vec::new();
    if old == 0 {
        return Ok(path);
    }
    let (mut first, mut len) = (0, new);
    // While the old tree is the left edge of what is left, its root is known to the verifier and is not sent.
    let mut known = true;
    while old - first < len {
        let left = split(len);
        if old - first <= left {
            path.push(range_root(first + left, len - left, &mut root_of)?);
            len = left;
        } else {
            path.push(range_root(first, left, &mut root_of)?);
            (first, len) = (first + left, len - left);
            known = false;
        }
    }
    if !known {
        path.push(range_root(first, len, &mut root_of)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest subtrees that make up the tree of `size` leaves, from the left: one for each set bit of the size.
pub(crate) fn peaks(size: u64) -> impl Iterator<Item = Subtree> {
    let heights = (0..64).rev().filter(move |height| size >> height & 1 == 1);
    // Below a peak lies everything that the higher bits count.
    heights.map(move |height| Subtree { height, index: (size >> height) - 1 })
}

/// The root over `len` leaves from `first` on, where `first` is a multiple of a power of two that is at least `len`.
fn range_root<E>(first: u64, len: u64, root_of: &mut impl FnMut(Subtree) -> Result<Digest, E>) -> Result<Digest, E> {
    let mut rest = len;
    let mut root = None;
    // The subtrees that make up the range, from the right.
    while rest > 0 {
        let height = rest.trailing_zeros();
        rest &= rest - 1;
        let peak = root_of(Subtree { height: height as u8, index: (first + rest) >> height })?;
        root = Some(root.map_or(peak, |right| node_hash(&peak, &right)));
    }
    Ok(root.unwrap_or(EMPTY_ROOT))
}

/// The largest power of two below `len`, which is at least 2.
fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}
