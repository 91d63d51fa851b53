//! Servers that are slow with a log, or never end: every command that reads a log gives up in time, and says why.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};

use crate::audit::lock;
use crate::logs::{Log, file_at};
use crate::look_up::log;
use crate::program::run;
use crate::server::{Answer, Server, head};
use crate::store::installed;

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("slow_log::verify_audit_and_install_give_up_on_a_log_that_does_not_come_or_has_no_end", in_time)]
}

/// The commands, each about something that the log has.
const COMMANDS: [&[&str]; 3] = [&["verify", "crate-1"], &["audit"], &["install", "crate-1", "--root", "root"]];

/// What a server does with one file of the log, the exit code, and the reason.
type Kind = (fn() -> Answer, i32, &'static str);

const KINDS: [Kind; 4] = [
    (|| Answer::Silence(Vec::new()), 75, "is too slow"),
    (|| Answer::Silence([head(200, "Content-Length: 999"), b"syn".to_vec()].concat()), 75, "is too slow"),
    (|| Answer::Drip([head(200, ""), b"x".to_vec()].concat()), 75, "is too slow"),
    (|| Answer::Flood(head(200, ""), vec![b'x'; 64 << 10]), 40, "the most that is accepted here"),
];

fn in_time() -> Outcome {
    let cases = ["/checkpoint", "/tile/entries"].into_iter().flat_map(|at| KINDS.map(|kind| (at, kind)));
    let cases = cases.flat_map(|(at, kind)| COMMANDS.map(|command| (at, kind, command)));
    // All at once: most of them only wait.
    let running: Vec<_> = cases.map(|case| std::thread::spawn(move || one(case))).collect();
    assert_eq!(running.len(), 24);
    running.into_iter().for_each(|one| one.join().unwrap());
    Ok(())
}

fn one((at, (answer, code, words), command): (&'static str, Kind, &[&str])) {
    let log: Log = log(3);
    fs::write(log.dir.path().join("Cargo.lock"), lock(&[("crate-1", "the archive")])).unwrap();
    let folder = log.path();
    let node = Server::start(move |path| if path.starts_with(at) { answer() } else { file_at(&folder, path) });
    let place = ["--policy", "policy", "--node", &node.address];
    let ran = run(log.dir.path(), [command, &place].concat()).expect(code);
    assert!(ran.err.contains(words), "{command:?} {at}: {}", ran.err);
    let told = format!("crate-1: not proven (exit code {code})\n");
    assert_eq!(ran.out, if command[0] == "verify" { told } else { String::new() }, "{command:?} {at}");
    assert!(installed(&log).is_empty());
    assert!(node.asked().iter().any(|path| path.starts_with(at)), "{command:?} {at}");
}
