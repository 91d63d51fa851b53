//! A live group goes over from the program of an earlier commit to this one: node by node, while it is asked for verdicts, and
//! with a change of its members while both are in it.
//!
//! `scripts/rolling-upgrade.sh` builds the earlier program and asks for this test, which is none of the others': a commit of before
//! takes as long to compile as all of the workspace.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::succession::succeed;
use synchronicity_verify::verify::verify;

use crate::Test;
use crate::devnet::{PROGRAM, fixture};
use crate::machine::Need::Embedded;
use crate::quartet::{Quartet, TROUBLED, name};
use crate::recovered::nobody_is_accused;
use crate::verifier;

/// Names the earlier program.
const EARLIER: &str = "SYNCHRONICITY_EARLIER_PROGRAM";

pub(crate) fn tests() -> Vec<Test> {
    let test = Test::new("a_live_group_goes_over_to_this_program_node_by_node", &[Embedded], goes_over);
    env::var_os(EARLIER).map(|_| test).into_iter().collect()
}

/// What is asked for, each once, and what comes of it.
const CRATES: [(&str, &str); 9] = [
    ("plain-binary", "reproduced"),
    ("library-without-lock", "reproduced"),
    ("forbids-warnings", "reproduced"),
    ("does-not-compile", "unbuildable"),
    ("embeds-build-path", "reproduced"),
    ("embeds-host-name", "reproduced"),
    ("embeds-home-folder", "reproduced"),
    ("embeds-job-count", "reproduced"),
    ("needs-network", "unbuildable"),
];

/// A build of all four at once, on a machine that compiles other things, too.
const PATIENCE: Duration = Duration::from_secs(180);

/// A group, and what it was asked so far.
struct Group {
    quartet: Quartet,
    asked: usize,
    /// Entries of its log, once there is the verdict.
    size: u64,
}

impl Group {
    /// Has a node ask for the next crate.
    fn ask(&mut self, through: usize) {
        self.quartet.tell(through, &["submit", &fixture(CRATES[self.asked].0)]);
        self.asked += 1;
        self.size += 1;
    }

    /// Waits until every node has published the verdict about the latest crate, under one root.
    fn concludes(&self) {
        let (size, (name, verdict)) = (self.size, CRATES[self.asked - 1]);
        let all: Vec<Value> = (0..4)
            .map(|index| {
                self.quartet.until(index, "has the verdict", PATIENCE, |status| status["log"]["published_size"] == size)
            })
            .collect();
        let rounds = all[0]["rounds"].as_array().unwrap();
        let round = rounds.iter().find(|round| round["purl"].as_str().unwrap().contains(&format!("/{name}@")));
        let round = round.unwrap_or_else(|| panic!("no round of {name}: {rounds:#?}"));
        assert_eq!(round["verdict"], verdict, "{round:#}");
        for status in &all {
            assert_eq!((&status["log"]["size"], &status["log"]["root"]), (&size.into(), &all[0]["log"]["root"]));
        }
        let revealed = round["members"].as_array().unwrap().iter().filter(|member| member["revealed"] == true);
        eprintln!("    {name}: {verdict}, {} of 4 revealed; {size} entries, one root", revealed.count());
    }

    /// Waits until a node votes and hears the others.
    fn votes(&self, index: usize) {
        self.quartet.until(index, "votes", PATIENCE, |status| {
            status["standing"] == "voting" && status["peers"] == 3 && status["caught_up"] == true
        });
    }

    /// A verdict is asked for, and a node becomes one of another program before it is there.
    fn replace(&mut self, index: usize, program: &Path) {
        self.ask((index + 1) % 4);
        self.quartet.end_at(index);
        self.quartet.launch_as(index, program);
        self.votes(index);
        let which = if program == Path::new(PROGRAM) { "this" } else { "the earlier" };
        eprintln!("    {} is a process of {which} program", name(index));
        self.concludes();
    }

