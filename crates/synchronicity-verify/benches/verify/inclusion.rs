//! Checking that an entry stands in the log.

use std::hint::black_box;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{leaf_hash, verify_inclusion};
use synchronicity_verify::proof::Proof;
use tlog_tiles::tlog::{Hash, check_record, prove_record, record_hash, tree_hash};

use crate::report::{Bound, Report};
use crate::sample;
use crate::stored::Stored;
use crate::turns::take_turns;

const ROUNDS: usize = 101;
/// Proofs checked each round, spread over the log.
const PROOFS: u64 = 64;

/// Returns our cost in nanoseconds, the number of hashes of a path, and the bytes of a whole proof file.
pub(crate) fn compare(log2: u32, stored: &Stored, report: &mut Report) -> (f64, usize, usize) {
    let size = stored.size;
    let root = tree_hash(size, stored).expect("every hash is stored");
    let indices = (0..PROOFS).map(|number| number * (size / PROOFS) + number % (size / PROOFS));
    let theirs: Vec<_> = indices
        .map(|index| {
            let path = prove_record(size, index, stored).expect("every hash is stored");
            (index, record_hash(&index.to_be_bytes()), path)
        })
        .collect();
    let ours: Vec<_> = theirs
        .iter()
        .map(|(index, _, path)| {
            let path: Vec<_> = path.iter().map(|hash| Digest(hash.0)).collect();
            (*index, leaf_hash(&index.to_be_bytes()), path)
        })
        .collect();
    let our_root = Digest(root.0);
    let mut we_check = || {
        for (index, leaf, path) in black_box(&ours) {
            assert!(verify_inclusion(leaf, *index, size, path, &our_root).is_ok());
        }
    };
    let mut they_check = || {
        for (index, leaf, path) in black_box(&theirs) {
            assert!(check_record(path, size, root, *index, *leaf).is_ok());
        }
    };
    let turns = take_turns(ROUNDS, &mut [&mut we_check, &mut they_check]);
    let what = format!("inclusion check at 2^{log2}");
    report.row(&what, "tlog_tiles", &turns, (0, 1), PROOFS as usize, Bound::AtMost(1.1));
    let longest = &theirs[theirs.len() - 1].2;
    (turns.nanos(0, PROOFS as usize), longest.len(), proof_bytes(longest))
}

/// A proof file with four cosignatures and a path of this length.
fn proof_bytes(path: &[Hash]) -> usize {
    let path = path.iter().map(|hash| Digest(hash.0)).collect();
    Proof { path, index: (1 << 20) - 1, ..sample::good_proof() }.to_string().len()
}
