use proptest::prelude::*;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::fork::{self, FORK_BYTES_MAX, Fork, ForkError};
use synchronicity_verify::merkle::{extension_path, leaf_hash, root};
use synchronicity_verify::note::{KeyKind, SignedNote};

use crate::sample;

/// The signed checkpoint of the log of `leaves`.
pub(crate) fn checkpoint(leaves: &[Digest], cosigners: &[usize]) -> SignedNote {
    let checkpoint = Checkpoint { origin: sample::ORIGIN.to_owned(), size: leaves.len() as u64, root: root(leaves) };
    sample::signed(&checkpoint.to_string(), cosigners)
}

/// Leaves of a history that goes its own way, named `history`, after `common` entries.
pub(crate) fn leaves(history: &str, common: usize, size: usize) -> Vec<Digest> {
    let name = |index| if index < common { format!("common {index}") } else { format!("{history} {index}") };
    (0..size).map(|index| leaf_hash(name(index).as_bytes())).collect()
}

/// Two histories that part after `common` entries, with sizes `smaller` and `larger`; half of the group signs each.
pub(crate) fn fork(common: usize, smaller: usize, larger: usize) -> Result<Fork, ForkError> {
    let (a, b) = (leaves("a", common, smaller), leaves("b", common, larger));
    let path = extension_path(&b, smaller as u64, larger as u64).unwrap();
    Fork::new(checkpoint(&a, &[0, 1, 2]), checkpoint(&b, &[2, 3]), path, &sample::policy(3))
}

#[test]
fn a_fork_names_both_views_and_who_signed_them() {
    let verified = fork::verify(fork(3, 4, 7).unwrap().to_string().as_bytes(), &sample::policy(3)).unwrap();
    let [smaller, larger] = &verified.sides;
    assert_eq!((smaller.size, larger.size), (4, 7));
    assert_eq!((smaller.root, larger.root), (root(&leaves("a", 3, 4)), root(&leaves("b", 3, 7))));
    assert_eq!((smaller.quorum, larger.quorum), (true, false));
    assert_eq!((smaller.signers.len(), larger.signers.len()), (3, 2));
    assert_eq!(verified.both, [format!("{}/builder-2", sample::ORIGIN)]);
}

#[test]
fn the_order_of_the_notes_is_the_formats_and_not_the_callers() {
    for (smaller, larger) in [(4, 7), (5, 5)] {
        let (a, b) = (leaves("a", 3, smaller), leaves("b", 3, larger));
        let path = extension_path(&b, smaller as u64, larger as u64).unwrap();
        let (a, b) = (checkpoint(&a, &[0]), checkpoint(&b, &[1]));
        let one = Fork::new(a.clone(), b.clone(), path.clone(), &sample::policy(3)).unwrap();
        assert_eq!(one, Fork::new(b, a, path, &sample::policy(3)).unwrap());
        let mut lines: Vec<_> = one.to_string().lines().map(str::to_owned).collect();
        lines.swap(1, 2);
        let swapped = fork::verify((lines.join("\n") + "\n").as_bytes(), &sample::policy(3));
        assert_eq!(swapped, Err(ForkError::NotCanonical));
    }
}

#[test]
fn every_flipped_bit_of_a_fork_proof_is_refused() {
    let policy = sample::policy(3);
    let (a, b) = (leaves("a", 2, 3), leaves("b", 2, 6));
    let path = extension_path(&b, 3, 6).unwrap();
    let fork = Fork::new(checkpoint(&a, &[0, 1]), checkpoint(&b, &[2, 3]), path, &policy).unwrap();
    let mut bytes = fork.to_string().into_bytes();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            bytes[position] ^= 1 << bit;
            assert!(fork::verify(&bytes, &policy).is_err(), "byte {position}, bit {bit}");
            bytes[position] ^= 1 << bit;
        }
    }
    fork::verify(&bytes, &policy).unwrap();
    for end in 0..bytes.len() {
        assert!(fork::verify(&bytes[..end], &policy).is_err(), "cut at {end}");
    }
    let long = vec![b'x'; FORK_BYTES_MAX + 1];
    assert_eq!(fork::verify(&long, &policy), Err(ForkError::TooLong(FORK_BYTES_MAX + 1)));
}

#[test]
fn the_shared_key_alone_accuses_nobody() {
    let (a, b) = (leaves("a", 2, 3), leaves("b", 2, 3));
    let alone = Fork::new(checkpoint(&a, &[0, 1, 2]), checkpoint(&b, &[]), vec![], &sample::policy(3));
    assert_eq!(alone, Err(ForkError::NoWitness(3)));
}

#[test]
fn lines_of_strangers_are_left_out_and_a_bad_line_of_a_known_key_is_not() {
    let outside = sample::signer("witness.example", KeyKind::Cosigner, "outside");
    let (mut a, b) = (checkpoint(&leaves("a", 2, 3), &[0]), checkpoint(&leaves("b", 2, 3), &[1]));
    a.signatures.push(cosign(&outside, &a.text, 7).unwrap());
    let policy = sample::policy(3);
    let fork = Fork::new(a.clone(), b.clone(), vec![], &policy).unwrap();
    assert_eq!(
        fork::verify(fork.to_string().as_bytes(), &policy).unwrap().sides.map(|side| side.signers.len()),
        [1, 1]
    );
    a.signatures[1].signature[70] ^= 1;
    assert!(matches!(Fork::new(a, b, vec![], &policy), Err(ForkError::Invalid(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Every pair of sizes, one of each history: beyond the point where they part it is a fork, before it is none.
    #[test]
    fn two_histories_contradict_each_other_exactly_where_both_went_on_after_parting(
        common in 0..9_usize,
        sizes in (1..10_usize, 1..10_usize),
        stray in any::<[u8; 32]>().prop_map(Digest),
    ) {
        let policy = sample::policy(3);
        let (a, b) = (leaves("a", common, sizes.0), leaves("b", common, sizes.1));
        let notes = |leaves: &[Digest], cosigner| {
            (0..=leaves.len()).map(|size| checkpoint(&leaves[..size], &[cosigner])).collect::<Vec<_>>()
        };
        let (notes_a, notes_b) = (notes(&a, 0), notes(&b, 1));
        for (size_a, note_a) in notes_a.iter().enumerate() {
            for (size_b, note_b) in notes_b.iter().enumerate() {
                let (smaller, larger) = (size_a.min(size_b), size_a.max(size_b));
                let tree = if size_a > size_b { &a } else { &b };
                let path = extension_path(tree, smaller as u64, larger as u64).unwrap();
                let made = |path| Fork::new(note_a.clone(), note_b.clone(), path, &policy);
                if smaller > common {
                    let bytes = made(path).unwrap().to_string();
                    let verified = fork::verify(bytes.as_bytes(), &policy).unwrap();
                    prop_assert_eq!(verified.sides.map(|side| side.size), [smaller as u64, larger as u64]);
                    prop_assert_eq!(Fork::parse(bytes.as_bytes()).unwrap().to_string(), bytes);
                } else {
                    prop_assert_eq!(made(path.clone()), Err(ForkError::NoFork));
                    for at in 0..path.len() {
                        let mut other = path.clone();
                        other[at] = stray;
                        prop_assert_eq!(made(other), Err(ForkError::OtherPath));
                    }
                    prop_assert!(made([path, vec![stray]].concat()).is_err());
                }
            }
        }
    }
}
