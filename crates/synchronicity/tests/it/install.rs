//! `install`, `upgrade`, `uninstall`, `list`: from a group that keeps its word, and side by side with real cargo.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::Products;

use crate::logs::Log;
use crate::sample;
use crate::schema::Schemas;
use crate::store::{all, bin, install, installed, on_root, program, request, says, store};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("install::cargo_lists_and_removes_what_was_installed", with_cargo),
        Trial::test("install::what_cargo_recorded_is_upgraded_and_removed", of_cargo),
        Trial::test("install::the_newest_version_is_taken_and_an_older_one_only_by_force", versions),
        Trial::test("install::an_executable_of_another_crate_is_replaced_only_by_force", other_crate),
        Trial::test("install::a_dry_run_changes_nothing", dry_run),
        Trial::test("install::what_is_not_reproduced_as_asked_is_told_and_not_installed", not_reproduced),
        Trial::test("install::several_crates_end_with_the_gravest_code", several),
        Trial::test("install::an_upgrade_removes_what_the_new_version_has_no_more", upgrades),
        Trial::test("install::a_list_tells_what_was_changed_since", list),
        Trial::test("install::a_bundle_and_a_mirror_are_enough", bundle),
        Trial::test("install::settings_of_a_strangers_folder_do_not_count", strangers_settings),
    ]
}

