use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::merkle::{EMPTY_ROOT, leaf_hash};
use synchronicity_verify::note::{self, KeyKind};
use synchronicity_verify::proof::Proof;
use synchronicity_verify::result::{BuildResult, Failure};

use super::changed;
use crate::members::EPOCHS;
use crate::sample::{self, built, entry, good_proof, reproduced};
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [outcomes(), positions(), spellings(), signatures(), entries()].into_iter().flatten().collect()
}

fn vector(name: &'static str, expect: &'static str, flaw: &'static str, subject: impl ToString) -> Vector {
    super::vector("proof", name, expect, flaw, subject.to_string())
}

fn with_file(content: &str, vector: Vector) -> Vector {
    Vector { file: Some(Digest::of(content.as_bytes())), ..vector }
}

fn outcomes() -> Vec<Vector> {
    let all = [0, 1, 2, 3];
    let failed = Some(BuildResult::Failed(Failure::Network));
    let (a, b) = (Some(built("a")), Some(built("b")));
    let logged =
        |results: [&Option<BuildResult>; 4]| sample::proof(entry(3, &results.map(Clone::clone)).to_bytes(), &all);
    vec![
        vector("proof_good", "verified", "none", good_proof()),
        vector("proof_good_one_dissenter", "verified", "none: three agree, one differs", logged([&a, &b, &a, &a])),
        vector("proof_good_one_silent", "verified", "none: three agree, one is silent", logged([&a, &None, &a, &a])),
        vector("proof_good_three_cosigners", "verified", "none", sample::proof(reproduced().to_bytes(), &[0, 2, 3])),
        vector("proof_good_only_entry", "verified", "none: a log of one entry has no path", only_entry()),
        with_file("the binary", vector("proof_good_file", "verified", "none", good_proof())),
        with_file("another", vector("proof_other_file", "mismatch", "the file was not reproduced", good_proof())),
        vector("proof_diverged", "no-evidence", "two results of two builders each", logged([&a, &b, &b, &a])),
        vector("proof_unbuildable", "no-evidence", "four fail alike", logged([&failed, &failed, &failed, &failed])),
        vector("proof_inconclusive", "no-evidence", "two are silent", logged([&a, &None, &a, &None])),
        vector(
            "proof_two_cosigners",
            "below-threshold",
            "the policy needs three cosignatures",
            sample::proof(reproduced().to_bytes(), &[1, 3]),
        ),
        vector(
            "proof_log_signature_alone",
            "below-threshold",
            "nobody cosigned",
            sample::proof(reproduced().to_bytes(), &[]),
        ),
    ]
}

fn only_entry() -> Proof {
    let entry = reproduced().to_bytes();
    let checkpoint = Checkpoint { origin: sample::ORIGIN.to_owned(), size: 1, root: leaf_hash(&entry) };
    Proof { entry, index: 0, path: vec![], checkpoint: sample::signed(&checkpoint.to_string(), &[0, 1, 2, 3]) }
}

/// The good proof with a checkpoint of another size, signed by all.
fn of_size(size: &str) -> Proof {
    let good = good_proof();
    let text = changed(&good.checkpoint.text, "\n7\n", &format!("\n{size}\n"));
    Proof { checkpoint: sample::signed(&text, &[0, 1, 2, 3]), ..good }
}

