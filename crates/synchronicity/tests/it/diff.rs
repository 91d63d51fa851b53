//! `diff` on files, among them one of 50 MB and more: this very program.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::program::run;

type Answer = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn() -> Answer| Trial::test(format!("diff::{name}"), test);
    vec![
        trial("two_files_differ_with_a_code_of_their_own_and_equal_ones_with_none", codes),
        trial("what_is_known_of_the_builds_is_read_from_a_file", facts),
        trial("a_pair_of_50_mb_is_explained_within_bounded_memory", large),
        trial("diffoscope_is_asked_for_by_name", diffoscope),
    ]
}

fn codes() -> Answer {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("a"), "built 2026-11-24")?;
    fs::write(dir.path().join("b"), "built 2026-11-25")?;
    let told = run(dir.path(), ["diff", "a", "b", "--json"]).expect(44).json();
    assert_eq!(told["same_bytes"], false);
    assert_eq!(told["causes"][0]["cause"], "build-time");
    assert_eq!(told["artifacts"][0]["differences"][0]["first"], "built 2026-11-24");
    let words = run(dir.path(), ["diff", "a", "b"]).expect(44).out;
    assert!(words.contains("likely: the time of the build") && words.contains("SOURCE_DATE_EPOCH"), "{words}");
    assert_eq!(run(dir.path(), ["diff", "a", "a"]).expect(0).out, "the same, byte for byte: 1 file\n");
    run(dir.path(), ["diff", "a", "nowhere"]).expect(2);
    run(dir.path(), ["diff", "a", "."]).expect(2);
    Ok(())
}

fn facts() -> Answer {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("a"), "x alpha y")?;
    fs::write(dir.path().join("b"), "x omega y")?;
    fs::write(dir.path().join("facts"), r#"{"first":{"hosts":["alpha"]},"second":{"hosts":["omega"]}}"#)?;
    let told = run(dir.path(), ["diff", "a", "b", "--json", "--facts", "facts"]).expect(44).json();
    assert_eq!((&told["causes"][0]["cause"], &told["causes"][0]["certainty"]), (&"host-name".into(), &"known".into()));
    fs::write(dir.path().join("facts"), r#"{"frist":{}}"#)?;
    let ran = run(dir.path(), ["diff", "a", "b", "--facts", "facts"]).expect(2);
    assert!(ran.err.contains("unknown field"), "{}", ran.err);
    Ok(())
}

/// Both files, and as much again for symbols and lines.
const ADDRESS_SPACE_KIB: u64 = 400 << 10;
const PAIR_BYTES_MIN: u64 = 50 << 20;

fn large() -> Answer {
    let dir = tempfile::tempdir()?;
    let program = env!("CARGO_BIN_EXE_synchronicity");
    let mut bytes = fs::read(program)?;
    fs::write(dir.path().join("first"), &bytes)?;
    let words = b"Know whether a binary is what its source says";
    let at = bytes.windows(words.len()).position(|window| window == words).unwrap();
    bytes[at..at + 15].copy_from_slice(b"At 2026-11-24, ");
    fs::write(dir.path().join("second"), &bytes)?;
    for name in ["first", "second"] {
        let file = fs::File::options().write(true).open(dir.path().join(name))?;
        // What follows the last section belongs to none; a release build is smaller.
        file.set_len(file.metadata()?.len().max(PAIR_BYTES_MIN))?;
    }
    let limited = |kib: u64| {
        let script = format!("ulimit -v {kib}; exec \"$0\" diff first second --json");
        Command::new("/bin/sh").args(["-c", &script, program]).current_dir(dir.path()).output()
    };
    let output = limited(ADDRESS_SPACE_KIB)?;
    assert_eq!(output.status.code(), Some(44), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let artifact = &told["artifacts"][0];
    assert_eq!(artifact["differences"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(artifact["differences"][0]["section"], ".rodata");
    assert_eq!(artifact["cut_short"], false, "{told}");
    // The limit is one: with less than the two files it cannot be done.
    assert_ne!(limited(2 * (PAIR_BYTES_MIN >> 10))?.status.code(), Some(44));
    Ok(())
}

fn diffoscope() -> Answer {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("a"), "one\n")?;
    fs::write(dir.path().join("b"), "two\n")?;
    let ran = run(dir.path(), ["diff", "a", "b", "--diffoscope"]);
    if Path::new("/usr/bin/diffoscope").is_file() {
        let ran = ran.expect(44);
        assert!(ran.out.contains("--- first") && ran.out.contains("+two"), "{}", ran.out);
    } else {
        assert!(ran.expect(1).err.contains("apt install diffoscope-minimal"));
    }
    Ok(())
}
