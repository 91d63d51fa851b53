//! A group that changes while it builds: a fifth member joins, one leaves, one has new keys, one is down and misses the end
//! of an epoch; and a client who trusts the first policy follows it to the last.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use synchronicity_node::devnet::ports;
use synchronicity_verify::bundle::BundleReader;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::succession::succeed;
use synchronicity_verify::verify::verify;

use crate::Test;
use crate::devnet::{PROGRAM, cache, fixture};
use crate::machine::Need::Embedded;
use crate::node::{Process, succeed as run};

pub(crate) fn tests() -> Vec<Test> {
    vec![Test::new("a_group_takes_in_dismisses_and_rotates_members_while_it_builds", &[Embedded], life)]
}

/// A change waits for an open round, and then for everybody's signature.
const PATIENCE: Duration = Duration::from_secs(120);

/// Members by their number, from 1 to 5, each in a folder of its own.
struct Group {
    root: PathBuf,
    ports: Vec<u16>,
    running: Vec<Option<Process>>,
}

impl Group {
    /// Four of the five found the group.
    fn found(root: &Path) -> Group {
        let ports = ports::free(10).unwrap();
        let group = Group { root: root.to_owned(), ports, running: (0..5).map(|_| None).collect() };
        let charter = root.join("charter");
        let mut words: Vec<String> = ["group", "new", "--origin", "test.invalid/epochs", "--threshold", "3"]
            .into_iter()
            .chain(["--commit-window", "60", "--reveal-window", "20", "--out", charter.to_str().unwrap(), "--member"])
            .map(str::to_owned)
            .collect();
        for number in 1..=5 {
            let home = group.text(number);
            let [listen, http] = [0, 1].map(|which| format!("127.0.0.1:{}", group.port(number, which)));
            let name = format!("builder-{number}");
            run(&["init", "--dir", &home, "--name", &name, "--listen", &listen, "--http", &http]);
            if number < 5 {
                words.push(format!("{home}/member.toml"));
            }
        }
        run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        for number in 1..=5 {
            fs::copy(charter.join("log.key"), group.home(number).join("keys/log.key")).unwrap();
        }
        for number in 1..=4 {
            fs::copy(charter.join("group.toml"), group.home(number).join("group.toml")).unwrap();
        }
        group
    }

    fn start(&mut self, number: usize) {
        let trace = OpenOptions::new().create(true).append(true).open(self.trace(number)).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--die-with-parent", "--sandbox", "embedded", "--dir"]).arg(self.home(number));
        command.arg("--shared").arg(cache());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(trace);
        self.running[number - 1] = Some(Process::of(command.spawn().unwrap()));
    }

    fn home(&self, number: usize) -> PathBuf {
        self.root.join(format!("builder-{number}"))
    }

    fn text(&self, number: usize) -> String {
        self.home(number).to_str().unwrap().to_owned()
    }

    fn trace(&self, number: usize) -> PathBuf {
        self.home(number).with_extension("trace")
    }

    fn port(&self, number: usize, which: usize) -> u16 {
        self.ports[2 * (number - 1) + which]
    }

    fn url(&self, number: usize) -> String {
        format!("http://127.0.0.1:{}", self.port(number, 1))
    }

    fn get(&self, number: usize, path: &str) -> Option<Vec<u8>> {
        let url = format!("{}{path}", self.url(number));
        let asked = ureq::get(&url).config().timeout_global(Some(Duration::from_secs(5))).build();
        asked.call().ok()?.body_mut().read_to_vec().ok()
    }

