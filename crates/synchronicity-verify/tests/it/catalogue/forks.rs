use base64ct::{Base64, Encoding};
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{EMPTY_ROOT, consistency_proof, extension_path, root};
use synchronicity_verify::note::{KeyKind, SignedNote};

use super::changed;
use crate::fork::{checkpoint, fork, leaves};
use crate::sample;
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [accepted(), views(), paths(), signatures(), spellings()].into_iter().flatten().collect()
}

fn vector(name: &'static str, expect: &'static str, flaw: &'static str, subject: impl ToString) -> Vector {
    super::vector("fork", name, expect, flaw, subject.to_string())
}

fn refused(name: &'static str, flaw: &'static str, subject: impl ToString) -> Vector {
    vector(name, "invalid", flaw, subject)
}

/// What no `Fork::new` would write.
fn file(smaller: &SignedNote, larger: &SignedNote, path: &[Digest]) -> String {
    let line = |note: &SignedNote| format!("checkpoint {}\n", Base64::encode_string(note.to_string().as_bytes()));
    let path: String = path.iter().map(|hash| Base64::encode_string(&hash.0) + "\n").collect();
    format!("synchronicity/fork@v1\n{}{}{path}", line(smaller), line(larger))
}

/// Two views that part after two entries, of 4 and 7 entries.
fn views_of(smaller: &[usize], larger: &[usize]) -> (SignedNote, SignedNote) {
    (checkpoint(&leaves("a", 2, 4), smaller), checkpoint(&leaves("b", 2, 7), larger))
}

fn path() -> Vec<Digest> {
    extension_path(&leaves("b", 2, 7), 4, 7).unwrap()
}

fn accepted() -> Vec<Vector> {
    let good = |name, flaw, parts: (usize, usize, usize)| {
        vector(name, "verified", flaw, fork(parts.0, parts.1, parts.2).unwrap())
    };
    vec![
        good("fork_good", "none", (2, 5, 7)),
        good("fork_good_of_one_size", "none: two roots for one size, no path", (2, 5, 5)),
        good("fork_good_smaller_of_power_of_two", "none: the first hash is there all the same", (2, 4, 7)),
        good("fork_good_from_the_first_entry", "none: nothing is common", (0, 1, 2)),
    ]
}

fn views() -> Vec<Vector> {
    let all = [0, 1, 2, 3];
    let (smaller, larger) = views_of(&all, &all);
    let grown = leaves("b", 2, 7);
    let same_size = (checkpoint(&leaves("a", 2, 5), &all), checkpoint(&leaves("b", 2, 5), &all));
    let mut in_order = [root(&leaves("a", 2, 5)), root(&leaves("b", 2, 5))];
    in_order.sort();
    let (one, other) = if in_order[0] == root(&leaves("a", 2, 5)) { same_size } else { (same_size.1, same_size.0) };
    vec![
        refused(
            "fork_of_a_growing_log",
            "the larger extends the smaller",
            file(&checkpoint(&grown[..5], &all), &larger, &extension_path(&grown, 5, 7).unwrap()),
        ),
        refused(
            "fork_of_a_growing_log_power_of_two",
            "the larger extends the smaller",
            file(&checkpoint(&grown[..4], &all), &larger, &path()),
        ),
        refused("fork_of_one_checkpoint_twice", "both sides are one", file(&larger, &larger, &[])),
        refused(
            "fork_of_one_checkpoint_signed_by_others",
            "one view, signed by different witnesses",
            file(&checkpoint(&grown, &[0, 1]), &checkpoint(&grown, &[2, 3]), &[]),
        ),
        refused("fork_of_the_empty_log", "every log extends the empty one", file(&checkpoint(&[], &all), &larger, &[])),
        refused("fork_larger_first", "the two in the other order", file(&larger, &smaller, &path())),
        refused("fork_larger_root_first", "two of one size in the other order", file(&other, &one, &[])),
        refused("fork_of_one_size_with_path", "nothing for the path to show", file(&one, &other, &[EMPTY_ROOT])),
    ]
}

