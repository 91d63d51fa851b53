//! The fuzzer's targets without the fuzzer: on every saved input, on inputs that differ a little from one, and on
//! random bytes. `PROPTEST_CASES` says how many; see CONTRIBUTING.md for the long run and for the fuzzer itself.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use synchronicity_verify::bundle::BundleReader;
use synchronicity_verify::lookup::verify;
use synchronicity_verify::map::Prefix;

use crate::{bundle, catalogue, lookup, sample};

#[path = "../../fuzz/targets.rs"]
mod targets;

/// How one saved input becomes another.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// The end of another saved input of the same target.
    Splice(Index, Index, Index),
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The saved inputs of a target, in the order of their names.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder().join("corpus").join(target)).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// The first inputs of each target: what the vectors hold, without their heads.
pub(crate) fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
    let seed =
        |target: &str, name: &str, bytes: &[u8]| (folder().join("corpus").join(target).join(name), bytes.to_vec());
    let catalogue = catalogue::all();
    let of_vector = |target: &str, vector: &str| {
        let vector = catalogue.iter().find(|it| it.name == vector).unwrap();
        let hex = ["entry", "membership", "request", "result"].contains(&vector.kind);
        let bytes = if hex { crate::vectors::unhex(&vector.subject) } else { vector.subject.clone() };
        seed(target, vector.name, &bytes)
    };
    let note = sample::good_proof().checkpoint;
    let line = |number: usize| note.signatures[number].to_string();
    let vectors = [
        ("note", ["checkpoint_good", "checkpoint_unknown_algorithm", "note_duplicate_signature"]),
        ("vkey", ["key_good", "key_good_of_the_specification", "key_of_small_order"]),
        ("proof", ["proof_good", "proof_good_only_entry", "proof_unknown_signature_line"]),
        ("policy", ["policy_good", "policy_good_nested", "policy_good_comments_and_tabs"]),
        ("fork", ["fork_good", "fork_good_of_one_size", "fork_path_as_in_a_consistency_proof"]),
        (
            "equivocation",
            ["equivocation_good", "equivocation_good_nullify_finalize", "equivocation_greater_vote_first"],
        ),
        ("entry", ["entry_good", "entry_attestation_null", "entry_good"]),
        ("request", ["request_good", "request_indefinite_map", "request_key_twice"]),
        ("result", ["result_good_artifacts", "result_good_failure", "result_failure_in_two_bytes"]),
        ("membership", ["membership_good", "membership_two_approvals", "membership_next_unsorted"]),
        ("succession", ["succession_good", "succession_good_one_step", "succession_second_step_too_few"]),
        ("tile_path", ["path_good_of_the_specification", "path_good_partial", "path_good_entries"]),
    ];
    let vectors = vectors.iter().flat_map(|(target, names)| names.iter().map(|name| of_vector(target, name)));
    vectors
        .chain([
            seed("checkpoint", "good", note.text.as_bytes()),
            seed("checkpoint", "empty", b"a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
            seed("cosignature", "of_the_log", line(0).as_bytes()),
            seed("cosignature", "of_a_builder", line(1).as_bytes()),
            seed("bundle", "two_entries", b"\x01\x00\x03one\x00\x00"),
            seed("bundle", "one_entry", b"\x00\x00\x01x"),
            seed("whole_log", "three_entries", &bundle::good()),
            seed("whole_log", "cut_off", &bundle::good()[..900]),
        ])
        .chain(
            [("present", "fd", 3), ("everything", "fd", 0), ("absent", "nobody", 64)]
                .map(|(name, of, digits)| seed("lookup", name, &lookup::answer_about(of, digits))),
        )
        .chain(
            [("everything", &[][..], 0), ("one", &[0x12, 0x30], 64), ("two", &[0x12], 2), ("none", &[0x40], 4)]
                .map(|(name, key, digits)| seed("map_proof", name, &map_proof(key, digits))),
        )
        .collect()
}

