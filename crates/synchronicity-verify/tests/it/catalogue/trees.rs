//! Merkle arithmetic alone: hashes and numbers without signatures.

use base64ct::{Base64, Encoding};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{EMPTY_ROOT, consistency_proof, extension_path, inclusion_proof, root};

use super::vector;
use crate::fork::leaves;
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [inclusion(), inclusion_of_small_logs(), consistency(), consistency_at_the_ends()].into_iter().flatten().collect()
}

fn tree(size: usize) -> Vec<Digest> {
    leaves("tree", 0, size)
}

fn lines(head: &[(&str, String)], path: &[Digest]) -> String {
    let head: String = head.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    head + &path.iter().map(|hash| b64(hash) + "\n").collect::<String>()
}

fn b64(hash: &Digest) -> String {
    Base64::encode_string(&hash.0)
}

struct Inclusion {
    leaf: Digest,
    index: u64,
    size: u64,
    root: Digest,
    path: Vec<Digest>,
}

impl Inclusion {
    fn of(size: usize, index: usize) -> Self {
        let tree = tree(size);
        let (size, path) = (size as u64, inclusion_proof(&tree, size as u64, index as u64).unwrap());
        Self { leaf: tree[index], index: index as u64, size, root: root(&tree), path }
    }

    fn vector(&self, name: &'static str, expect: &'static str, flaw: &'static str) -> Vector {
        let (index, size) = (self.index.to_string(), self.size.to_string());
        let head = [("leaf", b64(&self.leaf)), ("index", index), ("size", size), ("root", b64(&self.root))];
        vector("inclusion", name, expect, flaw, lines(&head, &self.path))
    }
}

/// In a log of seven entries, at the index 4 unless the name says otherwise.
fn inclusion() -> Vec<Vector> {
    let bad = |name, flaw, change: &dyn Fn(&mut Inclusion)| {
        let mut inclusion = Inclusion::of(7, 4);
        change(&mut inclusion);
        inclusion.vector(name, "refused", flaw)
    };
    vec![
        Inclusion::of(7, 4).vector("inclusion_good", "accepted", "none"),
        Inclusion::of(7, 6).vector("inclusion_good_at_the_right_edge", "accepted", "none: the path has two hashes"),
        Inclusion::of(8, 7).vector("inclusion_good_in_perfect_tree", "accepted", "none"),
        bad("inclusion_of_other_leaf", "the leaf at another index", &|it| it.leaf = tree(7)[5]),
        bad("inclusion_index_one_more", "the neighbour's index", &|it| it.index = 5),
        bad("inclusion_index_is_size", "no leaf has this index", &|it| it.index = 7),
        bad("inclusion_index_near_2_63", "an index far beyond the log", &|it| it.index = (1 << 63) - 1),
        bad("inclusion_index_near_2_64", "an index far beyond the log", &|it| it.index = u64::MAX),
        bad("inclusion_size_too_small", "the size of another path", &|it| it.size = 5),
        bad("inclusion_size_too_large", "the size of another path", &|it| it.size = 9),
        bad("inclusion_size_near_2_64", "the size of another path", &|it| it.size = u64::MAX),
        bad("inclusion_root_of_smaller_tree", "the root at another size", &|it| it.root = root(&tree(6))),
        bad("inclusion_leaf_for_root", "the leaf is not the root", &|it| it.root = it.leaf),
        bad("inclusion_path_empty", "no path", &|it| it.path.clear()),
        bad("inclusion_path_without_first", "one hash too few", &|it| {
            it.path.remove(0);
        }),
        bad("inclusion_path_without_last", "one hash too few", &|it| {
            it.path.pop();
        }),
        bad("inclusion_path_with_leaf_before", "one hash too many", &|it| it.path.insert(0, it.leaf)),
        bad("inclusion_path_with_root_after", "one hash too many", &|it| it.path.push(it.root)),
        bad("inclusion_path_reversed", "from the root down", &|it| it.path.reverse()),
        bad("inclusion_path_bit_flipped", "one bit of the path", &|it| it.path[1].0[31] ^= 1),
        bad("inclusion_path_of_100_hashes", "deeper than any tree", &|it| it.path.resize(100, EMPTY_ROOT)),
    ]
}

fn inclusion_of_small_logs() -> Vec<Vector> {
    let bad = |name, flaw, change: &dyn Fn(&mut Inclusion)| {
        let mut inclusion = Inclusion::of(1, 0);
        change(&mut inclusion);
        inclusion.vector(name, "refused", flaw)
    };
    vec![
        Inclusion::of(1, 0).vector("inclusion_good_in_log_of_one", "accepted", "none: the leaf is the root"),
        bad("inclusion_in_log_of_one_with_path", "a log of one entry has no path", &|it| it.path.push(EMPTY_ROOT)),
        bad("inclusion_in_log_of_one_at_index_one", "no leaf has this index", &|it| it.index = 1),
        bad("inclusion_in_log_of_one_other_root", "the leaf is the root", &|it| it.root = EMPTY_ROOT),
        bad("inclusion_in_empty_log", "a log of size 0 holds no leaf", &|it| it.size = 0),
        bad("inclusion_of_the_empty_root", "a log of size 0 holds no leaf", &|it| {
            (it.size, it.leaf, it.root) = (0, EMPTY_ROOT, EMPTY_ROOT);
        }),
    ]
}