fn positions() -> Vec<Vector> {
    let change = |change: fn(&mut Proof)| {
        let mut proof = good_proof();
        change(&mut proof);
        proof
    };
    let index = |index: &str| changed(&good_proof().to_string(), "\nindex 4\n", &format!("\nindex {index}\n"));
    let empty = Checkpoint { origin: sample::ORIGIN.to_owned(), size: 0, root: EMPTY_ROOT };
    let mut of_empty = only_entry();
    of_empty.checkpoint = sample::signed(&empty.to_string(), &[0, 1, 2, 3]);
    let mut path_in_one = only_entry();
    path_in_one.path.push(EMPTY_ROOT);
    let other = entry(3, &[0, 1, 2, 3].map(|_| Some(built("other")))).to_bytes();
    vec![
        vector(
            "proof_wrong_leaf",
            "invalid",
            "the entry is not the one in the log",
            Proof { entry: other, ..good_proof() },
        ),
        vector("proof_wrong_index", "invalid", "the entry stands elsewhere", change(|proof| proof.index = 5)),
        vector("proof_index_is_size", "invalid", "no entry has this index", change(|proof| proof.index = sample::SIZE)),
        vector("proof_index_near_2_63", "invalid", "an index far beyond the log", index("9223372036854775806")),
        vector(
            "proof_index_of_2_63",
            "invalid",
            "an index that signed integers do not hold",
            index("9223372036854775808"),
        ),
        vector("proof_index_of_2_64", "invalid", "an index that 64 bits do not hold", index("18446744073709551616")),
        vector("proof_index_leading_zero", "invalid", "a second spelling of the index", index("04")),
        vector("proof_path_short", "invalid", "one hash too few", change(|proof| proof.path.truncate(2))),
        vector("proof_path_long", "invalid", "one hash too many", change(|proof| proof.path.push(EMPTY_ROOT))),
        vector("proof_path_swapped", "invalid", "two hashes in the other order", change(|proof| proof.path.swap(0, 1))),
        vector("proof_path_in_log_of_one", "invalid", "a log of one entry has no path", path_in_one),
        vector("proof_path_empty", "invalid", "no path", change(|proof| proof.path.clear())),
        vector(
            "proof_path_of_64_hashes",
            "invalid",
            "deeper than any log",
            change(|proof| {
                proof.path.resize(64, EMPTY_ROOT);
            }),
        ),
        vector("proof_index_in_log_of_one", "invalid", "no entry has this index", Proof { index: 1, ..only_entry() }),
        vector(
            "proof_size_near_2_63",
            "invalid",
            "the path is that of a smaller log",
            of_size(&(i64::MAX).to_string()),
        ),
        vector("proof_of_empty_log", "invalid", "a log of size 0 holds no entry", of_empty),
    ]
}

fn spellings() -> Vec<Vector> {
    let good = good_proof().to_string();
    let extra = good.lines().nth(1).unwrap();
    let padded = extra.ends_with('=');
    let unpadded = extra.trim_end_matches('=');
    let last = unpadded.chars().last().unwrap();
    // Any of the three letters after a last letter with zero trailing bits sets one of those bits.
    let trailing =
        format!("{}{}{}", &unpadded[..unpadded.len() - 1], (last as u8 + 1) as char, &extra[unpadded.len()..]);
    assert!(padded, "the entry's length must leave trailing bits");
    let hash = good.lines().nth(3).unwrap();
    let hash_bits = format!("{}{}=", &hash[..42], (hash.as_bytes()[42] + 1) as char);
    let text = |name, flaw, text: String| vector(name, "invalid", flaw, text);
    vec![
        text("proof_extra_missing", "no entry in it", changed(&good, &format!("{extra}\n"), "")),
        text("proof_extra_trailing_bits", "trailing bits that are not zero", changed(&good, extra, &trailing)),
        text("proof_extra_unpadded", "base64 without padding", changed(&good, extra, unpadded)),
        text("proof_path_trailing_bits", "trailing bits that are not zero", changed(&good, hash, &hash_bits)),
        text("proof_path_unpadded", "base64 without padding", changed(&good, hash, hash.trim_end_matches('='))),
        text("proof_tab_after_index", "a tab where a space belongs", changed(&good, "index 4", "index\t4")),
        text("proof_final_newline_missing", "the last line is cut off", good.trim_end().to_owned()),
        text("proof_crlf", "carriage returns", good.replace('\n', "\r\n")),
        text("proof_line_after_the_end", "an empty line more", format!("{good}\n")),
        text("proof_line_before_the_start", "an empty line more", format!("\n{good}")),
        text("proof_version_two", "another format", changed(&good, "@v1", "@v2")),
        text(
            "proof_without_checkpoint",
            "cut off after the path",
            good.split_once("\n\n").unwrap().0.to_owned() + "\n",
        ),
    ]
}

