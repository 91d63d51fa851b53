//! What we publish, judged by libraries of somebody else, as they are.

use signed_note::{Note, StandardVerifier, Verifier, VerifierList};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{consistency_proof, inclusion_proof, leaf_hash, root};
use synchronicity_verify::tile::{TileLevel, tiles_between};
use tlog_tiles::tile::Tile;
use tlog_tiles::tlog::{Hash, check_record, check_tree, record_hash};

use crate::sample;

#[test]
fn another_note_library_accepts_our_log_signature_and_ignores_our_cosignatures() {
    let note = Note::from_bytes(sample::good_proof().checkpoint.to_string().as_bytes()).unwrap();
    let log = StandardVerifier::new(&sample::log_signer().verifier_key().to_string()).unwrap();
    let known = VerifierList::new(vec![Box::new(log) as Box<dyn Verifier>]);
    let (verified, unverified) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 4));
}

#[test]
fn another_log_library_accepts_our_checkpoint_and_proof() {
    let proof = sample::good_proof();
    let checkpoint = tlog_tiles::checkpoint::Checkpoint::from_bytes(proof.checkpoint.text.as_bytes()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), (sample::ORIGIN, sample::SIZE));
    let leaf = record_hash(&proof.entry);
    check_record(&theirs(&proof.path), sample::SIZE, *checkpoint.hash(), proof.index, leaf).unwrap();
}

#[test]
fn another_log_library_accepts_our_proofs_of_every_small_tree() {
    for size in 1..=33_u64 {
        let leaves: Vec<_> = (0..size).map(|entry| leaf_hash(&entry.to_be_bytes())).collect();
        for index in 0..size {
            let path = theirs(&inclusion_proof(&leaves, size, index).unwrap());
            check_record(&path, size, Hash(root(&leaves).0), index, Hash(leaves[index as usize].0)).unwrap();
        }
        for old in 1..=size {
            let path = theirs(&consistency_proof(&leaves, old, size).unwrap());
            let old_root = Hash(root(&leaves[..old as usize]).0);
            check_tree(&path, size, Hash(root(&leaves).0), old, old_root).unwrap();
        }
    }
}

/// Their paths are of the older form, with the height of tiles in them and `data` for entries.
#[test]
fn another_log_library_wants_the_same_tiles() {
    for (old, new) in [(0, 1), (0, 256), (255, 257), (0, 70_000), (69_999, 70_144), (65_535, 65_537)] {
        let mut theirs: Vec<_> =
            Tile::new_tiles(8, old, new).iter().map(|tile| tile.path().replacen("/8", "", 1)).collect();
        let hashes = tiles_between(old, new).filter(|tile| tile.level != TileLevel::Entries);
        let mut ours: Vec<_> = hashes.map(|tile| tile.path()).collect();
        theirs.sort();
        ours.sort();
        assert_eq!(ours, theirs, "{old} to {new}");
    }
}

fn theirs(path: &[Digest]) -> Vec<Hash> {
    path.iter().map(|hash| Hash(hash.0)).collect()
}
