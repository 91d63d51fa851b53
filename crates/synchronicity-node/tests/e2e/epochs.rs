//! A group that changes while it builds: a fifth member joins, one leaves, one has new keys, one is absent for an epoch, one is
//! down and misses the end of another, one gets a new program; and a client who trusts the first policy follows it to the last.

use std::collections::BTreeSet;
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
use crate::verifier;

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
        fs::copy(PROGRAM, root.join("program")).unwrap();
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
        let mut command = Command::new(self.program(number));
        command.args(["run", "--die-with-parent", "--sandbox", "embedded", "--dir"]).arg(self.home(number));
        command.arg("--shared").arg(cache());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(trace);
        self.running[number - 1] = Some(Process::of(command.spawn().unwrap()));
    }

    /// The first member has a program of its own.
    fn program(&self, number: usize) -> PathBuf {
        if number == 1 { self.root.join("program") } else { PROGRAM.into() }
    }

    /// Puts another file in the place of the program on which the first member runs.
    fn upgrade(&self) {
        let new = self.root.join("program.new");
        fs::copy(PROGRAM, &new).unwrap();
        fs::rename(new, self.program(1)).unwrap();
        let runs = self.running[0].as_ref().unwrap().executable();
        assert!(runs.to_str().unwrap().ends_with(" (deleted)"), "{}", runs.display());
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

    /// Proposes, and has the others approve: each is told before it signs what it would sign, and who may still. Gives what
    /// changes.
    fn agree(&self, words: &[&str], proposer: usize, others: &[usize]) -> Vec<String> {
        let home = self.text(proposer);
        let words = [&["group", "propose", "--json", "--dir", &home][..], words].concat();
        let foretold = self.told(&[&words[..], &["--dry-run"]].concat());
        let proposed = self.told(&words);
        let proposal = &proposed["proposals"][0];
        for same in ["membership", "changes"] {
            assert_eq!(foretold[same], proposal[same], "{foretold:#}");
        }
        assert_eq!(texts(&foretold["approved"]), [""; 0], "somebody has signed before anybody was to");
        let (all, mut signed) = (texts(&foretold["missing"]), vec![format!("builder-{proposer}")]);
        assert_eq!(texts(&proposal["approved"]), signed, "{proposed:#}");
        let membership = &proposal["membership"].as_str().unwrap()[..8];
        for number in others {
            let home = self.text(*number);
            let approve = ["group", "approve", membership, "--dir", &home];
            let (done, missing): (Vec<String>, Vec<String>) =
                all.iter().cloned().partition(|name| signed.contains(name));
            let (count, needed) = (done.len(), &foretold["needed"]);
            let [done, missing] = [done, missing].map(|names| names.join(" "));
            let lines = format!("approved   {count} of {needed} needed: {done}\nmay sign   {missing}\n");
            self.said(&[&approve[..], &["--dry-run"]].concat(), |said| said.ends_with(&lines));
            let told = self.told(&[&approve[..], &["--json"]].concat());
            assert!(told["ordered"].is_boolean(), "{told:#}");
            signed.push(format!("builder-{number}"));
        }
        texts(&proposal["changes"])
    }

    /// What a command prints as JSON.
    fn told(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.said(words, |_| true)).unwrap()
    }

    /// What a command prints, as soon as that fits. A proposal reaches a member a moment after it was ordered elsewhere.
    fn said(&self, words: &[&str], fits: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let output = Command::new(PROGRAM).args(words).stdin(Stdio::null()).output().unwrap();
            let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
            if output.status.success() && fits(&stdout) {
                return stdout;
            }
            assert!(Instant::now() < deadline, "{words:?}: {stdout}{stderr}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
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
    let policy = dir.path().join("first.policy");
    fs::write(&policy, &first).unwrap();

    // A fifth member, agreed on while a crate is built: the round has its verdict before the epoch ends. Then the first one
    // builds nothing, and goes over with a new program.
    let mut groups = vec![group.get(1, "/group").unwrap()];
    group.submit(1, "plain-binary");
    group.upgrade();
    let member = format!("{}/member.toml", group.text(5));
    let changes = group.agree(&["--member", &member, "--absent", "builder-1"], 2, &[1, 3]);
    assert_eq!(changes[0], "absent     builder-1 builds nothing");
    group.epoch(&[1, 2, 3, 4], 1);
    let program = group.running[0].as_ref().unwrap().executable();
    assert_eq!(program, group.program(1).canonicalize().unwrap());
    groups.push(group.get(1, "/group").unwrap());
    group.published(&[1, 2, 3, 4], 2);
    monitored(&group, "monitor", &[1, 2, 3], 1);
    let old_proof = fs::read(group.home(1).join("proofs/index-0.tlog-proof")).unwrap();
    run(&["group", "join", "--dir", &group.text(5), "--from", &group.url(3), "--policy", policy.to_str().unwrap()]);
    group.start(5);
    group.epoch(&[1, 2, 3, 4, 5], 1);
    group.submit(5, "does-not-compile");
    group.published(&[1, 2, 3, 4, 5], 3);
    monitored(&group, "monitor", &[1, 2, 3, 5], 0);

    // One leaves, one has new keys, and one is down and misses it.
    group.running[2].take().unwrap().kill();
    run(&["group", "rotate", "--dir", &group.text(2)]);
    let keys = format!("{}/keys-next/member.toml", group.text(2));
    let words = ["--member", &keys, "--remove", "builder-4", "--present", "builder-1"];
    assert!(group.agree(&words, 1, &[2, 4, 5]).contains(&"present    builder-1 builds again".to_owned()));
    group.epoch(&[1, 2, 5], 2);
    left(&mut group, 4);
    // What it has kept of the epoch before the one that it knew is policy enough.
    run(&["group", "join", "--dir", &group.text(3), "--from", &group.url(5)]);
    group.start(3);
    group.until(&[3], "/status", "caught up", |status| json(status)["caught_up"] == true);
    group.submit(2, "needs-network");
    group.published(&[1, 2, 3, 5], 5);
    // The one that has followed before, and one that begins with the first policy now.
    monitored(&group, "monitor", &[1, 2, 3, 5], 2);
    monitored(&group, "monitor", &[1, 2, 3, 5], 0);
    monitored(&group, "another monitor", &[5, 1], 2);
    what_clients_find(&group, &first, &old_proof);
    what_is_on_disk(&group);
    groups_of_before(&group, &groups);
}

/// A pass of the monitor that was given the first policy and keeps its state there: it finds these nodes good, and says that it
/// follows the group through so many changes, if it did not know of all of them before.
fn monitored(group: &Group, state: &str, numbers: &[usize], changes: u64) {
    let urls: Vec<String> = numbers.iter().map(|number| group.url(*number)).collect();
    let words = ["monitor", "--policy", "first.policy", "--once", "--json", "--state", state];
    let words: Vec<&str> = words.into_iter().chain(urls.iter().map(String::as_str)).collect();
    let output = verifier::run(&group.root, &words);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.last().unwrap()["good"], numbers.len(), "{said}");
    let followed: Vec<u64> = told
        .iter()
        .filter(|event| event["event"] == "policy")
        .map(|event| event["changes"].as_u64().unwrap())
        .collect();
    assert_eq!(followed, Vec::from_iter((changes > 0).then_some(changes)), "{said}");
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
        // Of each build, who took part: not who was absent in that epoch.
        let took_part = |leaf: &Leaf| match leaf {
            Leaf::Build(entry) => {
                let numbers = entry.members.iter().map(|member| member.name.trim_start_matches("builder-"));
                numbers.collect::<BTreeSet<&str>>().into_iter().collect::<String>()
            }
            Leaf::Membership(_) => String::new(),
        };
        let took_part: Vec<String> = leaves.iter().map(took_part).collect();
        assert_eq!(took_part, ["1234", "", "2345", "", "1235"]);
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

/// Whose keys are accused by a proof of an epoch that has ended: members serve the group files of all epochs in which they were,
/// also of the one whose end they have missed.
fn groups_of_before(group: &Group, groups: &[Vec<u8>]) {
    for (epoch, text) in groups.iter().enumerate() {
        let text = std::str::from_utf8(text).unwrap();
        let path = format!("/group/{}", synchronicity_core::group::Group::parse(text).unwrap().id());
        for number in [1, 2, 3, 5] {
            let served = group.get(number, &path).map(|served| String::from_utf8(served).unwrap());
            let was_there = number < 5 || epoch > 0;
            assert_eq!(served.as_deref(), was_there.then_some(text), "{number} {epoch}");
        }
    }
}
