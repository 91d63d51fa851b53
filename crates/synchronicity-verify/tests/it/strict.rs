//! Signatures are accepted exactly when `verify_strict` accepts them, whatever points of small order are in play.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use sha2::{Digest as _, Sha512};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{self, KeyKind, NoteSignature, VerifierKey};

const NAME: &str = "log";

/// How often each way of verifying accepted.
#[derive(Debug, Default)]
struct Count {
    strictly: usize,
    /// Accepted by the plain rule, refused by the strict one.
    only_loosely: usize,
}

/// The key's secret and R's are known, and to each a point of small order is added: over enough texts every outcome of
/// the equation occurs, also the one where all of R is of small order.
#[test]
fn our_rule_for_signatures_is_the_strict_one_for_every_mixture_of_orders() {
    let secret = scalar(b"secret");
    let mut count = Count::default();
    let mut loose_nonces = std::collections::BTreeSet::new();
    for key_torsion in EIGHT_TORSION {
        let key = (secret * ED25519_BASEPOINT_POINT + key_torsion).compress();
        for nonce in [Scalar::ZERO, scalar(b"nonce")] {
            for nonce_torsion in EIGHT_TORSION {
                let r = (nonce * ED25519_BASEPOINT_POINT + nonce_torsion).compress();
                for attempt in 0..24 {
                    let text = format!("text {attempt}\n");
                    let before = count.only_loosely;
                    compare(&key, &r, nonce + challenge(&r, &key, &text) * secret, &text, &mut count);
                    if count.only_loosely > before {
                        loose_nonces.insert(r.to_bytes());
                    }
                }
            }
        }
    }
    assert!(count.strictly > 100 && count.only_loosely > 20, "{count:?}: the rules did not come apart");
    let small: std::collections::BTreeSet<_> = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
    assert_eq!(loose_nonces, small, "not every point of small order was tried with an equation that holds");
}

#[test]
fn second_spellings_of_r_and_of_the_scalar_are_refused_as_the_strict_rule_refuses_them() {
    let secret = scalar(b"secret");
    let key = (secret * ED25519_BASEPOINT_POINT).compress();
    let mut count = Count::default();
    // Every y from p on that 255 bits can say, with either sign: 2^255 - 19 is p.
    for low in 0xed..=0xff_u8 {
        for high in [0x7f, 0xff] {
            let mut r = [0xff; 32];
            (r[0], r[31]) = (low, high);
            let r = CompressedEdwardsY(r);
            for attempt in 0..4 {
                let text = format!("text {attempt}\n");
                compare(&key, &r, challenge(&r, &key, &text) * secret, &text, &mut count);
            }
        }
    }
    assert_eq!((count.strictly, count.only_loosely), (0, 0));
    let text = "text\n";
    let r = (scalar(b"nonce") * ED25519_BASEPOINT_POINT).compress();
    let s = scalar(b"nonce") + challenge(&r, &key, text) * secret;
    compare(&key, &r, s, text, &mut count);
    assert_eq!(count.strictly, 1);
    let mut unreduced = [0; 64];
    unreduced[..32].copy_from_slice(r.as_bytes());
    unreduced[32..].copy_from_slice(&plus_order(s));
    assert!(!accepted(&key, &unreduced, text));
}

/// Our rule and the strict one on the signature (r, s) over `text`.
fn compare(key: &CompressedEdwardsY, r: &CompressedEdwardsY, s: Scalar, text: &str, count: &mut Count) {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(r.as_bytes());
    signature[32..].copy_from_slice(s.as_bytes());
    let point = VerifyingKey::from_bytes(key.as_bytes()).unwrap();
    let strictly = point.verify_strict(text.as_bytes(), &Signature::from_bytes(&signature)).is_ok();
    let loosely = point.verify(text.as_bytes(), &Signature::from_bytes(&signature)).is_ok();
    assert_eq!(accepted(key, &signature, text), strictly, "key {key:?}, R {r:?}, {text}");
    count.strictly += usize::from(strictly);
    count.only_loosely += usize::from(loosely && !strictly);
}

/// Whether our code accepts the key at all, and then the signature.
fn accepted(key: &CompressedEdwardsY, signature: &[u8; 64], text: &str) -> bool {
    let Ok(key) = VerifierKey::new(NAME, KeyKind::Log, key.as_bytes()) else { return false };
    let line = NoteSignature { name: NAME.to_owned(), key_id: key.id(), signature: signature.to_vec() };
    note::verify(&key, text, &line).is_ok()
}

fn scalar(name: &[u8]) -> Scalar {
    Scalar::from_bytes_mod_order(Digest::of(name).0)
}

/// RFC 8032's k.
fn challenge(r: &CompressedEdwardsY, key: &CompressedEdwardsY, text: &str) -> Scalar {
    let hash = Sha512::new().chain_update(r.as_bytes()).chain_update(key.as_bytes()).chain_update(text);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// s + l, the group's order: the same scalar, spelled again.
fn plus_order(s: Scalar) -> [u8; 32] {
    let order_minus_one = (-Scalar::ONE).to_bytes();
    let mut carry = 1;
    let mut sum = [0; 32];
    for (byte, (a, b)) in sum.iter_mut().zip(s.to_bytes().iter().zip(&order_minus_one)) {
        let total = u16::from(*a) + u16::from(*b) + carry;
        *byte = total.to_le_bytes()[0];
        carry = total >> 8;
    }
    sum
}
