//! `audit` against whoever serves the log: nothing is allowed, and the code says why.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};

use crate::audit::{audit, lock};
use crate::logs::{Log, file_at, history};
use crate::look_up::{binary, log};
use crate::sample;
use crate::server::{Answer, Server, head};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("audit_hostile::false_cut_off_and_endless_files_of_a_log_decide_nothing", bad_files),
        Trial::test("audit_hostile::an_old_checkpoint_and_a_forked_log_decide_nothing", old_and_forked),
        Trial::test("audit_hostile::a_policy_that_wants_more_builders_than_signed_is_not_satisfied", fewer_builders),
        Trial::test("audit_hostile::another_version_or_another_crate_is_no_evidence_for_a_dependency", other_version),
    ]
}

/// A log of six entries, and beside it a lock file with one dependency, which the log has.
fn project() -> Log {
    let log = log(5);
    fs::write(log.dir.path().join("Cargo.lock"), lock(&[("crate-1", "the archive")])).unwrap();
    log
}

/// What a server does with the true file at a path.
type Serves = Box<dyn Fn(Vec<u8>) -> Answer + Send + Sync>;

fn bad_files() -> Outcome {
    // As many entries, each good, of another history.
    let other = fs::read(Log::of(history(6, "another binary"), &[0, 1, 2, 3]).file("tile/entries/000.p/6"))?;
    let kinds: [(&str, Serves, i32, &str); 7] = [
        ("/tile/entries", Box::new(|bytes| Answer::Whole(flipped(bytes))), 40, ""),
        ("/tile/entries", Box::new(|bytes| Answer::Whole(bytes[..bytes.len() - 1].to_vec())), 40, ""),
        ("/tile/entries", Box::new(move |_| Answer::Whole(other.clone())), 40, ""),
        ("/tile/entries", Box::new(|_| endless()), 40, "the most that is accepted here"),
        ("/checkpoint", Box::new(|bytes| Answer::Whole(flipped(bytes))), 40, ""),
        ("/checkpoint", Box::new(|bytes| Answer::Whole(bytes[..bytes.len() / 2].to_vec())), 40, ""),
        ("/checkpoint", Box::new(|_| endless()), 40, "the most that is accepted here"),
    ];
    let log = project();
    for (at, serves, code, words) in kinds {
        let folder = log.path();
        let node = Server::start(move |path| match file_at(&folder, path) {
            Answer::Whole(bytes) if path.starts_with(at) => serves(bytes),
            answer => answer,
        });
        let ran = audit(&log, &["--node", &node.address]).expect(code);
        assert!(ran.out.is_empty() && ran.err.contains(words), "{at}: {} {}", ran.out, ran.err);
        // Nothing of it is kept to be believed later.
        audit(&log, &["--offline"]).expect(2);
    }
    audit(&log, &["--node", "log"]).expect(0);
    Ok(())
}

fn flipped(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

fn endless() -> Answer {
    Answer::Flood(head(200, ""), vec![b'x'; 64 << 10])
}

fn old_and_forked() -> Outcome {
    let log = project();
    log.publish(3, &[0, 1, 2, 3]);
    let old = fs::read(log.file("checkpoint"))?;
    log.publish(6, &[0, 1, 2, 3]);
    let new = fs::read(log.file("checkpoint"))?;
    audit(&log, &["--node", "log"]).expect(0);
    fs::write(log.file("checkpoint"), old)?;
    let ran = audit(&log, &["--node", "log"]).expect(75);
    assert!(ran.err.contains("this is a log of 3 entries, and this client has seen one of 6"), "{}", ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    fs::write(log.file("checkpoint"), new)?;
    // Another history, longer and signed as well, in which the dependency stands, too.
    let names: Vec<String> = (0..9).map(|index| format!("crate-{index}")).collect();
    let results = |name: &str| [0, 1, 2, 3].map(|_| Some(sample::built(&binary(&format!("another {name}")))));
    let crates: Vec<_> = names.iter().map(|name| (name.as_str(), results(name))).collect();
    let liar = Log::of(sample::history(&crates), &[0, 1, 2, 3]);
    let ran = audit(&log, &["--node", &liar.serve().address]).expect(40);
    assert!(ran.err.contains("this log has forked") && ran.out.is_empty(), "{}{}", ran.out, ran.err);
    audit(&log, &["--node", "log"]).expect(0);
    Ok(())
}

fn fewer_builders() -> Outcome {
    let log = project();
    log.publish(6, &[0, 1]);
    let ran = audit(&log, &["--node", "log"]).expect(43);
    assert!(ran.out.is_empty(), "{}", ran.out);
    log.publish(6, &[0, 1, 2]);
    audit(&log, &["--node", "log"]).expect(0);
    fs::write(log.policy(), sample::policy(4).to_string())?;
    for place in [&["--node", "log"][..], &["--offline"]] {
        assert!(audit(&log, place).expect(43).out.is_empty());
    }
    Ok(())
}

fn other_version() -> Outcome {
    let log = project();
    let evidence = lock(&[("crate-1", "the archive")]);
    for (text, name) in [
        // The log has 0.17.0 of it, which is lower, and the very archive, and the same archive under another name.
        (evidence.replace("0.17.0", "0.18.0"), "crate-1 0.18.0"),
        (evidence.replace("0.17.0", "0.16.0"), "crate-1 0.16.0"),
        (evidence.replace("crate-1", "crate-12"), "crate-12 0.17.0"),
    ] {
        fs::write(log.dir.path().join("Cargo.lock"), text)?;
        let ran = audit(&log, &["--node", "log"]).expect(0);
        assert!(ran.out.contains(&format!("warn  absent       {name}")), "{}", ran.out);
        assert!(!ran.out.contains("reproduced"), "{}", ran.out);
        fs::write(log.dir.path().join("strict.toml"), "[levels]\nabsent = \"deny\"\n")?;
        audit(&log, &["--node", "log", "--config", "strict.toml"]).expect(41);
    }
    Ok(())
}
