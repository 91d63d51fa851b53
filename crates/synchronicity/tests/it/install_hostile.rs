//! `install` against mirrors and logs that do what they like: refused, nothing installed, and said why.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use libtest_mimic::{Failed, Trial};
use synchronicity_verify::digest::Digest;

use crate::logs::{Log, Party, file_at};
use crate::sample;
use crate::server::{Answer, Part, Server, head, part_of};
use crate::store::{Round, bin, entries, install, installed, on_root, program, says, store};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("install_hostile::wrong_truncated_endless_and_slow_files_are_refused", bad_files),
        Trial::test("install_hostile::one_honest_place_among_liars_is_enough", among_liars),
        Trial::test("install_hostile::a_place_that_hangs_or_knows_no_parts_holds_nobody_up", slow_and_plain),
        Trial::test("install_hostile::what_was_fetched_before_a_kill_is_not_fetched_again", killed),
        Trial::test("install_hostile::a_place_that_breaks_off_is_asked_for_the_rest", breaks_off),
        Trial::test("install_hostile::what_a_liar_left_behind_is_fetched_anew", left_by_a_liar),
        Trial::test("install_hostile::an_old_a_forked_and_an_unsigned_log_install_nothing", bad_logs),
        Trial::test("install_hostile::an_endless_a_broken_and_another_groups_log_install_nothing", other_logs),
        Trial::test("install_hostile::another_crates_executable_and_an_older_version_are_not_taken", other_crate),
        Trial::test("install_hostile::a_lower_version_than_the_one_that_is_asked_for_is_not_installed", lower_version),
        Trial::test("install_hostile::records_that_are_not_cargos_stop_an_installation", bad_records),
    ]
}

/// Large enough for several pieces.
pub(crate) const SIZE: usize = 3 << 20;

pub(crate) fn large() -> Vec<u8> {
    static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| program("large", SIZE));
    LARGE.clone()
}

/// Where it is asked for.
fn path() -> String {
    format!("/artifacts/{}", Digest::of(&large()))
}

/// A log in which one crate was reproduced, whose artifact nobody has.
pub(crate) fn log() -> Log {
    let log = store(&[("large@1.0.0", &[("large", large())])]);
    fs::remove_dir_all(log.file("artifacts")).unwrap();
    log
}

/// Where the artifact is until it is known to be right.
pub(crate) fn staged(log: &Log) -> PathBuf {
    log.dir.path().join("root/.synchronicity").join(format!("{}-large", Digest::of(&large())))
}

/// A mirror that answers for the artifact as it likes.
fn mirror(answer: impl Fn(Option<Part>) -> Answer + Send + Sync + 'static) -> Server {
    let artifact = path();
    Server::start_in_parts(move |path, part| if path == artifact { answer(part) } else { Answer::Status(404) })
}

fn honest() -> Server {
    let bytes = large();
    mirror(move |part| part_of(&bytes, part))
}

fn liar() -> Server {
    let mut bytes = large();
    bytes[SIZE - 5] ^= 1;
    mirror(move |part| part_of(&bytes, part))
}

fn from(log: &Log, mirrors: &[&Server], more: &[&str]) -> crate::program::Ran {
    let mirrors: Vec<_> = mirrors.iter().flat_map(|mirror| ["--mirror", &mirror.address]).collect();
    install(log, &[&["large"], &mirrors[..], more].concat())
}

/// The one place that there is: it has the log, and answers for the artifact as it likes.
pub(crate) fn node(log: &Log, answer: impl Fn(Option<Part>) -> Answer + Send + Sync + 'static) -> Server {
    let (folder, artifact) = (log.path(), path());
    Server::start_in_parts(move |path, part| if path == artifact { answer(part) } else { file_at(&folder, path) })
}

pub(crate) fn from_node(log: &Log, node: &Server) -> crate::program::Ran {
    on_root(log, &["install", "large", "--policy", "policy", "--node", &node.address])
}

/// Nothing to run, and nothing recorded.
pub(crate) fn nothing(log: &Log) {
    let names = installed(log);
    assert!(names.is_empty(), "{names:?}");
    assert_eq!(on_root(log, &["list"]).expect(0).out, "nothing is installed\n");
}

/// What a mirror answers to whoever asks for a part, or for all.
type Mirror = Box<dyn Fn(Option<Part>) -> Answer + Send + Sync>;