/// The proof of what the target's map has under the first `digits` of a key, spelled as the target reads it.
fn map_proof(begin: &[u8], digits: u8) -> Vec<u8> {
    let key = targets::map_key(begin);
    let proof = targets::map().prove(&Prefix::of(&key, digits), 100).unwrap();
    let counts = [digits, proof.siblings.len() as u8, proof.leaves.len() as u8];
    let mut bytes = [&key.0.0[..], &counts].concat();
    proof.siblings.iter().for_each(|sibling| bytes.extend(sibling.0));
    for leaf in &proof.leaves {
        bytes.extend(leaf.key.0.0);
        bytes.push(leaf.indices.len() as u8);
        leaf.indices.iter().for_each(|index| bytes.extend(index.to_be_bytes()));
    }
    bytes
}

#[test]
fn every_target_has_a_program_and_saved_inputs_and_each_holds() {
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for (name, target) in targets::ALL {
        assert!(manifest.contains(&format!("\nname = \"{name}\"\n")), "{name} is not in fuzz/Cargo.toml");
        assert!(folder().join(format!("fuzz_targets/{name}.rs")).is_file(), "{name} has no program");
        let files = corpus(name);
        assert!(files.len() >= 2, "{name}: too few saved inputs");
        for (path, bytes) in files {
            println!("{}", path.display());
            target(&bytes);
        }
    }
}

/// A target that accepts nothing checks nothing.
#[test]
fn the_good_inputs_of_lookups_and_whole_logs_are_accepted() {
    let policy = sample::policy(3);
    let mut reader = BundleReader::new(&policy);
    reader.feed(&bundle::good(), |_, _| ()).unwrap();
    reader.finish().unwrap();
    for (of, digits, found) in [("fd", 3, 2), ("fd", 0, 2), ("nobody", 64, 0)] {
        let answer = verify(&lookup::answer_about(of, digits), &policy, &lookup::key(of)).unwrap();
        assert_eq!(answer.entries.len(), found);
    }
}

#[test]
fn the_seeds_of_the_fuzzer_are_the_vectors() {
    for (path, bytes) in seeds() {
        assert!(fs::read(&path).unwrap_or_default() == bytes, "{}: run the ignored test to publish", path.display());
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (at(), prop::sample::select(&b"\n\t\r =+/0\x00\xe2\xff"[..])).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        2 => (at(), 1..80_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        2 => (at(), 1..80_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        1 => (at(), at(), at()).prop_map(|(at, other, from)| Change::Splice(at, other, from)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change, files: &[(PathBuf, Vec<u8>)]) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match change {
        Change::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Change::Set(at, byte) => bytes[at.index(length)] = *byte,
        Change::Insert(at, more) => drop(bytes.splice(at.index(length)..at.index(length), more.iter().copied())),
        Change::Remove(at, many) => drop(bytes.drain(at.index(length)..length.min(at.index(length) + many))),
        Change::Repeat(at, many) => {
            let part = bytes[at.index(length)..length.min(at.index(length) + many)].to_vec();
            bytes.splice(at.index(length)..at.index(length), part);
        }
        Change::Splice(at, other, from) => {
            let other = &other.get(files).1;
            bytes.truncate(at.index(length));
            bytes.extend_from_slice(&other[from.index(other.len() + 1)..]);
        }
    }
}

proptest! {
    #[test]
    fn no_change_of_a_saved_input_breaks_a_parsers_promise(
        start in any::<Index>(),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        for (name, target) in targets::ALL {
            let files = corpus(name);
            let mut bytes = start.get(&files).1.clone();
            for change in &changes {
                apply(&mut bytes, change, &files);
            }
            target(&bytes);
        }
    }

    #[test]
    fn no_random_bytes_break_a_parsers_promise(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, target) in targets::ALL {
            target(&bytes);
        }
    }
}
