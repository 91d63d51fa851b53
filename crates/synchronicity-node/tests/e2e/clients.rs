//! The client's program against the nodes of a real group: what it fetches, checks, remembers, and finds out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use synchronicity_node::folder::Folder;

use crate::Test;
use crate::devnet::{PROGRAM, cache, fixture};
use crate::machine::Need::{Embedded, Registry};
use crate::quartet::Quartet;
use crate::verifier;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_client_looks_up_and_checks_a_live_log_and_finds_a_flipped_byte", &[Embedded], live_log),
        Test::new("a_crate_is_proven_and_looked_up_at_a_live_node", &[Embedded, Registry], registry_crate),
        Test::new("a_crate_is_installed_from_a_live_group_and_cargo_knows_it", &[Embedded, Registry], installed),
    ]
}

/// Four nodes build, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Exit codes that docs/client.md and `--help` promise.
const INVALID: i32 = 40;
const NO_EVIDENCE: i32 = 41;
const TRY_LATER: i32 = 75;

/// A group that runs, and the folder of a client that has its policy.
struct Group {
    quartet: Quartet,
    root: tempfile::TempDir,
}

impl Group {
    fn found() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut quartet = Quartet::found(root.path());
        quartet.start(&[]);
        let group = Self { quartet, root };
        group.fetch(0, "policy", "policy");
        group
    }

    fn publishes(&self, size: u64) {
        for index in 0..4 {
            self.quartet.until(index, "publishes", PATIENCE, |status| status["log"]["published_size"] == size);
        }
    }

    /// The client's folder.
    fn folder(&self) -> &Path {
        self.root.path()
    }

    fn log(&self, index: usize) -> PathBuf {
        Folder::at(self.quartet.home(index)).log()
    }

    fn fetch(&self, index: usize, path: &str, file: &str) {
        let url = format!("{}/{path}", self.quartet.url(index));
        fs::write(self.folder().join(file), ureq::get(&url).call().unwrap().body_mut().read_to_vec().unwrap()).unwrap();
    }

    /// What the client says as JSON, after it exited with `code`.
    #[track_caller]
    fn client(&self, code: i32, words: &[&str]) -> Value {
        let output = verifier::run(self.folder(), &[words, &["--policy", "policy", "--json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// The events of one pass over all nodes by the monitor that works in `state`.
    #[track_caller]
    fn monitor(&self, code: i32, state: &str) -> Vec<Value> {
        let urls: Vec<String> = (0..4).map(|index| self.quartet.url(index)).collect();
        let words = ["monitor", "--policy", "policy", "--once", "--json", "--state", state];
        let words: Vec<&str> = words.into_iter().chain(urls.iter().map(String::as_str)).collect();
        let output = verifier::run(self.folder(), &words);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn events<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter().filter(|event| event["event"] == kind).collect()
}

/// `synchronicity-node log fsck`: exit code and what it says as JSON.
fn node_fsck(log: &Path, policy: &Path) -> (i32, Value) {
    let mut command = Command::new(PROGRAM);
    command.args(["log", "fsck", "--json"]).arg(log).arg("--policy").arg(policy).stdin(Stdio::null());
    let output = command.output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

fn live_log() {
    let group = Group::found();
    let (quartet, nodes) = (&group.quartet, [0, 1, 2, 3].map(|index| group.quartet.url(index)));
    quartet.submit();
    group.publishes(1);
    group.fetch(0, "proof/index/0", "proof");
    let artifact = fs::read_dir(quartet.home(0).join("artifacts")).unwrap().next().unwrap().unwrap().path();
    let artifact = artifact.to_str().unwrap();
    looked_up(&group, artifact, 1);
    assert_eq!(group.client(0, &["bundle", "--node", &nodes[1], "--out", "first"])["log"]["size"], 1);
    let first = group.monitor(0, "monitor");
    assert_eq!((events(&first, "entry").len(), &first.last().unwrap()["good"]), (1, &4.into()), "{first:#?}");

    // The log grows under everybody who remembers it.
    quartet.submit_crate(&fixture("embeds-build-time"));
    group.publishes(2);
    looked_up(&group, artifact, 2);
    assert_eq!(group.client(0, &["bundle", "--node", &nodes[2], "--out", "log"])["log"]["size"], 2);
    let found = group.client(0, &["lookup", "--file", artifact, "--bundle", "log"]);
    assert_eq!((&found["found"], &found["entries"][0]["index"]), (&1.into(), &0.into()), "{found}");
    group.client(NO_EVIDENCE, &["lookup", "plain-binary@0.1.0", "--bundle", "log"]);
    let older = group.client(TRY_LATER, &["lookup", "--file", artifact, "--bundle", "first"]);
    assert!(older["error"].as_str().unwrap().contains("has seen one of 2"), "{older}");
    let second = group.monitor(0, "monitor");
    let entry = events(&second, "entry");
    assert_eq!((entry.len(), &entry[0]["verdict"]), (1, &"diverged".into()), "{second:#?}");
    assert_eq!(second.last().unwrap()["good"], 4);

    group.client(0, &["verify", "proof", artifact, "--max-age", "1h"]);
    // Ages are whole seconds, and a fast machine has the second entry within one.
    std::thread::sleep(Duration::from_millis(2100));
    let stale = group.client(TRY_LATER, &["verify", "proof", artifact, "--max-age", "1s"]);
    assert!(stale["error"].as_str().unwrap().starts_with("too old"), "{stale}");
    for (index, url) in nodes.iter().enumerate() {
        let checked = group.client(0, &["fsck", url]);
        let on_disk = node_fsck(&group.log(index), &group.folder().join("policy"));
        assert_eq!((&checked["log"]["size"], on_disk), (&2.into(), (0, checked.clone())));
    }
    for (file, kind) in [("tile/entries/000.p/2", "entries"), ("tile/0/000.p/2", "tiles")] {
        flipped(&group, 2, file, kind);
    }
}

/// What every node says of a file that is in the log, and of a crate that is not: fixtures pass for no crate.
fn looked_up(group: &Group, artifact: &str, size: u64) {
    for index in 0..4 {
        let url = group.quartet.url(index);
        let there = group.client(0, &["lookup", "--file", artifact, "--node", &url, "--out", "answer"]);
        assert_eq!((&there["found"], &there["log"]["size"]), (&1.into(), &size.into()), "{there}");
        assert_eq!(there["entries"][0]["verdict"], "reproduced", "{there}");
        assert_eq!(group.client(0, &["lookup", "--file", artifact, "--answer", "answer"]), there);
        for reveal in [&[][..], &["--reveal", "64"]] {
            let absent = [&["lookup", "plain-binary@0.1.0", "--node", &url], reveal].concat();
            let absent = group.client(NO_EVIDENCE, &absent);
            assert_eq!((&absent["found"], &absent["log"]["size"]), (&0.into(), &size.into()), "{absent}");
        }
    }
}

/// One byte of one file of one node: who hashes the log again names the file, a monitor names the node, until it is right
/// again.
fn flipped(group: &Group, index: usize, file: &str, kind: &str) {
    let (path, url) = (group.log(index).join(file), group.quartet.url(index));
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    // Of an entry, the first byte of its own: before it is its length.
    bad[2] ^= 1;
    fs::write(&path, bad).unwrap();
    let state = format!("monitor of {kind}");
    assert_eq!(group.client(INVALID, &["fsck", &url])["file"], format!("{url}/{file}"));
    let (code, told) = node_fsck(&group.log(index), &group.folder().join("policy"));
    assert_eq!((code, &told["file"]), (INVALID, &path.to_str().unwrap().into()), "{told}");
    let pass = group.monitor(INVALID, &state);
    let alarms = events(&pass, "alarm");
    assert_eq!(
        (alarms.len(), &alarms[0]["kind"], &alarms[0]["node"]),
        (1, &kind.into(), &url.as_str().into()),
        "{pass:#?}"
    );
    let evidence = PathBuf::from(alarms[0]["evidence"].as_str().unwrap());
    assert!(fs::read_dir(group.folder().join(evidence)).unwrap().next().is_some(), "{pass:#?}");
    let end = pass.last().unwrap();
    assert_eq!((&end["good"], &end["alarms"]), (&3.into(), &1.into()), "{pass:#?}");
    fs::write(&path, good).unwrap();
    let pass = group.monitor(0, &state);
    assert_eq!(events(&pass, "recovered").len(), 1, "{pass:#?}");
    group.client(0, &["fsck", &url]);
}

fn registry_crate() {
    let group = Group::found();
    let url = group.quartet.url(1);
    group.quartet.submit_crate("fnv@1.0.7");
    group.publishes(1);
    let proven = group.client(0, &["prove", "fnv@1.0.7", "--node", &url, "--max-age", "1h"]);
    assert_eq!(proven["evidence"], true, "{proven}");
    group.client(0, &["verify", "fnv-1.0.7.tlog-proof", "--crate", "fnv@1.0.7", "--max-age", "1h"]);
    let absent = group.client(NO_EVIDENCE, &["prove", "fnv@1.0.6", "--node", &url]);
    assert!(absent["error"].as_str().unwrap().contains("has no proof for fnv 1.0.6"), "{absent}");
    group.client(0, &["bundle", "--node", &url, "--out", "log"]);
    for place in [["--node", url.as_str()], ["--bundle", "log"]] {
        let there = group.client(0, &[&["lookup", "fnv@1.0.7"][..], &place].concat());
        assert_eq!((&there["found"], &there["entries"][0]["verdict"]), (&1.into(), &"reproduced".into()), "{there}");
        let absent = group.client(NO_EVIDENCE, &[&["lookup", "fnv@1.0.6"][..], &place].concat());
        assert_eq!((&absent["found"], &absent["log"]["size"]), (&0.into(), &1.into()), "{absent}");
    }
}

/// The smallest executable of crates.io that has a published lock: it says whether it runs in CI.
fn installed() {
    let group = Group::found();
    group.quartet.submit_crate("is_ci@1.2.0");
    group.publishes(1);
    let urls = [0, 1, 2, 3].map(|index| group.quartet.url(index));
    let nodes: Vec<&str> = urls.iter().flat_map(|url| ["--node", url]).collect();
    let install = |code, more: &[&str]| {
        group.client(code, &[&["install", "is_ci", "--cache", "cache"], &nodes[..], more].concat())
    };
    let told = install(0, &["--root", "root"]);
    assert_eq!(
        (&told["crates"][0]["action"], &told["crates"][0]["evidence"]["index"]),
        (&"installed".into(), &0.into())
    );
    let program = group.folder().join("root/bin/is_ci");
    let runs = |ci: bool| {
        let mut command = Command::new(&program);
        command.env_clear();
        if ci {
            command.env("CI", "true");
        }
        command.status().unwrap().success()
    };
    assert!(runs(true) && !runs(false), "{told}");
    assert_eq!(cargo(&group, &["install", "--list"]), "is_ci v1.2.0:\n    is_ci\n");
    let verified = group.client(0, &["verify", "--installed", "--root", "root", "--cache", "cache", "--offline"]);
    assert_eq!(verified["files"][0]["verdict"], "reproduced", "{verified}");

    let bench = cache().with_file_name("client").display().to_string();
    let words = ["rebuild", "is_ci@1.2.0", "--against", "root/bin/is_ci", "--sandbox", "embedded", "--dir", &bench];
    let rebuilt = group.client(0, &[&words[..], &["--cache", "cache", "--offline"]].concat());
    assert_eq!((&rebuilt["rebuild_and_group"], &rebuilt["other_recipe"]), (&"same".into(), &serde_json::json!([])));

    // A node that lost its artifact, and one that has another one under its hash.
    let kept =
        |index| fs::read_dir(group.quartet.home(index).join("artifacts")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(kept(0)).unwrap();
    let mut wrong = fs::read(kept(1)).unwrap();
    wrong[1000] ^= 1;
    fs::write(kept(1), wrong).unwrap();
    install(0, &["--root", "second"]);
    assert_eq!(fs::read(group.folder().join("second/bin/is_ci")).unwrap(), fs::read(&program).unwrap());
    for index in 2..4 {
        fs::remove_file(kept(index)).unwrap();
    }
    let refused = install(INVALID, &["--root", "third"]);
    assert!(refused["crates"][0]["error"].as_str().unwrap().contains("other bytes than the group built"), "{refused}");
    assert!(!group.folder().join("third/bin/is_ci").exists());
    assert_eq!(install(0, &["--root", "root", "--offline"])["crates"][0]["action"], "already");

    cargo(&group, &["uninstall", "is_ci"]);
    assert!(!program.exists());
}

/// What cargo of this machine says of the first root.
fn cargo(group: &Group, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    let output = command.args(words).args(["--root", "root"]).current_dir(group.folder()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
