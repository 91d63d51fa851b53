//! What makes a command its author's: a signature over it alone, or over a batch of the author's commands with the way from
//! this one to the batch.
//!
//! ```text
//! signature = bytes .size 64
//!           / [bytes .size 64, index: uint, size: 2..64, path: [* bytes .size 32]]
//! signed    = "synchronicity/command-signature/v1" 00 ‖ id
//!           / "synchronicity/command-batch/v1" 00 ‖ size (one byte) ‖ root
//! ```
//!
//! A batch's root is that of the Merkle tree of RFC 6962 (§2.1) whose entries are the ids of its commands, and the path is the
//! inclusion proof of the one at `index` (§2.1.1). So each command stands for itself, wherever it is kept or sent on its own, and
//! whoever has checked the signature for one of a batch need not check it for the others.

use ed25519_dalek::VerifyingKey;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::merkle::{ProofMismatch, inclusion_root, leaf_hash, root_and_inclusion_proofs};

/// Most commands under one signature. Each then carries an inclusion proof of six hashes.
pub const BATCH_COMMANDS_MAX: usize = 64;

const ALONE_DOMAIN: &[u8] = b"synchronicity/command-signature/v1\0";
const BATCH_DOMAIN: &[u8] = b"synchronicity/command-batch/v1\0";
const NAME_DOMAIN: &str = "synchronicity/checked-batch/v1";

/// As it is on the wire: nothing is checked but its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) bytes: [u8; 64],
    /// Where the command stands in its batch; `None` if it is signed alone.
    pub(super) place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) index: u8,
    pub(super) size: u8,
    pub(super) path: Vec<Digest>,
}

/// What an author has signed, if it has: the one thing that is left to check of a command.
pub struct SignedMessage {
    author: BuilderId,
    message: Vec<u8>,
    signature: [u8; 64],
    is_batch: bool,
}

impl Signature {
    pub(super) fn alone(id: &Digest, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Signature {
        Signature { bytes: sign(&alone(id)), place: None }
    }

    /// The signatures of at most [`BATCH_COMMANDS_MAX`] commands, in their order.
    pub(super) fn of_batch(ids: &[Digest], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Vec<Signature> {
        if let [id] = ids {
            return vec![Signature::alone(id, sign)];
        }
        let leaves: Vec<Digest> = ids.iter().map(|id| leaf_hash(&id.0)).collect();
        let size = u8::try_from(leaves.len()).expect("a batch has at most 64 commands");
        let (root, paths) = root_and_inclusion_proofs(&leaves);
        let bytes = sign(&batch(size, &root));
        let places = (0..size).zip(paths).map(|(index, path)| Place { index, size, path });
        places.map(|place| Signature { bytes, place: Some(place) }).collect()
    }

    /// What must be signed for this to be the signature of the command `id`.
    ///
    /// # Errors
    /// The inclusion proof is not as long as the command's place in the batch asks for.
    pub(super) fn message(&self, author: BuilderId, id: &Digest) -> Result<SignedMessage, ProofMismatch> {
        let message = match &self.place {
            None => alone(id),
            Some(Place { index, size, path }) => {
                batch(*size, &inclusion_root(&leaf_hash(&id.0), (*index).into(), (*size).into(), path)?)
            }
        };
        Ok(SignedMessage { author, message, signature: self.bytes, is_batch: self.place.is_some() })
    }
}

impl SignedMessage {
    /// Checks the signature, by the strict rule of ed25519-dalek: one answer everywhere, keys of small order refused.
    pub fn is_signed(&self) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&self.signature);
        VerifyingKey::from_bytes(&self.author.0).is_ok_and(|key| key.verify_strict(&self.message, &signature).is_ok())
    }

    /// What tells a batch, its author and its signature from any other, the same for each of its commands; `None` if only one
    /// command is signed.
    pub fn batch(&self) -> Option<Digest> {
        let name = || Digest::tagged(NAME_DOMAIN, &[&self.author.0, &self.signature, &self.message]);
        self.is_batch.then(name)
    }
}

fn alone(id: &Digest) -> Vec<u8> {
    [ALONE_DOMAIN, &id.0].concat()
}

fn batch(size: u8, root: &Digest) -> Vec<u8> {
    [BATCH_DOMAIN, &[size], &root.0].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By another program: SHA-256 with the prefixes of RFC 6962 over ids of 32 bytes 1, 2 and 3.
    const ROOT: &str = "df896896c799531f1fd1e556cea26a6989ab06853bcbfdd3e4f5097a611f658f";
    const FIRST_TWO: &str = "3a066e0f40c6a1981ebfa60d2411625d0517ae22c2fc8c7c1784ff8a75c78565";
    const FIRST: &str = "dcffe786ded16d283c663846ad0c4ff26558fccde36ca9d30b2ea19eade9fc0e";
    const SECOND: &str = "cba8c596120bdb69debbd923d92cba948bde7c7d06a465a1bb7d98d3116038fa";
    const THIRD: &str = "acaa04663a8547a2f70c60cc18f9378796b13c4f9a08f70d6adae662365b30c6";

    #[test]
    fn a_batch_of_three_is_signed_and_proven_as_it_is_documented() {
        let hash = |digits: &str| digits.parse::<Digest>().unwrap();
        let mut message = Vec::new();
        let signatures = Signature::of_batch(&[1, 2, 3].map(|byte| Digest([byte; 32])), |it| {
            message = it.to_vec();
            [9; 64]
        });
        assert_eq!(message, [b"synchronicity/command-batch/v1\0\x03".as_slice(), &hash(ROOT).0].concat());
        let paths = [vec![SECOND, THIRD], vec![FIRST, THIRD], vec![FIRST_TWO]];
        for (signature, (index, path)) in signatures.iter().zip((0..).zip(paths)) {
            let path = path.into_iter().map(hash).collect();
            assert_eq!(*signature, Signature { bytes: [9; 64], place: Some(Place { index, size: 3, path }) });
        }
        assert_eq!(signatures.len(), 3);
    }
}
