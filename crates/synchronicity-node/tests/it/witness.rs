//! What a witness signs, and above all what it never signs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use synchronicity_node::keys::Seed;
use synchronicity_node::store::Store;
use synchronicity_node::witness::answer::{self, SIZE_TYPE};
use synchronicity_node::witness::decide::{Log, Refusal, Seen, Witnessed};
use synchronicity_node::witness::request::{AddCheckpoint, BODY_BYTES_MAX, RequestError};
use synchronicity_node::witness::{Forgetful, Memory, NotCosigned, Witness};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle;
use synchronicity_verify::note::{self, KeyKind, NoteSignature, SignedNote, Signer};

use crate::world::World;

const ORIGIN: &str = "example.org/watched";

/// A log that can fork: branches share their first four leaves.
struct Forked {
    signer: Signer,
}

impl Forked {
    fn new() -> Forked {
        let seed = Seed::generate().unwrap();
        Forked { signer: Signer::from_seed(ORIGIN, KeyKind::Log, seed.expose()).unwrap() }
    }

    fn leaves(branch: u8, size: u64) -> Vec<Digest> {
        let leaf = |index: u64| merkle::leaf_hash(&[index as u8, if index < 4 { 0 } else { branch }]);
        (0..size).map(leaf).collect()
    }

    fn root(branch: u8, size: u64) -> Digest {
        merkle::root(&Forked::leaves(branch, size))
    }

    fn note(&self, branch: u8, size: u64) -> SignedNote {
        let root = Forked::root(branch, size);
        let text = Checkpoint { origin: ORIGIN.to_owned(), size, root }.to_string();
        SignedNote { signatures: vec![note::sign(&self.signer, &text).unwrap()], text }
    }

    /// A request that this branch went from `old` to `size`.
    fn request(&self, branch: u8, old: u64, size: u64) -> String {
        let path = merkle::consistency_proof(&Forked::leaves(branch, size), old.min(size), size).unwrap();
        AddCheckpoint::body(old, &path, &self.note(branch, size))
    }

    fn logs(&self) -> Witnessed {
        let log = Log { key: self.signer.verifier_key().clone(), seen: None };
        BTreeMap::from([(ORIGIN.to_owned(), log)])
    }
}

