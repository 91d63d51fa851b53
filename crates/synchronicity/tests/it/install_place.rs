//! What lies where while `install` is at work, also where the folder of executables is on another file system.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Failed, Trial};
use serde_json::json;
use synchronicity_verify::digest::Digest;

use crate::install_hostile::{SIZE, from_node, large, log, node, nothing, staged};
use crate::logs::Log;
use crate::server::{Answer, head};
use crate::store::{bin, install, installed, on_root, program, says, store};

type Outcome = Result<(), Failed>;

/// Another file system than that of temporary files, on most machines; where it is not, what needs it is ignored.
const ELSEWHERE: &str = "/dev/shm";

pub(crate) fn trials() -> Vec<Trial> {
    let device = |path: &Path| fs::metadata(path).map(|about| about.dev()).ok();
    let elsewhere = device(Path::new(ELSEWHERE));
    let missing = elsewhere.is_none() || elsewhere == device(&std::env::temp_dir());
    if missing {
        eprintln!("SKIPPED: installing to another file system is not tested: {ELSEWHERE} is none");
    }
    let across = |name, trial: fn() -> Outcome| Trial::test(name, trial).with_ignored_flag(missing);
    vec![
        Trial::test("install_place::nothing_is_among_the_executables_before_all_of_it_is_right", not_before),
        across("install_place::a_folder_of_executables_on_another_file_system_is_installed_to", across_devices),
        across("install_place::what_a_crash_left_on_two_file_systems_is_finished_or_forgotten", crashed),
    ]
}

/// Half a mebibyte is sent at a time, and each time the client comes back for more, both folders are looked at.
fn not_before() -> Outcome {
    const PIECE: usize = 512 << 10;
    let mut wrong = large();
    wrong[SIZE - 1] ^= 1;
    for (bytes, code) in [(wrong, 40), (large(), 0)] {
        let log = log();
        fs::create_dir_all(bin(&log))?;
        let (folder, part, seen) = (bin(&log), staged(&log), Arc::new(Mutex::new(Vec::new())));
        let looks = Arc::clone(&seen);
        let server = node(&log, move |asked| {
            let (first, last) = asked.unwrap();
            let among = fs::read_dir(&folder).unwrap().count();
            looks.lock().unwrap().push((first, fs::metadata(&part).map_or(0, |part| part.len() as usize), among));
            let range = format!("Content-Range: bytes {first}-{last}/{SIZE}\r\nContent-Length: {}", last + 1 - first);
            Answer::Raw([head(206, &range), bytes[first..(first + PIECE).min(last + 1)].to_vec()].concat())
        });
        from_node(&log, &server).expect(code);
        let expected: Vec<_> = (0..SIZE / PIECE).map(|piece| (piece * PIECE, piece * PIECE, 0)).collect();
        assert_eq!(*seen.lock().unwrap(), expected);
        if code == 0 {
            assert_eq!((installed(&log), says(&log, "large")), (vec!["large".to_owned()], "large".into()));
            assert!(!staged(&log).parent().unwrap().exists(), "nothing is left where it was fetched to");
        } else {
            nothing(&log);
        }
    }
    Ok(())
}

/// The folder of executables of a log's root, on another file system, until this is dropped.
fn bin_elsewhere(log: &Log) -> tempfile::TempDir {
    let elsewhere = tempfile::tempdir_in(ELSEWHERE).unwrap();
    fs::create_dir_all(bin(log).parent().unwrap()).unwrap();
    symlink(elsewhere.path(), bin(log)).unwrap();
    elsewhere
}

fn across_devices() -> Outcome {
    let tool = |says: &str| [("tool", program(says, 9000)), ("side", program(says, 100))];
    let log = store(&[("tool@1.0.0", &tool("one")), ("tool@2.0.0", &tool("two"))]);
    let elsewhere = bin_elsewhere(&log);
    for (version, says_what) in [("tool@1.0.0", "one"), ("tool@2.0.0", "two")] {
        install(&log, &[version]).expect(0);
        assert_eq!(installed(&log), ["side", "tool"]);
        assert_eq!((says(&log, "tool"), says(&log, "side")), (says_what.into(), says_what.into()));
        assert_eq!(fs::metadata(elsewhere.path().join("tool"))?.dev(), fs::metadata(ELSEWHERE)?.dev());
        assert!(!log.dir.path().join("root/.synchronicity").exists());
        on_root(&log, &["list"]).expect(0);
    }
    on_root(&log, &["uninstall", "tool"]).expect(0);
    assert_eq!(installed(&log), Vec::<String>::new());
    Ok(())
}

/// What a crash left while an executable was copied: after another one came to its place, whether what it was copied from
/// is still there or not, and before any did.
fn crashed() -> Outcome {
    let contents = ["one", "two"].map(|name| program(name, 100));
    let executables: Vec<_> = ["one", "two"].into_iter().zip(&contents).collect();
    for (first_is_there, first_is_staged) in [(true, true), (true, false), (false, true)] {
        let log = store(&[("tool@1.0.0", &[("one", contents[0].clone()), ("two", contents[1].clone())])]);
        let _elsewhere = bin_elsewhere(&log);
        let staging = log.dir.path().join("root/.synchronicity");
        fs::create_dir(&staging)?;
        for (name, content) in &executables {
            fs::write(staging.join(format!("{}-{name}", Digest::of(content))), content)?;
        }
        if first_is_there {
            fs::write(bin(&log).join("one"), &contents[0])?;
            fs::set_permissions(bin(&log).join("one"), fs::Permissions::from_mode(0o755))?;
        }
        if !first_is_staged {
            fs::remove_file(staging.join(format!("{}-one", Digest::of(&contents[0]))))?;
        }
        let root =
            Digest::of(fs::canonicalize(log.dir.path().join("root"))?.as_os_str().as_encoded_bytes()).to_string();
        fs::write(bin(&log).join(format!(".synchronicity-copy-{}-two", &root[..16])), "#!/bin")?;
        let named = executables
            .iter()
            .map(|(name, content)| json!({ "name": name, "sha256": Digest::of(content).to_string() }));
        let note = json!({
            "package": "tool 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)",
            "details": {}, "executables": named.collect::<Vec<_>>(), "replaced": [], "obsolete": [],
        });
        fs::write(staging.join("pending.json"), note.to_string())?;
        let listed = on_root(&log, &["list"]).expect(0).out;
        if first_is_there {
            assert!(listed.contains("tool"), "{listed}");
            assert_eq!(installed(&log), ["one", "two"]);
            assert_eq!((says(&log, "one"), says(&log, "two")), ("one".into(), "two".into()));
            assert!(!staging.exists());
        } else {
            nothing(&log);
        }
    }
    Ok(())
}
