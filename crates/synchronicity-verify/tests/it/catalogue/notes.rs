use curve25519_dalek::Scalar;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha512};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, NoteSignature, SIGNATURES_MAX, SignedNote};

use super::changed;
use crate::sample;
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [ignored(), checkpoints(), notes()].into_iter().flatten().collect()
}

fn vector(name: &'static str, expect: &'static str, flaw: &'static str, subject: impl ToString) -> Vector {
    super::vector("checkpoint", name, expect, flaw, subject.to_string())
}

pub(crate) fn good() -> SignedNote {
    sample::good_proof().checkpoint
}

fn with_line(line: NoteSignature) -> SignedNote {
    let mut note = good();
    note.signatures.push(line);
    note
}

/// Lines that a verifier must not mind.
fn ignored() -> Vec<Vector> {
    let outside = sample::signer("witness.example", KeyKind::Cosigner, "outside");
    let outside = cosign(&outside, &good().text, sample::TIME_S).unwrap();
    let known = good().signatures[1].clone();
    let colliding = NoteSignature { name: "witness.example".to_owned(), ..known.clone() };
    let other_id = NoteSignature { key_id: known.key_id ^ 1, ..known };
    let unknown = NoteSignature { name: "pq.example".to_owned(), key_id: 7, signature: vec![6; 2428] };
    vec![
        vector("checkpoint_good", "verified", "none", good()),
        vector("checkpoint_unknown_witness", "verified", "none: an unknown key is ignored", with_line(outside)),
        vector("checkpoint_unknown_algorithm", "verified", "none: an unknown key is ignored", with_line(unknown)),
        vector("checkpoint_key_id_of_other_name", "verified", "none: a known id, another name", with_line(colliding)),
        vector("checkpoint_name_with_other_key_id", "verified", "none: a known name, another id", with_line(other_id)),
    ]
}

fn checkpoints() -> Vec<Vector> {
    let text = good().text;
    let signed = |name, flaw, text: String| vector(name, "invalid", flaw, sample::signed(&text, &[0, 1, 2, 3]));
    let size = |size: &str| changed(&text, "\n7\n", &format!("\n{size}\n"));
    let root = text.lines().nth(2).unwrap();
    let empty = Checkpoint { origin: sample::ORIGIN.to_owned(), size: 0, root: Digest::of(b"not empty") };
    vec![
        signed("checkpoint_two_origins", "two origins", format!("{}\n{text}", sample::ORIGIN)),
        signed("checkpoint_extension_line", "a line that builders did not compute", format!("{text}extension\n")),
        signed("checkpoint_size_leading_zero", "a second spelling of the size", size("07")),
        signed("checkpoint_size_plus_sign", "a second spelling of the size", size("+7")),
        signed("checkpoint_size_of_2_63", "a size that signed integers do not hold", size("9223372036854775808")),
        signed("checkpoint_size_missing", "no size", changed(&text, "\n7\n", "\n")),
        signed("checkpoint_root_short", "a root of 30 bytes", changed(&text, root, &root[..40])),
        signed("checkpoint_empty_with_other_root", "the empty log has one root only", empty.to_string()),
    ]
}

fn notes() -> Vec<Vector> {
    let text = good().to_string();
    let line = text.lines().last().unwrap();
    let mut doubled_bad = good().signatures[4].clone();
    doubled_bad.signature[70] ^= 1;
    let mut unreduced = good();
    add_order(&mut unreduced.signatures[1].signature[40..]);
    let mut small_order = good();
    let mut identity = [0; 32];
    identity[0] = 1;
    small_order.signatures[0].signature = with_small_order_nonce(&Digest::of(b"log").0, &small_order.text, identity);
    let key = sample::log_signer().verifier_key().public_bytes().to_owned();
    let loose = ed25519_dalek::Signature::from_slice(&small_order.signatures[0].signature).unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(&key).unwrap();
    ed25519_dalek::Verifier::verify(&key, small_order.text.as_bytes(), &loose).unwrap();
    let many = (0..SIGNATURES_MAX).fold(good(), |mut note, number| {
        note.signatures.push(NoteSignature { name: format!("name-{number}"), key_id: 1, signature: vec![0; 64] });
        note
    });
    let (first, last) = line.rsplit_once(' ').unwrap();
    let bits = format!("{first} {}", changed(last, "==", "="));
    let bad = |name, flaw, text: String| vector(name, "invalid", flaw, text);
    vec![
        bad("note_duplicate_signature", "the same line twice", format!("{text}{line}\n")),
        bad("note_duplicate_key_bad_signature", "one key twice, once bad", with_line(doubled_bad).to_string()),
        bad("note_signature_scalar_not_reduced", "a second spelling of a good signature", unreduced.to_string()),
        bad("note_signature_nonce_of_small_order", "verifies loosely, not strictly", small_order.to_string()),
        bad("note_too_many_signatures", "more lines than are read", many.to_string()),
        bad("note_base64_unpadded", "base64 with too little padding", changed(&text, line, &bits)),
        bad("note_blank_line_missing", "nothing divides text and signatures", text.replace("\n\n", "\n")),
        bad("note_final_newline_missing", "the last line is cut off", text.trim_end().to_owned()),
        bad("note_crlf", "carriage returns", text.replace('\n', "\r\n")),
        bad("note_hyphen_for_dash", "a hyphen where the dash belongs", changed(&text, "— ", "- ")),
        bad("note_two_spaces", "two spaces after the name", changed(&text, "builder-0 ", "builder-0  ")),
        bad("note_line_without_signature", "no more than a key id", format!("{text}— name AAAAAQ==\n")),
    ]
}

/// A signature whose point R is the identity, spelled as given: `[s]B = R + [k]A` holds, so that only a strict verifier
/// refuses it.
pub(crate) fn with_small_order_nonce(seed: &[u8; 32], text: &str, identity: [u8; 32]) -> Vec<u8> {
    let key = SigningKey::from_bytes(seed);
    let mut hash = Sha512::new();
    hash.update(identity);
    hash.update(key.verifying_key().as_bytes());
    hash.update(text);
    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let s = k * key.to_scalar();
    [identity, s.to_bytes()].concat()
}

/// Adds the order of the group of Ed25519 to a scalar: verifiers that do not insist on reduced scalars see no change.
fn add_order(scalar: &mut [u8]) {
    let order = 0x14de_f9de_a2f7_9cd6_5812_631a_5cf5_d3ed_u128.to_le_bytes();
    let order = order.into_iter().chain([0; 15]).chain([0x10]);
    let mut carry = 0;
    for (byte, order) in scalar.iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}
