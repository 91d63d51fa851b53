//! A registry that misbehaves: a server of this test, on loopback, with one answer for each path.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;

mod refusals;

const ARCHIVE: &[u8] = b"as good as an archive: nothing here unpacks it";

enum Answer {
    Whole(Vec<u8>),
    Status(u16),
    /// Promises more than it sends.
    CutOff(usize),
    /// Never ends.
    Endless,
    /// One byte now and then.
    Dripping,
    /// Fails the first times, then answers.
    Flaky(AtomicUsize, Vec<u8>),
}

/// Serves `answers` until the test process ends; returns the address, with a slash at its end.
fn serve(answers: Vec<(&str, Answer)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let mut answers: HashMap<String, Answer> = answers.into_iter().map(|(path, a)| (path.to_owned(), a)).collect();
    let config = format!(r#"{{"dl":"{address}dl/{{crate}}/{{version}}"}}"#);
    answers.entry("/config.json".into()).or_insert(Answer::Whole(config.into_bytes()));
    let answers = Arc::new(answers);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answers) = (stream.unwrap(), Arc::clone(&answers));
            // A client that hangs up early is what some of these tests are about.
            std::thread::spawn(move || drop(answer(stream, &answers)));
        }
    });
    address
}

fn answer(mut stream: TcpStream, answers: &HashMap<String, Answer>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let head = |status: u16, length: &str| format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{length}\r\n");
    let path = request.split(' ').nth(1).unwrap_or_default();
    let whole = |stream: &mut TcpStream, bytes: &[u8]| {
        stream.write_all(head(200, &format!("Content-Length: {}\r\n", bytes.len())).as_bytes())?;
        stream.write_all(bytes)
    };
    match answers.get(path) {
        None => stream.write_all(head(404, "Content-Length: 0\r\n").as_bytes()),
        Some(Answer::Status(status)) => stream.write_all(head(*status, "Content-Length: 0\r\n").as_bytes()),
        Some(Answer::Whole(bytes)) => whole(&mut stream, bytes),
        Some(Answer::CutOff(length)) => {
            stream.write_all(head(200, &format!("Content-Length: {length}\r\n")).as_bytes())?;
            stream.write_all(b"the beginning")
        }
        Some(Answer::Endless) => {
            stream.write_all(head(200, "").as_bytes())?;
            loop {
                stream.write_all(&[b' '; 1 << 16])?;
            }
        }
        Some(Answer::Dripping) => {
            stream.write_all(head(200, "Content-Length: 1000\r\n").as_bytes())?;
            loop {
                stream.write_all(b" ")?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Some(Answer::Flaky(failures, bytes)) => {
            if failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return stream.write_all(head(503, "Content-Length: 0\r\n").as_bytes());
            }
            whole(&mut stream, bytes)
        }
    }
}

fn line(name: &str, version: &str, more: &str) -> String {
    let checksum = Digest::of(ARCHIVE);
    format!(
        r#"{{"name":"{name}","vers":"{version}","deps":[],"cksum":"{checksum}","features":{{}},"yanked":false{more}}}"#
    )
}

fn index(lines: &[String]) -> Answer {
    Answer::Whole(lines.join("\n").into_bytes())
}

fn registry(answers: Vec<(&str, Answer)>) -> (Registry, tempfile::TempDir) {
    let cache = tempfile::tempdir().unwrap();
    let patience = Patience {
        attempts: 3,
        pause: Duration::from_millis(5),
        connect: Duration::from_secs(2),
        attempt: Duration::from_millis(700),
        ..Patience::default()
    };
    (Registry::at(&serve(answers), cache.path(), patience).unwrap(), cache)
}

fn resolve(registry: &Registry, name: &str, version: Option<&str>) -> Result<Release, ResolveError> {
    let version = version.map(|version| version.parse().unwrap());
    registry.resolve(&name.parse().unwrap(), version.as_ref(), "1.95.0")
}

fn versions_of_demo() -> Answer {
    index(&[
        line("demo", "0.1.0", ""),
        line("demo", "1.0.0", ""),
        line("demo", "1.2.0", r#","rust_version":"1.70""#),
        line("demo", "1.3.0", "").replace("\"yanked\":false", "\"yanked\":true"),
        line("demo", "2.0.0-rc.1", ""),
        line("demo", "0.9.1+meta.5", ""),
    ])
}

#[test]
fn without_a_version_the_newest_that_is_neither_yanked_nor_a_prerelease_is_taken() {
    let (registry, _cache) = registry(vec![("/de/mo/demo", versions_of_demo())]);
    assert_eq!(resolve(&registry, "demo", None).unwrap().version.as_str(), "1.2.0");
}

#[test]
fn an_exact_version_is_taken_as_it_is_and_build_metadata_may_be_left_out() {
    let (registry, _cache) = registry(vec![("/de/mo/demo", versions_of_demo())]);
    for (asked, found) in [("1.0.0", "1.0.0"), ("2.0.0-rc.1", "2.0.0-rc.1"), ("0.9.1", "0.9.1+meta.5")] {
        assert_eq!(resolve(&registry, "demo", Some(asked)).unwrap().version.as_str(), found);
    }
}

#[test]
fn an_unknown_version_is_answered_with_the_nearest_ones() {
    let (registry, _cache) = registry(vec![("/de/mo/demo", versions_of_demo())]);
    let text = resolve(&registry, "demo", Some("1.1.0")).unwrap_err().to_string();
    assert_eq!(text, "demo has no version 1.1.0; near it: 1.2.0, 1.0.0, 0.9.1+meta.5, 0.1.0, 2.0.0-rc.1");
}

#[test]
fn a_yanked_version_is_refused_to_a_submitter_and_found_for_a_builder() {
    let (registry, _cache) = registry(vec![("/de/mo/demo", versions_of_demo())]);
    let text = resolve(&registry, "demo", Some("1.3.0")).unwrap_err().to_string();
    assert!(text.starts_with("demo 1.3.0 was yanked by its author; near it: 1.2.0"), "{text}");
    let release = registry.release(&"demo".parse().unwrap(), &"1.3.0".parse().unwrap()).unwrap();
    assert!(release.yanked);
}

#[test]
fn a_version_for_a_newer_compiler_is_refused_with_one_that_would_do() {
    let lines = [line("demo", "1.0.0", ""), line("demo", "1.1.0", r#","rust_version":"1.96""#)];
    let (registry, _cache) = registry(vec![("/de/mo/demo", index(&lines))]);
    let text = resolve(&registry, "demo", None).unwrap_err().to_string();
    assert_eq!(text, "demo 1.1.0 needs rustc 1.96 or newer, and the pinned one is 1.95.0; near it: 1.0.0");
}

#[test]
fn a_crate_with_prereleases_only_names_them() {
    let (registry, _cache) = registry(vec![("/de/mo/demo", index(&[line("demo", "1.0.0-rc.1", "")]))]);
    let text = resolve(&registry, "demo", None).unwrap_err().to_string();
    assert_eq!(text, "demo has no current release, so ask for a version by name; near it: 1.0.0-rc.1");
}

#[test]
fn an_unknown_crate_is_named_with_its_likely_spelling() {
    let lines = [line("de-mo", "1.0.0", "")];
    let (registry, _cache) = registry(vec![("/de/-m/de-mo", index(&lines))]);
    let text = |name| resolve(&registry, name, None).unwrap_err().to_string();
    assert_eq!(text("de_mo"), "there is no crate de_mo on crates.io; did you mean de-mo?");
    assert_eq!(text("De-mo"), "there is no crate De-mo on crates.io; did you mean de-mo?");
    assert_eq!(text("nothing"), "there is no crate nothing on crates.io");
}

#[test]
fn an_index_that_is_not_one_is_an_error_and_not_a_panic() {
    for bytes in ["", "not json", "{}", "{\"name\":1}", "[]"] {
        let (registry, _cache) = registry(vec![("/de/mo/demo", Answer::Whole(bytes.into()))]);
        let error = resolve(&registry, "demo", None).unwrap_err();
        assert!(matches!(error, ResolveError::BadIndex { .. }), "{bytes:?} gave {error}");
    }
}

#[test]
fn a_good_archive_is_fetched_once_and_then_comes_from_the_cache() {
    let answers = vec![("/de/mo/demo", versions_of_demo()), ("/dl/demo/1.0.0", Answer::Whole(ARCHIVE.into()))];
    let (registry, cache) = registry(answers);
    let release = resolve(&registry, "demo", Some("1.0.0")).unwrap();
    assert_eq!(registry.archive(&release).unwrap(), ARCHIVE);
    let offline = Registry::at("http://127.0.0.1:1/", cache.path(), Patience::default()).unwrap();
    assert_eq!(offline.archive(&release).unwrap(), ARCHIVE);
}

#[test]
fn what_is_downloaded_is_told_while_it_comes_and_what_is_cached_is_not() {
    let large = vec![7; 200_000];
    let (checksum, told) = (Digest::of(&large), Arc::new(std::sync::Mutex::new(Vec::new())));
    let versions = line("demo", "1.0.0", "").replace(&Digest::of(ARCHIVE).to_string(), &checksum.to_string());
    let answers =
        vec![("/de/mo/demo", index(std::slice::from_ref(&versions))), ("/dl/demo/1.0.0", Answer::Whole(large.clone()))];
    let (registry, _cache) = registry(answers);
    let hears = Arc::clone(&told);
    let registry = registry.telling(Arrivals::told_to(move |bytes| hears.lock().unwrap().push(bytes)));
    let release = resolve(&registry, "demo", Some("1.0.0")).unwrap();
    assert_eq!(std::mem::take(&mut *told.lock().unwrap()).iter().sum::<u64>(), versions.len() as u64);
    registry.archive(&release).unwrap();
    let pieces = std::mem::take(&mut *told.lock().unwrap());
    // Beside it comes the registry's `config.json`.
    assert!(pieces.len() > 5 && (200_000..201_000).contains(&pieces.iter().sum::<u64>()), "{pieces:?}");
    registry.archive(&release).unwrap();
    assert_eq!(*told.lock().unwrap(), Vec::<u64>::new());
}

#[test]
fn an_archive_that_was_altered_in_the_cache_is_fetched_again() {
    let answers = vec![("/de/mo/demo", versions_of_demo()), ("/dl/demo/1.0.0", Answer::Whole(ARCHIVE.into()))];
    let (registry, cache) = registry(answers);
    let release = resolve(&registry, "demo", Some("1.0.0")).unwrap();
    registry.archive(&release).unwrap();
    std::fs::write(cache.path().join(format!("{}.crate", release.checksum)), "tampered").unwrap();
    assert_eq!(registry.archive(&release).unwrap(), ARCHIVE);
}

#[test]
fn an_altered_archive_is_refused_and_not_kept() {
    let answers = vec![("/de/mo/demo", versions_of_demo()), ("/dl/demo/1.0.0", Answer::Whole(b"tampered".into()))];
    let (registry, cache) = registry(answers);
    let release = resolve(&registry, "demo", Some("1.0.0")).unwrap();
    let error = registry.archive(&release).unwrap_err();
    assert!(matches!(error, ArchiveError::WrongChecksum { .. }), "{error}");
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
}

fn download(answer: Answer, limit: u64) -> Result<Vec<u8>, DownloadError> {
    let (registry, _cache) = registry(vec![("/file", answer)]);
    registry.downloader.get(&format!("{}file", registry.index), limit)
}

#[test]
fn an_answer_that_is_cut_off_is_unreachable_and_not_a_short_file() {
    let error = download(Answer::CutOff(1000), 5000).unwrap_err();
    assert!(matches!(error, DownloadError::Unreachable { .. }), "{error}");
}

#[test]
fn an_endless_answer_ends_at_the_limit() {
    let error = download(Answer::Endless, 1 << 20).unwrap_err();
    assert!(matches!(error, DownloadError::TooLarge { .. }), "{error}");
}

#[test]
fn an_announced_length_above_the_limit_is_refused_before_the_body() {
    let error = download(Answer::CutOff(1 << 30), 1 << 20).unwrap_err();
    assert!(matches!(error, DownloadError::TooLarge { .. }), "{error}");
}

#[test]
fn a_dripping_answer_ends_with_the_attempts_time() {
    let start = Instant::now();
    let error = download(Answer::Dripping, 5000).unwrap_err();
    assert!(matches!(error, DownloadError::Slow { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(6));
}

#[test]
fn a_server_that_recovers_is_asked_again() {
    assert_eq!(download(Answer::Flaky(AtomicUsize::new(2), b"at last".into()), 100).unwrap(), b"at last");
}

#[test]
fn a_refusal_is_not_repeated_and_an_outage_is_reported_with_its_status() {
    assert!(matches!(download(Answer::Status(403), 100), Err(DownloadError::Refused { status: 403, .. })));
    assert!(matches!(download(Answer::Status(503), 100), Err(DownloadError::Refused { status: 503, .. })));
    assert!(matches!(download(Answer::Status(451), 100), Err(DownloadError::Absent { .. })));
}

#[test]
fn a_registry_that_is_not_there_is_unreachable_by_name() {
    let cache = tempfile::tempdir().unwrap();
    let patience = Patience { attempts: 1, ..Patience::default() };
    let registry = Registry::at("http://127.0.0.1:1/", cache.path(), patience).unwrap();
    let text = resolve(&registry, "demo", None).unwrap_err().to_string();
    assert!(text.starts_with("cannot reach 127.0.0.1:1 ("), "{text}");
}