fn cargo(log: &Log, arguments: &[&str]) -> String {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(arguments)
        .args(["--root", "root"])
        .current_dir(log.dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn with_cargo() -> Outcome {
    let log = store(&[("tool@1.0.0", &[("tool", program("tool 1", 9000)), ("tool-side", program("side 1", 100))])]);
    let ran = install(&log, &["tool"]).expect(0);
    assert!(ran.out.starts_with("installed: tool 1.0.0, 4 of 4 builders, entry 0, "), "{}", ran.out);
    assert!(ran.out.contains("root/bin/tool-side (100 bytes)"), "{}", ran.out);
    assert!(ran.err.contains("to PATH"), "{}", ran.err);
    assert_eq!(installed(&log), ["tool", "tool-side"]);
    assert_eq!((says(&log, "tool"), says(&log, "tool-side")), ("tool 1".into(), "side 1".into()));
    assert_eq!(cargo(&log, &["install", "--list"]), "tool v1.0.0:\n    tool\n    tool-side\n");
    // Nothing is asked of anybody's store for what is there.
    fs::rename(log.file("artifacts"), log.file("gone"))?;
    let ran = install(&log, &["tool@1.0.0"]).expect(0);
    assert!(ran.out.starts_with("installed already: tool 1.0.0"), "{}", ran.out);
    // Cargo reads its own records as before, and a file that is gone is installed again.
    cargo(&log, &["uninstall", "tool", "--bin", "tool-side"]);
    assert_eq!(cargo(&log, &["install", "--list"]), "tool v1.0.0:\n    tool\n");
    fs::rename(log.file("gone"), log.file("artifacts"))?;
    install(&log, &["tool"]).expect(0);
    assert_eq!(installed(&log), ["tool", "tool-side"]);
    cargo(&log, &["uninstall", "tool"]);
    assert_eq!(installed(&log), Vec::<String>::new());
    assert_eq!(on_root(&log, &["list"]).expect(0).out, "nothing is installed\n");
    Ok(())
}

fn of_cargo() -> Outcome {
    let log = store(&[("tool@1.0.0", &[("tool", program("tool 1", 100))])]);
    let package = "tool 0.9.0 (registry+https://github.com/rust-lang/crates.io-index)";
    let own = "own 0.1.0 (path+file:///own)";
    fs::create_dir_all(bin(&log))?;
    fs::write(bin(&log).join("tool"), "older")?;
    fs::write(bin(&log).join("own"), "own")?;
    fs::write(
        log.dir.path().join("root/.crates.toml"),
        format!("[v1]\n\"{package}\" = [\"tool\"]\n\"{own}\" = [\"own\"]\n"),
    )?;
    // An older cargo left no second record.
    on_root(&log, &["upgrade", "--policy", "policy", "--node", "log"]).expect(2);
    on_root(&log, &["upgrade", "own", "--policy", "policy", "--node", "log"]).expect(2);
    let ran = on_root(&log, &["upgrade", "tool", "--policy", "policy", "--node", "log"]).expect(0);
    assert!(ran.out.starts_with("installed: tool 1.0.0 in place of 0.9.0, "), "{}", ran.out);
    assert_eq!(cargo(&log, &["install", "--list"]), "own v0.1.0 (/own):\n    own\ntool v1.0.0:\n    tool\n");
    let listed = on_root(&log, &["list", "--json"]).expect(0).json();
    assert_eq!((&listed["crates"][0]["by"], &listed["crates"][1]["by"]), (&"cargo".into(), &"synchronicity".into()));
    on_root(&log, &["uninstall", "own", "absent"]).expect(2);
    let ran = on_root(&log, &["uninstall", "own", "tool"]).expect(0);
    assert_eq!(ran.out, "removed: own 0.1.0 (own)\nremoved: tool 1.0.0 (tool)\n");
    assert_eq!(installed(&log), Vec::<String>::new());
    assert_eq!(cargo(&log, &["install", "--list"]), "");
    Ok(())
}

fn versions() -> Outcome {
    let tool = |says: &str| [("tool", program(says, 100))];
    let rounds = [tool("1.0"), tool("1.10"), tool("1.9"), tool("2.0 beta")];
    let log = store(&[
        ("tool@1.0.0", &rounds[0]),
        ("tool@1.10.0", &rounds[1]),
        ("tool@1.9.0", &rounds[2]),
        ("tool@2.0.0-beta.1", &rounds[3]),
        ("early@0.1.0-rc.1", &[("early", program("early", 100))]),
    ]);
    install(&log, &["tool@1.9.0"]).expect(0);
    assert_eq!(says(&log, "tool"), "1.9");
    let ran = install(&log, &["tool"]).expect(0);
    assert!(ran.out.contains("tool 1.10.0 in place of 1.9.0"), "{}", ran.out);
    let ran = install(&log, &["tool@1.0.0"]).expect(2);
    assert!(ran.err.contains("tool 1.10.0 is installed, and 1.0.0 is older"), "{}", ran.err);
    assert_eq!(says(&log, "tool"), "1.10");
    install(&log, &["tool@2.0.0-beta.1"]).expect(0);
    let ran = on_root(&log, &["upgrade", "--policy", "policy", "--node", "log"]).expect(0);
    assert!(ran.out.starts_with("left as it is: tool 2.0.0-beta.1, newer than"), "{}", ran.out);
    install(&log, &["tool@1.0.0", "--force"]).expect(0);
    assert_eq!(says(&log, "tool"), "1.0");
    let ran = install(&log, &["early"]).expect(41);
    assert!(ran.err.contains("only pre-releases of early were reproduced: 0.1.0-rc.1"), "{}", ran.err);
    install(&log, &["early@0.1.0-rc.1"]).expect(0);
    Ok(())
}

fn other_crate() -> Outcome {
    let log = store(&[
        ("one@1.0.0", &[("shared", program("one", 100)), ("one", program("one", 50))]),
        ("two@1.0.0", &[("shared", program("two", 100))]),
    ]);
    install(&log, &["one"]).expect(0);
    let ran = install(&log, &["two"]).expect(2);
    assert!(ran.err.contains("shared is there already, and of one 1.0.0"), "{}", ran.err);
    assert_eq!(says(&log, "shared"), "one");
    install(&log, &["two", "--force"]).expect(0);
    assert_eq!(says(&log, "shared"), "two");
    assert_eq!(cargo(&log, &["install", "--list"]), "one v1.0.0:\n    one\ntwo v1.0.0:\n    shared\n");
    // What nobody recorded is somebody's, too.
    on_root(&log, &["uninstall", "two"]).expect(0);
    fs::write(bin(&log).join("shared"), "mine")?;
    let ran = install(&log, &["two"]).expect(2);
    assert!(ran.err.contains("nobody recorded it"), "{}", ran.err);
    assert_eq!(fs::read(bin(&log).join("shared"))?, b"mine");
    Ok(())
}

fn dry_run() -> Outcome {
    let log = store(&[("tool@1.0.0", &[("tool", program("tool", 100))])]);
    let ran = install(&log, &["tool", "--dry-run"]).expect(0);
    assert!(ran.out.starts_with("would be installed: tool 1.0.0, 4 of 4 builders"), "{}", ran.out);
    assert_eq!(installed(&log), Vec::<String>::new());
    assert_eq!(on_root(&log, &["list"]).expect(0).out, "nothing is installed\n");
    Ok(())
}

fn not_reproduced() -> Outcome {
    let tool = all(&[("tool", program("tool", 100))]);
    let round = |spec: &str, change: fn(&mut _)| (request(spec, change), tool.clone());
    let odd = [Some(sample::built("one")), Some(sample::built("two")), Some(sample::built("three")), None];
    let entries = sample::history_of([
        round("library", |request| request.products = Products::Library),
        round("far", |request| request.target = "riscv64gc-unknown-linux-gnu".into()),
        round("featured", |request| request.features.named = vec!["extra".into()]),
        (request("odd", |_| {}), odd),
        round("twice", |_| {}),
        round("twice", |request| {
            request.source = synchronicity_verify::request::Source::Registry {
                name: "twice".parse().unwrap(),
                version: "0.17.0".parse().unwrap(),
                checksum: Digest::of(b"another archive"),
            };
        }),
    ]);
    let log = Log::of(entries, &[0, 1, 2, 3]);
    for (spec, code, words) in [
        ("library", 41, "library was reproduced as a library"),
        ("far", 41, "far was reproduced for riscv64gc-unknown-linux-gnu, and this machine is"),
        ("featured", 41, "featured was reproduced with other features only: features default extra"),
        ("odd", 41, "there is no evidence for odd: entry 3 says diverged"),
        ("absent", 41, "there is no evidence for absent: nothing is logged of it in log, at size 6"),
        ("odd@0.1.0", 41, "there is no evidence for odd@0.1.0: nothing is logged"),
        ("twice", 42, "entries about several archives of twice@0.17.0"),
        ("./twice", 2, "is a folder"),
    ] {
        let ran = install(&log, &[spec]).expect(code);
        assert!(ran.err.contains(words), "{spec}: {}", ran.err);
        assert!(ran.out.is_empty() && installed(&log).is_empty(), "{spec}: {}", ran.out);
    }
    crate::store::keep(&log, &[("featured", &[("tool", program("tool", 100))])]);
    install(&log, &["featured", "--features", "extra"]).expect(0);
    let record: Value = serde_json::from_slice(&fs::read(log.dir.path().join("root/.crates2.json"))?)?;
    let details = record["installs"].as_object().unwrap().values().next().unwrap().clone();
    assert_eq!((&details["features"], &details["no_default_features"]), (&json!(["extra"]), &json!(false)));
    assert_eq!(details["version_req"], "=0.17.0");
    // The same features are looked for when it is upgraded.
    let ran = on_root(&log, &["upgrade", "--policy", "policy", "--node", "log"]).expect(0);
    assert!(ran.out.starts_with("installed already: featured"), "{}", ran.out);
    Ok(())
}

fn several() -> Outcome {
    let log = store(&[("a@1.0.0", &[("a", program("a", 100))]), ("b@1.0.0", &[("b", program("b", 5000))])]);
    let ran = install(&log, &["a", "absent", "b"]).expect(41);
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("installed: ")).count(), 2, "{}", ran.out);
    assert!(ran.err.contains("absent: not installed (exit code 41)"), "{}", ran.err);
    assert!(ran.out.lines().all(|line| line.len() <= 80 || line.contains("/root/bin/")), "{}", ran.out);
    let told = install(&log, &["a", "absent", "--json"]).expect(41).json();
    Schemas::new().check("install", &told);
    assert_eq!((&told["crates"][0]["action"], &told["crates"][1]["exit"]), (&"already".into(), &41.into()));
    assert_eq!(told["crates"][0]["evidence"]["purl"], "pkg:cargo/a@1.0.0");
    let mut wrong = told;
    wrong["crates"][1]["evidence"] = wrong["crates"][0]["evidence"].clone();
    Schemas::new().refuse("install", &wrong);
    Ok(())
}