fn paths() -> Vec<Vector> {
    let (smaller, larger) = views_of(&[0, 1, 2], &[1, 2, 3]);
    let with = |name, flaw, change: &dyn Fn(&mut Vec<Digest>)| {
        let mut path = path();
        change(&mut path);
        refused(name, flaw, file(&smaller, &larger, &path))
    };
    let sent = consistency_proof(&leaves("b", 2, 7), 4, 7).unwrap();
    vec![
        with("fork_path_missing", "a fork of two sizes needs a path", &|path| path.clear()),
        with("fork_path_as_in_a_consistency_proof", "the first hash is left out", &|path| *path = sent.clone()),
        with("fork_path_from_the_smaller_root", "the hashes lead to no root of the log", &|path| {
            path[0] = root(&leaves("a", 2, 4));
        }),
        with("fork_path_short", "one hash too few", &|path| path.truncate(1)),
        with("fork_path_long", "one hash too many", &|path| path.push(EMPTY_ROOT)),
        with("fork_path_of_65_hashes", "longer than any tree is deep", &|path| path.resize(65, EMPTY_ROOT)),
    ]
}

fn signatures() -> Vec<Vector> {
    let all = [0, 1, 2, 3];
    let (smaller, larger) = views_of(&all, &all);
    let with = |name, flaw, change: &dyn Fn(&mut SignedNote)| {
        let mut larger = larger.clone();
        change(&mut larger);
        refused(name, flaw, file(&smaller, &larger, &path()))
    };
    let outside = sample::signer("witness.example", KeyKind::Cosigner, "outside");
    let outside = cosign(&outside, &larger.text, sample::TIME_S).unwrap();
    let other_log = sample::signed(&larger.text.replace(sample::ORIGIN, "other.example/log"), &all);
    vec![
        with("fork_without_witness", "the log's key, which the members share, signed alone", &|note| {
            note.signatures.truncate(1);
        }),
        with("fork_without_the_logs_signature", "the log has not signed one side", &|note| {
            note.signatures.remove(0);
        }),
        with("fork_bad_cosignature_beside_good", "a known key fails; three others hold", &|note| {
            note.signatures[4].signature[70] ^= 1;
        }),
        with("fork_unknown_signature_line", "a key that the policy does not name", &|note| {
            note.signatures.push(outside.clone());
        }),
        with("fork_key_id_of_a_line_flipped", "one bit makes a cosigner's line an unknown one", &|note| {
            note.signatures[2].key_id ^= 1;
        }),
        with("fork_root_changed", "the root is signed", &|note| {
            note.text = checkpoint(&leaves("c", 2, 7), &[]).text;
        }),
        refused("fork_of_two_logs", "the larger is of another log", file(&smaller, &other_log, &path())),
    ]
}

fn spellings() -> Vec<Vector> {
    let good = fork(2, 5, 7).unwrap().to_string();
    let hash = good.lines().nth(3).unwrap();
    let last = hash.as_bytes()[42];
    // Each of the three letters after one with zero trailing bits sets one of those bits.
    let trailing = format!("{}{}=", &hash[..42], (last + 1) as char);
    let second = good.lines().nth(2).unwrap();
    vec![
        refused("fork_hash_trailing_bits", "trailing bits that are not zero", changed(&good, hash, &trailing)),
        refused("fork_final_newline_missing", "the last line is cut off", good.trim_end().to_owned()),
        refused("fork_crlf", "carriage returns", good.replace('\n', "\r\n")),
        refused("fork_line_after_the_end", "an empty line more", format!("{good}\n")),
        refused("fork_version_two", "another format", changed(&good, "@v1", "@v2")),
        refused("fork_with_one_checkpoint", "only one view", changed(&good, &format!("{second}\n"), "")),
        refused(
            "fork_checkpoint_not_base64",
            "a checkpoint as plain text",
            changed(&good, second, "checkpoint plain!"),
        ),
    ]
}
