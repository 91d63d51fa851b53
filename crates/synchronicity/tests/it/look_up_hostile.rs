//! `verify FILE` against whoever serves the log, and whoever wrote to this machine's copy of it.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::map::MapKey;
use synchronicity_verify::note::{KeyKind, SignedNote};

use crate::logs::{Log, file_at};
use crate::look_up::{binary, log, verify};
use crate::sample;
use crate::server::{Answer, Server, head};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("look_up_hostile::false_and_cut_off_entries_are_refused_and_nothing_is_kept", false_entries),
        Trial::test("look_up_hostile::an_endless_a_broken_and_an_absent_log_have_their_codes", no_log),
        Trial::test("look_up_hostile::the_next_place_is_asked_where_one_is_silent_and_not_where_one_lies", next_place),
        Trial::test("look_up_hostile::an_old_checkpoint_is_not_taken_back", old_checkpoint),
        Trial::test("look_up_hostile::a_forked_log_is_refused_and_proven", forked),
        Trial::test("look_up_hostile::a_policy_that_wants_more_builders_than_signed_is_not_satisfied", fewer_builders),
        Trial::test("look_up_hostile::another_crates_entry_under_a_crates_index_is_refused", other_entry),
        Trial::test("look_up_hostile::a_damaged_copy_proves_nothing_and_is_mended_from_the_log", damaged_copy),
        Trial::test("look_up_hostile::a_copy_with_the_files_of_another_history_proves_nothing", forged_copy),
        Trial::test("look_up_hostile::a_copy_whose_index_hides_an_entry_is_none", hidden_entry),
        Trial::test("look_up_hostile::a_copy_of_another_history_is_a_fork_at_any_size", forked_copy),
        Trial::test("look_up_hostile::a_proof_in_the_folder_that_shows_a_fork_ends_the_search", forked_neighbour),
        Trial::test("look_up_hostile::a_copy_that_went_back_is_of_no_use_offline_and_mended_from_the_log", old_copy),
        Trial::test(
            "look_up_hostile::a_line_of_a_witness_that_the_policy_does_not_name_is_passed_over",
            outside_witness,
        ),
    ]
}

/// A server of the log's files, with `change` made to the bundle of entries.
fn serve(log: &Log, change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Server {
    let folder = log.path();
    Server::start(move |path| match file_at(&folder, path) {
        Answer::Whole(bytes) if path.starts_with("/tile/entries") => Answer::Whole(change(bytes)),
        answer => answer,
    })
}

fn copies(log: &Log) -> Vec<PathBuf> {
    let files = fs::read_dir(log.dir.path().join(".cache"));
    let mut files: Vec<_> = files.map_or(Vec::new(), |files| files.map(|file| file.unwrap().path()).collect());
    files.sort();
    files
}

/// What a server makes of the entries.
type Change = Box<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>;

fn false_entries() -> Outcome {
    let log = log(5);
    let other = fs::read(self::log(6).file("tile/entries/000.p/7"))?;
    let flip = |mut bytes: Vec<u8>| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    };
    let changes: [Change; 5] = [
        Box::new(flip),
        Box::new(|bytes| bytes[..bytes.len() - 1].to_vec()),
        Box::new(|bytes| [&bytes[..], b"x"].concat()),
        Box::new(|_| Vec::new()),
        Box::new(move |_| other.clone()),
    ];
    for change in changes {
        let node = serve(&log, change);
        verify(&log, &["crate-1", "--node", &node.address]).expect(40);
        assert_eq!(copies(&log), Vec::<PathBuf>::new());
    }
    verify(&log, &["crate-1", "--node", &serve(&log, |bytes| bytes).address]).expect(0);
    Ok(())
}