fn upgrades() -> Outcome {
    let rounds = [
        [("tool", program("tool 1", 100)), ("gone", program("gone", 100))],
        [("tool", program("tool 2", 100)), ("new", program("new", 100))],
    ];
    let log = store(&[("tool@1.0.0", &rounds[0]), ("tool@2.0.0", &rounds[1])]);
    log.publish(1, &[0, 1, 2, 3]);
    install(&log, &["tool"]).expect(0);
    assert_eq!(installed(&log), ["gone", "tool"]);
    let ran = on_root(&log, &["upgrade", "--policy", "policy", "--node", "log"]).expect(0);
    assert!(ran.out.starts_with("installed already: tool 1.0.0"), "{}", ran.out);
    log.publish(2, &[0, 1, 2, 3]);
    let upgrade = ["upgrade", "--policy", "policy", "--node", "log"];
    let ran = on_root(&log, &[&upgrade[..], &["--dry-run"]].concat()).expect(0);
    assert!(ran.out.starts_with("would be installed: tool 2.0.0 in place of 1.0.0"), "{}", ran.out);
    on_root(&log, &upgrade).expect(0);
    assert_eq!(installed(&log), ["new", "tool"]);
    assert_eq!(says(&log, "tool"), "tool 2");
    assert_eq!(cargo(&log, &["install", "--list"]), "tool v2.0.0:\n    new\n    tool\n");
    Ok(())
}

