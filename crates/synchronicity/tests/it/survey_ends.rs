//! A survey that is ended before its time: by Ctrl-C, and by a signal that nothing can catch.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::bench::with_bench;
use crate::survey::{list, record, sandbox_works, survey};

type Answer = Result<(), Failed>;

/// Longer than any step here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) fn trials() -> Vec<Trial> {
    let works = sandbox_works();
    let trial =
        |name: &str, test: fn() -> Answer| Trial::test(format!("survey::{name}"), test).with_ignored_flag(!works);
    vec![
        trial("ctrl_c_keeps_what_is_recorded_and_leaves_no_process_and_no_build_behind", interrupted),
        trial("a_survey_that_was_killed_goes_on_where_it_was", killed),
    ]
}

fn start(bench: &str, list: &str, out: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_synchronicity"))
        .args(["survey", list, "--sandbox", "embedded", "--jobs", "2", "--dir", bench, "--out"])
        .arg(out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let since = Instant::now();
    while !there() {
        assert!(since.elapsed() < PATIENCE, "{what} does not come");
        sleep(Duration::from_millis(50));
    }
}

/// All processes below `root`, each as number and moment of its start.
fn descendants(root: u32) -> Vec<(u32, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name in brackets may contain anything.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        if let Ok(number) = entry.file_name().to_string_lossy().parse::<u32>() {
            all.push((number, fields[1].parse::<u32>().unwrap(), fields[19].to_owned()));
        }
    }
    let mut below = vec![root];
    let mut found = Vec::new();
    while let Some(parent) = below.pop() {
        for (number, _, started) in all.iter().filter(|process| process.1 == parent) {
            below.push(*number);
            found.push((*number, started.clone()));
        }
    }
    found
}

fn is_alive(process: &(u32, String)) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.0)).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    fields.get(19) == Some(&process.1.as_str()) && fields[0] != "Z"
}

/// Runs until one crate is recorded and another builds without end; gives all processes below it then.
fn until_it_sleeps(survey: &Child, out: &Path) -> Vec<(u32, String)> {
    wait_for("the first record", || record(out, "plain-binary").is_some());
    let mut found = Vec::new();
    wait_for("the build that sleeps", || {
        found = descendants(survey.id());
        let sleeps = |process: &(u32, String)| {
            fs::read_to_string(format!("/proc/{}/comm", process.0)).is_ok_and(|name| name.starts_with("build-script"))
        };
        found.iter().any(sleeps)
    });
    found
}

fn interrupted() -> Answer {
    let dir = tempfile::tempdir()?;
    let list = list(dir.path(), &["plain-binary", "sleeps-without-end", "embeds-host-name"]);
    let out = dir.path().join("out");
    with_bench(|bench| {
        let mut survey = start(bench, &list, &out);
        let processes = until_it_sleeps(&survey, &out);
        Command::new("kill").args(["-INT", &survey.id().to_string()]).status().unwrap();
        assert_eq!(survey.wait().unwrap().code(), Some(75));
        let left: Vec<_> = processes.iter().filter(|process| is_alive(process)).collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(!Path::new(bench).join("synchronicity-survey").exists());
        assert_eq!(fs::read_dir(Path::new(bench).join("builds")).unwrap().count(), 0);
    });
    assert!(record(&out, "sleeps-without-end").is_none());
    let report: Value = serde_json::from_slice(&fs::read(out.join("survey.json"))?)?;
    assert!(report["totals"]["recorded"].as_u64() >= Some(1), "{}", report["totals"]);
    assert!(report["run"]["sessions"][0]["ended"].is_u64());
    Ok(())
}

fn killed() -> Answer {
    let dir = tempfile::tempdir()?;
    let first = list(dir.path(), &["plain-binary", "sleeps-without-end"]);
    let out = dir.path().join("out");
    with_bench(|bench| {
        let mut survey = start(bench, &first, &out);
        let processes = until_it_sleeps(&survey, &out);
        survey.kill().unwrap();
        survey.wait().unwrap();
        wait_for("the end of all builds", || !processes.iter().any(is_alive));
    });
    let before = record(&out, "plain-binary").unwrap();
    let second = list(dir.path(), &["plain-binary", "embeds-host-name"]);
    survey(&second, &out).expect(0);
    assert_eq!(record(&out, "plain-binary").unwrap(), before);
    let page = fs::read_to_string(out.join("index.html"))?;
    assert!(page.contains("killed") && page.contains("The list was changed between sessions"), "{page}");
    Ok(())
}