struct Consistency {
    old: u64,
    new: u64,
    old_root: Digest,
    new_root: Digest,
    path: Vec<Digest>,
}

impl Consistency {
    fn of(old: usize, new: usize) -> Self {
        let tree = tree(new);
        let path = consistency_proof(&tree, old as u64, new as u64).unwrap();
        Self { old: old as u64, new: new as u64, old_root: root(&tree[..old]), new_root: root(&tree), path }
    }

    fn vector(&self, name: &'static str, expect: &'static str, flaw: &'static str) -> Vector {
        let (old, new) = (self.old.to_string(), self.new.to_string());
        let roots = [("old-root", b64(&self.old_root)), ("new-root", b64(&self.new_root))];
        let head: Vec<_> = [("old", old), ("new", new)].into_iter().chain(roots).collect();
        vector("consistency", name, expect, flaw, lines(&head, &self.path))
    }

    fn changed(mut self, name: &'static str, flaw: &'static str, change: &dyn Fn(&mut Self)) -> Vector {
        change(&mut self);
        self.vector(name, "refused", flaw)
    }
}

/// From three entries to seven, unless the name says otherwise.
fn consistency() -> Vec<Vector> {
    let good = |name, flaw, old, new| Consistency::of(old, new).vector(name, "accepted", flaw);
    let bad = |name, flaw, change: &dyn Fn(&mut Consistency)| Consistency::of(3, 7).changed(name, flaw, change);
    vec![
        good("consistency_good", "none", 3, 7),
        good("consistency_good_from_power_of_two", "none: the first hash is left out", 4, 7),
        good("consistency_good_from_one", "none", 1, 8),
        good("consistency_good_to_perfect_tree", "none", 6, 8),
        bad("consistency_old_root_changed", "another root than the path leads to", &|it| it.old_root = root(&tree(2))),
        bad("consistency_new_root_changed", "another root than the path leads to", &|it| it.new_root = root(&tree(6))),
        bad("consistency_roots_swapped", "each root for the other", &|it| {
            (it.old_root, it.new_root) = (it.new_root, it.old_root);
        }),
        bad("consistency_of_shrinking_log", "the new size is the smaller", &|it| (it.old, it.new) = (it.new, it.old)),
        bad("consistency_old_size_other", "the size of another path", &|it| it.old = 2),
        bad("consistency_new_size_other", "the size of another path", &|it| it.new = 9),
        bad("consistency_sizes_near_2_64", "the sizes of another path", &|it| {
            (it.old, it.new) = (u64::MAX - 4, u64::MAX);
        }),
        bad("consistency_path_empty", "no path", &|it| it.path.clear()),
        bad("consistency_path_without_first", "one hash too few", &|it| {
            it.path.remove(0);
        }),
        bad("consistency_path_without_last", "one hash too few", &|it| {
            it.path.pop();
        }),
        bad("consistency_path_with_old_root_before", "one hash too many", &|it| it.path.insert(0, it.old_root)),
        bad("consistency_path_with_new_root_after", "one hash too many", &|it| it.path.push(it.new_root)),
        bad("consistency_path_reversed", "from the root down", &|it| it.path.reverse()),
        bad("consistency_path_of_100_hashes", "deeper than any tree", &|it| it.path.resize(100, EMPTY_ROOT)),
        Consistency::of(4, 7).changed("consistency_power_of_two_with_first_hash", "the old root is sent too", &|it| {
            it.path = extension_path(&tree(7), 4, 7).unwrap();
        }),
    ]
}

fn consistency_at_the_ends() -> Vec<Vector> {
    let good = |name, flaw, old, new| Consistency::of(old, new).vector(name, "accepted", flaw);
    let other = root(&tree(6));
    let empty = |name, flaw, change: &dyn Fn(&mut Consistency)| Consistency::of(0, 7).changed(name, flaw, change);
    let equal = |name, flaw, change: &dyn Fn(&mut Consistency)| Consistency::of(7, 7).changed(name, flaw, change);
    vec![
        good("consistency_good_from_empty", "none: there is nothing to show", 0, 7),
        good("consistency_good_of_one_size", "none: there is nothing to show", 7, 7),
        empty("consistency_from_empty_with_path", "nothing for the path to show", &|it| it.path.push(other)),
        empty("consistency_from_empty_of_other_root", "the empty log has one root only", &|it| it.old_root = other),
        equal("consistency_of_one_size_with_path", "nothing for the path to show", &|it| it.path.push(other)),
        equal("consistency_of_one_size_two_roots", "a fork", &|it| it.old_root = other),
    ]
}