fn no_log() -> Outcome {
    let log = log(3);
    let answers: [(fn() -> Answer, i32); 4] = [
        (|| Answer::Flood(head(200, ""), vec![b'x'; 4096]), 40),
        (|| Answer::Status(500), 75),
        (|| Answer::Status(404), 75),
        (|| Answer::Whole(b"no checkpoint".to_vec()), 40),
    ];
    for (answer, code) in answers {
        let node = Server::start(move |_| answer());
        verify(&log, &["crate-1", "--node", &node.address]).expect(code);
    }
    verify(&log, &["crate-1", "--node", "http://127.0.0.1:1"]).expect(75);
    Ok(())
}

fn next_place() -> Outcome {
    let log = log(3);
    let silent = Server::start(|_| Answer::Status(500));
    verify(&log, &["crate-1", "--node", &silent.address, "--node", "log"]).expect(0);
    fs::remove_dir_all(log.dir.path().join(".cache"))?;
    let liar = serve(&log, |_| b"no entries".to_vec());
    verify(&log, &["crate-1", "--node", &liar.address, "--node", "log"]).expect(40);
    Ok(())
}

fn old_checkpoint() -> Outcome {
    let log = log(9);
    log.publish(4, &[0, 1, 2, 3]);
    let old = fs::read(log.file("checkpoint"))?;
    log.publish(10, &[0, 1, 2, 3]);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    fs::write(log.file("checkpoint"), old)?;
    // What is here already is evidence still; to look further, the node is of no use.
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    let ran = verify(&log, &["nobodys", "--node", "log"]).expect(75);
    assert!(ran.err.contains("this is a log of 4 entries, and this client has seen one of 10"), "{}", ran.err);
    fs::write(log.dir.path().join("crate-8"), binary("crate-8"))?;
    verify(&log, &["crate-8", "--offline"]).expect(0);
    Ok(())
}

fn forked() -> Outcome {
    let log = log(5);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    let names: Vec<String> = (0..9).map(|index| format!("other-{index}")).collect();
    let results = |name: &str| [0, 1, 2, 3].map(|_| Some(sample::built(&binary(name))));
    let crates: Vec<_> = names.iter().map(|name| (name.as_str(), results(name))).collect();
    let liar = Log::of(sample::history(&crates), &[0, 1, 2, 3]);
    let ran = verify(&log, &["nobodys", "--node", &liar.serve().address]).expect(40);
    assert!(ran.err.contains("this log has forked"), "{}", ran.err);
    let fork = fs::read_dir(log.dir.path().join(".state"))?.map(|file| file.unwrap().path());
    let fork = fork.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "fork")).unwrap();
    let ran = verify(&log, &[fork.to_str().unwrap()]).expect(40);
    assert!(ran.err.contains("this log has forked"), "{}", ran.err);
    verify(&log, &["crate-1", "--offline"]).expect(0);
    Ok(())
}

fn fewer_builders() -> Outcome {
    let log = log(4);
    log.publish(5, &[0, 1]);
    verify(&log, &["crate-1", "--node", "log"]).expect(43);
    log.publish(5, &[0, 1, 2]);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    // Another policy for the same log: what is kept was signed by three.
    fs::write(log.policy(), sample::policy(4).to_string())?;
    verify(&log, &["crate-1", "--offline"]).expect(43);
    verify(&log, &["crate-1", "--node", "log"]).expect(43);
    log.publish(5, &[0, 1, 2, 3]);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    Ok(())
}

fn other_entry() -> Outcome {
    let log = log(4);
    // The proof of one crate with the entry of another in it.
    let proof = |index| String::from_utf8(log.proof(index, 4)).unwrap();
    let line = |proof: &str| proof.lines().find(|line| line.starts_with("extra ")).unwrap().to_owned();
    let (good, other) = (proof(1), proof(2));
    fs::write(log.dir.path().join("crate-1.tlog-proof"), good.replace(&line(&good), &line(&other)))?;
    verify(&log, &["crate-1", "--node", "log"]).expect(40);
    Ok(())
}

