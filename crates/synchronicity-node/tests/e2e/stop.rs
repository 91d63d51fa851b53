//! How a devnet ends before its verdict, and what it leaves behind then: nothing.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::Test;
use crate::devnet::{PROGRAM, Running, data, fixture, run, start, start_in};
use crate::left_over::{containers, no_container_is_left, nothing_is_left};
use crate::machine::Need::{Docker, Embedded, Registry};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("ctrl_c_leaves_no_process", &[Embedded], || interrupted("embedded", Signal::INT)),
        Test::new("sigterm_leaves_no_process", &[Embedded], || interrupted("embedded", Signal::TERM)),
        Test::new("ctrl_c_leaves_no_container", &[Docker], || interrupted("docker", Signal::INT)),
        Test::new("a_killed_devnet_takes_its_nodes_with_it", &[Embedded], killed),
        Test::new("a_kept_group_can_be_used_until_ctrl_c", &[Embedded], kept),
        Test::new("a_folder_serves_one_devnet_at_a_time", &[Embedded], twice),
        Test::new("the_folder_of_somebody_else_is_left_alone", &[], foreign_folder),
        Test::new("contradicting_options_start_nothing", &[], contradictions),
        Test::new("an_unknown_crate_starts_nothing", &[Registry], unknown),
        Test::new("a_folder_that_is_no_fixture_starts_nothing", &[], no_fixture),
        Test::new("docker_without_a_daemon_is_a_clear_error", &[], no_daemon),
        Test::new("auto_without_a_daemon_takes_the_embedded_sandbox", &[Embedded], auto),
    ]
}

fn building(sandbox: &str) -> Running {
    let mut devnet = start(&[&fixture("plain-binary"), "--sandbox", sandbox]);
    devnet.until(|event| event["phase"] == "building");
    devnet
}

fn interrupted(sandbox: &str, signal: Signal) {
    let before = containers();
    let devnet = building(sandbox);
    devnet.signal(signal);
    let ended = devnet.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    nothing_is_left(&data());
    no_container_is_left(&before);
}

fn killed() {
    let before = containers();
    let devnet = building("embedded");
    devnet.signal(Signal::KILL);
    devnet.end();
    nothing_is_left(&data());
    no_container_is_left(&before);
}

fn kept() {
    let before = containers();
    let mut devnet = start(&[&fixture("plain-binary"), "--sandbox", "embedded", "--keep"]);
    let started = devnet.until(|event| event["event"] == "started");
    let next = devnet.until(|event| event["event"] == "next");
    assert_eq!(next["kept"], true);
    let folder = started["nodes"][0]["folder"].as_str().unwrap().to_owned();
    let library = fixture("library-without-lock");
    for words in [["status", "--json"], ["requests", "--json"], ["log", "--json"], ["submit", &library]] {
        let output = Command::new(PROGRAM).args(words).args(["--dir", &folder]).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    devnet.signal(Signal::INT);
    assert_eq!(devnet.end().code, 0, "asking a kept group to end is no failure");
    nothing_is_left(&data());
    no_container_is_left(&before);
}

fn twice() {
    let mut first = building("embedded");
    let second = run(&[&fixture("plain-binary")]);
    assert_eq!(second.code, 75);
    assert!(second.stderr.contains("another devnet is running"), "{}", second.stderr);
    // The second has not touched what the first works on.
    first.until(|event| event["event"] == "concluded");
    assert_eq!(first.end().code, 0);
}

fn foreign_folder() {
    let theirs = tempfile::tempdir().unwrap();
    fs::create_dir(theirs.path().join("group-photos")).unwrap();
    let ended = start_in(theirs.path(), &[&fixture("plain-binary")]).end();
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("no folder of an earlier devnet"), "{}", ended.stderr);
    assert!(theirs.path().join("group-photos").is_dir());
}

fn contradictions() {
    for words in [&["--liar", "5"][..], &["--threshold", "2"], &["--crash", "9"], &["--builders", "0"]] {
        let ended = run(&[&[fixture("plain-binary").as_str()], words].concat());
        assert_eq!(ended.code, 2, "{words:?}");
        assert!(ended.events.is_empty(), "{words:?}");
    }
}

fn unknown() {
    let asked = [
        ("no-crate-has-this-name-0000", "there is no crate"),
        ("hexyl@0.0.99", "has no version"),
        ("hexyl@latest", "not an exact version"),
        ("hexyl@0.17.0@1", "not an exact version"),
        ("HEXYL", "did you mean hexyl"),
    ];
    for (spec, message) in asked {
        let ended = run(&[spec]);
        assert_eq!(ended.code, 2, "{spec}: {}", ended.stderr);
        assert!(unwrapped(&ended.stderr).contains(message), "{spec}: {}", ended.stderr);
        assert!(ended.find("started").is_none());
    }
}

fn no_fixture() {
    let ended = run(&[env!("CARGO_MANIFEST_DIR")]);
    assert_eq!(ended.code, 2);
    assert!(unwrapped(&ended.stderr).contains("not one of this project's fixture crates"), "{}", ended.stderr);
}

/// Errors are broken into lines of the terminal's width, with a bar before each.
fn unwrapped(stderr: &str) -> String {
    stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

fn without_daemon(sandbox: &str) -> std::process::Output {
    let mut command = Command::new(PROGRAM);
    command.args(["devnet", &fixture("plain-binary"), "--sandbox", sandbox, "--data"]).arg(data());
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").stdin(Stdio::null());
    command.output().unwrap()
}

fn no_daemon() {
    let output = without_daemon("docker");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains("Docker") && stderr.contains("embedded"), "{stderr}");
}

fn auto() {
    let output = without_daemon("auto");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
