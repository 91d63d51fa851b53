use base64ct::{Base64, Encoding};
use proptest::prelude::*;
use synchronicity_verify::checkpoint::{Checkpoint, CheckpointError};
use synchronicity_verify::cosignature::{self, TIME_MAX_SECONDS, cosign};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::EMPTY_ROOT;
use synchronicity_verify::note::{self, KeyError, KeyKind, NoteError, SIGNATURES_MAX, SignedNote, VerifierKey};

use crate::sample;

/// The example of the C2SP `signed-note` specification.
const SPEC_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_NOTE: &str = "This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
";
/// The example of the C2SP `tlog-cosignature` specification.
const SPEC_CHECKPOINT: &str = "example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
";
/// Order of the group of Ed25519, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn the_key_and_note_of_the_specification_verify() {
    let key: VerifierKey = SPEC_KEY.parse().unwrap();
    assert_eq!((key.name(), key.kind(), key.id()), ("example.com/foo", KeyKind::Log, 0x530d_903a));
    assert_eq!(key.to_string(), SPEC_KEY);
    let note = SignedNote::parse(SPEC_NOTE.as_bytes()).unwrap();
    assert_eq!(note.to_string(), SPEC_NOTE);
    note::verify(&key, &note.text, note.signature_of(&key).unwrap()).unwrap();
    note::verify(&key, "Another message.\n", &note.signatures[0]).unwrap_err();
}

#[test]
fn the_checkpoint_of_the_specification_is_read() {
    let note = SignedNote::parse(SPEC_CHECKPOINT.as_bytes()).unwrap();
    assert_eq!(note.to_string(), SPEC_CHECKPOINT);
    let checkpoint: Checkpoint = note.text.parse().unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.to_string(), note.text);
    let witness = &note.signatures[1];
    assert_eq!((witness.key_id, witness.signature.len()), (0x8d66_cf3f, 72));
    assert_eq!(witness.signature[..8], 1_679_315_147_u64.to_be_bytes());
}

#[test]
fn a_cosignature_holds_for_its_text_time_and_key_alone() {
    let (signer, text) = (sample::cosigner(0), "origin\n1\nhash\n");
    let line = cosign(&signer, text, sample::TIME_S).unwrap();
    let key = signer.verifier_key();
    assert_eq!(cosignature::verify(key, text, &line), Ok(sample::TIME_S));
    assert!(cosignature::verify(key, "origin\n2\nhash\n", &line).is_err());
    assert!(cosignature::verify(sample::cosigner(1).verifier_key(), text, &line).is_err());
    let mut later = line.clone();
    later.signature[7] ^= 1;
    assert!(cosignature::verify(key, text, &later).is_err());
    let mut short = line.clone();
    short.signature.pop();
    assert!(cosignature::verify(key, text, &short).is_err());
    short.signature.truncate(7);
    assert!(cosignature::verify(key, text, &short).is_err());
}

#[test]
fn a_cosignature_time_of_2_to_the_63_is_refused_and_never_made() {
    let (signer, text) = (sample::cosigner(0), "text\n");
    let line = cosign(&signer, text, u64::MAX).unwrap();
    assert_eq!(cosignature::verify(signer.verifier_key(), text, &line), Ok(TIME_MAX_SECONDS));
    // A signature that is good in itself, by a key of the other kind and the same secret.
    let seed = Digest::of(b"cosigner 0").0;
    let plain = note::Signer::from_seed(signer.verifier_key().name(), KeyKind::Log, &seed).unwrap();
    let time = TIME_MAX_SECONDS + 1;
    let signature = note::sign(&plain, &format!("cosignature/v1\ntime {time}\n{text}")).unwrap().signature;
    let mut forged = line;
    forged.signature = [time.to_be_bytes().to_vec(), signature].concat();
    assert!(cosignature::verify(signer.verifier_key(), text, &forged).is_err());
}