/// A disk that fails when it is told to, before or after it has written.
#[derive(Clone, Default)]
struct Flaky(Arc<Mutex<(Failing, BTreeMap<String, Seen>)>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Failing {
    #[default]
    Never,
    Lost,
    Persisted,
}

impl Memory for Flaky {
    fn remember(&self, origin: &str, seen: &Seen) -> Result<(), Forgetful> {
        let (failing, disk) = &mut *self.0.lock().unwrap();
        if *failing != Failing::Lost {
            disk.insert(origin.to_owned(), seen.clone());
        }
        if *failing == Failing::Never { Ok(()) } else { Err(Forgetful::Ending) }
    }
}

fn key() -> Seed {
    Seed::generate().unwrap()
}

fn signer(key: &Seed) -> Signer {
    Signer::from_seed("alder/witness", KeyKind::Cosigner, key.expose()).unwrap()
}

/// A witness that starts with what is on disk.
fn witness(log: &Forked, key: &Seed, disk: &Flaky) -> Witness<Flaky> {
    let mut logs = log.logs();
    logs.get_mut(ORIGIN).unwrap().seen = disk.0.lock().unwrap().1.get(ORIGIN).cloned();
    Witness::new(signer(key), logs, disk.clone())
}

fn refusal(outcome: Result<NoteSignature, NotCosigned>) -> Refusal {
    match outcome {
        Err(NotCosigned::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_log_that_grows_is_cosigned_and_every_other_request_gets_the_answer_of_the_specification() {
    let (log, stranger, key, disk) = (Forked::new(), Forked::new(), key(), Flaky::default());
    let witness = witness(&log, &key, &disk);
    let line = witness.add_checkpoint(log.request(0, 0, 5).as_bytes(), 77).unwrap();
    assert_eq!(cosignature::verify(signer(&key).verifier_key(), &log.note(0, 5).text, &line), Ok(77));
    assert!(witness.add_checkpoint(log.request(0, 5, 5).as_bytes(), 78).is_ok());
    let unknown = log.request(0, 5, 6).replace(ORIGIN, "example.org/unknown");
    let forged = log.request(0, 5, 6).replace("\n6\n", "\n7\n");
    let unsigned = stranger.request(0, 5, 6);
    let cut = log.request(0, 5, 7).replacen('\n', "\nx", 1);
    let long = format!("{}{}", log.request(0, 5, 6), "— x AAAAAAA=\n".repeat(BODY_BYTES_MAX / 8));
    let no_proof = AddCheckpoint::body(5, &[], &log.note(0, 7));
    let needless = AddCheckpoint::body(5, &[Digest([1; 32])], &log.note(0, 5));
    let cases = [
        (unknown, 404, "unknown"),
        (forged, 403, "forged"),
        (unsigned, 403, "without the log's line"),
        (log.request(0, 9, 5), 400, "old beyond the checkpoint"),
        (log.request(0, 4, 7), 409, "another old size"),
        (log.request(0, 0, 7), 409, "as if it were new"),
        (log.request(1, 5, 5), 422, "another root of the same size"),
        (log.request(1, 5, 7), 422, "a fork"),
        (no_proof, 422, "no proof"),
        (needless, 422, "a proof where none is needed"),
        (cut, 400, "malformed"),
        (String::new(), 400, "empty"),
        (long, 413, "too long"),
    ];
    for (body, status, what) in cases {
        let outcome = witness.add_checkpoint(body.as_bytes(), 79);
        let response = answer::response(&outcome);
        assert_eq!(response.status().as_u16(), status, "{what}: {outcome:?}");
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind == SIZE_TYPE, status == 409, "{what}: {kind}");
    }
    assert_eq!(refusal(witness.add_checkpoint(log.request(0, 4, 7).as_bytes(), 80)), Refusal::Conflict { size: 5 });
    assert!(witness.add_checkpoint(log.request(0, 5, 7).as_bytes(), 80).is_ok());
    let kept = witness.latest(&Digest::of(ORIGIN.as_bytes())).unwrap();
    assert_eq!(SignedNote::parse(kept.as_bytes()).unwrap().signatures.len(), 2);
}

#[test]
fn an_empty_log_has_the_empty_root_and_a_new_log_needs_no_proof() {
    let (log, key, disk) = (Forked::new(), key(), Flaky::default());
    let witness = witness(&log, &key, &disk);
    let text = format!("{ORIGIN}\n0\n{}\n", log.note(0, 1).text.lines().nth(2).unwrap());
    let wrong = SignedNote { signatures: vec![note::sign(&log.signer, &text).unwrap()], text };
    let wrong = witness.add_checkpoint(AddCheckpoint::body(0, &[], &wrong).as_bytes(), 1);
    assert_eq!(refusal(wrong), Refusal::Inconsistent { old: 0 });
    let proof = AddCheckpoint::body(0, &[Digest([1; 32])], &log.note(0, 3));
    assert_eq!(refusal(witness.add_checkpoint(proof.as_bytes(), 1)), Refusal::Inconsistent { old: 0 });
    assert!(witness.add_checkpoint(log.request(0, 0, 0).as_bytes(), 1).is_ok());
    assert!(witness.add_checkpoint(log.request(0, 0, 3).as_bytes(), 1).is_ok());
}

#[test]
fn a_checkpoint_that_cannot_be_remembered_is_not_cosigned() {
    let (log, key, disk) = (Forked::new(), key(), Flaky::default());
    let witness = witness(&log, &key, &disk);
    for failing in [Failing::Lost, Failing::Persisted] {
        disk.0.lock().unwrap().0 = failing;
        let outcome = witness.add_checkpoint(log.request(0, 0, 5).as_bytes(), 1);
        assert_eq!(answer::response(&outcome).status().as_u16(), 503, "{failing:?}");
        assert!(outcome.is_err());
    }
    disk.0.lock().unwrap().0 = Failing::Never;
    assert!(witness.add_checkpoint(log.request(0, 0, 5).as_bytes(), 1).is_ok());
}

#[test]
fn of_many_requests_at_a_time_one_is_cosigned_and_the_others_are_told_its_size() {
    let (log, key, disk) = (Forked::new(), key(), Flaky::default());
    let witness = witness(&log, &key, &disk);
    let bodies: Vec<String> = (1..9).map(|size| log.request(0, 0, size)).collect();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let ask = |body: &String| witness.add_checkpoint(body.as_bytes(), 1).map_err(|error| error.to_string());
        let asked: Vec<_> = bodies.iter().map(|body| scope.spawn(move || ask(body))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
}

#[test]
fn the_database_remembers_what_was_cosigned_and_only_of_logs_that_were_named() {
    let (world, log, key) = (World::of(4), Forked::new(), key());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.redb");
    let store = Arc::new(Store::open(&path, &world.group).unwrap());
    let witness = Witness::open(signer(&key), log.logs(), &store).unwrap();
    witness.add_checkpoint(log.request(0, 0, 6).as_bytes(), 1).unwrap();
    let stranger = log.request(0, 0, 6).replace(ORIGIN, "example.org/unknown");
    assert_eq!(refusal(witness.add_checkpoint(stranger.as_bytes(), 1)), Refusal::UnknownLog);
    assert_eq!(store.witnessed().unwrap().len(), 1);
    drop(store);
    // A node that is ending signs nothing more.
    let late = witness.add_checkpoint(log.request(0, 6, 7).as_bytes(), 1);
    assert!(matches!(late, Err(NotCosigned::Memory(Forgetful::Ending))));
    let store = Arc::new(Store::open(&path, &world.group).unwrap());
    let again = Witness::open(signer(&key), log.logs(), &store).unwrap();
    assert_eq!(refusal(again.add_checkpoint(log.request(1, 0, 6).as_bytes(), 2)), Refusal::Conflict { size: 6 });
    assert_eq!(refusal(again.add_checkpoint(log.request(1, 6, 6).as_bytes(), 2)), Refusal::Inconsistent { old: 6 });
    assert!(again.add_checkpoint(log.request(0, 6, 9).as_bytes(), 2).is_ok());
}

#[derive(Clone, Debug)]
enum Step {
    Ask { branch: u8, old: u64, size: u64 },
    Fail(Failing),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let failing = prop_oneof![Just(Failing::Never), Just(Failing::Lost), Just(Failing::Persisted)];
    let step = prop_oneof![
        8 => (0..3u8, 0..10u64, 0..10u64).prop_map(|(branch, old, size)| Step::Ask { branch, old, size }),
        2 => failing.prop_map(Step::Fail),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_is_asked_and_whatever_fails_the_signed_checkpoints_are_of_one_log_that_grows(steps in steps()) {
        let (log, key, disk) = (Forked::new(), key(), Flaky::default());
        let mut witness = witness(&log, &key, &disk);
        let mut signed: Vec<(u64, Digest)> = Vec::new();
        for step in steps {
            match step {
                Step::Fail(failing) => disk.0.lock().unwrap().0 = failing,
                Step::Restart => witness = self::witness(&log, &key, &disk),
                Step::Ask { branch, old, size } => {
                    let request = log.request(branch, old, size);
                    if witness.add_checkpoint(request.as_bytes(), 1).is_ok() {
                        signed.push((size, Forked::root(branch, size)));
                    }
                }
            }
        }
        prop_assert!(signed.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        // One branch has all of them.
        prop_assert!(
            (0..3u8).any(|branch| signed.iter().all(|(size, root)| Forked::root(branch, *size) == *root)),
            "{:?}", signed
        );
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = AddCheckpoint::parse(&bytes);
        let text: Vec<u8> = [b"old 3\n".as_slice(), &bytes].concat();
        prop_assert!(AddCheckpoint::parse(&text).is_err());
    }

    #[test]
    fn a_changed_request_is_refused_or_means_what_it_says(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let log = Forked::new();
        let good = log.request(0, 3, 9).into_bytes();
        prop_assert!(AddCheckpoint::parse(&good).is_ok());
        let mut changed = good.clone();
        let at = at.index(changed.len());
        changed[at] = byte;
        if let Ok(read) = AddCheckpoint::parse(&changed) {
            prop_assert_eq!(AddCheckpoint::body(read.old, &read.path, &read.note).into_bytes(), changed.clone());
        }
        prop_assert!(AddCheckpoint::parse(&good[..at]).is_err());
        changed.splice(at..at, b"\n".iter().copied());
        let _ = AddCheckpoint::parse(&changed);
    }
}

#[test]
fn limits_and_second_spellings_of_a_request_are_refused() {
    let log = Forked::new();
    let (note, hash) = (log.note(0, 9), Digest([7; 32]));
    let path = |count: usize| AddCheckpoint::body(3, &vec![hash; count], &note);
    assert!(AddCheckpoint::parse(path(63).as_bytes()).is_ok());
    assert_eq!(AddCheckpoint::parse(path(64).as_bytes()), Err(RequestError::Path));
    let good = path(1);
    let cases = [
        (good.replace("old 3", "old 03"), RequestError::Old),
        (good.replace("old 3", "old +3"), RequestError::Old),
        (good.replace("old 3", "old  3"), RequestError::Old),
        (good.replace("old 3", "old 9223372036854775808"), RequestError::Old),
        (good.replace("old 3\n", "old 3\r\n"), RequestError::Old),
        (good.replace("BwcHBwc=", "BwcHBwd="), RequestError::Path),
        (good.replace("\n9\n", "\n09\n"), RequestError::Checkpoint),
        (good.replace("\n9\n", "\n9\n9\n"), RequestError::Checkpoint),
    ];
    for (body, error) in cases {
        assert_ne!(body, good);
        assert_eq!(AddCheckpoint::parse(body.as_bytes()), Err(error), "{body}");
    }
    // Extension lines are somebody else's, and allowed.
    let text = format!("{}extension\n", note.text);
    let extended = SignedNote { text: text.clone(), signatures: vec![note::sign(&log.signer, &text).unwrap()] };
    assert_eq!(AddCheckpoint::parse(AddCheckpoint::body(3, &[], &extended).as_bytes()).unwrap().size, 9);
}
