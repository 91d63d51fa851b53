//! `audit`: dependencies of lock files and binaries, held against the log and the settings.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;

use libtest_mimic::{Failed, Trial};
use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::SignedNote;

use crate::logs::Log;
use crate::look_up::log;
use crate::program::{Ran, run};
use crate::sample;
use crate::schema::Schemas;

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("audit::each_dependency_has_the_groups_verdict_and_nobody_hears_of_it", verdicts),
        Trial::test("audit::a_bundle_answers_offline_what_the_log_answers", bundle),
        Trial::test("audit::another_archive_than_the_lock_file_names_is_denied", other_source),
        Trial::test("audit::levels_and_exceptions_decide_and_expire", levels),
        Trial::test("audit::json_is_as_its_schema_says", json),
        Trial::test("audit::sarif_points_at_the_line_of_each_finding", sarif),
        Trial::test("audit::junit_fails_for_what_is_denied_only", junit),
        Trial::test("audit::a_binary_of_cargo_auditable_is_audited_like_its_lock_file", auditable),
        Trial::test("audit::a_binary_brings_no_settings_of_its_own", settings_of_a_binary),
        Trial::test("audit::an_exception_is_over_when_a_quorum_says_that_its_time_is", clock_behind),
        Trial::test("audit::settings_that_cannot_be_read_are_not_taken_for_absent", unreadable_settings),
        Trial::test("audit::hostile_lock_files_and_settings_are_usage_errors", hostile),
    ]
}

/// A lock file of a package of one's own that depends on these crates, of archives with these contents.
pub(crate) fn lock(crates: &[(&str, &str)]) -> String {
    let mut text = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n".to_owned();
    for (name, archive) in crates {
        text += &format!(
            "\n[[package]]\nname = \"{name}\"\nversion = \"0.17.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{}\"\n",
            Digest::of(archive.as_bytes())
        );
    }
    text
}

const ARCHIVE: &str = "the archive";

/// A log, and beside it a lock file with a crate for each verdict but the worst.
fn project() -> Log {
    let log = log(3);
    let git = "\n[[package]]\nname = \"far\"\nversion = \"1.0.0\"\nsource = \"git+https://example.org/far#0123\"\n";
    let lock = lock(&[("crate-0", ARCHIVE), ("crate-1", ARCHIVE), ("nowhere", ARCHIVE), ("odd", ARCHIVE)]);
    fs::write(log.dir.path().join("Cargo.lock"), lock + git).unwrap();
    log
}

pub(crate) fn audit(log: &Log, more: &[&str]) -> Ran {
    run(log.dir.path(), [&["audit", "--policy", "policy"], more].concat())
}

fn settings(log: &Log, text: &str) {
    fs::write(log.dir.path().join("synchronicity.toml"), text).unwrap();
}

fn verdicts() -> Outcome {
    let log = project();
    let node = log.serve();
    let ran = audit(&log, &["--node", &node.address]).expect(41);
    let expected = "\
LEVEL VERDICT      CRATE                          BECAUSE
deny  diverged     odd 0.17.0                     entry 3, 0 of 4 agree
warn  foreign      far 1.0.0                      not of crates.io
warn  absent       nowhere 0.17.0                 no entry

     2 reproduced   2 allow
     1 diverged     1 deny
     1 absent       1 warn
     1 foreign      1 warn
log synchronicity.example/sample, at size 4
";
    assert!(ran.out.starts_with(expected), "{}", ran.out);
    assert!(ran.out.ends_with("5 dependencies: 1 denied, 2 to be warned of\n"), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.len() <= 80));
    assert!(node.asked().iter().all(|path| path == "/checkpoint" || path.starts_with("/tile/entries/")));
    let all = audit(&log, &["--offline", "--all"]).expect(41).out;
    assert!(all.contains("\nallow reproduced   crate-1 0.17.0                 entry 1, 4 of 4 agree\n"), "{all}");
    Ok(())
}

