//! `rebuild`, with real builds in the embedded sandbox where this machine has one.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use synchronicity_verify::request::{Products, Source};

use crate::bench::{fixture, on_bench, with_bench};
use crate::logs::Log;
use crate::look_up::log;
use crate::program::{Ran, run};
use crate::progress::fetching;
use crate::sample;
use crate::schema::Schemas;
use crate::store::{all, bin, installed, on_root, request};
use crate::terminal::missing;

type Answer = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let works = {
        let ran = rebuild(&fixture("plain-binary"), &[]);
        if ran.code != 0 {
            eprintln!("SKIPPED: rebuilding in the embedded sandbox is not tested: {}", ran.err);
        }
        ran.code == 0
    };
    let trial =
        |name: &str, test: fn() -> Answer| Trial::test(format!("rebuild::{name}"), test).with_ignored_flag(!works);
    vec![
        trial("a_crate_is_built_twice_to_the_same_artifact", same),
        trial("a_crate_that_embeds_its_build_time_differs_from_build_to_build", different),
        trial("a_build_that_fails_says_how_and_where_its_transcript_is", failing),
        trial("what_no_group_rebuilt_is_built_and_installed_as_what_it_is", or_build),
        trial("group_file_and_rebuild_are_compared_apart", against),
        trial("what_cannot_be_pinned_is_a_usage_error", unpinnable),
        trial("what_is_fetched_moves_by_size_and_speed_on_a_terminal_alone_and_leaves_no_line", fetching)
            .with_ignored_flag(!works || missing()),
        Trial::test("rebuild::an_unknown_sandbox_is_a_usage_error", unknown_sandbox),
    ]
}

fn rebuild(spec: &str, more: &[&str]) -> Ran {
    on_bench("rebuild", spec, more)
}

fn same() -> Answer {
    let dir = tempfile::tempdir()?;
    let out = dir.path().join("out").display().to_string();
    let told = rebuild(&fixture("plain-binary"), &["--json", "--out", &out]).expect(0).json();
    assert_eq!(told["purl"], "pkg:generic/synchronicity-fixture/plain-binary@0.1.0");
    assert_eq!(told["sandbox"], "embedded");
    let path = told["artifacts"][0]["path"].as_str().unwrap();
    assert_eq!(path, format!("{out}/plain-binary"));
    assert_eq!(fs::metadata(path)?.len(), told["artifacts"][0]["size"].as_u64().unwrap());
    assert_eq!(Command::new(path).output()?.stdout, b"the same everywhere\n", "the artifact runs");
    let words = rebuild(&fixture("plain-binary"), &[]).expect(0);
    assert!(words.out.contains(told["artifacts"][0]["sha256"].as_str().unwrap()), "{}", words.out);
    let unfolded = words.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unfolded.contains("no evidence for others"), "{}", words.out);
    assert!(words.err.contains("fetching plain-binary 0.1.0"), "progress goes to standard error: {}", words.err);
    Ok(())
}

fn different() -> Answer {
    let told = || rebuild(&fixture("embeds-build-time"), &["--json"]).expect(0).json();
    let (first, second) = (told(), told());
    assert_eq!(first["request"], second["request"], "one request");
    assert_ne!(first["result"], second["result"], "two results");
    Ok(())
}

fn failing() -> Answer {
    let ran = rebuild(&fixture("needs-network"), &["--json"]).expect(1);
    assert!(ran.err.contains("does not build: needs-network"), "{}", ran.err);
    let help = ran.json()["help"].as_str().unwrap().to_owned();
    let transcript = help.rsplit(": ").next().unwrap();
    assert!(fs::read_to_string(transcript)?.contains("cannot download from example.com"));
    Ok(())
}

fn unpinnable() -> Answer {
    for (spec, words) in [
        (fixture("depends-on-path"), "comes from a path"),
        (fixture("needs-newer-rust"), "needs rustc 1.999 or newer"),
        ("/usr".into(), "is not one of this project's fixture crates"),
        ("hexyl@0.17.99".into(), "has no version 0.17.99"),
    ] {
        let ran = rebuild(&spec, &[]).expect(2);
        assert!(ran.err.contains(words), "{spec}: {}", ran.err);
    }
    Ok(())
}

