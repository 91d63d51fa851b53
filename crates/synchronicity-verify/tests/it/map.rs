//! The map: complete answers, and nothing else verifies.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::map::{MapKey, MapLeaf, MapProof, Prefix, PrefixMap, TooMany, empty_root};
use synchronicity_verify::result::BuildResult;

use crate::sample;

/// Keys that share long prefixes, which hashes never would: only the last byte and one bit in the middle differ.
fn near_key(number: u8) -> MapKey {
    let mut bytes = [0xa5; 32];
    bytes[31] = number >> 1;
    bytes[12] ^= (number & 1) << 3;
    MapKey(Digest(bytes))
}

fn key(number: u8) -> MapKey {
    if number < 128 { MapKey::of_purl(&format!("pkg:cargo/crate-{number}@1.0.0")) } else { near_key(number) }
}

fn map_of(numbers: &[u8]) -> (PrefixMap, BTreeMap<MapKey, Vec<u64>>) {
    let (mut map, mut model) = (PrefixMap::new(), BTreeMap::<MapKey, Vec<u64>>::new());
    for (index, number) in numbers.iter().enumerate() {
        map.insert(key(*number), index as u64);
        model.entry(key(*number)).or_default().push(index as u64);
    }
    (map, model)
}

proptest! {
    #[test]
    fn an_answer_is_all_that_the_map_has_under_a_prefix(numbers in vec(any::<u8>(), 0..60), asked: u8, digits in 0_u8..=64) {
        let (map, model) = map_of(&numbers);
        let prefix = Prefix::of(&key(asked), digits);
        let proof = map.prove(&prefix, usize::MAX).unwrap();
        proof.verify(&prefix, &map.root()).unwrap();
        for key in (0..=255).map(key) {
            let expected = model.get(&key).map_or(&[][..], Vec::as_slice);
            prop_assert_eq!(map.indices(&key), expected);
            if prefix.covers(&key) {
                prop_assert_eq!(proof.indices(&key), expected);
            }
        }
        prop_assert_eq!(map.keys(), model.len() as u64);
    }

    #[test]
    fn the_root_follows_from_the_leaves_alone(numbers in vec(any::<u8>(), 0..60)) {
        let (map, model) = map_of(&numbers);
        let mut other = PrefixMap::new();
        for (key, indices) in model.iter().rev() {
            indices.iter().for_each(|index| other.insert(*key, *index));
        }
        prop_assert_eq!(&map, &other);
        // What the proof of everything lists gives the root as well: no second way to compute it.
        let all = MapProof { siblings: vec![], leaves: model.into_iter().map(|(key, indices)| MapLeaf { key, indices }).collect() };
        prop_assert!(all.verify(&"".parse().unwrap(), &map.root()).is_ok());
    }

    #[test]
    fn an_answer_that_leaves_out_adds_or_moves_anything_is_refused(
        numbers in vec(any::<u8>(), 2..40), asked: u8, digits in 0_u8..=64, change in 0..7, at: usize,
    ) {
        let (map, _) = map_of(&numbers);
        let prefix = Prefix::of(&key(asked), digits);
        let good = map.prove(&prefix, usize::MAX).unwrap();
        let mut bad = good.clone();
        let leaves = bad.leaves.len().max(1);
        match (change, bad.leaves.get_mut(at % leaves), bad.siblings.len()) {
            (0, Some(_), _) => drop(bad.leaves.remove(at % leaves)),
            (1, Some(leaf), _) => leaf.indices.push(1 << 40),
            (2, Some(leaf), _) => drop(leaf.indices.pop()),
            (3, Some(leaf), _) => leaf.key.0.0[at % 32] ^= 1,
            (4, _, siblings @ 1..) => bad.siblings[at % siblings].0[0] ^= 1,
            (5, _, siblings @ 1..) => drop(bad.siblings.remove(at % siblings)),
            _ => bad.siblings.push(empty_root()),
        }
        prop_assert!(bad.verify(&prefix, &map.root()).is_err(), "{good:?} became {bad:?}");
    }

    #[test]
    fn a_prefix_is_read_as_it_is_written(asked: u8, digits in 0_u8..=64) {
        let prefix = Prefix::of(&key(asked), digits);
        prop_assert_eq!(prefix.to_string().parse(), Ok(prefix));
        prop_assert!(prefix.covers(&key(asked)));
    }

    #[test]
    fn what_is_no_prefix_is_refused(text in "[0-9a-fA-Fx]{0,70}") {
        let good = text.len() <= 64 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        prop_assert_eq!(text.parse::<Prefix>().is_ok(), good);
    }
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let (mut map, _) = map_of(&[1, 2, 200, 201]);
    let (snapshot, root) = (map.clone(), map.root());
    map.insert(key(1), 9);
    assert_eq!((snapshot.root(), snapshot.indices(&key(1))), (root, &[0][..]));
    assert_ne!(map.root(), root);
}

#[test]
fn too_long_an_answer_is_not_given() {
    let (map, _) = map_of(&[1, 2, 3, 4]);
    assert_eq!(map.prove(&"".parse().unwrap(), 3), Err(TooMany { most: 3 }));
    assert_eq!(map.prove(&"".parse().unwrap(), 4).unwrap().leaves.len(), 4);
}

#[test]
fn the_same_index_twice_changes_nothing() {
    let (mut map, _) = map_of(&[1, 1]);
    let before = map.clone();
    map.insert(key(1), 1);
    assert_eq!(map, before);
    assert_eq!(map.indices(&key(1)), [0, 1]);
}

#[test]
fn an_entry_stands_under_its_crate_and_its_artifacts() {
    let reproduced = sample::reproduced();
    let mut expected = vec![MapKey::of_purl("pkg:cargo/hexyl@0.17.0"), MapKey::of_artifact(&Digest::of(b"the binary"))];
    expected.sort();
    assert_eq!(MapKey::of_entry(&reproduced), expected);
    assert!(expected.contains(&MapKey::of_crate(&"hexyl".parse().unwrap(), &"0.17.0".parse().unwrap())));

    let results = ["a", "b", "c", "d"].map(|content| Some(sample::built(content)));
    assert_eq!(MapKey::of_entry(&sample::entry(3, &results)), [MapKey::of_purl("pkg:cargo/hexyl@0.17.0")]);
    assert!(matches!(results[0], Some(BuildResult::Built(_))));
}

/// The key function and the tree are frozen; these were computed from docs/formats.md by another program.
#[test]
fn the_keys_and_roots_of_the_documentation_are_these() {
    let key = MapKey::of_purl("pkg:cargo/hexyl@0.17.0");
    let mut map = PrefixMap::new();
    let empty = map.root();
    map.insert(key, 0);
    map.insert(MapKey::of_artifact(&Digest::of(b"the binary")), 0);
    map.insert(key, 7);
    assert_eq!(
        [empty, key.0, map.root()].map(|digest| digest.to_string()),
        [
            "ac958747dacf9b5da5f1017173fb8f7f4c615b9108b1f6d606aade6b822c574a",
            "8597015d6eda7c18680ac10156a9b01c9ecba7b581a9300848334200c02c9132",
            "e0d70a8cedfd5c934571a208ff4ef2078dddc31104dad3278df985e130736f05"
        ]
    );
}
