//! Answers to lookups: all that a log says of something, or a refusal.

use proptest::prelude::*;
use proptest::sample::Index;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::lookup::{LoggedEntry, Lookup, LookupError, verify};
use synchronicity_verify::map::{MapKey, Prefix, PrefixMap};
use synchronicity_verify::merkle::{inclusion_proof, leaf_hash, root};
use synchronicity_verify::result::BuildResult;
use synchronicity_verify::verify::VerifyError;

use crate::sample::{self, ORIGIN, built};

fn all(content: &str) -> [Option<BuildResult>; 4] {
    [0; 4].map(|_| Some(built(content)))
}

/// Six entries of four crates: fd diverged once, then was reproduced; bat and bat-musl have one binary.
fn log() -> Vec<Entry> {
    sample::history(&[
        ("hexyl", all("hexyl")),
        ("fd", ["1", "2", "3", "4"].map(|content| Some(built(content)))),
        ("bat", all("bat")),
        ("fd", all("fd")),
        ("bat-musl", all("bat")),
        ("ripgrep", [None, None, None, Some(built("rg"))]),
    ])
}

/// What a node answers, composed from its log.
fn answer(log: &[Entry], prefix: Prefix) -> Lookup {
    let mut map = PrefixMap::new();
    for (index, entry) in log.iter().enumerate() {
        MapKey::of_entry(entry).into_iter().for_each(|key| map.insert(key, index as u64));
    }
    let proof = map.prove(&prefix, 100).unwrap();
    let mut indices: Vec<u64> = proof.leaves.iter().flat_map(|leaf| leaf.indices.clone()).collect();
    indices.extend((log.len() as u64).checked_sub(1));
    indices.sort_unstable();
    indices.dedup();
    let entries = indices.into_iter().map(|index| logged(log, index)).collect();
    Lookup { prefix, proof, entries, checkpoint: sample::signed(&checkpoint(log).to_string(), &[0, 1, 2]) }
}

fn logged(log: &[Entry], index: u64) -> LoggedEntry {
    let path = inclusion_proof(&leaves(log), log.len() as u64, index).unwrap();
    LoggedEntry { index, entry: log[index as usize].to_bytes(), path }
}

fn leaves(log: &[Entry]) -> Vec<Digest> {
    log.iter().map(|entry| leaf_hash(&entry.to_bytes())).collect()
}

fn checkpoint(log: &[Entry]) -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: log.len() as u64, root: root(&leaves(log)) }
}

/// The answer of the log above about what this crate's key begins with.
pub(crate) fn answer_about(name: &str, digits: u8) -> Vec<u8> {
    answer(&log(), Prefix::of(&key(name), digits)).to_string().into_bytes()
}

pub(crate) fn key(name: &str) -> MapKey {
    MapKey::of_crate(&name.parse().unwrap(), &"0.17.0".parse().unwrap())
}

fn found(lookup: &Lookup, key: &MapKey) -> Result<Vec<u64>, LookupError> {
    let answer = verify(lookup.to_string().as_bytes(), &sample::policy(3), key)?;
    Ok(answer.entries.into_iter().map(|(index, _)| index).collect())
}

