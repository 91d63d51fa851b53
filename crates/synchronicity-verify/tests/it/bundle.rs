//! A whole log in one file, in pieces of any length.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use synchronicity_verify::bundle::{self, BundleError, BundleReader, VerifiedBundle};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::map::MapKey;
use synchronicity_verify::merkle::{leaf_hash, root};
use synchronicity_verify::tile::encode_bundle;

use crate::{replay, sample};

pub(crate) fn good() -> Vec<u8> {
    let entries: Vec<Vec<u8>> = replay::log().iter().map(|entry| entry.to_bytes()).collect();
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let checkpoint = Checkpoint { origin: sample::ORIGIN.to_owned(), size: 3, root: root(&leaves) };
    let note = sample::signed(&checkpoint.to_string(), &[0, 1, 2, 3]);
    [bundle::head(&note), encode_bundle(entries.iter().map(Vec::as_slice)).unwrap()].concat()
}

fn read(bytes: &[u8], cuts: &[Index]) -> Result<(VerifiedBundle, Vec<u64>), BundleError> {
    let policy = sample::policy(3);
    let (mut reader, mut seen) = (BundleReader::new(&policy), Vec::new());
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([bytes.len()]).collect();
    ends.sort_unstable();
    let mut begin = 0;
    for end in ends {
        reader.feed(&bytes[begin..end], |index, _| seen.push(index))?;
        begin = end;
    }
    Ok((reader.finish()?, seen))
}

proptest! {
    #[test]
    fn the_pieces_do_not_matter(cuts in vec(any::<Index>(), 0..12)) {
        let (bundle, seen) = read(&good(), &cuts).unwrap();
        prop_assert_eq!(seen, [0, 1, 2]);
        prop_assert_eq!(bundle.checkpoint.checkpoint.size, 3);
        prop_assert_eq!(bundle.replay.map().indices(&MapKey::of_purl("pkg:cargo/fd@0.17.0")), [0, 2]);
    }

    #[test]
    fn a_flipped_bit_or_a_cut_anywhere_is_refused(at: Index, bit in 0..8, cut in vec(any::<Index>(), 0..3)) {
        let mut bytes = good();
        let at = at.index(bytes.len());
        prop_assert!(read(&bytes[..at], &[]).is_err());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(read(&bytes, &cut).is_err());
    }

    #[test]
    fn any_bytes_are_an_error_and_no_panic(bytes: Vec<u8>) {
        prop_assert!(read(&bytes, &[]).is_err());
        prop_assert!(read(&[b"synchronicity/bundle@v1\n", &bytes[..]].concat(), &[]).is_err());
    }
}

#[test]
fn a_bundle_ends_with_its_last_entry() {
    let mut bytes = good();
    assert_eq!(read(&bytes[..bytes.len() - 1], &[]).unwrap_err(), BundleError::Truncated { read: 2, size: 3 });
    bytes.push(0);
    assert_eq!(read(&bytes, &[]).unwrap_err(), BundleError::TooLong);
}

#[test]
fn entries_of_another_log_do_not_pass_under_a_good_checkpoint() {
    let other = sample::history(&[("bat", [0; 4].map(|_| Some(sample::built("bat"))))]);
    let leaves = [leaf_hash(&replay::log()[0].to_bytes())];
    let checkpoint = Checkpoint { origin: sample::ORIGIN.to_owned(), size: 1, root: root(&leaves) };
    let note = sample::signed(&checkpoint.to_string(), &[0, 1, 2]);
    let bytes = [bundle::head(&note), encode_bundle([other[0].to_bytes().as_slice()]).unwrap()].concat();
    assert_eq!(read(&bytes, &[]).unwrap_err(), BundleError::Root);
}
