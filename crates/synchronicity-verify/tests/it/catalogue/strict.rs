//! Where verifiers were seen to differ: signed notes that a lenient one takes.

use base64ct::{Base64, Encoding};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature::{TIME_MAX_SECONDS, cosign};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{self, KeyKind, NoteSignature, SIGNATURES_MAX, SignedNote};

use super::changed;
use super::notes::{good, with_small_order_nonce};
use crate::sample;
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [lines_of_one_key(), known_keys_that_fail(), points(), spellings(), beside_the_quorum()]
        .into_iter()
        .flatten()
        .collect()
}

fn bad(name: &'static str, flaw: &'static str, subject: impl ToString) -> Vector {
    super::vector("checkpoint", name, "invalid", flaw, subject.to_string())
}

fn with(change: impl FnOnce(&mut SignedNote)) -> SignedNote {
    let mut note = good();
    change(&mut note);
    note
}

fn lines_of_one_key() -> Vec<Vector> {
    let unknown = NoteSignature { name: "unknown.example".to_owned(), key_id: 7, signature: vec![6; 64] };
    let other_time = cosign(&sample::cosigner(3), &good().text, sample::TIME_S + 1).unwrap();
    let many = with(|note| {
        while note.signatures.len() < SIGNATURES_MAX {
            let name = format!("name-{}", note.signatures.len());
            note.signatures.push(NoteSignature { name, ..unknown.clone() });
        }
    });
    vec![
        super::vector("checkpoint", "checkpoint_64_lines", "verified", "none: so many are read", many.to_string()),
        bad(
            "note_duplicate_log_signature",
            "the log's line twice",
            with(|note| note.signatures.insert(1, note.signatures[0].clone())),
        ),
        bad(
            "note_duplicate_unknown_key",
            "a key that nobody knows, twice",
            with(|note| note.signatures.extend([unknown.clone(), unknown])),
        ),
        bad(
            "note_cosigner_at_two_times",
            "one cosigner twice, both good",
            with(|note| note.signatures.push(other_time)),
        ),
    ]
}

fn known_keys_that_fail() -> Vec<Vector> {
    let text = good().text;
    let seed = Digest::of(b"cosigner 1").0;
    let name = sample::cosigner(1).verifier_key().name().to_owned();
    // Signs what it is given, and so makes what a cosigner must not.
    let bare = note::Signer::from_seed(&name, KeyKind::Log, &seed).unwrap();
    let signed = |message: &str| note::sign(&bare, message).unwrap().signature;
    let late = TIME_MAX_SECONDS + 1;
    let beyond = [late.to_be_bytes().to_vec(), signed(&format!("cosignature/v1\ntime {late}\n{text}"))].concat();
    let time = sample::TIME_S;
    let headless = [time.to_be_bytes().to_vec(), signed(&text)].concat();
    let of_the_log = note::Signer::from_seed(sample::ORIGIN, KeyKind::Cosigner, &Digest::of(b"log").0).unwrap();
    let second = |signature: Vec<u8>| with(|note| note.signatures[2].signature = signature);
    vec![
        bad(
            "checkpoint_bad_cosignature_beside_good",
            "a known key fails; three others would do",
            with(|note| note.signatures[4].signature[70] ^= 1),
        ),
        bad(
            "checkpoint_cosignature_short",
            "71 bytes of a known key",
            second(good().signatures[2].signature[..71].to_vec()),
        ),
        bad("checkpoint_cosignature_without_time", "64 bytes of a known key", second(signed(&text))),
        bad("checkpoint_cosignature_of_bare_text", "the time is not signed", second(headless)),
        bad("checkpoint_cosignature_time_of_2_63", "a time that signed integers do not hold", second(beyond)),
        bad(
            "checkpoint_log_signature_long",
            "65 bytes of the log's key",
            with(|note| note.signatures[0].signature.push(0)),
        ),
        bad(
            "checkpoint_log_key_of_cosigner_type",
            "the log's key has cosigned instead of signing",
            with(|note| note.signatures[0] = cosign(&of_the_log, &text, time).unwrap()),
        ),
    ]
}

