use base64ct::{Base64, Encoding};
use curve25519_dalek::constants::EIGHT_TORSION;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::KeyKind;

use super::{changed, vector};
use crate::sample;
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [policies(), policy_files(), keys()].into_iter().flatten().collect()
}

fn policies() -> Vec<Vector> {
    let good = sample::policy(3).to_string();
    let groups = "group builders 3 builder-0 builder-1 builder-2 builder-3\n";
    let alias = sample::signer("alias.example", KeyKind::Cosigner, "cosigner 0").verifier_key().to_string();
    let log_key = sample::log_signer().verifier_key().to_string();
    let log_as_witness = sample::signer(sample::ORIGIN, KeyKind::Cosigner, "log").verifier_key().to_string();
    let nested = "group x 1 builder-0 builder-1\ngroup y 2 builder-2 builder-3\ngroup builders all x y\n";
    let accepted = |name, text: String| vector("policy", name, "accepted", "none", text);
    let refused = |name, flaw, text: String| vector("policy", name, "refused", flaw, text);
    vec![
        accepted("policy_good", good.clone()),
        accepted("policy_good_nested", changed(&good, groups, nested)),
        accepted("policy_good_comments_and_tabs", format!("# ours\n \t# and why\n\n{}", good.replace(' ', " \t"))),
        accepted(
            "policy_good_urls",
            good.replace("\nwitness builder-1", " https://builder-0.example/\nwitness builder-1"),
        ),
        accepted("policy_good_quorum_none", format!("log {log_key}\nquorum none\n")),
        accepted("policy_good_quorum_of_one_witness", changed(&good, "quorum builders", "quorum builder-2")),
        refused("policy_threshold_zero", "nobody needs to cosign", changed(&good, "builders 3", "builders 0")),
        refused("policy_threshold_above_members", "can never be reached", changed(&good, "builders 3", "builders 5")),
        refused("policy_threshold_leading_zero", "a second spelling", changed(&good, "builders 3", "builders 03")),
        refused(
            "policy_threshold_missing",
            "a member where the number belongs",
            changed(&good, "builders 3", "builders"),
        ),
        refused("policy_group_without_members", "nobody to count", format!("{good}group empty any\n")),
        refused("policy_same_key_twice", "one key has two votes", format!("{good}witness again {}\n", key(0))),
        refused("policy_same_key_two_names", "one public key has two votes", format!("{good}witness again {alias}\n")),
        refused(
            "policy_log_key_as_witness",
            "the log's key has a vote",
            format!("{good}witness log {log_as_witness}\n"),
        ),
        refused("policy_witness_key_of_log_type", "a key that cosigns nothing", format!("{good}witness w {log_key}\n")),
        refused(
            "policy_witness_in_two_groups",
            "one witness has two votes",
            format!("{good}group more any builder-0\n"),
        ),
        refused(
            "policy_witness_twice_in_a_group",
            "one witness has two votes",
            changed(&good, "3 builder-0 builder-1", "3 builder-0 builder-0"),
        ),
        refused(
            "policy_group_before_witness",
            "a name before its definition",
            format!("group g any builder-9\n{good}"),
        ),
        refused("policy_group_of_itself", "a name before its definition", format!("{good}group g any g\n")),
        refused("policy_group_of_none", "none is no member", format!("{good}group g any none\n")),
        refused("policy_group_named_none", "none is taken", format!("{good}witness none {}\n", key(4))),
    ]
}

