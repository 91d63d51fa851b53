//! `fsck`: good logs are good from a folder and from a server, and of a damaged one the damage is named to the byte.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::ops::Range;

use libtest_mimic::{Failed, Trial};
use synchronicity::fsck::{CheckError, Fault, check};
use synchronicity::source::Source;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::merkle::leaf_hash;

use crate::logs::{Log, history};
use crate::program::{Ran, run};
use crate::server::{Answer, Server};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("fsck::a_good_log_is_good_from_a_folder_and_from_a_server", good),
        Trial::test("fsck::a_log_whose_partial_tiles_are_gone_is_still_whole", without_partials),
        Trial::test("fsck::every_damaged_byte_of_a_small_log_is_within_the_range_that_is_named", every_byte),
        Trial::test("fsck::a_damaged_entry_and_a_damaged_hash_are_told_apart", entry_or_hash),
        Trial::test("fsck::entries_that_were_altered_together_with_their_tile_are_found", altered_together),
        Trial::test("fsck::two_damages_are_told_as_more_than_one", two_damages),
        Trial::test("fsck::lengths_and_missing_files_are_named", lengths),
        Trial::test("fsck::a_root_or_a_signature_that_is_not_the_logs_is_refused", checkpoints),
        Trial::test("fsck::a_signed_entry_that_breaks_a_rule_is_the_groups_fault_and_no_copys", broken_rule),
        Trial::test("fsck::what_cannot_be_read_says_nothing_about_the_log", unreadable),
    ]
}

/// Two full bundles and tiles, and partial ones at two levels.
const SIZE: usize = 520;

fn fsck(log: &Log, more: &[&str]) -> Ran {
    run(log.dir.path(), [&["fsck", "log"], more].concat())
}

fn fault(log: &Log) -> Fault {
    match check(&Source::Folder(log.path()), None, &mut |_| {}) {
        Err(CheckError::Fault(fault)) => *fault,
        other => panic!("no fault: {other:?}"),
    }
}

#[track_caller]
fn expect_fault(log: &Log, flaw: &str, file: &str, range: Range<usize>) -> Fault {
    let fault = fault(log);
    let found = (fault.flaw.as_str(), fault.file.as_str(), fault.from as usize..fault.to as usize);
    assert_eq!(found, (flaw, log.file(file).to_str().unwrap(), range), "{fault}");
    let told = fsck(log, &["--json"]).expect(40).json();
    assert_eq!((told["fault"].as_str(), told["from"].as_u64()), (Some(flaw), Some(fault.from)));
    fault
}

/// Changes a file of the log.
fn alter(log: &Log, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(log.file(file)).unwrap();
    change(&mut bytes);
    fs::write(log.file(file), bytes).unwrap();
}

/// Where entry `index` stands in its bundle, its length included.
fn place(log: &Log, index: usize) -> Range<usize> {
    let length = |entry: &Entry| 2 + entry.to_bytes().len();
    let start = log.entries[index / 256 * 256..index].iter().map(length).sum();
    start..start + length(&log.entries[index])
}

fn good() -> Outcome {
    for size in [0, 1, 256, SIZE] {
        let log = Log::new(size);
        let words = fsck(&log, &["--policy", "policy"]).expect(0);
        assert!(words.out.contains(&format!("synchronicity.example/sample, at size {size}\n")), "{}", words.out);
        assert!(words.out.contains("cosigned by              builder-0, builder-1"), "{}", words.out);
        assert_eq!(words.err, "", "no progress where there is no terminal");
        let server = log.serve();
        let told = run(log.dir.path(), ["fsck", &server.address, "--json"]).expect(0).json();
        assert_eq!(told["log"]["size"], size);
        assert!(told["cosigners"].is_null(), "nobody is named without a policy");
        assert!(fsck(&log, &[]).expect(0).out.contains("not checked: name a policy"));
    }
    Ok(())
}

