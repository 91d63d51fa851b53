//! `monitor`: what it finds at the nodes of a log, and how it says so.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::fork;
use synchronicity_verify::lookup::Lookup;

use crate::logs::{Log, file_at, history};
use crate::program::{Ran, run};
use crate::sample;
use crate::schema::held;
use crate::server::{Answer, Server};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("monitor::a_good_log_is_followed_and_each_entry_told_once", good),
        Trial::test("monitor::two_logs_of_one_size_are_a_fork_with_a_portable_proof", fork_of_one_size),
        Trial::test("monitor::a_longer_log_that_rewrites_history_is_a_fork_and_stays_one", rewritten),
        Trial::test("monitor::an_entry_that_breaks_a_rule_under_a_good_quorum_accuses_the_group", rules),
        Trial::test("monitor::wrong_and_missing_files_are_told_apart_and_their_repair_is_told", files),
        Trial::test("monitor::hashes_that_lead_nowhere_leave_it_unproven", unproven),
        Trial::test("monitor::a_checkpoint_without_its_quorum_or_of_another_log_is_refused", checkpoints),
        Trial::test("monitor::lookups_are_held_against_the_monitors_own_map", lookups),
        Trial::test("monitor::a_lagging_node_is_no_contradiction", lagging),
        Trial::test("monitor::what_is_too_old_or_not_there_is_to_be_tried_later", stale),
    ]
}

/// One pass with the state that stands beside the first log.
pub(crate) fn once(state: &Path, nodes: &[&str], more: &[&str]) -> (Ran, Vec<Value>) {
    let arguments = [&["monitor", "--policy", "policy", "--state", "state", "--once", "--json"], more, nodes].concat();
    let ran = run(state, arguments);
    let events = ran.out.lines().map(|line| held(line)).collect();
    (ran, events)
}

pub(crate) fn events<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

/// The one alarm of a pass.
#[track_caller]
fn alarm(log: &Log, nodes: &[&str], kind: &str) -> (Value, PathBuf) {
    let (ran, told) = once(log.dir.path(), nodes, &[]);
    let ran = ran.expect(40);
    let alarms = events(&told, "alarm");
    assert_eq!(alarms.len(), 1, "{}\n{}", ran.out, ran.err);
    assert_eq!(alarms[0]["kind"], kind, "{}", ran.out);
    let evidence = log.dir.path().join(alarms[0]["evidence"].as_str().unwrap());
    (alarms[0].clone(), evidence)
}