fn bundle() -> Outcome {
    let log = project();
    run(log.dir.path(), ["bundle", "--policy", "policy", "--out", "whole", "--node", "log"]).expect(0);
    let online = audit(&log, &["--json", "--node", "log"]).expect(41).json();
    fs::rename(log.path(), log.dir.path().join("gone"))?;
    for place in [&["--bundle", "whole"][..], &["--offline"]] {
        let mut offline = audit(&log, &[&["--json"], place].concat()).expect(41).json();
        offline["place"] = online["place"].clone();
        assert_eq!(offline, online);
    }
    // Evidence that is cut off is none.
    let whole = fs::read(log.dir.path().join("whole"))?;
    fs::write(log.dir.path().join("whole"), &whole[..whole.len() - 1])?;
    audit(&log, &["--bundle", "whole"]).expect(40);
    audit(&log, &["--node", "http://127.0.0.1:1"]).expect(75);
    // What is here decides only for whoever says so.
    let ran = audit(&log, &[]).expect(2);
    assert!(ran.err.contains("nowhere to look it up"), "{}", ran.err);
    Ok(())
}

fn other_source() -> Outcome {
    let log = project();
    fs::write(log.dir.path().join("Cargo.lock"), lock(&[("crate-0", ARCHIVE), ("crate-1", "a patched archive")]))?;
    let ran = audit(&log, &["--node", "log"]).expect(42);
    assert!(ran.out.contains("deny  other-source crate-1 0.17.0"), "{}", ran.out);
    let told = audit(&log, &["--offline", "--json"]).expect(42).json();
    let row = &told["dependencies"][1];
    assert_eq!(row["checksum"], Digest::of(b"a patched archive").to_string());
    assert_eq!(row["entry"]["source_sha256"], Digest::of(ARCHIVE.as_bytes()).to_string());
    // Without a checksum nothing is compared, and that is said.
    let unpinned = lock(&[("crate-1", ARCHIVE)]).replace("checksum", "# checksum");
    fs::write(log.dir.path().join("Cargo.lock"), unpinned)?;
    let ran = audit(&log, &["--offline"]).expect(0);
    assert!(ran.out.contains("warn  unpinned     crate-1 0.17.0"), "{}", ran.out);
    Ok(())
}

