//! A group of real processes under faults that follow from a seed, while it is asked for verdicts. Afterwards nothing is lost,
//! nothing contradicts anything, and whoever looks at it from outside finds nothing wrong.

mod audit;
mod load;
mod net;
mod proxy;
mod schedule;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use synchronicity_node::folder::Folder;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::tile::{TileLevel, tiles_between};

use crate::Test;
use crate::machine::Machine;
use crate::machine::Need::{Embedded, Registry};
use crate::quartet::Quartet;
use crate::recovered::nobody_is_accused;
use audit::{Check, Findings};
use load::{Acknowledged, Load, Wanted};
use stage::Stage;

/// Set to a number of rounds, has faults go on for so many, while hundreds of verdicts are due, crates of crates.io among them.
const ROUNDS: &str = "SYNCHRONICITY_CHAOS";

/// How many rounds are open at the same time when the faults begin, at least. A group has 256 at most.
const IN_FLIGHT: usize = 200;

/// The seed of a run with [`ROUNDS`]; without it the clock gives one.
const SEED: &str = "SEED";

/// Results that must be equal, of four.
const THRESHOLD: usize = 3;

/// So many are asked for within this time.
const FILLED: Duration = Duration::from_secs(180);

/// After the faults everything comes to its end within this time for each request.
const PATIENCE_EACH: Duration = Duration::from_secs(20);

pub(crate) fn tests() -> Vec<Test> {
    vec![Test::new("a_group_under_every_fault_at_once_loses_nothing_and_contradicts_nothing", &[Embedded], chaos)]
}

struct Extent {
    seed: u64,
    rounds: usize,
    /// How long the faults of one round last at most.
    longest: Duration,
    load: Load,
    /// Between two submissions at one node.
    pause: Duration,
    /// Rounds that are open when the faults begin, at least.
    in_flight: usize,
}

impl Extent {
    fn chosen() -> Self {
        let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
        let Some(rounds) = number(ROUNDS) else {
            let (longest, pause) = (Duration::from_millis(3500), Duration::from_secs(3));
            let load = Load::of(load::few());
            return Self { seed: 5, rounds: 8, longest, load, pause, in_flight: 0 };
        };
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        if let Some(why) = Machine::look().misses(Registry) {
            panic!("{ROUNDS} asks for crates of crates.io: {why}");
        }
        Self {
            seed: number(SEED).unwrap_or(clock),
            rounds: rounds as usize,
            longest: Duration::from_secs(12),
            load: Load::of(load::few().into_iter().chain(load::many())),
            pause: Duration::ZERO,
            in_flight: IN_FLIGHT,
        }
    }
}

fn chaos() {
    let extent = Extent::chosen();
    let mut stage = Stage::set();
    let rounds = schedule::rounds(extent.seed, extent.rounds, extent.longest, stage.means());
    eprintln!("    seed {} ({SEED}={} {ROUNDS}={} runs it again):", extent.seed, extent.seed, extent.rounds);
    let homes = [0, 1, 2, 3].map(|node| stage.quartet.home(node));
    let urls = [0, 1, 2, 3].map(|node| stage.quartet.url(node));
    let (watched, over, since) = (Watched::default(), AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| watch(&urls, &watched, &over));
        let (load, pause, over) = (&extent.load, extent.pause, &over);
        let submitters = homes.each_ref().map(|home| scope.spawn(move || load.submit_all(home, pause, over)));
        watched.wait_for(extent.in_flight);
        for (number, round) in rounds.iter().enumerate() {
            eprintln!("    {:6.1} s, round {number}: {round}", since.elapsed().as_secs_f32());
            stage.suffer(round);
        }
        stage.well();
        eprintln!("    {:6.1} s: calm", since.elapsed().as_secs_f32());
        submitters.into_iter().for_each(|submitter| submitter.join().unwrap());
        settle(&stage.quartet, load, over);
    });
    eprintln!("    {:6.1} s: all has ended", since.elapsed().as_secs_f32());
    eprintln!("    {} rounds were open at the same time at most", watched.in_flight.load(Ordering::Relaxed));
    let findings = findings(&stage, &extent.load, watched.told.into_inner().unwrap());
    tell(&findings, &extent.load);
    for (name, check) in Findings::CHECKS {
        check(&findings).unwrap_or_else(|what| panic!("{name}: {what}"));
    }
    nobody_is_accused(&stage.quartet);
    every_check_fails_when_it_should(&findings, &stage);
}

/// Ends what else goes on, however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the nodes have told meanwhile.
#[derive(Default)]
struct Watched {
    /// Every size of the log with its root.
    told: Mutex<BTreeSet<(u64, Digest)>>,
    /// The most rounds that were open at the same time.
    in_flight: AtomicUsize,
}