fn signatures() -> Vec<Vector> {
    let good = good_proof();
    let with = |change: &dyn Fn(&mut Proof)| {
        let mut proof = good.clone();
        change(&mut proof);
        proof
    };
    let outside = sample::signer("witness.example", KeyKind::Cosigner, "outside");
    let outside = cosign(&outside, &good.checkpoint.text, sample::TIME_S).unwrap();
    let other_key = sample::signer(sample::ORIGIN, KeyKind::Log, "another log");
    let other_key = note::sign(&other_key, &good.checkpoint.text).unwrap();
    let other_text = cosign(&sample::cosigner(2), "another checkpoint\n", sample::TIME_S).unwrap();
    let other_origin = good.checkpoint.text.replace(sample::ORIGIN, "other.example/log");
    let name = |proof: &mut Proof| proof.checkpoint.signatures[4].name.replace_range(..1, "r");
    let bad = |name, flaw, change: &dyn Fn(&mut Proof)| vector(name, "invalid", flaw, with(change));
    vec![
        bad("proof_unknown_signature_line", "a key that the policy does not name", &|proof| {
            proof.checkpoint.signatures.push(outside.clone());
        }),
        bad("proof_name_of_a_line_flipped", "one bit makes a cosigner's line an unknown one", &name),
        bad("proof_key_id_of_a_line_flipped", "one bit makes a cosigner's line an unknown one", &|proof| {
            proof.checkpoint.signatures[4].key_id ^= 1;
        }),
        bad("proof_bad_cosignature_beside_good", "a known key fails; three others would do", &|proof| {
            proof.checkpoint.signatures[4].signature[70] ^= 1;
        }),
        bad("proof_cosignature_of_other_text", "the cosigner signed another checkpoint", &|proof| {
            proof.checkpoint.signatures[3] = other_text.clone();
        }),
        bad("proof_cosignature_time_changed", "the time is signed too", &|proof| {
            proof.checkpoint.signatures[1].signature[7] ^= 1;
        }),
        bad("proof_log_signature_missing", "the log has not signed", &|proof| {
            proof.checkpoint.signatures.remove(0);
        }),
        bad("proof_log_signature_of_other_key", "another key with the log's name has signed", &|proof| {
            proof.checkpoint.signatures[0] = other_key.clone();
        }),
        bad("proof_other_origin", "the checkpoint of another log", &|proof| {
            proof.checkpoint = sample::signed(&other_origin, &[0, 1, 2, 3]);
        }),
        bad("proof_size_changed", "the size is signed", &|proof| {
            proof.checkpoint.text = changed(&proof.checkpoint.text, "\n7\n", "\n8\n");
        }),
    ]
}

/// Entries that were logged and cosigned, and yet contradict themselves.
fn entries() -> Vec<Vector> {
    let logged = |name, flaw, change: &dyn Fn(&mut Entry)| {
        let mut entry = reproduced();
        change(&mut entry);
        vector(name, "invalid", flaw, sample::proof(entry.to_bytes(), &[0, 1, 2, 3]))
    };
    let mut spelled = reproduced().to_bytes();
    assert_eq!(spelled[..3], [0xac, 0x00, 0x02]);
    spelled.splice(2..3, [0x18, 0x02]);
    vec![
        logged("proof_entry_commitment_copied", "one commitment and opening stand under two builders", &|entry| {
            entry.members[1].commitment = entry.members[0].commitment;
            entry.members[1].opening = entry.members[0].opening;
        }),
        logged("proof_entry_opening_of_other_result", "the opening does not open the commitment", &|entry| {
            entry.members[2].opening.as_mut().unwrap().result = built("other").digest();
        }),
        logged("proof_entry_verdict_unearned", "the openings say reproduced", &|entry| {
            entry.verdict = Verdict::Diverged
        }),
        logged("proof_entry_result_swapped", "nobody opened this result", &|entry| entry.agreed = Some(built("other"))),
        logged("proof_entry_threshold_of_half", "two of four are no majority", &|entry| entry.threshold = 2),
        logged("proof_entry_members_unsorted", "members in another order", &|entry| entry.members.swap(1, 2)),
        logged("proof_entry_of_schema_four", "a schema that nobody knows", &|entry| entry.schema = 4),
        vector(
            "proof_of_a_change_of_membership",
            "invalid",
            "the entry is in the log, and of no build",
            sample::proof(EPOCHS[0].end(&EPOCHS[1], &[0, 1, 2]).to_bytes(), &[0, 1, 2, 3]),
        ),
        vector(
            "proof_entry_not_canonical",
            "invalid",
            "a number in two bytes where one does",
            sample::proof(spelled, &[0, 1, 2, 3]),
        ),
    ]
}