fn good() -> Outcome {
    let log = Log::of(history(300, "the binary"), &[0, 1, 2]);
    log.publish(3, &[0, 1, 2, 3]);
    let (one, two) = (log.serve(), log.serve());
    let nodes = [one.address.as_str(), &two.address];
    let (ran, told) = once(log.dir.path(), &nodes, &[]);
    ran.expect(0);
    assert_eq!(events(&told, "checkpoint").len(), 2);
    let indices: Vec<_> = events(&told, "entry").iter().map(|entry| entry["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 1, 2]);
    assert_eq!(events(&told, "entry")[1]["purl"], "pkg:cargo/crate-1@0.17.0");
    assert_eq!(events(&told, "pass")[0]["good"], 2);
    log.publish(300, &[0, 1, 2]);
    let (ran, told) = once(log.dir.path(), &nodes, &[]);
    ran.expect(0);
    assert_eq!((events(&told, "entry").len(), events(&told, "checkpoint").len()), (297, 2));
    let (ran, told) = once(log.dir.path(), &nodes, &[]);
    ran.expect(0);
    assert_eq!((events(&told, "entry").len(), events(&told, "checkpoint").len()), (0, 0), "nothing is new");
    // The copy is a log like any other: byte by byte what was served.
    for file in ["checkpoint", "tile/entries/000", "tile/entries/001.p/44", "tile/0/000"] {
        assert_eq!(fs::read(log.dir.path().join("state/log").join(file))?, fs::read(log.file(file))?, "{file}");
    }
    Ok(())
}

/// The proof convinces whoever has the policy, and needs nothing of the monitor.
fn is_fork(evidence: &Path, sizes: [u64; 2]) {
    let proof = fs::read(evidence.join("proof.fork")).unwrap();
    let shown = fork::verify(&proof, &sample::policy(3)).unwrap();
    assert_eq!(shown.sides.map(|side| side.size), sizes);
    assert_eq!(shown.both.len(), 4, "all cosigned both");
}

fn fork_of_one_size() -> Outcome {
    for sizes in [[5, 5], [5, 7], [4, 6]] {
        let one = Log::new(sizes[0]);
        let other = Log::of(history(sizes[1], "another binary"), &[0, 1, 2, 3]);
        let (a, b) = (one.serve(), other.serve());
        let (_, evidence) = alarm(&one, &[&a.address, &b.address], "fork");
        is_fork(&evidence, sizes.map(|size| size as u64));
    }
    Ok(())
}

fn rewritten() -> Outcome {
    let log = Log::new(5);
    let node = log.serve();
    once(log.dir.path(), &[&node.address], &[]).0.expect(0);
    // The same node now shows another past.
    let other = Log::of(history(9, "another binary"), &[0, 1, 2, 3]);
    fs::rename(log.path(), log.dir.path().join("before"))?;
    fs::rename(other.path(), log.path())?;
    let (_, evidence) = alarm(&log, &[&node.address], "fork");
    is_fork(&evidence, [5, 9]);
    // What was verified stays, and so does the alarm when the good log is back.
    fs::rename(log.path(), log.dir.path().join("after"))?;
    fs::rename(log.dir.path().join("before"), log.path())?;
    let (ran, told) = once(log.dir.path(), &[&node.address], &[]);
    ran.expect(40);
    assert_eq!(events(&told, "alarm")[0]["again"], true);
    assert_eq!(events(&told, "pass")[0]["size"], 5);
    Ok(())
}

fn rules() -> Outcome {
    type Change = fn(&mut Vec<Entry>);
    let broken: [(&str, Change); 5] = [
        ("but its openings say reproduced", |log| log[3].verdict = Verdict::Diverged),
        ("map root", |log| log[3].map_root = log[2].map_root),
        ("attempt 1 at request", |log| log[3].round = 1),
        ("does not open its commitment", |log| log[3].members[0].opening.as_mut().unwrap().nonce[0] ^= 1),
        ("after block", |log| log[3].height = 0),
    ];
    for (words, change) in broken {
        let mut entries = history(5, "the binary");
        change(&mut entries);
        let log = Log::of(entries, &[0, 1, 2, 3]);
        let node = log.serve();
        let (told, evidence) = alarm(&log, &[&node.address], "rules");
        let said = told["words"].as_str().unwrap();
        assert!(said.contains("entry 3, signed by a quorum") && said.contains(words), "{said}");
        assert_eq!(fs::read(evidence.join("entry"))?, log.entries[3].to_bytes());
        assert!(evidence.join("tlog-proof").exists());
    }
    Ok(())
}

fn files() -> Outcome {
    let log = Log::new(300);
    let good = Log::new(300);
    let (node, other) = (log.serve(), good.serve());
    let nodes = [node.address.as_str(), &other.address];
    for (file, kind) in [
        ("tile/entries/000", "entries"),
        ("tile/0/000", "tiles"),
        ("tile/1/000.p/1", "tiles"),
        ("tile/0/001.p/44", "missing"),
        ("tile/entries/001.p/44", "missing"),
    ] {
        let bytes = fs::read(log.file(file))?;
        if kind == "missing" {
            fs::remove_file(log.file(file))?;
        } else {
            let mut wrong = bytes.clone();
            // Of a bundle, within an entry.
            *wrong.last_mut().unwrap() ^= 1;
            fs::write(log.file(file), &wrong)?;
        }
        let (told, evidence) = alarm(&log, &nodes, kind);
        assert_eq!(told["node"], node.address.as_str(), "{file}");
        if kind != "missing" {
            assert!(evidence.join("served").exists(), "{file}");
        }
        fs::write(log.file(file), bytes)?;
        let (ran, told) = once(log.dir.path(), &nodes, &[]);
        ran.expect(0);
        assert_eq!(events(&told, "recovered")[0]["kind"], kind, "{file}");
        fs::remove_dir_all(log.dir.path().join("state"))?;
    }
    Ok(())
}

fn unproven() -> Outcome {
    let log = Log::of(history(7, "the binary"), &[0, 1, 2, 3]);
    log.publish(5, &[0, 1, 2, 3]);
    let node = log.serve();
    once(log.dir.path(), &[&node.address], &[]).0.expect(0);
    log.publish(7, &[0, 1, 2, 3]);
    for file in ["tile/0/000.p/7", "tile/entries/000.p/7"] {
        let mut bytes = fs::read(log.file(file))?;
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(log.file(file), bytes)?;
    }
    alarm(&log, &[&node.address], "unproven");
    Ok(())
}

fn checkpoints() -> Outcome {
    let log = Log::new(3);
    let node = log.serve();
    let good = fs::read(log.file("checkpoint"))?;
    log.publish(3, &[0, 1]);
    let below = fs::read(log.file("checkpoint"))?;
    let text = String::from_utf8(good.clone())?.replacen("\n3\n", "\n4\n", 1);
    let other = text.replacen("sample", "simple", 1);
    for (bytes, words) in [
        (below.as_slice(), "below the policy's threshold"),
        (text.as_bytes(), "signature"),
        (other.as_bytes(), "it is of the log"),
        (b"no note", "refused"),
        (&vec![b'a'; 2 << 20], "is larger than"),
    ] {
        fs::write(log.file("checkpoint"), bytes)?;
        let (told, _) = alarm(&log, &[&node.address], "checkpoint");
        assert!(told["words"].as_str().unwrap().contains(words), "{told}");
        fs::write(log.file("checkpoint"), &good)?;
        let (ran, told) = once(log.dir.path(), &[&node.address], &[]);
        ran.expect(0);
        assert_eq!(events(&told, "recovered").len(), 1);
    }
    Ok(())
}

/// A node of `log` that answers lookups with what `answering` says, after a change.
fn node_with_lookups(log: &Log, answering: Arc<Log>, change: fn(&mut Lookup)) -> Server {
    let folder = log.path();
    Server::start(move |path| match path.strip_prefix("/lookup/") {
        Some(prefix) => {
            let mut answer = Lookup::parse(&answering.answer(prefix)).unwrap();
            change(&mut answer);
            Answer::Whole(answer.to_string().into_bytes())
        }
        None => file_at(&folder, path),
    })
}

fn lookups() -> Outcome {
    let log = Arc::new(Log::new(5));
    let good = node_with_lookups(&log, Arc::clone(&log), |_| ());
    let (ran, told) = once(log.dir.path(), &[&good.address], &[]);
    ran.expect(0);
    assert!(events(&told, "warning").is_empty());
    assert!(good.asked().iter().filter(|path| path.starts_with("/lookup/")).count() >= 5);
    // One that leaves an entry out, which the map's proof shows.
    let log = Arc::new(Log::new(5));
    let hide = |answer: &mut Lookup| answer.proof.leaves.iter_mut().for_each(|leaf| leaf.indices.truncate(1));
    let hides = node_with_lookups(&log, Arc::clone(&log), hide);
    let (_, evidence) = alarm(&log, &[&hides.address], "lookup");
    assert!(evidence.join("answer").exists());
    // One of a log that contradicts the copy, with a good proof of its own.
    let other = Arc::new(Log::of(history(5, "another binary"), &[0, 1, 2, 3]));
    let log = Log::new(5);
    let splits = node_with_lookups(&log, other, |_| ());
    let (_, evidence) = alarm(&log, &[&splits.address], "fork");
    is_fork(&evidence, [5, 5]);
    // One that answers none is as good as another.
    let log = Log::new(5);
    let none = log.serve();
    let (ran, told) = once(log.dir.path(), &[&none.address], &[]);
    ran.expect(0);
    assert!(events(&told, "warning")[0]["words"].as_str().unwrap().contains("answers no lookups"));
    Ok(())
}

fn lagging() -> Outcome {
    let (log, behind) = (Log::new(300), Log::of(history(300, "the binary"), &[0, 1, 2]));
    behind.publish(257, &[0, 1, 2]);
    let (node, late) = (log.serve(), behind.serve());
    let nodes = [late.address.as_str(), &node.address];
    let (ran, told) = once(log.dir.path(), &nodes, &[]);
    ran.expect(0);
    let mut sizes: Vec<_> = events(&told, "checkpoint").iter().map(|event| event["size"].as_u64().unwrap()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [257, 300]);
    // Going back is told, and no alarm.
    behind.publish(200, &[0, 1, 2]);
    let (ran, told) = once(log.dir.path(), &nodes, &[]);
    ran.expect(0);
    let warnings = events(&told, "warning");
    assert!(warnings.iter().any(|event| event["words"] == "it went back from size 257 to 200"), "{warnings:?}");
    // It may go back, and not to another past.
    let other = Log::of(history(200, "another binary"), &[0, 1, 2]);
    fs::copy(other.file("checkpoint"), behind.file("checkpoint"))?;
    alarm(&log, &nodes, "fork");
    Ok(())
}

fn stale() -> Outcome {
    let log = Log::new(3);
    let node = log.serve();
    let (ran, told) = once(log.dir.path(), &[&node.address], &["--max-age", "1h"]);
    ran.expect(75);
    assert!(events(&told, "stale")[0]["words"].as_str().unwrap().starts_with("too old: "));
    once(log.dir.path(), &[&node.address], &["--max-age", "500w"]).0.expect(0);
    let (ran, told) = once(log.dir.path(), &["http://127.0.0.1:1"], &[]);
    ran.expect(75);
    assert_eq!(events(&told, "unreachable")[0]["node"], "http://127.0.0.1:1");
    // One that is away does not make the others worse.
    once(log.dir.path(), &["http://127.0.0.1:1", &node.address], &[]).0.expect(0);
    Ok(())
}