impl Watched {
    fn wait_for(&self, in_flight: usize) {
        let deadline = Instant::now() + FILLED;
        while self.in_flight.load(Ordering::Relaxed) < in_flight {
            let most = self.in_flight.load(Ordering::Relaxed);
            assert!(Instant::now() < deadline, "{most} rounds were open at the same time, and not {in_flight}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn watch(urls: &[String], watched: &Watched, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        for url in urls {
            let Some(status) = get(&format!("{url}/status")) else { continue };
            let status: Value = serde_json::from_slice(&status).unwrap();
            let (log, rounds) = (&status["log"], status["rounds"].as_array().unwrap());
            let root = log["root"].as_str().unwrap().parse().unwrap();
            watched.told.lock().unwrap().insert((log["size"].as_u64().unwrap(), root));
            let open = rounds.iter().filter(|round| round["phase"] != "concluded").count();
            watched.in_flight.fetch_max(open, Ordering::Relaxed);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn get(url: &str) -> Option<Vec<u8>> {
    let asked = ureq::get(url).config().timeout_global(Some(Duration::from_secs(2))).build();
    asked.call().ok()?.body_mut().read_to_vec().ok()
}

/// Waits until every request has its verdict at every node, and asks again for what came to none while so much went wrong.
fn settle(quartet: &Quartet, load: &Load, over: &AtomicBool) {
    for _ in 0..4 {
        let rounds: BTreeSet<_> = load.acknowledged().into_iter().map(|told| (told.request, told.round)).collect();
        let patience = PATIENCE_EACH * (3 + rounds.len() as u32);
        let ended = |status: &Value| {
            let rounds = status["rounds"].as_array().unwrap();
            rounds.iter().all(|round| round["phase"] == "concluded")
        };
        let all = |status: &Value| {
            let size = &status["log"]["size"];
            ended(status) && size.as_u64() >= Some(rounds.len() as u64) && *size == status["log"]["published_size"]
        };
        let size = quartet.until(0, "has every verdict", patience, all)["log"]["size"].clone();
        for node in 1..4 {
            quartet.until(node, "has them too", patience, |status| status["log"]["published_size"] == size);
        }
        let open = without_verdict(quartet, load);
        if open.is_empty() {
            return;
        }
        open.into_iter().for_each(|wanted| load.add(wanted));
        load.submit_all(&quartet.home(0), Duration::ZERO, over);
    }
    panic!("no verdict, though nothing is wrong any more: {:#?}", without_verdict(quartet, load));
}

/// What was asked for and has come to nothing so far. Any other verdict than the right one is an error.
fn without_verdict(quartet: &Quartet, load: &Load) -> BTreeSet<Wanted> {
    let log = audit::published(&quartet.home(0));
    let entries: Vec<Entry> = log.iter().map(|bytes| Entry::from_bytes(bytes).unwrap()).collect();
    let acknowledged = load.acknowledged();
    let open = acknowledged.iter().filter(|Acknowledged { wanted, request, .. }| {
        let last = entries.iter().rfind(|entry| entry.request.id().to_string() == *request);
        let verdict = last.unwrap_or_else(|| panic!("{} was acknowledged and is lost", wanted.spec)).verdict;
        let open = verdict == Verdict::Inconclusive;
        assert!(open || verdict.as_str() == wanted.verdict, "{} is {verdict}: {last:#?}", wanted.spec);
        open
    });
    open.map(|told| told.wanted.clone()).collect()
}

fn findings(stage: &Stage, load: &Load, told: BTreeSet<(u64, Digest)>) -> Findings {
    let quartet = &stage.quartet;
    let client = stage.folder().join("client");
    fs::create_dir(&client).unwrap();
    let urls: Vec<String> = (0..4).map(|node| quartet.url(node)).collect();
    let fetch = |url: String, file: &Path| fs::write(file, get(&url).expect("the node answers")).unwrap();
    fetch(format!("{}/policy", urls[0]), &client.join("policy"));
    let logs: Vec<Vec<Vec<u8>>> = (0..4).map(|node| audit::published(&quartet.home(node))).collect();
    let entries = logs[0].iter().map(|bytes| Entry::from_bytes(bytes).unwrap()).collect();
    let mut proofs = Vec::new();
    for (node, url) in urls.iter().enumerate() {
        for index in 0..logs[0].len() {
            let path = client.join(format!("{node}-{index}.tlog-proof"));
            fetch(format!("{url}/proof/index/{index}"), &path);
            proofs.push(path);
        }
    }
    Findings { told, logs, entries, acknowledged: load.acknowledged(), threshold: THRESHOLD, client, proofs, urls }
}

fn tell(findings: &Findings, load: &Load) {
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &findings.entries {
        *verdicts.entry(entry.verdict.as_str()).or_default() += 1;
    }
    let (acknowledged, told) = (findings.acknowledged.len(), findings.told.len());
    eprintln!("    {acknowledged} submissions acknowledged, {told} sizes of the log seen, verdicts {verdicts:?}");
    for refused in load.refused() {
        eprintln!("    refused: {refused}");
    }
}

/// Each check is shown what it must notice. It comes last, for one log is damaged on its node's disk.
fn every_check_fails_when_it_should(findings: &Findings, stage: &Stage) {
    let [one_root, nothing_lost, thresholds, proofs_verify, monitored] = Findings::CHECKS;
    let notices = |(name, check): Check, planted: &Findings| {
        let what = check(planted).expect_err(name);
        eprintln!("    {name}, but not when {}", what.lines().next().unwrap_or_default());
    };
    let mut planted = findings.clone();
    planted.told.insert((1, Digest::of(b"another root")));
    notices(one_root, &planted);

    let mut planted = findings.clone();
    planted.logs[2].pop();
    notices(one_root, &planted);

    let mut planted = findings.clone();
    let lost = planted.acknowledged[0].request.clone();
    planted.entries.retain(|entry| entry.request.id().to_string() != lost);
    notices(nothing_lost, &planted);

    let mut planted = findings.clone();
    let reproduced = planted.entries.iter_mut().find(|entry| entry.verdict == Verdict::Reproduced).unwrap();
    reproduced.members.iter_mut().skip(THRESHOLD - 1).for_each(|member| member.opening = None);
    notices(thresholds, &planted);

    let proof = findings.proofs.last().unwrap();
    let mut bytes = fs::read(proof).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(proof, bytes).unwrap();
    notices(proofs_verify, findings);

    let bundles = tiles_between(0, findings.entries.len() as u64).filter(|tile| tile.level == TileLevel::Entries);
    let bundle = Folder::at(stage.quartet.home(1)).log().join(bundles.last().unwrap().path());
    let mut bytes = fs::read(&bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    notices(monitored, findings);
}