/// `install --or-build` of the smallest executable of crates.io that has a published lock.
fn or_build() -> Answer {
    let log = log(1);
    let install = |bench: &str, more: &[&str]| {
        let words = ["install", "is_ci@1.2.0", "--policy", "policy", "--node", "log"];
        on_root(&log, &[&words[..], &["--or-build", "--sandbox", "embedded", "--dir", bench], more].concat())
    };
    with_bench(|bench| {
        let told = install(bench, &["--dry-run", "--json"]).expect(0).json();
        assert_eq!(told["crates"][0]["action"], "would-build", "{told}");
        assert_eq!(installed(&log), Vec::<String>::new());
        let ran = install(bench, &[]).expect(0);
        let words = "installed: is_ci 1.2.0, one build on this machine, which is no evidence\n";
        assert!(ran.out.starts_with(words), "{}", ran.out);
        assert!(ran.err.contains("there is no evidence for is_ci@1.2.0: building it here"), "{}", ran.err);
        let told = install(bench, &["--json"]).expect(0).json();
        assert_eq!((&told["crates"][0]["action"], &told["crates"][0]["evidence"]), (&"already".into(), &Value::Null));
        Schemas::new().check("install", &told);
    });
    assert!(Command::new(bin(&log).join("is_ci")).env("CI", "true").status()?.success());
    assert!(on_root(&log, &["list"]).expect(0).out.contains(" built here "));
    // It is nothing that a group built, and passes for no such thing.
    let words = ["verify", "--installed", "--root", "root", "--policy", "policy", "--offline"];
    run(log.dir.path(), words).expect(41);
    Ok(())
}

/// Of is_ci 1.2.0, as crates.io lists it.
const ARCHIVE: &str = "7655c9839580ee829dfacba1d1278c2b7883e50a277ff7541299489d6bdfdc45";

/// A log in which a group got these bytes, of the archive with this checksum.
fn is_ci(content: &[u8], checksum: &str) -> Log {
    let request = request("is_ci@1.2.0", |request| {
        let (name, version) = (request.source.name().clone(), request.source.version().clone());
        request.source = Source::Registry { name, version, checksum: checksum.parse().unwrap() };
        request.products = Products::Installed;
    });
    Log::of(sample::history_of([(request, all(&[("is_ci", content.to_vec())]))]), &[0, 1, 2, 3])
}

fn against() -> Answer {
    let dir = tempfile::tempdir()?;
    let out = dir.path().join("out").display().to_string();
    rebuild("is_ci@1.2.0", &["--out", &out]).expect(0);
    let own = fs::read(dir.path().join("out/is_ci"))?;
    let mut altered = own.clone();
    let at = own.len() / 2;
    altered[at] ^= 1;
    let compare = |log: &Log, file: &[u8], more: &[&str]| {
        let path = log.dir.path().join("is_ci");
        fs::write(&path, file).unwrap();
        let words = ["rebuild", "is_ci@1.2.0", "--against", "is_ci", "--policy", "policy", "--node", "log"];
        let place = |bench: &str| [&words[..], &["--sandbox", "embedded", "--dir", bench], more].concat().join(" ");
        with_bench(|bench| run(log.dir.path(), place(bench).split(' ')))
    };
    let good = is_ci(&own, ARCHIVE);
    let ran = compare(&good, &own, &[]).expect(0);
    for words in [
        "builder against builder  4 of 4 got the same bytes; 3 are needed",
        "group against file       is_ci is what the group built, byte for byte",
        "rebuild against group    the same bytes",
        "rebuild against file     the same bytes",
        "recipe                   not the same as the group's:",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    let told = |log: &Log, file: &[u8], code: i32| {
        let told = compare(log, file, &["--json"]).expect(code).json();
        ["group_and_file", "rebuild_and_group", "rebuild_and_file"].map(|which| told[which].as_str().map(str::to_owned))
    };
    let words = |words: [&str; 3]| words.map(|word| Some(word.to_owned()).filter(|word| word != "none"));
    assert_eq!(told(&good, &altered, 42), words(["different", "same", "different"]));
    let ran = compare(&good, &altered, &[]).expect(42);
    assert!(ran.out.contains("the file against your own rebuild:") && ran.out.contains(" differs ("), "{}", ran.out);
    let other = is_ci(&altered, ARCHIVE);
    assert_eq!(told(&other, &altered, 44), words(["same", "different", "different"]));
    assert_eq!(told(&other, &own, 42), words(["different", "different", "same"]));
    assert_eq!(told(&log(1), &own, 41), words(["none", "none", "same"]));
    let ran = compare(&is_ci(&own, &ARCHIVE.replace('7', "8")), &own, &[]).expect(42);
    assert!(ran.err.contains("is about the archive with SHA-256 8"), "{}", ran.err);
    Ok(())
}

fn unknown_sandbox() -> Answer {
    let ran = run(Path::new("/"), ["rebuild", "hexyl", "--sandbox", "none"]).expect(2);
    assert!(ran.err.contains("use auto, docker, gvisor or embedded"), "{}", ran.err);
    Ok(())
}
