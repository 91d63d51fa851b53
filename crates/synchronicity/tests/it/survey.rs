//! `survey`: lists, records and reports, with real builds of fixtures in the embedded sandbox where this machine has one.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::bench::{fixture, on_bench};
use crate::program::{Ran, run};

type Answer = Result<(), Failed>;

/// What a report consists of.
const REPORT: [&str; 4] = ["index.html", "survey.json", "crates.csv", "rates.csv"];

pub(crate) fn trials() -> Vec<Trial> {
    let works = sandbox_works();
    let trial = |name: &str, test: fn() -> Answer, ignored| {
        Trial::test(format!("survey::{name}"), test).with_ignored_flag(ignored)
    };
    vec![
        trial("rates_and_causes_are_those_of_the_crates_of_the_list", rates, !works),
        trial("what_is_recorded_is_not_built_again_and_half_a_record_is", resumed, !works),
        trial("a_bad_line_is_refused_with_its_number_before_anything_is_built", refused, false),
        trial("the_committed_report_is_what_its_records_give", committed, false),
    ]
}

/// Whether this machine has the embedded sandbox; a trial that is skipped for want of it says so elsewhere.
pub(crate) fn sandbox_works() -> bool {
    on_bench("rebuild", &fixture("plain-binary"), &[]).code == 0
}

/// A list of fixtures.
pub(crate) fn list(dir: &Path, fixtures: &[&str]) -> String {
    let path = dir.join("list.txt");
    let lines: String = fixtures.iter().map(|name| format!("{}  # a fixture\n", fixture(name))).collect();
    fs::write(&path, format!("# Fixtures.\n\n{lines}")).unwrap();
    path.display().to_string()
}

pub(crate) fn survey(list: &str, out: &Path) -> Ran {
    on_bench("survey", list, &["--json", "--out", &out.display().to_string()])
}

pub(crate) fn record(out: &Path, fixture: &str) -> Option<Value> {
    serde_json::from_slice(&fs::read(out.join(format!("records/fixture-{fixture}.json"))).ok()?).ok()
}

fn rates() -> Answer {
    let dir = tempfile::tempdir()?;
    let list = list(dir.path(), &["plain-binary", "embeds-build-time", "needs-network", "embeds-host-name"]);
    let out = dir.path().join("out");
    let told = survey(&list, &out).expect(0).json();
    let totals = &told["totals"];
    for (name, count) in
        [("listed", 4), ("recorded", 4), ("compared", 3), ("reproducible", 1), ("different", 2), ("unbuildable", 1)]
    {
        assert_eq!(totals[name], count, "{name}: {told}");
    }
    let report: Value = serde_json::from_slice(&fs::read(out.join("survey.json"))?)?;
    let cause =
        |name: &str| report["causes"].as_array().unwrap().iter().find(|row| row["cause"] == name).unwrap().clone();
    assert_eq!(cause("build-time")["names"][0], "embeds-build-time 0.1.0");
    assert_eq!((&cause("host-name")["crates"]["count"], &cause("host-name")["crates"]["of"]), (&1.into(), &3.into()));
    assert_eq!(cause("random")["crates"]["count"], 0);
    assert_eq!(report["run"]["sessions"][0]["recorded"], 4);
    let before = REPORT.map(|name| fs::read(out.join(name)).unwrap());
    for name in REPORT {
        fs::remove_file(out.join(name))?;
    }
    let arguments = ["survey", list.as_str(), "--report-only", "--out", &out.display().to_string()].map(str::to_owned);
    run(Path::new("/"), arguments).expect(0);
    assert_eq!(before, REPORT.map(|name| fs::read(out.join(name)).unwrap()), "the same records, another report");
    Ok(())
}

fn resumed() -> Answer {
    let dir = tempfile::tempdir()?;
    let list = list(dir.path(), &["plain-binary", "embeds-job-count"]);
    let out = dir.path().join("out");
    survey(&list, &out).expect(0);
    let (plain, jobs) = (record(&out, "plain-binary").unwrap(), record(&out, "embeds-job-count").unwrap());
    let path = out.join("records/fixture-embeds-job-count.json");
    let whole = fs::read(&path)?;
    fs::write(&path, &whole[..whole.len() / 2])?;
    fs::write(out.join("records/.tmpLeft"), "{")?;
    survey(&list, &out).expect(0);
    assert_eq!(record(&out, "plain-binary").unwrap(), plain);
    let again = record(&out, "embeds-job-count").unwrap();
    assert!(again["began"].as_u64() > jobs["began"].as_u64(), "{again}");
    assert!(!out.join("records/.tmpLeft").exists());
    let run: Value = serde_json::from_slice(&fs::read(out.join("run.json"))?)?;
    assert_eq!((&run["sessions"][0]["recorded"], &run["sessions"][1]["recorded"]), (&2.into(), &1.into()));
    Ok(())
}

fn refused() -> Answer {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("list.txt"), "# a list\nserde@1.0.228\nserde@1\n")?;
    let ran = run(dir.path(), ["survey", "list.txt", "--out", "out"]).expect(2);
    assert!(ran.err.contains("list.txt, line 3: \"1\" is not an exact version"), "{}", ran.err);
    assert!(!dir.path().join("out").exists());
    fs::write(dir.path().join("list.txt"), "# nobody\n")?;
    run(dir.path(), ["survey", "list.txt", "--out", "out"]).expect(2);
    fs::write(dir.path().join("list.txt"), "serde@1.0.228\n")?;
    let ran = run(dir.path(), ["survey", "list.txt", "--out", "out", "--report-only"]).expect(2);
    assert!(ran.err.contains("has no records"), "{}", ran.err);
    Ok(())
}

fn committed() -> Answer {
    let survey = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/survey");
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("records"))?;
    fs::copy(survey.join("run.json"), dir.path().join("run.json"))?;
    for entry in fs::read_dir(survey.join("records"))? {
        let entry = entry?;
        fs::copy(entry.path(), dir.path().join("records").join(entry.file_name()))?;
    }
    let list = survey.join("popular.txt").display().to_string();
    let told = run(dir.path(), ["survey", &list, "--report-only", "--json", "--out", "."]).expect(0).json();
    assert_eq!((&told["totals"]["listed"], &told["totals"]["recorded"]), (&40.into(), &40.into()), "{told}");
    for name in REPORT {
        assert!(fs::read(survey.join(name))? == fs::read(dir.path().join(name))?, "{name} is another");
    }
    Ok(())
}