fn bad_files() -> Outcome {
    let whole = large();
    let other = [&whole[..SIZE / 2], &[0; 10], &whole[SIZE / 2 + 10..]].concat();
    let endless = |part: Option<Part>| match part {
        Some((first, _)) => {
            let range = format!("Content-Range: bytes {first}-{}/{SIZE}", SIZE - 1);
            Answer::Flood(head(206, &range), vec![b'x'; 64 << 10])
        }
        None => Answer::Flood(head(200, ""), vec![b'x'; 64 << 10]),
    };
    let cut = whole[..SIZE - 1].to_vec();
    let kinds: Vec<(Mirror, i32, &str)> = vec![
        (Box::new(move |part| part_of(&other, part)), 40, "it serves other bytes than the group built"),
        (Box::new(move |part| part_of(&cut, part)), 40, "has 3145727 bytes, and not the 3145728"),
        (Box::new(move |_| Answer::Whole(b"short".to_vec())), 40, "has 5 bytes, and not the 3145728"),
        (Box::new(endless), 40, "bytes, the most that is accepted here"),
        (Box::new(|_| Answer::Flood(head(200, ""), vec![b'x'; 1000])), 40, "cannot be had from any place"),
        (Box::new(|_| Answer::Silence(head(200, ""))), 75, "is too slow"),
        (Box::new(|_| Answer::Drip([head(200, ""), b"x".to_vec()].concat())), 75, "is too slow"),
        (Box::new(|_| Answer::Raw(head(200, ""))), 75, "it broke off"),
        (Box::new(|_| Answer::Status(500)), 75, "status 500"),
        (Box::new(|_| Answer::Status(206)), 75, "status 206"),
        (Box::new(|_| Answer::Raw(b"HTTP/1.1 200 X\r\nContent-Len".to_vec())), 75, "cannot reach"),
        (Box::new(|_| Answer::Raw(head(302, "Location: http://127.0.0.1:1/"))), 75, "redirect"),
    ];
    for (answer, code, words) in kinds {
        let log = log();
        let ran = from(&log, &[&mirror(answer)], &["--timeout", "2s"]).expect(code);
        assert!(ran.err.contains(words) && ran.err.contains("nothing was installed"), "{words}: {}", ran.err);
        assert!(ran.out.is_empty(), "{}", ran.out);
        nothing(&log);
        // The same command, once the mirror is right.
        from(&log, &[&honest()], &[]).expect(0);
        assert_eq!((installed(&log), says(&log, "large")), (vec!["large".to_owned()], "large".into()));
    }
    Ok(())
}

fn among_liars() -> Outcome {
    let log = log();
    let (one, two, three) = (liar(), liar(), honest());
    let ran = from(&log, &[&one, &two], &[]).expect(40);
    assert!(ran.err.contains(&format!("{}: it serves other bytes", two.address)), "{}", ran.err);
    nothing(&log);
    from(&log, &[&one, &two, &three], &[]).expect(0);
    assert_eq!(says(&log, "large"), "large");
    Ok(())
}

fn slow_and_plain() -> Outcome {
    let log = log();
    let hangs = mirror(|_| Answer::Silence(head(206, &format!("Content-Range: bytes 0-1/{SIZE}"))));
    // Were it waited for, this would take longer than any test may.
    from(&log, &[&hangs, &honest()], &["--timeout", "1h"]).expect(0);
    on_root(&log, &["uninstall", "large"]).expect(0);
    let bytes = large();
    let plain = mirror(move |_| Answer::Whole(bytes.clone()));
    let bytes = large();
    let another = mirror(move |_| Answer::Whole(bytes.clone()));
    from(&log, &[&plain, &another], &[]).expect(0);
    assert_eq!(says(&log, "large"), "large");
    Ok(())
}

