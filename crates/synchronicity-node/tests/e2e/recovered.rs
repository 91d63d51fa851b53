//! Nodes that have forgotten what they signed: an old copy of a folder, a folder that was lost, a second process with the same keys.
//! Each is silent until the group is past everything that it may have signed.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use synchronicity_node::devnet::ports;

use crate::Test;
use crate::devnet::PROGRAM;
use crate::machine::Need::Embedded;
use crate::node::{Process, succeed};
use crate::quartet::{Quartet, TROUBLED};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("an_old_copy_of_a_nodes_folder_signs_nothing_until_the_group_is_past_it", &[Embedded], old_copy),
        Test::new("a_node_restored_from_its_backup_does_its_part_again", &[Embedded], restored),
        Test::new("a_second_process_with_a_nodes_keys_is_silent", &[Embedded], second_process),
        Test::new("a_node_that_lost_its_state_goes_on_from_one_that_the_group_signed", &[Embedded], joined_again),
    ]
}

/// Some views in which nobody has anything to order, each as long as a heartbeat.
const PATIENCE: Duration = Duration::from_secs(90);

fn height(status: &Value) -> u64 {
    status["height"].as_u64().unwrap()
}

/// Waits until the group has ordered so many more blocks, as the first node sees it.
fn goes_on(quartet: &Quartet, blocks: u64) {
    let now = height(&quartet.status(0).unwrap());
    quartet.until(0, "goes on", PATIENCE, |status| height(status) >= now + blocks);
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// It is silent first, and then votes again.
fn recovers(quartet: &Quartet) {
    quartet.until(TROUBLED, "is silent", PATIENCE, |status| {
        status["standing"] == "forgetful" && status["health"].as_str().unwrap().contains("not in its journal")
    });
    quartet.until(TROUBLED, "votes again", PATIENCE, |status| status["standing"] == "voting");
    quartet.until(0, "hears the last one", PATIENCE, |status| status["peers"] == 3);
}

/// Nobody has seen anybody contradict himself.
pub(crate) fn nobody_is_accused(quartet: &Quartet) {
    for index in 0..4 {
        let status = quartet.status(index).unwrap();
        assert!(status.get("offences").is_none(), "{status:#}");
        assert!(!quartet.home(index).join("offences").exists() || status.get("offences").is_none());
    }
}

fn old_copy() {
    let dir = tempfile::tempdir().unwrap();
    let mut quartet = Quartet::found(dir.path());
    quartet.start(&[]);
    goes_on(&quartet, 3);
    quartet.kill();
    let (home, old) = (quartet.home(TROUBLED), dir.path().join("old"));
    copy(&home, &old);
    quartet.restart();
    quartet.until(TROUBLED, "votes", PATIENCE, |status| status["standing"] == "voting" && status["peers"] == 3);
    goes_on(&quartet, 4);
    quartet.kill();
    fs::remove_dir_all(&home).unwrap();
    fs::rename(&old, &home).unwrap();
    quartet.restart();
    recovers(&quartet);
    nobody_is_accused(&quartet);
}

fn restored() {
    let dir = tempfile::tempdir().unwrap();
    let mut quartet = Quartet::found(dir.path());
    quartet.start(&[]);
    goes_on(&quartet, 3);
    let (home, file) = (quartet.home(TROUBLED), dir.path().join("kept/backup.tar"));
    let (home_text, file_text) = (home.to_str().unwrap(), file.to_str().unwrap());
    succeed(&["backup", file_text, "--keys", "--dir", home_text]);
    quartet.kill();
    fs::remove_dir_all(&home).unwrap();
    succeed(&["restore", file_text, "--dir", home_text]);
    quartet.restart();
    recovers(&quartet);
    // All four are needed for a result of all four.
    quartet.submit();
    let root = quartet.concludes(0)["log"]["root"].clone();
    let status = quartet.concludes(TROUBLED);
    assert_eq!(status["log"]["root"], root);
    nobody_is_accused(&quartet);
}

fn joined_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut quartet = Quartet::found(dir.path());
    quartet.start(&[]);
    goes_on(&quartet, 3);
    quartet.kill();
    let home = quartet.home(TROUBLED);
    fs::remove_file(home.join("state.redb")).unwrap();
    fs::remove_dir_all(home.join("chain")).unwrap();
    let policy = dir.path().join("policy");
    let told = ureq::get(&format!("{}/policy", quartet.url(1))).call().unwrap().body_mut().read_to_vec().unwrap();
    fs::write(&policy, told).unwrap();
    let (before, words) = (height(&quartet.status(0).unwrap()), ["group", "join", "--dir"]);
    let more = [home.to_str().unwrap(), "--from", &quartet.url(1), "--policy", policy.to_str().unwrap()];
    succeed(&words.into_iter().chain(more).collect::<Vec<_>>());
    quartet.restart();
    recovers(&quartet);
    let status = quartet.until(TROUBLED, "catches up", PATIENCE, |status| status["caught_up"] == true);
    assert!(height(&status) >= before, "{status:#}");
    quartet.submit();
    let root = quartet.concludes(0)["log"]["root"].clone();
    let status = quartet.concludes(TROUBLED);
    assert_eq!(status["log"]["root"], root);
    nobody_is_accused(&quartet);
    // Killed once more: it starts with what it took up and the blocks behind it.
    quartet.kill();
    quartet.restart();
    let status = quartet.concludes(TROUBLED);
    assert_eq!((&status["log"]["root"], &status["health"]), (&root, &Value::from("ok")));
}

fn second_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut quartet = Quartet::found(dir.path());
    quartet.start(&[]);
    goes_on(&quartet, 2);
    // Keys and settings were copied, as for a move that was never finished, and it listens elsewhere.
    let (home, twin) = (quartet.home(TROUBLED), dir.path().join("twin"));
    let file = dir.path().join("twin.tar");
    succeed(&["backup", file.to_str().unwrap(), "--keys", "--dir", home.to_str().unwrap()]);
    succeed(&["restore", file.to_str().unwrap(), "--dir", twin.to_str().unwrap()]);
    let free = ports::free(2).unwrap();
    let settings = fs::read_to_string(twin.join("node.toml")).unwrap();
    let moved: Vec<String> = settings
        .lines()
        .map(|line| match line.split(" = ").next() {
            Some("listen") => format!("listen = \"127.0.0.1:{}\"", free[0]),
            Some("http") => format!("http = \"127.0.0.1:{}\"", free[1]),
            _ => line.to_owned(),
        })
        .collect();
    fs::write(twin.join("node.toml"), moved.join("\n")).unwrap();
    let trace = OpenOptions::new().create(true).append(true).open(dir.path().join("twin.trace")).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--die-with-parent", "--sandbox", "embedded", "--dir"]).arg(&twin);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(trace);
    let process = Process::of(command.spawn().unwrap());

    let until = Instant::now() + Duration::from_secs(25);
    let mut answered = false;
    while Instant::now() < until {
        let asked = ureq::get(&format!("http://127.0.0.1:{}/status", free[1])).call();
        if let Ok(text) = asked.and_then(|mut answer| answer.body_mut().read_to_string()) {
            let status: Value = serde_json::from_str(&text).unwrap();
            assert_ne!(status["standing"], "voting", "two processes vote with one key: {status:#}");
            answered = true;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(answered, "the second process never ran");
    goes_on(&quartet, 2);
    nobody_is_accused(&quartet);
    drop(process);
}
