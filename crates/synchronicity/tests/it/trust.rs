//! What was seen of a log before is held against what is served later.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use crate::logs::{Log, file_at, history};
use crate::program::{Ran, run};
use crate::server::{Answer, Server};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("trust::a_log_that_grows_is_followed_and_older_proofs_of_it_hold", grows),
        Trial::test("trust::a_log_that_went_back_is_refused_and_what_was_seen_stays", went_back),
        Trial::test("trust::a_forked_history_becomes_a_proof_that_convinces_others", forked),
        Trial::test("trust::a_fork_at_one_size_is_seen_offline", forked_at_one_size),
        Trial::test("trust::what_is_not_shown_to_be_an_extension_is_never_accepted", not_shown),
        Trial::test("trust::a_damaged_memory_is_refused_until_it_is_forgotten", damaged_memory),
        Trial::test("trust::evidence_that_is_too_old_is_to_be_fetched_again", too_old),
    ]
}

/// A node that publishes the first `published` entries, and proofs of crate 0 at `proven`.
fn node(log: &Log, published: usize, proven: usize) -> Server {
    log.publish(published, &[0, 1, 2, 3]);
    let (folder, proof) = (log.path(), log.proof(0, proven));
    // What is published later is not this node's.
    let checkpoint = fs::read(log.file("checkpoint")).unwrap();
    Server::start(move |path| match path {
        "/proof/crate-0/0.17.0" => Answer::Whole(proof.clone()),
        "/checkpoint" => Answer::Whole(checkpoint.clone()),
        _ => file_at(&folder, path),
    })
}

fn prove(dir: &Path, node: &Server) -> Ran {
    run(dir, ["prove", "crate-0@0.17.0", "--policy", "policy", "--node", &node.address])
}

fn remembered(dir: &Path) -> Option<u64> {
    run(dir, ["trust", "show", "--json"]).expect(0).json()["logs"][0]["size"].as_u64()
}

/// A log whose entries are others from the fourth on.
fn other(size: usize) -> Log {
    let mut entries = history(3, "the binary");
    entries.extend(history(size, "another binary").split_off(3));
    Log::of(entries, &[0, 1, 2, 3])
}

fn grows() -> Outcome {
    let log = Log::new(300);
    let dir = log.dir.path();
    assert_eq!(remembered(dir), None);
    for (published, proven, size) in [(4, 4, 4), (7, 7, 7), (7, 4, 7), (300, 300, 300), (300, 1, 300), (300, 256, 300)]
    {
        prove(dir, &node(&log, published, proven)).expect(0);
        assert_eq!(remembered(dir), Some(size), "after {published} and {proven}");
    }
    run(dir, ["trust", "forget", "--policy", "policy"]).expect(0);
    assert_eq!(remembered(dir), None);
    run(dir, ["trust", "forget", "--policy", "policy"]).expect(2);
    Ok(())
}

fn went_back() -> Outcome {
    let log = Log::new(9);
    let dir = log.dir.path();
    prove(dir, &node(&log, 9, 9)).expect(0);
    let ran = prove(dir, &node(&log, 5, 5)).expect(75);
    assert!(ran.err.contains("this is a log of 5 entries, and this client has seen one of 9"), "{}", ran.err);
    assert_eq!(remembered(dir), Some(9));
    Ok(())
}

fn forked() -> Outcome {
    for (seen, served) in [(5, 9), (9, 5), (4, 9), (8, 256)] {
        let (log, liar) = (Log::new(9), other(256));
        let dir = log.dir.path();
        prove(dir, &node(&log, seen, seen)).expect(0);
        // The other history is as large as what was seen at least: else the node only lags behind.
        let liar_node = node(&liar, served.max(9), served);
        let told = run(dir, ["prove", "crate-0@0.17.0", "--policy", "policy", "--json", "--node", &liar_node.address]);
        let told = told.expect(40);
        assert!(told.err.contains("this log has forked"), "{}", told.err);
        let told = told.json();
        assert_eq!(told["fork"]["both"].as_array().unwrap().len(), 4, "all four signed both");
        assert_eq!(remembered(dir), Some(seen as u64), "what was seen stays");
        // The proof convinces somebody who has the policy and nothing else.
        let proof = fs::read(told["proof"].as_str().unwrap())?;
        let elsewhere = tempfile::tempdir()?;
        fs::write(elsewhere.path().join("proof.fork"), &proof)?;
        fs::copy(log.policy(), elsewhere.path().join("policy"))?;
        let verify = |name: &str| run(elsewhere.path(), ["verify", name, "--policy", "policy"]).expect(40).err;
        let words = verify("proof.fork");
        assert!(words.contains("this log has forked") && words.contains("both by builder-0, builder-1"), "{words}");
        let mut flipped = proof;
        let last = flipped.len() - 4;
        flipped[last] ^= 1;
        fs::write(elsewhere.path().join("flipped"), flipped)?;
        assert!(!verify("flipped").contains("this log has forked"));
    }
    Ok(())
}