fn without_partials() -> Outcome {
    let log = Log::new(SIZE);
    // An older checkpoint over the newer log: its partial tiles are gone.
    let newest = fs::read(log.file("checkpoint"))?;
    log.publish(300, &[0, 1, 2]);
    for partial in ["tile/0/001.p/44", "tile/entries/001.p/44"] {
        fs::remove_file(log.file(partial))?;
    }
    fsck(&log, &["--policy", "policy"]).expect(0);
    fs::write(log.file("checkpoint"), newest)?;
    fsck(&log, &["--policy", "policy"]).expect(0);
    Ok(())
}

fn every_byte() -> Outcome {
    let log = Log::new(3);
    for file in ["tile/entries/000.p/3", "tile/0/000.p/3", "checkpoint"] {
        let good = fs::read(log.file(file))?;
        // Those of the checkpoint's text; the rest are signatures, which only a policy knows.
        let end =
            if file == "checkpoint" { good.windows(2).position(|two| two == b"\n\n").unwrap() } else { good.len() };
        for at in (0..end).step_by(if file == "tile/entries/000.p/3" { 11 } else { 1 }) {
            if file == "checkpoint" && at < "synchronicity.example/sample\n".len() {
                continue;
            }
            alter(&log, file, |bytes| bytes[at] ^= 1);
            let fault = fault(&log);
            // A damaged size is a log of another size: some file of that is not there, or does not fit.
            if file != "checkpoint" || at > "synchronicity.example/sample\n3\n".len() {
                assert_eq!(fault.file, log.file(file).to_str().unwrap(), "byte {at}: {fault}");
                assert!((fault.from..fault.to).contains(&(at as u64)), "byte {at} of {file}: {fault}");
            }
            fs::write(log.file(file), &good)?;
        }
    }
    fsck(&log, &["--policy", "policy"]).expect(0);
    Ok(())
}

fn entry_or_hash() -> Outcome {
    let log = Log::new(SIZE);
    for index in [0, 255, 300, 519] {
        let name = ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/8"][index / 256];
        let good = fs::read(log.file(name))?;
        let range = place(&log, index);
        alter(&log, name, |bytes| bytes[range.start + 40] ^= 0x20);
        let fault = expect_fault(&log, "entry", name, range);
        assert_eq!(fault.flaw.entry(), Some(index as u64));
        fs::write(log.file(name), good)?;
    }
    for (name, position) in [("tile/0/000", 0), ("tile/0/001", 44), ("tile/0/002.p/8", 7), ("tile/1/000.p/2", 1)] {
        let good = fs::read(log.file(name))?;
        alter(&log, name, |bytes| bytes[32 * position + 5] ^= 1);
        let range = 32 * position..32 * (position + 1);
        expect_fault(&log, "hash", name, range.clone());
        let told = fsck(&log, &[]).expect(40);
        assert!(told.err.contains(&format!("bytes {} to {}", range.start, range.end)), "{}", told.err);
        assert!(told.err.contains("this copy is damaged"), "{}", told.err);
        fs::write(log.file(name), good)?;
    }
    Ok(())
}

fn altered_together() -> Outcome {
    let log = Log::new(SIZE);
    let range = place(&log, 300);
    let forged = Entry { time_ms: log.entries[300].time_ms + 1, ..log.entries[300].clone() }.to_bytes();
    assert_eq!(forged.len() + 2, range.len());
    alter(&log, "tile/entries/001", |bytes| bytes[range.start + 2..range.end].copy_from_slice(&forged));
    alter(&log, "tile/0/001", |bytes| bytes[32 * 44..32 * 45].copy_from_slice(&leaf_hash(&forged).0));
    expect_fault(&log, "tile", "tile/0/001", 0..8192);
    Ok(())
}

fn two_damages() -> Outcome {
    let log = Log::new(SIZE);
    let range = place(&log, 7);
    alter(&log, "tile/entries/000", |bytes| bytes[range.start + 9] ^= 1);
    alter(&log, "tile/1/000.p/2", |bytes| bytes[32] ^= 1);
    let fault = expect_fault(&log, "unclear", "tile/0/000", 32 * 7..32 * 8);
    assert!(fault.to_string().contains("more than this is damaged"), "{fault}");
    Ok(())
}