/// Whoever can write to the folder of copies has the right sums; only the signed root is out of reach.
fn forged_copy() -> Outcome {
    let log = log(5);
    // As long as the true one to the byte, with the true binary under another crate's name.
    let names = ["crate-0", "crate-9", "crate-2", "crate-3", "crate-4", "odd"];
    let results = |name| if name == "crate-9" { binary("crate-1") } else { binary("nobodys") };
    let crates = names.map(|name| (name, [0, 1, 2, 3].map(|_| Some(sample::built(&results(name))))));
    let liar = Log::of(sample::history(&crates), &[0, 1, 2, 3]);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    let liars = liar.path().to_string_lossy().into_owned();
    verify(&log, &["nobodys", "--node", &liars, "--cache", "liars", "--state", "other"]).expect(0);
    let files = copies(&log);
    let forged = |path: &PathBuf| fs::read(log.dir.path().join("liars").join(path.file_name().unwrap())).unwrap();
    // By name: the checkpoint, the entries, the index.
    let good: Vec<_> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    for replaced in [&[1, 2][..], &[1], &[2]] {
        replaced.iter().for_each(|at| fs::write(&files[*at], forged(&files[*at])).unwrap());
        for file in ["nobodys", "crate-1"] {
            let ran = verify(&log, &[file, "--offline"]);
            assert!([2, 40, 41].contains(&ran.code), "{replaced:?} {file}: {} {}", ran.code, ran.out);
        }
        files.iter().zip(&good).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    }
    verify(&log, &["crate-1", "--offline"]).expect(0);
    Ok(())
}

/// Whoever can write to the folder of copies leaves keys out of the index, or puts them elsewhere, with a right sum.
fn hidden_entry() -> Outcome {
    let log = log(5);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    let path = copies(&log).pop().unwrap();
    let good = fs::read(&path)?;
    let number = |bytes: &[u8], at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    let start = good.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let (size, count) = (number(&good, start), number(&good, start + 8));
    let keys = start + 16 + 40 * usize::try_from(size)?;
    let hidden = MapKey::of_artifact(&Digest::of(binary("crate-1").as_bytes()));
    let at = (0..usize::try_from(count)?).map(|n| keys + 40 * n).find(|at| good[*at..at + 32] == hidden.0.0).unwrap();
    let mut gone = good[..good.len() - 32].to_vec();
    gone.drain(at..at + 40);
    gone[start + 8..start + 16].copy_from_slice(&(count - 1).to_be_bytes());
    // The key is there, and of no entry under the checkpoint.
    let mut beyond = good[..good.len() - 32].to_vec();
    beyond[at + 32..at + 40].copy_from_slice(&size.to_be_bytes());
    for mut bad in [gone, beyond] {
        let sum = Digest::of(&bad);
        bad.extend_from_slice(&sum.0);
        fs::write(&path, bad)?;
        let ran = verify(&log, &["crate-1", "--offline"]).expect(2);
        assert!(ran.err.contains("no copy of the log"), "{}", ran.err);
        // What is not in it is not said to be nowhere, and the log mends it.
        verify(&log, &["nobodys", "--offline"]).expect(2);
        verify(&log, &["crate-1", "--node", "log"]).expect(0);
        assert_eq!(fs::read(&path)?, good);
    }
    Ok(())
}