#[test]
fn a_key_signs_one_kind_of_statement_only() {
    assert!(cosign(&sample::log_signer(), "text\n", 1).is_err());
    assert!(note::sign(&sample::cosigner(0), "text\n").is_err());
    let line = note::sign(&sample::log_signer(), "text\n").unwrap();
    assert!(cosignature::verify(sample::log_signer().verifier_key(), "text\n", &line).is_err());
}

#[test]
fn keys_of_small_order_and_second_spellings_of_points_are_refused() {
    let refused = |public: [u8; 32]| {
        assert_eq!(VerifierKey::new("name", KeyKind::Log, &public), Err(KeyError::Point), "{public:x?}");
    };
    for sign in [0, 0x80] {
        // y = 1, 0, -1 have order 1, 4, 2 (with sign: other spellings), and from p on every y is a second spelling.
        for low in [0, 1] {
            let mut public = [0; 32];
            public[0] = low;
            public[31] = sign;
            refused(public);
        }
        for low in 0xec..=0xff {
            let mut public = [0xff; 32];
            public[0] = low;
            public[31] = 0x7f | sign;
            refused(public);
        }
    }
    let order_eight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    refused(order_eight.parse::<Digest>().unwrap().0);
}

#[test]
fn a_second_spelling_of_a_signature_is_refused() {
    let signer = sample::log_signer();
    let mut line = note::sign(&signer, "text\n").unwrap();
    note::verify(signer.verifier_key(), "text\n", &line).unwrap();
    let mut carry = 0;
    for (byte, order) in line.signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    note::verify(signer.verifier_key(), "text\n", &line).unwrap_err();
}

#[test]
fn malformed_keys_are_refused() {
    let parse = |text: &str| text.parse::<VerifierKey>();
    let public = &SPEC_KEY[25..];
    assert_eq!(parse("example.com/foo"), Err(KeyError::Malformed));
    assert_eq!(parse(&SPEC_KEY.replace("530d903a", "530D903A")), Err(KeyError::Malformed));
    assert_eq!(parse(&SPEC_KEY.replace("530d903a", "30d903a")), Err(KeyError::Malformed));
    assert_eq!(parse(&SPEC_KEY[..SPEC_KEY.len() - 1]), Err(KeyError::Malformed));
    assert!(matches!(parse(&SPEC_KEY.replace("530d903a", "530d903b")), Err(KeyError::Id { .. })));
    assert!(matches!(parse(&SPEC_KEY.replace("foo", "fop")), Err(KeyError::Id { .. })));
    assert!(matches!(parse(&format!("+530d903a+{public}")), Err(KeyError::Name(_))));
    assert!(matches!(parse(&format!("a\u{a0}b+530d903a+{public}")), Err(KeyError::Name(_))));
    for kind in [0x00, 0x02, 0x05, 0x06, 0xff] {
        let mut key = [7; 33];
        key[0] = kind;
        let text = format!("name+00000000+{}", Base64::encode_string(&key));
        assert_eq!(parse(&text), Err(KeyError::Kind(kind)));
    }
}