fn lengths() -> Outcome {
    let log = Log::new(SIZE);
    let check = |name: &str, change: &dyn Fn(&mut Vec<u8>), flaw: &str, range: Range<usize>| {
        let good = fs::read(log.file(name)).unwrap();
        alter(&log, name, change);
        expect_fault(&log, flaw, name, range);
        fs::write(log.file(name), good).unwrap();
    };
    let last = place(&log, 519);
    check("tile/entries/002.p/8", &|bytes| bytes.truncate(last.end - 3), "cut-off", last.start..last.end - 3);
    check("tile/entries/002.p/8", &|bytes| bytes.extend(b"more"), "excess", last.end..last.end + 4);
    check("tile/0/002.p/8", &|bytes| bytes.truncate(200), "length", 200..256);
    check("tile/0/001", &|bytes| bytes.push(0), "too-large", 0..8192);
    check("tile/1/000.p/2", &|bytes| bytes.clear(), "length", 0..64);
    for name in ["tile/entries/001", "tile/0/001", "tile/1/000.p/2"] {
        let good = fs::read(log.file(name))?;
        fs::remove_file(log.file(name))?;
        let fault = fault(&log);
        assert_eq!((fault.flaw.as_str(), fault.file.as_str()), ("absent", log.file(name).to_str().unwrap()));
        fs::write(log.file(name), good)?;
    }
    Ok(())
}

fn checkpoints() -> Outcome {
    let log = Log::new(SIZE);
    let text = fs::read_to_string(log.file("checkpoint"))?;
    let lines: Vec<usize> = text.split_inclusive('\n').map(str::len).collect();
    let root = lines[0] + lines[1]..lines[0] + lines[1] + lines[2];
    // A flipped bit of the root, in its base64.
    alter(&log, "checkpoint", |bytes| bytes[root.start] ^= 1);
    expect_fault(&log, "root", "checkpoint", root);
    let told = fsck(&log, &["--policy", "policy"]).expect(40);
    assert!(told.err.contains("does not verify"), "{}", told.err);
    log.publish(SIZE, &[0, 1]);
    fsck(&log, &[]).expect(0);
    let told = fsck(&log, &["--policy", "policy"]).expect(43);
    assert!(told.err.contains("below the policy's threshold"), "{}", told.err);
    fs::write(log.file("checkpoint"), "no note")?;
    expect_fault(&log, "checkpoint", "checkpoint", 0..7);
    Ok(())
}

fn broken_rule() -> Outcome {
    for (name, words) in [("map", "states the map root"), ("order", "block 3 of")] {
        let mut entries = history(5, "the binary");
        match name {
            "map" => entries[3].map_root = Digest::of(b"of some other map"),
            _ => entries[3].height = 3,
        }
        let log = Log::of(entries, &[0, 1, 2, 3]);
        let told = fsck(&log, &["--policy", "policy"]).expect(40);
        assert!(told.err.contains("entry 3 is the one that was signed"), "{}", told.err);
        assert!(told.err.contains(words) && told.err.contains("no copy is to blame"), "{}", told.err);
        expect_fault(&log, "rule", "tile/entries/000.p/5", place(&log, 3));
    }
    Ok(())
}

fn unreadable() -> Outcome {
    let dir = tempfile::tempdir()?;
    let ran = run(dir.path(), ["fsck", "."]).expect(41);
    assert!(ran.err.contains("there is no log at"), "{}", ran.err);
    run(dir.path(), ["fsck", "http://127.0.0.1:1"]).expect(75);
    run(dir.path(), ["fsck", "ftp://host"]).expect(2);
    let server =
        Server::start(|path| if path == "/checkpoint" { Answer::Whole(vec![0; 1 << 20]) } else { Answer::Status(404) });
    run(dir.path(), ["fsck", &server.address]).expect(40);
    // A log that ends in an outage: nothing is known of it.
    let log = Log::new(3);
    let folder = log.path();
    let server = Server::start(move |path| match path {
        "/checkpoint" => crate::logs::file_at(&folder, path),
        _ => Answer::Status(403),
    });
    run(dir.path(), ["fsck", &server.address]).expect(75);
    Ok(())
}
