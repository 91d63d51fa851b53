use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{
    EMPTY_ROOT, Frontier, consistency_proof, inclusion_proof, leaf_hash, root, root_and_inclusion_proofs,
    verify_consistency, verify_inclusion,
};

/// Inputs and roots that the implementations of RFC 6962 have shared since the first one.
const KNOWN: [(&[u8], &str); 8] = [
    (b"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    (b"\x00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    (b"\x10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    (b"\x20\x21", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    (b"\x30\x31", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    (b"\x40\x41\x42\x43", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    (b"\x50\x51\x52\x53\x54\x55\x56\x57", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", KNOWN_ROOT_OF_EIGHT),
];
const KNOWN_ROOT_OF_EIGHT: &str = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";

#[test]
fn the_published_roots_of_rfc_6962_come_out() {
    assert_eq!(Frontier::new().root(), EMPTY_ROOT);
    assert_eq!(EMPTY_ROOT, Digest::of(b""));
    let mut frontier = Frontier::new();
    let mut leaves = vec![];
    for (input, expected) in KNOWN {
        frontier.append(leaf_hash(input));
        leaves.push(leaf_hash(input));
        assert_eq!(frontier.root().to_string(), expected);
        assert_eq!(root(&leaves).to_string(), expected);
    }
}

#[test]
fn every_root_and_proof_of_small_trees_is_the_oracles() {
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut frontier = Frontier::new();
    let mut roots = vec![EMPTY_ROOT];
    for size in 1..=40_u64 {
        let entry = size.to_be_bytes().to_vec();
        frontier.append(leaf_hash(&entry));
        tree.push(entry);
        assert_eq!(frontier.size(), size);
        assert_eq!(frontier.root().0.as_slice(), tree.root().as_bytes().as_slice());
        roots.push(frontier.root());
        let leaves = leaves(size);
        for index in 0..size {
            let path = inclusion_proof(&leaves, size, index).unwrap();
            assert_eq!(joined(&path), tree.prove_inclusion(index as usize).as_bytes());
            verify_inclusion(&leaves[index as usize], index, size, &path, &frontier.root()).unwrap();
        }
        for old in 1..size {
            let path = consistency_proof(&leaves, old, size).unwrap();
            assert_eq!(joined(&path), tree.prove_consistency((size - old) as usize).as_bytes());
            verify_consistency(old, size, &path, &roots[old as usize], &frontier.root()).unwrap();
        }
    }
}

#[test]
fn every_root_up_to_three_thousand_leaves_is_the_oracles() {
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut frontier = Frontier::new();
    for size in 1..=3000_u64 {
        let entry = size.to_be_bytes().to_vec();
        frontier.append(leaf_hash(&entry));
        tree.push(entry);
        assert_eq!(frontier.root().0.as_slice(), tree.root().as_bytes().as_slice(), "size {size}");
    }
}

/// Counted, not timed: what other processes do changes nothing.
#[test]
fn a_growing_tree_needs_no_memory_but_for_its_peaks() {
    let grown_to = |size: u64| {
        let mut frontier = Frontier::new();
        let counted = allocation_counter::measure(|| {
            (0..size).for_each(|leaf| frontier.append(Digest::of(&leaf.to_be_bytes())));
        });
        (counted.bytes_max, frontier.root())
    };
    for (size, peaks) in [(1_u64 << 10, 10), (1 << 14, 14), ((1 << 16) + 1, 16)] {
        // A vector may hold, and while it grows copy, the double of what is in it.
        let (bytes, _) = grown_to(size);
        assert!(bytes <= 4 * 32 * peaks, "{bytes} bytes for {size} leaves");
    }
}

#[test]
fn all_proofs_of_a_tree_made_at_once_are_those_that_are_made_one_by_one() {
    for size in 0..=70 {
        let leaves = leaves(size);
        let proofs = (0..size).map(|index| inclusion_proof(&leaves, size, index).unwrap()).collect();
        assert_eq!(root_and_inclusion_proofs(&leaves), (root(&leaves), proofs));
    }
}

#[test]
fn a_proof_holds_for_no_other_index_size_path_or_leaf() {
    for size in 1..=20 {
        let leaves = leaves(size);
        let root = root(&leaves);
        for index in 0..size {
            let leaf = leaves[index as usize];
            let path = inclusion_proof(&leaves, size, index).unwrap();
            let refused = |leaf: &Digest, index, size, path: &[Digest]| {
                assert!(verify_inclusion(leaf, index, size, path, &root).is_err(), "{index} of {size}");
            };
            for other in (0..2 * size + 2).filter(|other| *other != index) {
                refused(&leaf, other, size, &path);
            }
            refused(&Digest::of(b"another"), index, size, &path);
            let longer: Vec<_> = path.iter().copied().chain([root]).collect();
            refused(&leaf, index, size, &longer);
            for cut in 0..path.len() {
                refused(&leaf, index, size, &path[..cut]);
                refused(&leaf, index, size, &path[cut + 1..]);
                let mut changed = path.clone();
                changed[cut].0[31] ^= 1;
                refused(&leaf, index, size, &changed);
            }
        }
    }
}

#[test]
fn a_consistency_proof_holds_for_no_other_root_or_path() {
    for new in 2..=20 {
        let leaves = leaves(new);
        let new_root = root(&leaves);
        for old in 1..new {
            let old_root = root(&leaves[..old as usize]);
            let path = consistency_proof(&leaves, old, new).unwrap();
            let other = Digest::of(b"another");
            assert!(verify_consistency(old, new, &path, &other, &new_root).is_err());
            assert!(verify_consistency(old, new, &path, &old_root, &other).is_err());
            assert!(verify_consistency(old, new, &path[1..], &old_root, &new_root).is_err());
            let longer: Vec<_> = path.iter().copied().chain([new_root]).collect();
            assert!(verify_consistency(old, new, &longer, &old_root, &new_root).is_err());
            assert!(verify_consistency(new, old, &path, &new_root, &old_root).is_err());
        }
    }
    assert!(verify_consistency(0, 3, &[], &EMPTY_ROOT, &Digest::of(b"any")).is_ok());
    assert!(verify_consistency(0, 3, &[], &Digest::of(b"any"), &Digest::of(b"any")).is_err());
    assert!(verify_consistency(0, 3, &[EMPTY_ROOT], &EMPTY_ROOT, &Digest::of(b"any")).is_err());
}

#[test]
fn proofs_that_do_not_exist_are_not_made() {
    let leaves = leaves(5);
    assert!(inclusion_proof(&leaves, 5, 5).is_err());
    assert!(inclusion_proof(&leaves, 6, 0).is_err());
    assert!(inclusion_proof(&leaves, 0, 0).is_err());
    assert!(inclusion_proof(&leaves, u64::MAX, u64::MAX - 1).is_err());
    assert!(consistency_proof(&leaves, 4, 3).is_err());
    assert!(consistency_proof(&leaves, 1, u64::MAX).is_err());
    assert_eq!(consistency_proof(&leaves, 0, 5).unwrap(), []);
    assert_eq!(consistency_proof(&leaves, 5, 5).unwrap(), []);
}

proptest! {
    #[test]
    fn no_index_size_or_path_makes_the_verifier_panic(
        index in edge(),
        size in edge(),
        path in prop::collection::vec(any::<[u8; 32]>().prop_map(Digest), 0..70),
        root in any::<[u8; 32]>().prop_map(Digest),
    ) {
        prop_assert!(verify_inclusion(&root, index, size, &path, &root).is_err() || path.is_empty());
        prop_assert!(verify_consistency(index, size, &path, &root, &Digest::of(b"")).is_err() || path.is_empty());
    }
}

/// Numbers near every power of two, where arithmetic goes wrong first.
fn edge() -> impl Strategy<Value = u64> {
    (0..64_u32, 0..3_u64).prop_map(|(bit, off)| (1_u64 << bit).wrapping_add(off).wrapping_sub(1))
}

fn leaves(size: u64) -> Vec<Digest> {
    (1..=size).map(|entry| leaf_hash(&entry.to_be_bytes())).collect()
}

fn joined(path: &[Digest]) -> Vec<u8> {
    path.iter().flat_map(|hash| hash.0).collect()
}