/// The file as a whole: what must be in it once, and how it is spelled.
fn policy_files() -> Vec<Vector> {
    let good = sample::policy(3).to_string();
    let log_key = sample::log_signer().verifier_key().to_string();
    let weak = format!("{good}witness weak {}\n", of_type_with_id("weak.example", 4, IDENTITY));
    let refused = |name, flaw, text: String| vector("policy", name, "refused", flaw, text);
    vec![
        refused("policy_two_logs", "two logs", format!("{good}log {log_key}\n")),
        refused("policy_two_quorums", "two quorums", format!("{good}quorum none\n")),
        refused("policy_no_quorum", "no quorum", changed(&good, "quorum builders\n", "")),
        refused("policy_no_log", "no log", changed(&good, "log ", "# log ")),
        refused("policy_unknown_keyword", "a word that nobody knows", format!("{good}threshold 3\n")),
        refused(
            "policy_no_break_space",
            "items are separated by spaces and tabs alone",
            changed(&good, "quorum ", "quorum\u{a0}"),
        ),
        refused("policy_vertical_tab", "a control character", changed(&good, "quorum ", "quorum\u{b}")),
        refused("policy_quorum_undefined", "a name without definition", changed(&good, "quorum builders", "quorum us")),
        refused("policy_name_twice", "two witnesses of one name", format!("{good}witness builder-0 {}\n", key(4))),
        refused("policy_key_of_small_order", "any signature of it verifies loosely", weak),
        refused("policy_crlf", "carriage returns", good.replace('\n', "\r\n")),
        refused("policy_final_newline_missing", "the last line may be cut off", good.trim_end().to_owned()),
    ]
}

/// The neutral point, of order 1.
const IDENTITY: [u8; 32] = first_byte(1);

/// No point of the curve has y = 2.
const NO_POINT: [u8; 32] = first_byte(2);

const fn first_byte(byte: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = byte;
    bytes
}

/// A key text whose id is right, whatever its point is.
fn of_type_with_id(name: &str, kind: u8, public: [u8; 32]) -> String {
    let key = [vec![kind], public.to_vec()].concat();
    let id = Digest::of(&[name.as_bytes(), b"\n", &key].concat()).to_string();
    format!("{name}+{}+{}", &id[..8], Base64::encode_string(&key))
}

fn key(member: usize) -> String {
    sample::cosigner(member).verifier_key().to_string()
}

fn keys() -> Vec<Vector> {
    let good = sample::log_signer().verifier_key().to_string();
    let id = good.split('+').nth(1).unwrap();
    let of_type = |kind: u8, public: [u8; 32]| {
        let key = [vec![kind], public.to_vec()].concat();
        format!("name+00000000+{}", Base64::encode_string(&key))
    };
    let mut order_2 = [0xff; 32];
    (order_2[0], order_2[31]) = (0xec, 0x7f);
    // Whoever looks at the point before the id, or at the id before the point, must refuse all of these.
    let of_order = |public| of_type_with_id("name", 1, public);
    // y = p + 3 is a point of large order, spelled as no encoder spells it.
    let mut not_reduced = [0xff; 32];
    not_reduced[0] = 0xed + 3;
    not_reduced[31] = 0x7f;
    let mut identity_again = order_2;
    identity_again[0] = 0xee;
    let refused = |name, flaw, text: String| vector("key", name, "refused", flaw, text);
    vec![
        vector("key", "key_good", "accepted", "none", good.clone()),
        vector(
            "key",
            "key_good_of_the_specification",
            "accepted",
            "none",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        ),
        refused("key_wrong_id", "the id is another key's", changed(&good, id, "00000000")),
        refused("key_id_in_capitals", "a second spelling of the id", changed(&good, id, &id.to_uppercase())),
        refused("key_name_changed", "the id is of another name", format!("x{good}")),
        refused("key_name_empty", "no name", changed(&good, sample::ORIGIN, "")),
        refused("key_name_with_space", "a no-break space", changed(&good, "example", "exam\u{a0}ple")),
        refused("key_cut_off", "31 bytes", good[..good.len() - 4].to_owned()),
        refused("key_of_small_order", "any signature of it verifies loosely", of_order(IDENTITY)),
        refused("key_of_order_2", "any signature of it verifies loosely half of the time", of_order(order_2)),
        refused("key_of_order_4", "a point of small order", of_order([0; 32])),
        refused("key_of_order_8", "a point of small order", of_order(EIGHT_TORSION[1].compress().to_bytes())),
        refused("key_no_point", "no point has this y", of_order(NO_POINT)),
        refused("key_identity_not_canonical", "a second spelling of a point of small order", of_order(identity_again)),
        refused("key_base64_trailing_byte", "34 bytes", format!("{good}AAAA")),
        refused("key_point_not_canonical", "a second spelling of a point", of_type(4, not_reduced)),
        refused("key_of_type_02", "ECDSA is not verified here", of_type(2, IDENTITY)),
        refused("key_of_type_06", "ML-DSA-44 is not verified here", of_type(6, IDENTITY)),
    ]
}