    /// Waits until what a member answers fits.
    fn until(&self, numbers: &[usize], path: &str, what: &str, fits: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        for number in numbers {
            while !self.get(*number, path).is_some_and(|answer| fits(&answer)) {
                let told = || fs::read_to_string(self.trace(*number)).unwrap();
                assert!(Instant::now() < deadline, "builder-{number} never {what}:\n{}", told());
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }

    fn epoch(&self, numbers: &[usize], epoch: u64) {
        let line = format!("\nepoch = {epoch}\n");
        self.until(numbers, "/group", &format!("came to epoch {epoch}"), |group| {
            String::from_utf8_lossy(group).contains(&line)
        });
        // Whoever is down is not seen, and whoever has left not looked for.
        let peers = numbers.len() as u64 - 1;
        self.until(numbers, "/status", "saw the others", |status| json(status)["peers"].as_u64() == Some(peers));
    }

    fn published(&self, numbers: &[usize], size: u64) {
        let fits = |status: &[u8]| json(status)["log"]["published_size"].as_u64() >= Some(size);
        self.until(numbers, "/status", &format!("published {size} entries"), fits);
    }

    fn submit(&self, number: usize, name: &str) {
        run(&["submit", &fixture(name), "--dir", &self.text(number)]);
    }

    /// Proposes, has the others approve, and says who was said to be missing before the last one did.
    fn agree(&self, words: &[&str], proposer: usize, others: &[usize]) {
        let home = self.text(proposer);
        let proposed = self.told(&[&["group", "propose", "--dir", &home, "--json"], words].concat());
        let proposal = &proposed["proposals"][0];
        assert_eq!(proposal["approved"], serde_json::json!([format!("builder-{proposer}")]), "{proposed:#}");
        let membership = proposal["membership"].as_str().unwrap();
        for number in others {
            let home = self.text(*number);
            let told = self.told(&["group", "approve", &membership[..8], "--dir", &home, "--json"]);
            assert!(told["ordered"].is_boolean(), "{told:#}");
        }
    }

    /// What a command prints as JSON. A proposal reaches a member a moment after it was ordered elsewhere.
    fn told(&self, words: &[&str]) -> Value {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let output = Command::new(PROGRAM).args(words).stdin(Stdio::null()).output().unwrap();
            if output.status.success() {
                return serde_json::from_slice(&output.stdout).unwrap();
            }
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < deadline, "{words:?}: {stderr}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn life() {
    let dir = tempfile::tempdir().unwrap();
    let mut group = Group::found(dir.path());
    (1..=4).for_each(|number| group.start(number));
    group.epoch(&[1, 2, 3, 4], 0);
    let first = group.get(1, "/policy").unwrap();

    // A fifth member, agreed on while a crate is built: the round has its verdict before the epoch ends.
    group.submit(1, "plain-binary");
    let member = format!("{}/member.toml", group.text(5));
    group.agree(&["--member", &member], 2, &[1, 3]);
    group.epoch(&[1, 2, 3, 4], 1);
    group.published(&[1, 2, 3, 4], 2);
    let policy = dir.path().join("first.policy");
    fs::write(&policy, &first).unwrap();
    let old_proof = fs::read(group.home(1).join("proofs/index-0.tlog-proof")).unwrap();
    run(&["group", "join", "--dir", &group.text(5), "--from", &group.url(3), "--policy", policy.to_str().unwrap()]);
    group.start(5);
    group.epoch(&[1, 2, 3, 4, 5], 1);
    group.submit(5, "does-not-compile");
    group.published(&[1, 2, 3, 4, 5], 3);

    // One leaves, one has new keys, and one is down and misses it.
    group.running[2].take().unwrap().kill();
    run(&["group", "rotate", "--dir", &group.text(2)]);
    let keys = format!("{}/keys-next/member.toml", group.text(2));
    group.agree(&["--member", &keys, "--remove", "builder-4"], 1, &[2, 4, 5]);
    group.epoch(&[1, 2, 5], 2);
    left(&mut group, 4);
    run(&["group", "join", "--dir", &group.text(3), "--from", &group.url(5), "--policy", policy.to_str().unwrap()]);
    group.start(3);
    group.until(&[3], "/status", "caught up", |status| json(status)["caught_up"] == true);
    group.submit(2, "needs-network");
    group.published(&[1, 2, 3, 5], 5);
    what_clients_find(&group, &first, &old_proof);
    what_is_on_disk(&group);
}

/// The process of a member who left has ended by itself, and without complaint.
fn left(group: &mut Group, number: usize) {
    let code = group.running[number - 1].take().unwrap().ends(PATIENCE);
    let trace = fs::read_to_string(group.trace(number)).unwrap();
    assert_eq!(code, Some(0), "{trace}");
    assert!(trace.contains("has left the group"), "{trace}");
    let again = Command::new(PROGRAM).args(["run", "--dir", &group.text(number)]).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "{}", String::from_utf8_lossy(&again.stderr));
}

fn what_clients_find(group: &Group, first: &[u8], old_proof: &[u8]) {
    let first = Policy::parse(first).unwrap();
    // What was signed in the first epoch holds under its policy for ever.
    let old = verify(old_proof, &first, None).unwrap();
    assert!(old.is_evidence() && old.entry.epoch == 0);
    for number in [1, 5] {
        let succeeded = succeed(&first, &group.get(number, "/succession").unwrap()).unwrap();
        assert_eq!(succeeded.changes.len(), 2);
        let names: Vec<&str> = succeeded.policy.witnesses().iter().map(|witness| witness.name.as_str()).collect();
        assert_eq!(names, ["builder-1", "builder-2", "builder-3", "builder-5"]);
        let newest = group.get(number, "/proof/index/4").unwrap();
        assert!(verify(&newest, &first, None).is_err(), "the first policy says nothing of the new members");
        let verified = verify(&newest, &succeeded.policy, None).unwrap();
        assert_eq!((verified.entry.epoch, verified.entry.verdict.as_str()), (2, "unbuildable"));
        assert_eq!(verified.entry.silent().count(), 0);
        // The old entry under the new members' signatures.
        let old = group.get(number, "/proof/index/0").unwrap();
        assert!(verify(&old, &succeeded.policy, None).unwrap().is_evidence());
        let (mut reader, mut leaves) = (BundleReader::new(&succeeded.policy), Vec::new());
        reader.feed(&group.get(number, "/bundle").unwrap(), |_, leaf| leaves.push(leaf)).unwrap();
        reader.finish().unwrap();
        let kinds: Vec<bool> = leaves.iter().map(|leaf| matches!(leaf, Leaf::Membership(_))).collect();
        assert_eq!(kinds, [false, true, false, true, false]);
        let told: Value = serde_json::from_slice(&group.get(number, "/api/v1/group").unwrap()).unwrap();
        let began = told["history"].as_array().unwrap().iter().map(|row| (row["epoch"].clone(), row["index"].clone()));
        assert_eq!(began.collect::<Vec<_>>(), [(2.into(), 3.into()), (1.into(), 1.into())], "{told:#}");
    }
}

fn what_is_on_disk(group: &Group) {
    let home = group.home(1);
    assert!(home.join("chain/epoch-2/engine").is_dir());
    for old in ["chain/engine", "chain/group", "chain/epoch-1"] {
        assert!(!home.join(old).exists(), "{old}");
    }
    assert!(group.home(2).join("keys-before-2/consensus.key").is_file() && !group.home(2).join("keys-next").exists());
    for number in [1, 5] {
        let history = group.told(&["group", "history", "--dir", &group.text(number), "--json"]);
        let epochs: Vec<_> = history.as_array().unwrap().iter().map(|end| end["epoch"].as_u64()).collect();
        assert_eq!(epochs, [Some(0), Some(1)], "{history:#}");
        assert_eq!(group.get(number, "/health").unwrap(), b"ok\n");
    }
}