#[test]
fn notes_that_are_not_quite_notes_are_refused() {
    let refused = |note: String, expected: fn(&NoteError) -> bool| {
        let error = SignedNote::parse(note.as_bytes()).unwrap_err();
        assert!(expected(&error), "{error}: {note}");
    };
    let change = |from: &str, to: &str| SPEC_NOTE.replacen(from, to, 1);
    refused(change("\n\n", "\n"), |error| matches!(error, NoteError::Truncated));
    refused(SPEC_NOTE.trim_end().to_owned(), |error| matches!(error, NoteError::Truncated));
    refused(format!("{SPEC_NOTE}\n"), |error| matches!(error, NoteError::Truncated));
    refused(SPEC_NOTE.replace('\n', "\r\n"), |error| matches!(error, NoteError::NotText));
    refused(change("This is", "This\tis"), |error| matches!(error, NoteError::NotText));
    refused(change("— ", "- "), |error| matches!(error, NoteError::Line(1)));
    refused(change("— ", "—  "), |error| matches!(error, NoteError::Line(1)));
    refused(change("foo Uw", "foo  Uw"), |error| matches!(error, NoteError::Line(1)));
    refused(change("yaQM=\n", "yaQM= \n"), |error| matches!(error, NoteError::Line(1)));
    // Trailing bits that are not zero, missing padding, and nothing but a key id.
    refused(change("yaQM=", "yaQN="), |error| matches!(error, NoteError::Line(1)));
    refused(change("yaQM=", "yaQM"), |error| matches!(error, NoteError::Line(1)));
    refused("text\n\n— name Uw2QOg==\n".to_owned(), |error| matches!(error, NoteError::Line(1)));
    let line = SPEC_NOTE.lines().nth(2).unwrap();
    refused(format!("{SPEC_NOTE}{line}\n"), |error| matches!(error, NoteError::Duplicate { .. }));
    // The same key twice, once with a signature that is not even of the right length.
    refused(format!("{SPEC_NOTE}— example.com/foo Uw2QOkk=\n"), |error| matches!(error, NoteError::Duplicate { .. }));
    let many: String = (0..=SIGNATURES_MAX).map(|number| format!("— name{number} Uw2QOkk=\n")).collect();
    refused(format!("text\n\n{many}"), |error| matches!(error, NoteError::TooMany));
    assert!(matches!(SignedNote::parse(&[b'a', 0xff]), Err(NoteError::NotText)));
}

#[test]
fn the_text_of_a_note_ends_at_its_last_blank_line() {
    let note = SignedNote::parse("a\n\nb\n\n— name Uw2QOkk=\n".as_bytes()).unwrap();
    assert_eq!(note.text, "a\n\nb\n");
    assert_eq!(note.signatures.len(), 1);
}

#[test]
fn checkpoints_have_one_spelling() {
    let good = Checkpoint { origin: "origin".to_owned(), size: 0, root: EMPTY_ROOT };
    let text = good.to_string();
    assert_eq!(text.parse(), Ok(good));
    let refused = |text: String, expected| assert_eq!(text.parse::<Checkpoint>(), Err(expected), "{text}");
    refused(text.trim_end().to_owned(), CheckpointError::Lines);
    refused(format!("{text}extension\n"), CheckpointError::Lines);
    refused(format!("{text}\n"), CheckpointError::Lines);
    refused(text.replace("origin", ""), CheckpointError::Origin);
    refused(text.replace("origin", "ori gin"), CheckpointError::Origin);
    for size in ["", "00", "01", "+1", "-1", "1 ", "0x1", "9223372036854775808", "99999999999999999999"] {
        refused(text.replace("\n0\n", &format!("\n{size}\n")), CheckpointError::Size);
    }
    refused(text.replace("\n47", "\n57"), CheckpointError::Root);
    refused(text.replace("=\n", "\n"), CheckpointError::Root);
    refused(text.replace("U=\n", "V=\n"), CheckpointError::Root);
}

proptest! {
    #[test]
    fn a_note_survives_its_text(text in "([a-z ]{0,9}\n){1,4}", names in prop::collection::btree_set("[a-z/.]{1,9}", 1..9)) {
        let signatures = names
            .into_iter()
            .map(|name| note::sign(&sample::signer(&name, KeyKind::Log, &name), &text).unwrap())
            .collect();
        let note = SignedNote { text, signatures };
        prop_assert_eq!(SignedNote::parse(note.to_string().as_bytes()).unwrap(), note);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,200}", lines in "([0-9a-zA-Z+/= —]{0,50}\n){0,6}") {
        for text in [text, lines] {
            let _ = SignedNote::parse(text.as_bytes());
            let _ = text.parse::<Checkpoint>();
            let _ = text.parse::<VerifierKey>();
        }
    }
}