fn list() -> Outcome {
    let log = store(&[
        ("a@1.0.0", &[("a", program("a", 100))]),
        ("b@1.0.0", &[("b", program("b", 100))]),
        ("c@1.0.0", &[("c", program("c", 100))]),
    ]);
    install(&log, &["a", "b", "c"]).expect(0);
    let table = on_root(&log, &["list"]).expect(0).out;
    assert_eq!(table.matches(" as installed  entry ").count(), 3, "{table}");
    fs::write(bin(&log).join("b"), "altered")?;
    fs::remove_file(bin(&log).join("c"))?;
    let table = on_root(&log, &["list"]).expect(42).out;
    let words = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(2).unwrap().to_owned()
    };
    assert_eq!((words("a "), words("b "), words("c ")), ("as".into(), "CHANGED".into(), "MISSING".into()));
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    // Installed again, it is as it was.
    install(&log, &["a", "b", "c"]).expect(0);
    on_root(&log, &["list"]).expect(0);
    Ok(())
}

fn bundle() -> Outcome {
    let rounds = [("tool@1.0.0", &[("tool", program("tool", 100))][..])];
    let log = store(&rounds);
    crate::program::run(log.dir.path(), ["bundle", "--policy", "policy", "--out", "whole", "--node", "log"]).expect(0);
    fs::rename(log.file("artifacts"), log.dir.path().join("artifacts"))?;
    let install = |more: &[&str]| {
        on_root(&log, &[&["install", "tool", "--policy", "policy", "--bundle", "whole"][..], more].concat())
    };
    let ran = install(&[]).expect(75);
    assert!(ran.err.contains("nowhere to fetch it from"), "{}", ran.err);
    install(&["--mirror", "log"]).expect(75);
    install(&["--mirror", "http://127.0.0.1:1", "--offline"]).expect(75);
    install(&["--mirror", ".", "--offline"]).expect(0);
    assert_eq!(says(&log, "tool"), "tool");
    Ok(())
}

fn strangers_settings() -> Outcome {
    let log = store(&[("tool@1.0.0", &[("tool", program("tool", 100))])]);
    fs::write(log.dir.path().join("synchronicity.toml"), "policy = \"policy\"\nlogs = [\"log\"]\n")?;
    let ran = on_root(&log, &["install", "tool"]).expect(2);
    assert!(ran.err.contains("no policy"), "{}", ran.err);
    on_root(&log, &["install", "tool", "--config", "synchronicity.toml"]).expect(0);
    Ok(())
}
