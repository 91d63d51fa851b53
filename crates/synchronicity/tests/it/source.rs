//! Reading from folders and servers: what is refused, and as what.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use synchronicity::source::{Source, SourceError};
use synchronicity_rebuild::download::{DownloadError, Patience};
use synchronicity_verify::tile::encode_bundle;

use crate::server::{Answer, Server, head};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("source::a_folder_and_a_server_have_the_same_files", same_files),
        Trial::test("source::a_partial_tile_that_is_gone_is_the_beginning_of_the_full_one", gone_partials),
        Trial::test("source::nothing_outside_of_the_folder_is_read", outside),
        Trial::test("source::what_is_no_file_of_a_folder_is_not_waited_for", no_file),
        Trial::test("source::an_answer_above_the_limit_is_refused_however_it_is_sent", too_large),
        Trial::test("source::a_server_that_stalls_or_drips_is_slow_and_not_asked_again", too_slow),
        Trial::test("source::a_drip_that_would_last_for_days_ends_at_the_least_speed", least_speed),
        Trial::test("source::a_head_without_an_end_is_refused", endless_head),
        Trial::test("source::garbage_and_cut_off_answers_are_no_files", garbage),
        Trial::test("source::a_redirect_is_not_followed_and_named", redirect),
        Trial::test("source::an_outage_is_asked_again_and_a_refusal_is_not", outage),
        Trial::test("source::a_compressed_answer_is_not_unpacked", compressed),
        Trial::test("source::what_is_no_address_is_told_before_anything_is_asked", addresses),
    ]
}

/// Gives up soon. The times only end what would never end by itself.
fn hasty() -> Patience {
    Patience {
        attempts: 2,
        pause: Duration::from_millis(1),
        attempt: Duration::from_secs(2),
        silence: Duration::from_millis(300),
        ..Patience::for_logs()
    }
}

fn source(server: &Server) -> Source {
    Source::url(&server.address, hasty()).unwrap()
}

fn reading(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> (Result<Vec<u8>, SourceError>, usize) {
    let server = Server::start(answer);
    let read = source(&server).read("file", 1000);
    (read, server.asked().len())
}

#[track_caller]
fn expect_slow(read: Result<Vec<u8>, SourceError>) {
    assert!(matches!(read, Err(SourceError::Server(DownloadError::Slow { .. }))), "{read:?}");
}

#[track_caller]
fn expect_too_large(read: Result<Vec<u8>, SourceError>) {
    assert!(matches!(read, Err(SourceError::TooLarge { limit: 1000, .. })), "{read:?}");
}

#[track_caller]
fn expect_unreachable(read: Result<Vec<u8>, SourceError>) {
    assert!(matches!(read, Err(SourceError::Server(DownloadError::Unreachable { .. }))), "{read:?}");
}

fn same_files() -> Outcome {
    let dir = tempfile::tempdir()?;
    fs::create_dir_all(dir.path().join("lookup"))?;
    fs::write(dir.path().join("lookup/5f"), b"an answer")?;
    fs::write(dir.path().join("checkpoint"), b"a note")?;
    let folder = dir.path().to_owned();
    let server = Server::start(move |path| {
        let path = path.strip_prefix("/log").unwrap_or("/elsewhere");
        fs::read(folder.join(&path[1..])).map_or(Answer::Status(404), Answer::Whole)
    });
    for place in [dir.path().display().to_string(), format!("{}/log/", server.address)] {
        let source: Source = place.parse()?;
        assert_eq!(source.checkpoint()?, b"a note");
        assert_eq!(source.read("lookup/5f", 9)?, b"an answer");
        assert!(matches!(source.read("lookup/5f", 8), Err(SourceError::TooLarge { limit: 8, .. })));
        for absent in ["lookup/60", "checkpoint/x"] {
            assert!(source.read(absent, 9).unwrap_err().is_absent(), "{absent}");
        }
        let mut stream = source.open("lookup/5f", 9, Duration::from_secs(60))?;
        let (mut piece, mut bytes) = ([0; 4], Vec::new());
        while let count @ 1.. = stream.next(&mut piece)? {
            bytes.extend_from_slice(&piece[..count]);
        }
        assert_eq!(bytes, b"an answer");
        let mut stream = source.open("checkpoint", 5, Duration::from_secs(60)).map_or_else(Err, |mut stream| {
            while stream.next(&mut piece)? > 0 {}
            Ok(stream)
        });
        assert!(matches!(stream.as_mut().err(), Some(SourceError::TooLarge { limit: 5, .. })));
    }
    Ok(())
}

fn gone_partials() -> Outcome {
    let dir = tempfile::tempdir()?;
    let source = Source::Folder(dir.path().to_owned());
    fs::create_dir_all(dir.path().join("tile/0"))?;
    fs::create_dir_all(dir.path().join("tile/entries"))?;
    let hashes: Vec<u8> = (0..=255).flat_map(|hash| [hash; 32]).collect();
    let entries: Vec<Vec<u8>> = (0..=255).map(|entry: u8| vec![entry; usize::from(entry)]).collect();
    let bundle = |count: usize| encode_bundle(entries[..count].iter().map(Vec::as_slice)).unwrap();
    let error = source.tile("tile/0/000.p/3".parse()?).unwrap_err();
    assert!(error.to_string().ends_with("tile/0/000.p/3"), "{error}");
    fs::write(dir.path().join("tile/0/000"), &hashes)?;
    fs::write(dir.path().join("tile/entries/000"), bundle(256))?;
    assert_eq!(source.tile("tile/0/000.p/3".parse()?)?, hashes[..96]);
    assert_eq!(source.tile("tile/entries/000.p/7".parse()?)?, bundle(7));
    assert_eq!(source.tile("tile/entries/000".parse()?)?, bundle(256));
    // What is no bundle stays none.
    fs::write(dir.path().join("tile/entries/000"), [0, 0, 0])?;
    assert_eq!(source.tile("tile/entries/000.p/7".parse()?)?, [0, 0, 0]);
    Ok(())
}

fn outside() -> Outcome {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("log"))?;
    fs::write(dir.path().join("secret"), b"not of the log")?;
    let folder = Source::Folder(dir.path().join("log"));
    let server = Server::start(|_| Answer::Whole(b"not of the log".to_vec()));
    let secret = dir.path().join("secret").display().to_string();
    for name in ["../secret", "./../secret", "x/../../secret", "", "/", ".", "..", "a//b", "%2e%2e", "a b", &secret] {
        for source in [&folder, &source(&server)] {
            assert!(matches!(source.read(name, 1000), Err(SourceError::Name(_))), "{name:?}");
            assert!(source.open(name, 1000, Duration::from_secs(60)).is_err(), "{name:?}");
        }
    }
    assert!(server.asked().is_empty(), "no such name is asked for");
    Ok(())
}