/// A whole copy, signed as it must be, of a log that contradicts what this client has seen.
fn forked_copy() -> Outcome {
    for size in [9, 3] {
        let log = log(5);
        verify(&log, &["crate-1", "--node", "log"]).expect(0);
        let names: Vec<String> = (0..size).map(|index| format!("other-{index}")).collect();
        let results = |name: &str| [0, 1, 2, 3].map(|_| Some(sample::built(&binary(name))));
        let crates: Vec<_> = names.iter().map(|name| (name.as_str(), results(name))).collect();
        let liar = Log::of(sample::history(&crates), &[0, 1, 2, 3]);
        let liars = liar.path().to_string_lossy().into_owned();
        verify(&log, &["nobodys", "--node", &liars, "--cache", "liars", "--state", "other"]).expect(41);
        for path in copies(&log) {
            fs::copy(log.dir.path().join("liars").join(path.file_name().unwrap()), path)?;
        }
        fs::write(log.dir.path().join("other-1"), binary("other-1"))?;
        for more in [&["--offline"][..], &["--node", "log"]] {
            // A shorter one cannot be shown to contradict: it is only old, and not what anything is looked up in.
            let (code, words) = match (size, more.len()) {
                (9, _) => (40, "this log has forked"),
                (_, 1) => (75, "this client has seen one of 6"),
                _ => (41, "no group is known to have built it"),
            };
            let ran = verify(&log, &[&["other-1"], more].concat()).expect(code);
            assert!(ran.err.contains(words), "{size}: {}", ran.err);
        }
    }
    Ok(())
}

fn forked_neighbour() -> Outcome {
    let log = log(5);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    // Another log of the same size, in which the same binary is of the same crate.
    let names = ["crate-0", "crate-1", "crate-2", "other-3", "other-4", "odd"];
    let crates = names.map(|name| (name, [0, 1, 2, 3].map(|_| Some(sample::built(&binary(name))))));
    let liar = Log::of(sample::history(&crates), &[0, 1, 2, 3]);
    fs::write(log.dir.path().join("x.tlog-proof"), liar.proof(1, 6))?;
    for more in [&["--offline"][..], &["--node", "log"]] {
        let ran = verify(&log, &[&["crate-1"], more].concat()).expect(40);
        assert!(ran.err.contains("this log has forked"), "{}", ran.err);
    }
    Ok(())
}

fn old_copy() -> Outcome {
    let log = log(9);
    log.publish(4, &[0, 1, 2, 3]);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    let old: Vec<_> = copies(&log).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    log.publish(10, &[0, 1, 2, 3]);
    verify(&log, &["nobodys", "--node", "log"]).expect(41);
    old.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
    let ran = verify(&log, &["crate-1", "--offline"]).expect(75);
    assert!(ran.err.contains("this client has seen one of 10"), "{}", ran.err);
    verify(&log, &["crate-1", "--node", "http://127.0.0.1:1"]).expect(75);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    verify(&log, &["crate-1", "--offline"]).expect(0);
    Ok(())
}

fn outside_witness() -> Outcome {
    let log = log(3);
    let path = log.file("checkpoint");
    let mut note = SignedNote::parse(&fs::read(&path)?).unwrap();
    let outside = sample::signer("witness.example/outside", KeyKind::Cosigner, "outside");
    note.signatures.push(cosign(&outside, &note.text, sample::TIME_S).unwrap());
    fs::write(&path, note.to_string())?;
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    verify(&log, &["crate-1", "--offline"]).expect(0);
    Ok(())
}

fn damaged_copy() -> Outcome {
    let log = log(5);
    verify(&log, &["crate-1", "--node", "log"]).expect(0);
    let files = copies(&log);
    assert_eq!(files.len(), 3);
    for path in &files {
        let good = fs::read(path)?;
        for at in [0, good.len() / 3, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(path, &bad)?;
            // Either the damage is none of this entry's, or there is no evidence: never evidence of something else.
            let ran = verify(&log, &["crate-1", "--offline"]);
            let whole = ran.code == 0 && ran.out.contains("crate-1 0.17.0");
            assert!(whole || [2, 40, 43].contains(&ran.code), "{} {at}: {} {}", path.display(), ran.code, ran.out);
        }
        fs::write(path, b"")?;
        let ran = verify(&log, &["crate-1", "--offline"]);
        assert!([2, 40].contains(&ran.code), "{}: {}", path.display(), ran.code);
        verify(&log, &["crate-1", "--node", "log"]).expect(0);
    }
    Ok(())
}
