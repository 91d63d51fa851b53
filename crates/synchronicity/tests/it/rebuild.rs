//! `rebuild`, with real builds in the embedded sandbox where this machine has one.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::bench::{fixture, on_bench};
use crate::program::{Ran, run};

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
        trial("what_cannot_be_pinned_is_a_usage_error", unpinnable),
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
    assert!(words.out.contains("no evidence for others"), "{}", words.out);
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

fn unknown_sandbox() -> Answer {
    let ran = run(Path::new("/"), ["rebuild", "hexyl", "--sandbox", "none"]).expect(2);
    assert!(ran.err.contains("use auto, docker, gvisor or embedded"), "{}", ran.err);
    Ok(())
}