fn no_file() -> Outcome {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("checkpoint"))?;
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("zero"))?;
    assert!(std::process::Command::new("mkfifo").arg(dir.path().join("pipe")).status()?.success());
    let source = Source::Folder(dir.path().to_owned());
    for name in ["checkpoint", "zero", "pipe"] {
        assert!(matches!(source.read(name, 1000), Err(SourceError::File { .. })), "{name}");
    }
    Ok(())
}

fn too_large() -> Outcome {
    let (read, asked) = reading(|_| Answer::Whole(vec![0; 1001]));
    expect_too_large(read);
    assert_eq!(asked, 1, "what is too large once stays so");
    expect_too_large(reading(|_| Answer::Silence(head(200, "Content-Length: 1001"))).0);
    expect_too_large(reading(|_| Answer::Flood(head(200, "X: no length"), vec![0; 100])).0);
    let chunked = || head(200, "Transfer-Encoding: chunked");
    expect_too_large(reading(move |_| Answer::Flood(chunked(), b"4\r\nfour\r\n".to_vec())).0);
    assert_eq!(reading(|_| Answer::Whole(vec![0; 1000])).0?, [0; 1000]);
    Ok(())
}

fn too_slow() -> Outcome {
    let (read, asked) = reading(|_| Answer::Silence(Vec::new()));
    expect_slow(read);
    assert_eq!(asked, 1, "it had its time");
    expect_slow(reading(|_| Answer::Silence(head(200, "Content-Length: 9"))).0);
    expect_slow(reading(|_| Answer::Drip(b"HTTP/1.1 200 X\r\nX: y".to_vec())).0);
    expect_slow(reading(|_| Answer::Drip([head(200, "Content-Length: 999"), b"x".to_vec()].concat())).0);
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let endless = reading(|_| Answer::Flood(Vec::new(), interim.to_vec())).0;
    assert!(matches!(endless, Err(SourceError::Server(_))), "{endless:?}");
    Ok(())
}