proptest! {
    #[test]
    fn every_crate_has_all_its_entries_under_every_prefix(
        name in prop::sample::select(vec!["hexyl", "fd", "bat", "bat-musl", "ripgrep", "absent", "tokei"]), digits in 0_u8..=64,
    ) {
        let expected: &[u64] = match name {
            "hexyl" => &[0],
            "fd" => &[1, 3],
            "bat" => &[2],
            "bat-musl" => &[4],
            "ripgrep" => &[5],
            _ => &[],
        };
        let lookup = answer(&log(), Prefix::of(&key(name), digits));
        prop_assert_eq!(found(&lookup, &key(name)), Ok(expected.to_vec()));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused(at: Index, bit in 0..8) {
        let mut bytes = answer(&log(), Prefix::of(&key("fd"), 0)).to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(verify(&bytes, &sample::policy(3), &key("fd")).is_err());
    }

    #[test]
    fn a_cut_anywhere_is_refused(at: Index) {
        let bytes = answer(&log(), key("fd").into()).to_string().into_bytes();
        prop_assert!(verify(&bytes[..at.index(bytes.len())], &sample::policy(3), &key("fd")).is_err());
    }

    #[test]
    fn any_bytes_are_an_error_and_no_panic(bytes: Vec<u8>, digits in "[0-9a-f]{0,4}") {
        let text = [format!("synchronicity/lookup@v1\nprefix {digits}\n").as_bytes(), &bytes].concat();
        prop_assert!(verify(&bytes, &sample::policy(3), &key("fd")).is_err());
        prop_assert!(verify(&text, &sample::policy(3), &key("fd")).is_err());
    }
}

#[test]
fn a_file_leads_to_every_crate_that_gives_it() {
    let file = MapKey::of_artifact(&Digest::of(b"bat"));
    assert_eq!(found(&answer(&log(), file.into()), &file), Ok(vec![2, 4]));
    // What only a minority built was not agreed on.
    let minority = MapKey::of_artifact(&Digest::of(b"rg"));
    assert_eq!(found(&answer(&log(), minority.into()), &minority), Ok(vec![]));
}

#[test]
fn an_answer_is_dated_and_says_what_was_found() {
    let answer = answer(&log(), key("fd").into()).to_string();
    let answer = verify(answer.as_bytes(), &sample::policy(3), &key("fd")).unwrap();
    let verdicts: Vec<_> = answer.entries.iter().map(|(_, entry)| entry.verdict).collect();
    assert_eq!(verdicts, [Verdict::Diverged, Verdict::Reproduced]);
    assert_eq!((answer.checkpoint.checkpoint.size, answer.checkpoint.cosigners.len()), (6, 3));
}

#[test]
fn a_log_without_entries_says_nothing_of_anything() {
    let lookup = answer(&[], key("fd").into());
    assert_eq!(found(&lookup, &key("fd")), Ok(vec![]));
    let mut more = lookup.clone();
    more.entries = vec![logged(&log(), 0)];
    assert!(found(&more, &key("fd")).is_err());
}

#[test]
fn an_entry_may_not_be_left_out_added_or_hidden_behind_an_older_root() {
    let log = log();
    let good = answer(&log, key("fd").into());
    let without = |index: u64| {
        let mut lookup = good.clone();
        lookup.entries.retain(|logged| logged.index != index);
        found(&lookup, &key("fd"))
    };
    assert_eq!(without(1), Err(LookupError::Entries));
    assert_eq!(without(5), Err(LookupError::NoLastEntry));

    let mut more = good.clone();
    more.entries.insert(0, logged(&log, 0));
    assert_eq!(found(&more, &key("fd")), Err(LookupError::Entries));

    // The map before fd was reproduced, under the checkpoint of today.
    let mut older = answer(&log[..3], key("fd").into());
    older.checkpoint = good.checkpoint.clone();
    older.entries = vec![logged(&log, 1), logged(&log, 2)];
    assert_eq!(found(&older, &key("fd")), Err(LookupError::NoLastEntry));
    older.entries.push(logged(&log, 5));
    assert!(matches!(found(&older, &key("fd")), Err(LookupError::Map(_))));
}

#[test]
fn a_map_that_a_dishonest_quorum_signed_may_hide_but_not_misplace() {
    let mut log = log();
    let mut map = PrefixMap::new();
    map.insert(key("fd"), 0);
    log[5].map_root = map.root();
    let proof = map.prove(&key("fd").into(), 10).unwrap();
    let entries = vec![logged(&log, 0), logged(&log, 5)];
    let checkpoint = sample::signed(&checkpoint(&log).to_string(), &[0, 1, 2]);
    let lookup = Lookup { prefix: key("fd").into(), proof, entries, checkpoint };
    assert_eq!(found(&lookup, &key("fd")), Err(LookupError::Misplaced(0)));
}

#[test]
fn the_answer_for_another_key_is_no_answer() {
    let lookup = answer(&log(), key("hexyl").into());
    assert!(matches!(found(&lookup, &key("fd")), Err(LookupError::OtherKey(_))));
}

#[test]
fn too_few_signatures_are_told_from_false_ones() {
    let mut lookup = answer(&log(), key("fd").into());
    lookup.checkpoint.signatures.pop();
    assert!(matches!(found(&lookup, &key("fd")), Err(LookupError::Verify(VerifyError::BelowThreshold { .. }))));
    lookup.checkpoint.signatures[1].signature[20] ^= 1;
    assert!(matches!(found(&lookup, &key("fd")), Err(LookupError::Verify(VerifyError::Invalid(_)))));
}