fn forked_at_one_size() -> Outcome {
    let (log, liar) = (Log::new(9), other(9));
    let dir = log.dir.path();
    prove(dir, &node(&log, 9, 9)).expect(0);
    fs::write(dir.join("theirs"), liar.proof(0, 9))?;
    fs::write(dir.join("ours"), log.proof(0, 9))?;
    run(dir, ["verify", "ours", "--policy", "policy"]).expect(0);
    let ran = run(dir, ["verify", "theirs", "--policy", "policy"]).expect(40);
    assert!(ran.err.contains("this log has forked"), "{}", ran.err);
    Ok(())
}

fn not_shown() -> Outcome {
    let log = Log::new(9);
    let dir = log.dir.path();
    prove(dir, &node(&log, 5, 5)).expect(0);
    let proof = log.proof(0, 9);
    log.publish(9, &[0, 1, 2, 3]);
    let (good, folder) = (fs::read(log.file("checkpoint"))?, log.path());
    let serve = move |checkpoint: Answer2, tiles: Answer2| {
        let (proof, good, folder) = (proof.clone(), good.clone(), folder.clone());
        Server::start(move |path| match (path, checkpoint, tiles) {
            ("/proof/crate-0/0.17.0", ..) => Answer::Whole(proof.clone()),
            ("/checkpoint", Answer2::Good, _) => Answer::Whole(good.clone()),
            ("/checkpoint", bad, _) | (_, _, bad @ (Answer2::Gone | Answer2::Garbage)) => match bad {
                Answer2::Gone => Answer::Status(404),
                _ => Answer::Whole(vec![b'x'; 288]),
            },
            _ => file_at(&folder, path),
        })
    };
    for (checkpoint, tiles, code) in [
        (Answer2::Gone, Answer2::Good, 75),
        (Answer2::Garbage, Answer2::Good, 40),
        (Answer2::Good, Answer2::Gone, 75),
        (Answer2::Good, Answer2::Garbage, 40),
        (Answer2::Good, Answer2::Good, 0),
    ] {
        assert_eq!(remembered(dir), Some(5));
        prove(dir, &serve(checkpoint, tiles)).expect(code);
    }
    assert_eq!(remembered(dir), Some(9));
    Ok(())
}

#[derive(Clone, Copy)]
enum Answer2 {
    Good,
    Gone,
    Garbage,
}

fn damaged_memory() -> Outcome {
    let log = Log::new(4);
    let dir = log.dir.path();
    let node = node(&log, 4, 4);
    prove(dir, &node).expect(0);
    let kept = run(dir, ["trust", "show", "--json"]).expect(0).json()["logs"][0]["file"].as_str().unwrap().to_owned();
    fs::write(kept, b"")?;
    let ran = prove(dir, &node).expect(1);
    assert!(ran.err.contains("what is remembered of the log is damaged"), "{}", ran.err);
    run(dir, ["trust", "show"]).expect(1);
    run(dir, ["trust", "forget", "--policy", "policy"]).expect(0);
    prove(dir, &node).expect(0);
    Ok(())
}

fn too_old() -> Outcome {
    let log = Log::new(4);
    let dir = log.dir.path();
    fs::write(dir.join("proof"), log.proof(0, 4))?;
    let verify = |age: &str| run(dir, ["verify", "proof", "--policy", "policy", "--max-age", age]);
    // The sample's group signed in 2026, or will have: no clock is right for both, and both are refused.
    let ran = verify("1s").expect(75);
    assert!(
        ran.err.contains("too old: a quorum last vouched for it") || ran.err.contains("in the future"),
        "{}",
        ran.err
    );
    verify("1").expect(2);
    verify("1h30m").expect(2);
    Ok(())
}
