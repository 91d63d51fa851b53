//! Counting, and the page that is made of it, on records that are written here.

use super::super::list::List;
use super::super::record::{Found, Made};
use super::super::{page, tables};
use super::*;
use synchronicity_explain::survey::{Machine, Session, Setting};
use synchronicity_rebuild::spec::Spec;

fn list(keys: &[&str]) -> List {
    let line = |key: &&str| Line { key: key.to_string(), spec: key.parse::<Spec>().unwrap() };
    List { lines: keys.iter().map(line).collect(), chosen: vec!["By <hand>.".into()], sha256: "00".into() }
}

fn run() -> Run {
    let setting = Setting {
        program: "synchronicity 0.1.0".into(),
        rustc: "1.95.0".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        sandbox: "embedded".into(),
        environment: "here".into(),
    };
    let machine = Machine { processors: 2, processor: "one".into(), memory_mib: 1, system: "one".into() };
    let session = Session {
        command: "synchronicity survey list".into(),
        list_sha256: "00".into(),
        jobs: 1,
        began: 1_795_460_931,
        ended: Some(1_795_460_991),
        recorded: 2,
    };
    Run { format: FORMAT, setting, machine, sessions: vec![session] }
}

fn built(key: &str, kind: Kind, causes: Vec<Found>) -> Record {
    let made = |digest: &str| vec![Made { name: "x".into(), size: 1, sha256: digest.into() }];
    let second = if causes.is_empty() { "aa" } else { "bb" };
    let built = Built {
        took_ms: [1500, 2500],
        compiled: vec!["x v1.0.0".into()],
        artifacts: [made("aa"), made(second)],
        varied: Vec::new(),
        causes,
        explanation: None,
    };
    tried(key, kind, Outcome::Built(Box::new(built)))
}

fn tried(key: &str, kind: Kind, result: Outcome) -> Record {
    let (name, version) = key.split_once('@').unwrap();
    let tried = Tried {
        name: name.into(),
        version: version.into(),
        sha256: "cc".into(),
        kind,
        build_script: false,
        lock: "resolved".into(),
        result,
    };
    Record { format: FORMAT, key: key.into(), began: 1, end: End::Tried(Box::new(tried)) }
}

fn found(cause: Cause, certainty: Certainty, guilty: &str) -> Found {
    Found { cause, certainty, guilty: Some(guilty.into()) }
}

fn records() -> Vec<Record> {
    let both = vec![
        found(Cause::BuildTime, Certainty::Likely, "clock 1.0.0"),
        found(Cause::BuildTime, Certainty::Known, "<script>alert(1)</script>"),
        found(Cause::BuildPath, Certainty::Possible, "clock 1.0.0"),
    ];
    vec![
        built("a@1.0.0", Kind::Library, Vec::new()),
        built("b@1.0.0", Kind::Binary, both),
        tried("c@1.0.0", Kind::Binary, Outcome::OnlyOnce { failure: "compile-error".into() }),
        tried(
            "d@1.0.0",
            Kind::ProcMacro,
            Outcome::Fails { failure: "needs-network".into(), tail: vec!["no & no".into()] },
        ),
        Record { format: FORMAT, key: "e@1.0.0".into(), began: 1, end: End::Refused { reason: "no such".into() } },
    ]
}

const KEYS: [&str; 6] = ["a@1.0.0", "b@1.0.0", "c@1.0.0", "d@1.0.0", "e@1.0.0", "f@1.0.0"];

fn with_tally<T>(then: impl FnOnce(&Tally) -> T) -> T {
    let (list, run, records) = (list(&KEYS), run(), records());
    then(&Tally::of(&list, &run, |line| records.iter().find(|record| record.key == line.key).cloned()))
}

#[test]
fn what_was_not_compared_is_in_no_rate() {
    with_tally(|tally| {
        let totals = Totals {
            listed: 6,
            recorded: 5,
            refused: 1,
            unbuildable: 1,
            compared: 3,
            reproducible: 1,
            different: 1,
            only_once: 1,
        };
        assert_eq!(tally.summary.totals, totals);
        let rate = |name: &str| tally.summary.groups.iter().find(|group| group.name == name).unwrap().reproducible;
        assert_eq!((rate("all").count, rate("all").of), (1, 3));
        assert_eq!((rate("binary").count, rate("binary").of), (0, 2));
        assert_eq!((rate("library").count, rate("library").of), (1, 1));
        assert_eq!((rate("proc-macro").of, rate("proc-macro").share), (0, None));
    });
}

#[test]
fn a_crate_counts_once_for_a_cause_with_its_best_certainty() {
    with_tally(|tally| {
        let row = |cause: &str| tally.summary.causes.iter().find(|row| row.cause.as_str() == cause).unwrap();
        let time = row("build-time");
        assert_eq!((time.crates.count, time.crates.of, time.certainty), (1, 3, [0, 0, 1]));
        assert_eq!(time.guilty.len(), 2);
        assert_eq!((row("build-path").crates.count, row("build-path").certainty), (1, [1, 0, 0]));
        assert_eq!(row("random").crates.count, 0);
    });
}

#[test]
fn the_report_is_the_same_each_time_and_what_it_quotes_is_no_markup() {
    let all =
        || with_tally(|tally| [page::page(tally), tables::json(tally), tables::crates(tally), tables::rates(tally)]);
    let first = all();
    assert_eq!(first, all());
    let [page, json, crates, _] = first;
    assert!(page.contains("By &lt;hand&gt;.") && page.contains("no &amp; no"), "{page}");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    let told: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(told["totals"]["compared"], 3);
    // Others read its head, under limits.
    with_tally(|tally| assert_eq!(Summary::read(json.as_bytes()).unwrap(), tally.summary));
    assert_eq!(crates.lines().count(), 1 + KEYS.len());
    assert!(crates.contains("b@1.0.0,b,1.0.0,cc,binary,false,false,resolved,1,1500,2500,different,,"), "{crates}");
}