/// The parts that were asked for, and a node that sends no more than `most` bytes of each, and then nothing.
fn sending(log: &Log, most: usize, then_hangs: bool) -> (Server, Arc<Mutex<Vec<Part>>>) {
    let (bytes, asked) = (large(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&asked);
    let server = node(log, move |part| {
        let (first, last) = part.unwrap();
        seen.lock().unwrap().push((first, last));
        let range = format!("Content-Range: bytes {first}-{last}/{SIZE}\r\nContent-Length: {}", last + 1 - first);
        let sent = [head(206, &range), bytes[first..(first + most).min(last + 1)].to_vec()].concat();
        if then_hangs { Answer::Silence(sent) } else { Answer::Raw(sent) }
    });
    (server, asked)
}

fn killed() -> Outcome {
    let log = log();
    let (server, _) = sending(&log, 1 << 20, true);
    let mut child = Command::new(env!("CARGO_BIN_EXE_synchronicity"))
        .args(["install", "large", "--policy", "policy", "--root", "root", "--node", &server.address])
        .env("SYNCHRONICITY_STATE", log.dir.path().join(".state"))
        .env("SYNCHRONICITY_CACHE", log.dir.path().join(".cache"))
        .current_dir(log.dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let part = staged(&log);
    while fs::metadata(&part).map_or(0, |part| part.len()) < 1 << 20 {
        assert!(child.try_wait()?.is_none(), "it ended before it was killed");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill()?;
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said)?;
    child.wait()?;
    assert_eq!(said, "");
    nothing(&log);
    let (server, asked) = sending(&log, SIZE, false);
    from_node(&log, &server).expect(0);
    assert_eq!(*asked.lock().unwrap(), [(1 << 20, SIZE - 1)]);
    assert_eq!((installed(&log), says(&log, "large")), (vec!["large".to_owned()], "large".into()));
    Ok(())
}

fn breaks_off() -> Outcome {
    let log = log();
    let (server, asked) = sending(&log, 1 << 20, false);
    from_node(&log, &server).expect(0);
    let starts: Vec<_> = asked.lock().unwrap().iter().map(|(first, _)| *first).collect();
    assert_eq!(starts, [0, 1 << 20, 2 << 20]);
    assert_eq!(says(&log, "large"), "large");
    Ok(())
}

fn left_by_a_liar() -> Outcome {
    let log = log();
    let part = staged(&log);
    for left in [vec![1; 1 << 20], vec![1; SIZE], vec![1; SIZE + 1]] {
        fs::create_dir_all(part.parent().unwrap())?;
        fs::write(&part, left)?;
        let calls = Arc::new(AtomicUsize::new(0));
        let (bytes, count) = (large(), Arc::clone(&calls));
        let server = node(&log, move |part| {
            count.fetch_add(1, Ordering::SeqCst);
            part_of(&bytes, part)
        });
        from_node(&log, &server).expect(0);
        assert!(calls.load(Ordering::SeqCst) <= 2);
        assert_eq!((installed(&log), says(&log, "large")), (vec!["large".to_owned()], "large".into()));
        on_root(&log, &["uninstall", "large"]).expect(0);
    }
    Ok(())
}

fn bad_logs() -> Outcome {
    let tool = |says: &str| [("tool", program(says, 100))];
    let (old, new, other) = (tool("old"), tool("new"), tool("other"));
    let log = store(&[("tool@1.0.0", &old), ("tool@2.0.0", &new)]);
    log.publish(1, &[0, 1, 2, 3]);
    let before = fs::read(log.file("checkpoint"))?;
    log.publish(2, &[0, 1, 2, 3]);
    install(&log, &["tool", "--dry-run"]).expect(0);
    let after = fs::read(log.file("checkpoint"))?;
    fs::write(log.file("checkpoint"), before)?;
    let ran = install(&log, &["tool"]).expect(75);
    assert!(ran.err.contains("this client has seen one of 2"), "{}", ran.err);
    nothing(&log);
    fs::write(log.file("checkpoint"), after)?;
    // A log of the same size with other bytes in it, signed as well.
    let liar = Log::of(entries(&[("tool@1.0.0", &old), ("tool@2.0.0", &other)]), &[0, 1, 2, 3]);
    let ran = on_root(&log, &["install", "tool", "--policy", "policy", "--node", liar.path().to_str().unwrap()]);
    assert!(ran.expect(40).err.contains("this log has forked"));
    nothing(&log);
    // Entries that were not signed, under a checkpoint that was.
    let folder = (log.path(), liar.path());
    let muddled =
        Server::start(move |path| file_at(if path.starts_with("/tile/entries") { &folder.1 } else { &folder.0 }, path));
    let elsewhere = ["--cache", "another", "--state", "other", "--policy", "policy"];
    on_root(&log, &[&["install", "tool", "--node", &muddled.address], &elsewhere[..]].concat()).expect(40);
    nothing(&log);
    // A policy with fewer builders than signed is satisfied; one with more is not.
    log.publish(2, &[0, 1]);
    let ran = on_root(&log, &[&["install", "tool", "--node", "log"], &elsewhere[..]].concat()).expect(43);
    assert!(ran.out.is_empty(), "{}", ran.out);
    nothing(&log);
    log.publish(2, &[0, 1, 2]);
    fs::write(log.policy(), sample::policy(4).to_string())?;
    install(&log, &["tool"]).expect(43);
    nothing(&log);
    fs::write(log.policy(), sample::policy(3).to_string())?;
    install(&log, &["tool", "--max-age", "1h"]).expect(75);
    nothing(&log);
    install(&log, &["tool"]).expect(0);
    assert_eq!(says(&log, "tool"), "new");
    Ok(())
}

fn other_logs() -> Outcome {
    let rounds: [Round<'_>; 1] = [("tool@1.0.0", &[("tool", program("tool", 100))])];
    let log = store(&rounds);
    type Serves = fn() -> Answer;
    let answers: [(Serves, i32, &str); 5] = [
        (|| Answer::Flood(head(200, ""), vec![b'x'; 4096]), 40, "the most that is accepted here"),
        (|| Answer::Whole(b"no checkpoint".to_vec()), 40, "checkpoint"),
        (|| Answer::Status(500), 75, "status 500"),
        (|| Answer::Status(404), 75, "there is no"),
        (|| Answer::Raw(head(200, "Content-Length: 9")), 75, "broke off"),
    ];
    for (answer, code, words) in answers {
        let node = Server::start(move |_| answer());
        let ran = on_root(&log, &["install", "tool", "--policy", "policy", "--node", &node.address]).expect(code);
        assert!(ran.err.contains(words) && ran.out.is_empty(), "{words}: {}", ran.err);
        nothing(&log);
    }
    // Another group has the same crate, of the same bytes; it is not the one that is trusted.
    let other = Log::by(Party::named("other"), entries(&rounds), &[0, 1, 2, 3]);
    let place = other.path().display().to_string();
    on_root(&log, &["install", "tool", "--policy", "policy", "--node", &place]).expect(40);
    nothing(&log);
    install(&log, &["tool"]).expect(0);
    Ok(())
}

fn other_crate() -> Outcome {
    let tool = |says: &str| [("tool", program(says, 100))];
    let (good, other, older) = (tool("good"), tool("twin"), tool("older"));
    let log = store(&[("tool@2.0.0", &good), ("twin@2.0.0", &other)]);
    install(&log, &["tool"]).expect(0);
    on_root(&log, &["uninstall", "tool"]).expect(0);
    // The executable of another crate under the hash of the good one.
    let good_path = log.file("artifacts").join(Digest::of(&good[0].1).to_string());
    fs::write(&good_path, &other[0].1)?;
    install(&log, &["tool"]).expect(40);
    nothing(&log);
    fs::write(&good_path, &good[0].1)?;
    install(&log, &["tool"]).expect(0);
    // A group that knows only an older version.
    let behind = store(&[("tool@1.0.0", &older)]);
    let place = behind.path().to_str().unwrap().to_owned();
    let elsewhere = ["--policy", "policy", "--cache", "another", "--state", "other"];
    let ran = on_root(&log, &[&["install", "tool", "--node", &place], &elsewhere[..]].concat()).expect(2);
    assert!(ran.err.contains("tool 2.0.0 is installed, and 1.0.0 is older"), "{}", ran.err);
    assert_eq!(says(&log, "tool"), "good");
    Ok(())
}

fn lower_version() -> Outcome {
    let tool = |says: &str| [("tool", program(says, 100))];
    let (low, high) = (tool("low"), tool("high"));
    // Whoever serves the log knows the lower one only.
    let behind = store(&[("tool@1.0.0", &low)]);
    let ran = install(&behind, &["tool@2.0.0"]).expect(41);
    assert!(ran.err.contains("there is no evidence for tool@2.0.0: nothing is logged of it"), "{}", ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    nothing(&behind);
    // Or it knows both, and has the executable of the lower one for either.
    let log = store(&[("tool@1.0.0", &low), ("tool@2.0.0", &high)]);
    fs::write(log.file("artifacts").join(Digest::of(&high[0].1).to_string()), &low[0].1)?;
    for spec in ["tool", "tool@2.0.0"] {
        let ran = install(&log, &[spec]).expect(40);
        assert!(ran.err.contains("it serves other bytes than the group built"), "{}", ran.err);
        nothing(&log);
    }
    // Where the lower one is what is asked for, it is what is installed.
    install(&log, &["tool@1.0.0"]).expect(0);
    assert_eq!(says(&log, "tool"), "low");
    Ok(())
}

fn bad_records() -> Outcome {
    let log = store(&[("tool@1.0.0", &[("tool", program("tool", 100))])]);
    let root = log.dir.path().join("root");
    fs::create_dir_all(&root)?;
    for (file, text) in [
        (".crates.toml", "[v1"),
        (".crates.toml", "[v1]\n\"a 1.0.0 (path+file:///a)\" = [\"../../tool\"]\n"),
        (".crates2.json", "{\"installs\": 1}"),
    ] {
        fs::write(root.join(file), text)?;
        for command in [&["install", "tool", "--policy", "policy", "--node", "log"][..], &["uninstall", "a"], &["list"]]
        {
            let ran = on_root(&log, command).expect(2);
            assert!(ran.err.contains("it is not as cargo writes it"), "{file}: {}", ran.err);
        }
        assert_eq!(fs::read_to_string(root.join(file))?, text);
        assert!(!bin(&log).join("tool").exists());
        fs::remove_file(root.join(file))?;
    }
    Ok(())
}
