//! `recipe`, as a group agreed on it.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};
use synchronicity_core::group::Group;

use crate::attest::group;
use crate::bench::{fixture, on_bench};

type Answer = Result<(), Failed>;

const OVERRIDE: &str = "\n[[override]]\ncrate = \"plain-binary\"\nversion = \"^0.1\"\nreason = \"it is large\"\n\
                        packages = [\"libc6-dev\"]\nlimits = { memory-mib = 512, jobs = 1 }\n";

pub(crate) fn trials() -> Vec<Trial> {
    let works = on_bench("recipe", &fixture("plain-binary"), &["--json"]).code == 0;
    let trial =
        |name: &str, test: fn() -> Answer| Trial::test(format!("recipe::{name}"), test).with_ignored_flag(!works);
    vec![
        trial("what_a_group_agreed_on_is_pinned_and_told_with_its_reason", agreed),
        trial("a_group_file_and_choices_of_ones_own_exclude_one_another", excluded),
    ]
}

fn agreed() -> Answer {
    let dir = tempfile::tempdir()?;
    let (with, without) = (dir.path().join("with.toml"), dir.path().join("without.toml"));
    let text = group().to_text();
    fs::write(&without, &text)?;
    fs::write(&with, Group::parse(&(text + OVERRIDE)).unwrap().to_text())?;
    let (with, without) = (with.display().to_string(), without.display().to_string());
    let told = |more: &[&str]| on_bench("recipe", &fixture("plain-binary"), more).expect(0);
    let own = told(&["--json"]).json();
    assert!(own["agreed"].is_null());
    assert_eq!(told(&["--json", "--group", &without]).json()["request"], own["request"]);
    let agreed = told(&["--json", "--group", &with]).json();
    assert_eq!(agreed["agreed"]["reason"], "it is large");
    assert_ne!(agreed["request"], own["request"]);
    let words = told(&["--group", &with]).out;
    for line in [
        "512 MiB of memory, 8192 MiB of disk",
        "512 processes, 1 jobs",
        "agreed      512 MiB of memory, 1 jobs, packages libc6-dev\n",
        "because it is large",
    ] {
        assert!(words.contains(line), "{line} is not in {words}");
    }
    Ok(())
}

fn excluded() -> Answer {
    let ran = on_bench("recipe", &fixture("plain-binary"), &["--group", "group.toml", "--all-features"]).expect(2);
    assert!(ran.err.contains("cannot be used with"), "{}", ran.err);
    let ran = on_bench("recipe", &fixture("plain-binary"), &["--group", "/no/such/group.toml"]).expect(2);
    assert!(ran.err.contains("the group file: cannot read"), "{}", ran.err);
    Ok(())
}