fn least_speed() -> Outcome {
    let server = Server::start(|_| Answer::Drip([head(200, "Content-Length: 99999999"), b"x".to_vec()].concat()));
    let patience = Patience { attempt: Duration::from_secs(86_400 * 9), speed_min: 1 << 20, ..hasty() };
    expect_slow(Source::url(&server.address, patience)?.read("file", 1 << 30));
    let mut stream = source(&server).open("file", 1 << 30, Duration::from_secs(86_400 * 9))?;
    let ended = loop {
        match stream.next(&mut [0; 10]) {
            Ok(0) => panic!("it has no end"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    expect_slow(Err(ended));
    Ok(())
}

fn endless_head() -> Outcome {
    for flood in ["X: y\r\n", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"] {
        expect_unreachable(reading(move |_| Answer::Flood(b"HTTP/1.1 200 X\r\nX: ".to_vec(), flood.into())).0);
    }
    let chunked = || head(200, "Transfer-Encoding: chunked");
    let endless = reading(move |_| Answer::Flood([chunked(), b"4;".to_vec()].concat(), vec![b'x'; 1 << 10])).0;
    assert!(matches!(endless, Err(SourceError::Server(_))), "{endless:?}");
    Ok(())
}

fn garbage() -> Outcome {
    let (read, asked) = reading(|_| Answer::Raw(b"\x00\xff of another protocol\r\n\r\n".to_vec()));
    expect_unreachable(read);
    assert_eq!(asked, 2, "a broken connection is tried again");
    expect_unreachable(reading(|_| Answer::Raw(Vec::new())).0);
    expect_unreachable(
        reading(|_| Answer::Raw([head(200, "Content-Length: 9"), b"cut off".to_vec()[..4].into()].concat())).0,
    );
    let chunks = |chunks: &'static [u8]| {
        reading(move |_| Answer::Raw([&head(200, "Transfer-Encoding: chunked"), chunks].concat())).0
    };
    assert_eq!(chunks(b"4\r\nfour\r\n0\r\n\r\n")?, b"four");
    for bad in [&b"4\r\nfour\r\n"[..], b"4\r\nfo", b"-1\r\nfour\r\n0\r\n\r\n", b"ffffffffffffffffff\r\nfour\r\n"] {
        expect_unreachable(chunks(bad));
    }
    let two_lengths =
        reading(|_| Answer::Raw([head(200, "Content-Length: 2\r\nContent-Length: 4"), b"four".into()].concat()));
    assert_ne!(two_lengths.0.ok(), Some(b"four".to_vec()));
    Ok(())
}

fn redirect() -> Outcome {
    let other = Server::start(|_| Answer::Whole(b"elsewhere".to_vec()));
    let to = other.address.clone();
    let (read, asked) = reading(move |_| Answer::Raw(head(302, &format!("Location: {to}/file\r\nContent-Length: 0"))));
    let error = read.unwrap_err();
    assert!(matches!(error, SourceError::Server(DownloadError::Redirected { .. })), "{error}");
    assert!(error.to_string().contains(&other.address), "{error}");
    assert_eq!((asked, other.asked().len()), (1, 0), "nobody is sent elsewhere");
    Ok(())
}

fn outage() -> Outcome {
    for (status, attempts) in [(403, 1), (500, 2), (503, 2), (429, 2), (206, 1)] {
        let (read, asked) = reading(move |_| Answer::Status(status));
        let refused = |error: &SourceError| match error {
            SourceError::Server(DownloadError::Refused { status, .. }) => Some(*status),
            _ => None,
        };
        assert_eq!((refused(&read.unwrap_err()), asked), (Some(status), attempts));
    }
    let (read, asked) = reading(|_| Answer::Status(404));
    assert!(read.unwrap_err().is_absent());
    assert_eq!(asked, 1);
    expect_unreachable(Source::url("http://127.0.0.1:1", hasty())?.read("file", 1000));
    Ok(())
}

fn compressed() -> Outcome {
    // A gzip file of ten bytes; a client that unpacked it would return them.
    let gzip: &[u8] =
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0x4b, 0x84, 0x03, 0x00, 0x4c, 0xf4, 0x92, 0x5a, 0x0a, 0, 0, 0];
    let header = format!("Content-Encoding: gzip\r\nContent-Length: {}", gzip.len());
    let (read, _) = reading(move |_| Answer::Raw([&head(200, &header), gzip].concat()));
    assert_eq!(read?, gzip);
    Ok(())
}

fn addresses() -> Outcome {
    for bad in ["ftp://host", "http://", "file:///etc", "http://host/?x", "http://host/#x", "http://a b/", "x://"] {
        assert!(bad.parse::<Source>().is_err(), "{bad}");
    }
    assert!(matches!("log".parse()?, Source::Folder(_)));
    assert_eq!("http://host/log//".parse::<Source>()?.to_string(), "http://host/log");
    Ok(())
}