fn points() -> Vec<Vector> {
    // y = p + 1, a second spelling of the identity.
    let mut second_spelling = [0xff; 32];
    (second_spelling[0], second_spelling[31]) = (0xee, 0x7f);
    let seed = Digest::of(b"log").0;
    let forged = with_small_order_nonce(&seed, &good().text, second_spelling);
    vec![bad(
        "note_signature_nonce_not_canonical",
        "a second spelling of a point of small order",
        with(|note| note.signatures[0].signature = forged),
    )]
}

fn spellings() -> Vec<Vector> {
    let text = good().to_string();
    let root = good().text.lines().nth(2).unwrap().to_owned();
    let line = text.lines().last().unwrap();
    let (head, blob) = line.rsplit_once(' ').unwrap();
    // Of a root the last letter before the padding has two bits to spare, of a cosignature line all of 76 bytes four.
    let next = |text: &str, at: usize| {
        let letter = (text.as_bytes()[at] + 1) as char;
        format!("{}{letter}{}", &text[..at], &text[at + 1..])
    };
    let other_root = good().text.replace(&root, &next(&root, 42));
    let blank_line = format!("{}\n{}", sample::ORIGIN, &good().text);
    let signed = |text: &str| sample::signed(text, &[0, 1, 2, 3]);
    let blob_bits = next(blob, blob.trim_end_matches('=').len() - 1);
    let url = text.lines().skip(4).find(|line| line.contains(['+', '/'])).unwrap();
    let (url_head, url_blob) = url.rsplit_once(' ').unwrap();
    let url_blob = url_blob.replace('+', "-").replace('/', "_");
    let mut not_text = text.clone().into_bytes();
    not_text[3] = 0xff;
    let near = Checkpoint { origin: sample::ORIGIN.to_owned(), size: 7, root: Digest::of(b"") }.to_string();
    let control = near.replace('\n', "\n\u{1}");
    assert_eq!(Base64::decode_vec(blob).unwrap().len(), 76);
    vec![
        bad("checkpoint_root_trailing_bits", "trailing bits that are not zero", signed(&other_root)),
        bad("checkpoint_blank_line_in_text", "the text ends at the last blank line", signed(&blank_line)),
        bad("checkpoint_two_blank_lines", "an empty line before the blank line", text.replace("\n\n", "\n\n\n")),
        bad(
            "note_base64_trailing_bits",
            "trailing bits that are not zero",
            changed(&text, line, &format!("{head} {blob_bits}")),
        ),
        bad(
            "note_base64_url_alphabet",
            "the letters of another base64",
            changed(&text, url, &format!("{url_head} {url_blob}")),
        ),
        bad(
            "note_base64_in_two_parts",
            "a space within",
            changed(&text, blob, &format!("{} {}", &blob[..8], &blob[8..])),
        ),
        bad("note_tab_for_space", "a tab after the name", changed(&text, "builder-0 ", "builder-0\t")),
        bad("note_space_at_the_end", "a space after a line", changed(&text, line, &format!("{line} "))),
        bad("note_control_character", "a byte below 0x20", signed(&control)),
        bad("note_name_with_plus", "no key has such a name", changed(&text, "builder-0 ", "builder+0 ")),
        bad("note_name_with_no_break_space", "no key has such a name", changed(&text, "builder-0 ", "builder\u{a0}0 ")),
        super::vector("checkpoint", "note_not_utf8", "invalid", "not UTF-8", not_text),
    ]
}

/// The policy counts the first three; the fourth is only named.
fn beside_the_quorum() -> Vec<Vector> {
    let policy = sample::policy(3).to_string();
    let policy = changed(&policy, "3 builder-0 builder-1 builder-2 builder-3", "2 builder-0 builder-1 builder-2");
    let vector = |name, expect, flaw, note: SignedNote| Vector {
        policy: Some(policy.clone()),
        ..super::vector("checkpoint", name, expect, flaw, note.to_string())
    };
    vec![
        vector(
            "checkpoint_bad_cosignature_beside_the_quorum",
            "invalid",
            "a named witness that does not count fails",
            with(|note| note.signatures[4].signature[70] ^= 1),
        ),
        vector(
            "checkpoint_cosigned_beside_the_quorum",
            "below-threshold",
            "the second cosigner does not count",
            sample::signed(&good().text, &[0, 3]),
        ),
    ]
}
