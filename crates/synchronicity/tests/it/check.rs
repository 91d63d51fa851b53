//! `check`, with real builds in the embedded sandbox where this machine has one.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};

use crate::bench::{fixture, on_bench};
use crate::program::Ran;
use crate::repository;

type Answer = Result<(), Failed>;

/// What each fixture embeds, and which cause must be named. The order of a hash map and a random number have no value
/// that a build could be known by.
const FIXTURES: [(&str, &str, &str); 9] = [
    ("embeds-build-time", "build-time", "known"),
    ("embeds-random-number", "random", "likely"),
    ("embeds-host-name", "host-name", "known"),
    ("embeds-build-path", "build-path", "known"),
    ("embeds-hash-order", "iteration-order", "likely"),
    ("embeds-directory-order", "file-order", "known"),
    ("embeds-job-count", "job-count", "known"),
    ("embeds-environment", "environment", "known"),
    ("embeds-home-folder", "user-or-home", "known"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let ran = check(&fixture("plain-binary"), &[]);
    if ran.code != 0 {
        eprintln!("SKIPPED: checking in the embedded sandbox is not tested: {}", ran.err);
    }
    let works = ran.code == 0;
    let trial =
        |name: &str, test: fn() -> Answer| Trial::test(format!("check::{name}"), test).with_ignored_flag(!works);
    vec![
        trial("a_crate_that_varies_is_found_and_the_cause_is_named", causes),
        trial("a_crate_that_does_not_vary_is_reproducible", same),
        trial("a_commit_cannot_be_seen_by_what_is_built_as_it_is_published", commit),
        trial("a_folder_of_ones_own_is_checked_as_it_would_be_published", own_folder),
        trial("a_crate_that_does_not_build_says_how", failing),
        Trial::test("check::what_is_no_crate_is_a_usage_error", unpinnable).with_ignored_flag(!works),
    ]
}

fn check(spec: &str, more: &[&str]) -> Ran {
    on_bench("check", spec, more)
}

fn causes() -> Answer {
    for (name, cause, certainty) in FIXTURES {
        let told = check(&fixture(name), &["--json"]).expect(44).json();
        assert_eq!(told["reproducible"], false, "{name}");
        let causes = told["causes"].as_array().unwrap();
        assert_eq!(causes.len(), 1, "{name}: {told}");
        assert_eq!(
            (&causes[0]["cause"], &causes[0]["certainty"]),
            (&cause.into(), &certainty.into()),
            "{name}: {told}"
        );
        assert_eq!(causes[0]["crate"], format!("{name} 0.1.0"), "{told}");
        let difference = &told["artifacts"][0]["differences"][0];
        assert_eq!(difference["section"], ".rodata", "{told}");
        assert_eq!(difference["symbol"], format!("{}::main", name.replace('-', "_")), "{told}");
    }
    Ok(())
}

fn same() -> Answer {
    let ran = check(&fixture("plain-binary"), &[]).expect(0);
    assert!(ran.out.starts_with("reproducible: plain-binary 0.1.0, built twice, has the same bytes\n"), "{}", ran.out);
    let told = check(&fixture("plain-binary"), &["--json"]).expect(0).json();
    assert_eq!(told["reproducible"], true);
    let varied = |what: &str| {
        let list = told["varied"].as_array().unwrap();
        list.iter().find(|it| it["what"] == what).unwrap_or_else(|| panic!("{what}: {told}"))["varied"]
            .as_bool()
            .unwrap()
    };
    for what in ["build folder", "host name", "user", "umask", "order of files"] {
        assert!(varied(what), "{what}: {told}");
    }
    Ok(())
}

/// The fixture alone, and in a repository of its own: what is packed has none.
fn commit() -> Answer {
    check(&fixture("embeds-git-state"), &[]).expect(0);
    let dir = tempfile::tempdir()?;
    repository::with_fixture(dir.path(), "embeds-git-state");
    repository::commit(dir.path(), "first");
    check(&dir.path().display().to_string(), &[]).expect(0);
    Ok(())
}

/// A member of a workspace, with a version that it inherits: only what `cargo package` makes of it can be built.
fn own_folder() -> Answer {
    let dir = tempfile::tempdir()?;
    let member = dir.path().join("member");
    fs::create_dir_all(member.join("src"))?;
    fs::write(
        dir.path().join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"member\"]\n[workspace.package]\nversion = \"3.2.1\"\n",
    )?;
    fs::write(
        member.join("Cargo.toml"),
        "[package]\nname = \"my-own\"\nversion.workspace = true\nedition = \"2024\"\n",
    )?;
    fs::write(member.join("src/main.rs"), "fn main() { println!(\"{}\", env!(\"CARGO_MANIFEST_DIR\")) }\n")?;
    let told = check(&member.display().to_string(), &["--json"]).expect(44).json();
    assert_eq!(told["crate"], "my-own 3.2.1");
    assert_eq!(told["causes"][0]["cause"], "build-path", "{told}");
    fs::write(member.join("src/main.rs"), "fn main() { println!(\"the same\") }\n")?;
    check(&member.display().to_string(), &[]).expect(0);
    Ok(())
}

fn failing() -> Answer {
    let ran = check(&fixture("needs-network"), &["--json"]).expect(1);
    assert!(ran.err.contains("does not build: needs-network"), "{}", ran.err);
    Ok(())
}

fn unpinnable() -> Answer {
    for (spec, words) in [("/usr".to_owned(), "has no Cargo.toml"), (fixture("depends-on-path"), "comes from a path")] {
        let ran = check(&spec, &[]).expect(2);
        assert!(ran.err.contains(words), "{spec}: {}", ran.err);
    }
    Ok(())
}