    /// The members of both programs decide on new keys for one of them, and begin the next epoch with it.
    fn changes(&mut self, rotating: usize, proposer: usize, approving: [usize; 2]) {
        self.quartet.tell(rotating, &["group", "rotate"]);
        let keys = self.quartet.home(rotating).join("keys-next/member.toml");
        let proposed = self.quartet.tell(proposer, &["group", "propose", "--json", "--member", keys.to_str().unwrap()]);
        let proposed: Value = serde_json::from_str(&proposed).unwrap();
        let membership = proposed["proposals"][0]["membership"].as_str().unwrap();
        for member in approving {
            self.hears_of(member, membership);
            self.quartet.tell(member, &["group", "approve", membership]);
        }
        self.size += 1;
        let deadline = Instant::now() + PATIENCE;
        for index in 0..4 {
            while !self.get(index, "/group").is_some_and(|group| group.contains("\nepoch = 1\n")) {
                let trace = || fs::read_to_string(self.quartet.trace(index)).unwrap();
                assert!(Instant::now() < deadline, "{} never came to the next epoch:\n{}", name(index), trace());
                sleep(Duration::from_millis(200));
            }
        }
        (0..4).for_each(|index| self.votes(index));
        eprintln!("    the next epoch has begun, with new keys for {}", name(rotating));
    }

    /// A proposal is on its way to every node.
    fn hears_of(&self, index: usize, membership: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown: Value = serde_json::from_str(&self.quartet.tell(index, &["group", "show", "--json"])).unwrap();
            let proposals = shown["proposals"].as_array().into_iter().flatten();
            if proposals.into_iter().any(|proposal| proposal["membership"] == membership) {
                return;
            }
            assert!(Instant::now() < deadline, "{} never heard of the proposal: {shown:#}", name(index));
            sleep(Duration::from_millis(200));
        }
    }

    fn get(&self, index: usize, path: &str) -> Option<String> {
        ureq::get(&format!("{}{path}", self.quartet.url(index))).call().ok()?.body_mut().read_to_string().ok()
    }

    /// A node goes back to the earlier program for a verdict, which reads what this one has written, and comes again.
    fn goes_back(&mut self, index: usize, earlier: &Path) {
        self.replace(index, earlier);
        self.replace(index, Path::new(PROGRAM));
    }
}

fn goes_over() {
    let earlier = PathBuf::from(env::var_os(EARLIER).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut group = Group { quartet: Quartet::found_by(&earlier, dir.path(), "90"), asked: 0, size: 0 };
    group.quartet.start(&[]);
    group.ask(0);
    group.concludes();
    let (policy, proof) = (group.get(0, "/policy").unwrap(), group.get(0, "/proof/index/0").unwrap());

    let this = Path::new(PROGRAM);
    group.replace(0, this);
    group.replace(1, this);
    // Two and two. A member of the earlier program gets new keys, and both decide on it.
    group.changes(2, 0, [1, 3]);
    group.ask(2);
    group.concludes();
    group.replace(2, this);
    group.replace(3, this);
    group.goes_back(TROUBLED, &earlier);
    group.ask(0);
    group.concludes();

    nobody_is_accused(&group.quartet);
    for index in 0..4 {
        assert_eq!(group.get(index, "/health").as_deref(), Some("ok\n"), "{}", name(index));
    }
    // The proof of before holds as it is, and its entry under what the members sign now.
    let first = Policy::parse(policy.as_bytes()).unwrap();
    assert!(verify(proof.as_bytes(), &first, None).unwrap().is_evidence());
    let [proof_file, policy_file] = [("proof", &proof), ("policy", &policy)].map(|(name, text)| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    });
    assert_eq!(verifier::verify(&proof_file, None, &policy_file), 0);
    let present = succeed(&first, group.get(3, "/succession").unwrap().as_bytes()).unwrap().policy;
    assert!(verify(group.get(3, "/proof/index/0").unwrap().as_bytes(), &present, None).unwrap().is_evidence());
    eprintln!("    nobody is accused, and the first proof holds");
}