fn levels() -> Outcome {
    let log = project();
    let exception = |expires: &str| {
        format!(
            "[[exception]]\ncrate = \"odd\"\nverdict = \"diverged\"\nreason = \"reported upstream\"\nexpires = {expires}\n"
        )
    };
    let unused = "[[exception]]\ncrate = \"x\"\nverdict = \"absent\"\nreason = \"was\"\nexpires = 2999-01-01\n";
    settings(&log, &format!("policy = \"policy\"\nlogs = [\"log\"]\n{}{unused}", exception("2999-12-31")));
    let ran = run(log.dir.path(), ["audit", "--all"]).expect(0);
    assert!(
        ran.out.contains("\nallow diverged     odd 0.17.0                     to 2999-12-31: reported upstr~\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("\nexception not needed: x (any), absent, to 2999-01-01\n"), "{}", ran.out);
    settings(&log, &exception("2020-01-01"));
    let ran = audit(&log, &["--offline"]).expect(41);
    assert!(ran.out.contains("\nexception expired: odd (any), diverged, to 2020-01-01\n"), "{}", ran.out);
    settings(&log, "[levels]\ndiverged = \"warn\"\n");
    audit(&log, &["--offline"]).expect(0);
    settings(&log, "[levels]\ndiverged = \"allow\"\nabsent = \"deny\"\n");
    let ran = audit(&log, &["--offline"]).expect(41);
    assert!(ran.out.contains("deny  absent       nowhere 0.17.0") && !ran.out.contains("odd"), "{}", ran.out);
    settings(&log, "max-age = \"1h\"\n");
    audit(&log, &["--offline"]).expect(75);
    // Named, the file may be anywhere.
    fs::rename(log.dir.path().join("synchronicity.toml"), log.dir.path().join("other.toml"))?;
    audit(&log, &["--offline"]).expect(41);
    audit(&log, &["--offline", "--config", "other.toml"]).expect(75);
    audit(&log, &["--offline", "--config", "absent.toml"]).expect(2);
    Ok(())
}

fn json() -> Outcome {
    let (log, schemas) = (project(), Schemas::new());
    settings(&log, "[[exception]]\ncrate = \"odd\"\nverdict = \"diverged\"\nreason = \"r\"\nexpires = 2999-12-31\n");
    let told = audit(&log, &["--node", "log", "--json"]).expect(0).json();
    schemas.check("audit", &told);
    assert_eq!((&told["denied"], &told["warned"], &told["verdicts"]["reproduced"]), (&0.into(), &2.into(), &2.into()));
    assert_eq!(told["dependencies"].as_array().unwrap().len(), 5);
    schemas.check("failure", &audit(&log, &["--bundle", "absent", "--json"]).expect(2).json());
    schemas.check("failure", &audit(&log, &["--bundle", "absent", "--format", "json"]).expect(2).json());
    // A schema that takes anything shows nothing.
    let mut wrong = told;
    wrong["dependencies"][0]["verdict"] = "fine".into();
    schemas.refuse("audit", &wrong);
    Ok(())
}

fn sarif() -> Outcome {
    let log = project();
    settings(
        &log,
        "[[exception]]\ncrate = \"nowhere\"\nverdict = \"absent\"\nreason = \"new\"\nexpires = 2999-12-31\n",
    );
    let told = audit(&log, &["--node", "log", "--format", "sarif"]).expect(41).json();
    assert_eq!(told["version"], "2.1.0");
    let run = &told["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    let levels: Vec<_> =
        results.iter().map(|result| (result["ruleId"].as_str().unwrap(), result["level"].as_str().unwrap())).collect();
    assert_eq!(levels, [("foreign", "warning"), ("absent", "note"), ("diverged", "error")]);
    let lines: Vec<String> =
        fs::read_to_string(log.dir.path().join("Cargo.lock"))?.lines().map(str::to_owned).collect();
    for (result, name) in results.iter().zip(["far", "nowhere", "odd"]) {
        assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "Cargo.lock");
        let line = place["region"]["startLine"].as_u64().unwrap() as usize;
        assert_eq!(lines[line - 1], format!("name = \"{name}\""));
    }
    assert_eq!(results[1]["suppressions"][0]["justification"], "new (to 2999-12-31)");
    assert!(results[2].get("suppressions").is_none());
    Ok(())
}

fn junit() -> Outcome {
    let log = project();
    let ran = audit(&log, &["--node", "log", "--format", "junit"]).expect(41);
    assert!(ran.out.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"synchronicity\" tests=\"5\" failures=\"1\">\n"), "{}", ran.out);
    assert_eq!((ran.out.matches("<testcase ").count(), ran.out.matches("<failure ").count()), (5, 1));
    let case = ran.out.split("<testcase ").find(|case| case.contains("<failure ")).unwrap();
    assert!(case.contains("name=\"odd 0.17.0\"") && case.contains("type=\"diverged\""), "{case}");
    assert!(ran.out.ends_with("</testsuites>\n"));
    Ok(())
}

/// An executable with the list of packages that `cargo auditable` writes: JSON in zlib, in a section of its own.
fn auditable_binary(list: &str) -> Vec<u8> {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in list.bytes() {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let length = u16::try_from(list.len()).unwrap();
    // One block, stored as it is.
    let mut zlib = vec![0x78, 0x01, 0x01];
    zlib.extend(length.to_le_bytes());
    zlib.extend((!length).to_le_bytes());
    zlib.extend(list.bytes());
    zlib.extend((b << 16 | a).to_be_bytes());
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let section = object.add_section(Vec::new(), b".dep-v0".to_vec(), SectionKind::ReadOnlyData);
    object.append_section_data(section, &zlib, 1);
    object.write().unwrap()
}

fn auditable() -> Outcome {
    let log = project();
    let list = r#"{"packages":[
        {"name":"crate-0","version":"0.17.0","source":"crates.io"},
        {"name":"nowhere","version":"0.17.0","source":"crates.io","kind":"build"},
        {"name":"own","version":"0.1.0","source":"local","root":true,"dependencies":[0,1]}]}"#;
    let path = log.dir.path().join("app");
    fs::write(&path, auditable_binary(list))?;
    let ran = audit(&log, &["app", "--node", "log", "--all"]).expect(0);
    assert!(ran.out.contains("warn  unpinned     crate-0 0.17.0"), "{}", ran.out);
    assert!(ran.out.contains("warn  absent       nowhere 0.17.0"), "{}", ran.out);
    assert!(ran.out.ends_with("2 dependencies: 0 denied, 2 to be warned of\n"), "{}", ran.out);
    // A file that is a binary without a list, a list that names no crate, and one that is cut off.
    let whole = fs::read(&path)?;
    for bad in [
        crate::look_up::binary("x").into_bytes(),
        auditable_binary(&list.replace("0.17.0", "0.17")),
        auditable_binary("{"),
        auditable_binary(r#"{"packages":[]}"#),
    ] {
        fs::write(&path, bad)?;
        let ran = audit(&log, &["app", "--offline"]).expect(2);
        assert!(ran.err.contains("audit the Cargo.lock that it was built from instead"), "{}", ran.err);
    }
    fs::write(&path, &whole)?;
    let answer = audit(&log, &["app", "--offline", "--all"]).expect(0).out;
    for end in (64..whole.len()).step_by(61).chain([whole.len() - 1]) {
        fs::write(&path, &whole[..end])?;
        let ran = audit(&log, &["app", "--offline", "--all"]);
        // Nothing of the list may be missing from an answer.
        assert!(ran.code == 2 || (ran.code, &ran.out) == (0, &answer), "{end}: {} {}", ran.code, ran.out);
    }
    Ok(())
}

fn settings_of_a_binary() -> Outcome {
    let log = project();
    fs::create_dir(log.dir.path().join("far"))?;
    let list = r#"{"packages":[{"name":"odd","version":"0.17.0","source":"crates.io"}]}"#;
    fs::write(log.dir.path().join("far/app"), auditable_binary(list))?;
    // What came with it would allow everything.
    fs::write(log.dir.path().join("far/synchronicity.toml"), "[levels]\ndiverged = \"allow\"\n")?;
    audit(&log, &["far/app", "--node", "log"]).expect(41);
    let gate = |more: &[&str]| {
        let arguments = ["gate", "--policy", "policy", "--offline", "--lock", "far/app"];
        run(log.dir.path(), [&arguments, more].concat())
    };
    gate(&[]).expect(41);
    // What is asked where it is audited holds, and what is named does.
    settings(&log, "[levels]\ndiverged = \"warn\"\n");
    audit(&log, &["far/app", "--offline"]).expect(0);
    gate(&[]).expect(0);
    settings(&log, "[levels]\ndiverged = \"deny\"\n");
    audit(&log, &["far/app", "--offline", "--config", "far/synchronicity.toml"]).expect(0);
    Ok(())
}

/// The builders' clocks are ahead of this machine's: they signed in 2100.
fn clock_behind() -> Outcome {
    let log = project();
    let exception = "[[exception]]\ncrate = \"odd\"\nverdict = \"diverged\"\nreason = \"r\"\nexpires = 2099-12-31\n";
    settings(&log, exception);
    audit(&log, &["--node", "log"]).expect(0);
    let mut note = SignedNote::parse(&fs::read(log.file("checkpoint"))?).unwrap();
    note.signatures.truncate(1);
    let cosigned = (0..4).map(|member| cosign(&sample::cosigner(member), &note.text, 4_102_444_800).unwrap());
    note.signatures.extend(cosigned.collect::<Vec<_>>());
    fs::write(log.file("checkpoint"), note.to_string())?;
    let ran = audit(&log, &["--node", "log"]).expect(41);
    assert!(ran.out.contains("\nexception expired: odd (any), diverged, to 2099-12-31\n"), "{}", ran.out);
    Ok(())
}

fn unreadable_settings() -> Outcome {
    let log = project();
    audit(&log, &["--node", "log"]).expect(41);
    let path = log.dir.path().join("synchronicity.toml");
    std::os::unix::fs::symlink("nowhere", &path)?;
    let ran = audit(&log, &["--offline"]).expect(2);
    assert!(ran.err.contains("cannot read ./synchronicity.toml"), "{}", ran.err);
    fs::remove_file(path)?;
    // The same for the lock file that the gate finds by itself: files alone must not open it.
    let lock = log.dir.path().join("Cargo.lock");
    fs::remove_file(&lock)?;
    std::os::unix::fs::symlink("nowhere", &lock)?;
    run(log.dir.path(), ["gate", "--policy", "policy", "--offline", "crate-1"]).expect(2);
    Ok(())
}

fn hostile() -> Outcome {
    let log = project();
    audit(&log, &["--node", "log"]).expect(41);
    let lock = log.dir.path().join("Cargo.lock");
    let good = fs::read_to_string(&lock)?;
    let texts = [
        good.replace("version = 4", "version = 5"),
        good.replace("0.17.0", "0.17"),
        good.replace("crate-0", "../crate-0"),
        good.replace("name = \"odd\"", "name = \"odd\x1b[2J\""),
        good.replacen("checksum = \"", "checksum = \"x", 1),
        "<<<<<<< HEAD\n".to_owned() + &good,
        format!("a = {}", "[".repeat(200_000)),
        String::new(),
        "version = 4\n".to_owned(),
    ];
    for text in texts {
        fs::write(&lock, text)?;
        let ran = audit(&log, &["--offline"]).expect(2);
        assert!(ran.out.is_empty() && !ran.err.contains('\x1b'), "{} {}", ran.out, ran.err);
    }
    fs::File::create(&lock)?.set_len(1 << 34)?;
    audit(&log, &["--offline"]).expect(2);
    fs::remove_file(&lock)?;
    audit(&log, &["--offline"]).expect(2);
    fs::write(&lock, &good)?;
    for text in [
        "policy = \"a\\u001b[2J\"",
        "logs = [\"a\\u001b[2J\"]",
        "[[file]]\npath = \"a\\u001b[2J\"",
        "[[file]]\npath = \"a\"\ncrate = \"a@\\u001b[2J\"",
        "levels = 1",
        "[levels]\nabsnt = \"warn\"",
        "[levels]\nabsent = \"ignore\"",
        "a = 1",
        "\u{0}",
    ] {
        settings(&log, text);
        let ran = audit(&log, &["--offline"]).expect(2);
        assert!(ran.err.contains("nothing was checked") && !ran.err.contains('\x1b'), "{text}: {}", ran.err);
    }
    // Names of elsewhere may be anything, and reach a terminal only spelled out.
    fs::remove_file(log.dir.path().join("synchronicity.toml"))?;
    fs::write(&lock, good.replace("name = \"far\"", "name = \"far\\u001b[2J\\u202e\""))?;
    let ran = audit(&log, &["--offline"]).expect(41);
    assert!(ran.out.contains("far\\u{1b}[2J\\u{202e}") && !ran.out.contains('\x1b'), "{}", ran.out);
    Ok(())
}
