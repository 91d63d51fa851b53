//! The whole offline decision, by what its signatures alone would cost.

use std::hint::black_box;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{leaf_hash, node_hash};
use synchronicity_verify::policy::Policy;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::verify::verify;

use crate::report::{Bound, Report};
use crate::sample;
use crate::turns::take_turns;

const ROUNDS: usize = 401;
/// The proof is of a log of 2^20 entries.
const PATH: usize = 20;
const INDEX: u64 = 700_000;

/// Compares a decision with this many bare strict verifications of messages of the same size: of a proof that holds so
/// many signatures, and of one that holds so many cosignatures and the log's own signature, which is one more.
pub(crate) fn compare(signatures: usize, report: &mut Report) {
    let (even, more) = (Case::new(signatures - 1), Case::new(signatures));
    let message = format!("cosignature/v1\ntime {}\n{}", sample::TIME_S, more.checkpoint);
    let bare: Vec<(VerifyingKey, Signature)> = (0..signatures)
        .map(|signer| SigningKey::from_bytes(&Digest::of(&signer.to_be_bytes()).0))
        .map(|key| (key.verifying_key(), key.sign(message.as_bytes())))
        .collect();
    let mut alone = || {
        for (key, signature) in black_box(&bare) {
            assert!(key.verify_strict(black_box(message.as_bytes()), signature).is_ok());
        }
    };
    let turns = take_turns(ROUNDS, &mut [&mut || even.decide(), &mut || more.decide(), &mut alone]);
    let peer = format!("{signatures} bare verifications");
    report.row(&even.what(), &peer, &turns, (0, 2), 1, Bound::AtMost(1.15));
    report.row(&more.what(), &peer, &turns, (1, 2), 1, Bound::None);
}

/// A proof and its policy.
struct Case {
    witnesses: usize,
    proof: String,
    checkpoint: String,
    policy: Policy,
}

impl Case {
    fn new(witnesses: usize) -> Self {
        let cosigners: Vec<usize> = (0..witnesses).collect();
        let quorum = witnesses * 2 / 3 + 1;
        let keys = cosigners.iter().map(|member| sample::witness(*member)).collect();
        let log = sample::log_signer().verifier_key().clone();
        let policy = Policy::any_of(log, None, keys, quorum).expect("a quorum of different keys");
        let results = vec![Some(sample::built("the binary")); witnesses];
        let threshold = u16::try_from(quorum).expect("a small group");
        let proof = proof(sample::entry(threshold, &results).to_bytes(), &cosigners);
        Self { witnesses, proof: proof.to_string(), checkpoint: proof.checkpoint.text, policy }
    }

    fn decide(&self) {
        assert!(verify(black_box(self.proof.as_bytes()), black_box(&self.policy), None).is_ok());
    }

    fn what(&self) -> String {
        format!("decision, {} witnesses and the log", self.witnesses)
    }
}

/// A proof in a full tree of 2^20 leaves of which only the path is known.
fn proof(entry: Vec<u8>, cosigners: &[usize]) -> Proof {
    let path: Vec<_> = (0..PATH).map(|level| Digest::of(&level.to_be_bytes())).collect();
    let root = path.iter().enumerate().fold(leaf_hash(&entry), |hash, (level, sibling)| {
        if INDEX >> level & 1 == 1 { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) }
    });
    let checkpoint = Checkpoint { origin: sample::ORIGIN.to_owned(), size: 1 << PATH, root };
    Proof { entry, index: INDEX, path, checkpoint: sample::signed(&checkpoint.to_string(), cosigners) }
}
