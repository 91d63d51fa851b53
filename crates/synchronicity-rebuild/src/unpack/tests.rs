//! Archives as an attacker would craft them: headers are written byte by byte, since the tar library refuses to.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::source::SourceError;
use synchronicity_verify::result::Failure;

const MANIFEST: &[u8] = b"[package]\nname = \"x\"\nversion = \"1.0.0\"\n";

/// One entry of an archive, as raw as its author wants it.
pub(crate) struct Raw<'a> {
    path: &'a [u8],
    kind: u8,
    link: &'a [u8],
    mode: u32,
    content: &'a [u8],
}

pub(crate) fn file<'a>(path: &'a str, content: &'a [u8]) -> Raw<'a> {
    Raw { path: path.as_bytes(), kind: b'0', link: b"", mode: 0o644, content }
}

pub(crate) fn other<'a>(path: &'a str, kind: u8, link: &'a str) -> Raw<'a> {
    Raw { path: path.as_bytes(), kind, link: link.as_bytes(), mode: 0o644, content: b"" }
}

pub(crate) fn tar_of(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        let old = header.as_gnu_mut().expect("a GNU header");
        old.name[..entry.path.len()].copy_from_slice(entry.path);
        old.linkname[..entry.link.len()].copy_from_slice(entry.link);
        old.typeflag = [entry.kind];
        header.set_mode(entry.mode);
        header.set_size(entry.content.len() as u64);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(entry.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Unpacks in a folder of its own, and asserts that a refusal leaves that folder empty.
fn unpack_entries(entries: &[Raw<'_>], bounds: Bounds) -> Result<tempfile::TempDir, UnpackError> {
    let dir = tempfile::tempdir().unwrap();
    let answer = crate_archive(&gz(&tar_of(entries)), "x-1.0.0", &dir.path().join("into"), bounds);
    match answer {
        Ok(()) => Ok(dir),
        Err(error) => {
            let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
            assert!(left.is_empty(), "a refused archive left {left:?}");
            Err(error)
        }
    }
}

fn refusal(entry: Raw<'_>) -> String {
    let entries = [file("x-1.0.0/Cargo.toml", MANIFEST), entry];
    unpack_entries(&entries, Bounds::default()).expect_err("this archive must be refused").to_string()
}

#[test]
fn a_good_archive_unpacks_with_plain_modes_and_the_time_of_the_recipe() {
    let mut script = file("x-1.0.0/run.sh", b"#!/bin/sh\n");
    script.mode = 0o4777;
    let entries = [file("x-1.0.0/Cargo.toml", MANIFEST), other("x-1.0.0/src/", b'5', ""), script];
    let dir = unpack_entries(&entries, Bounds::default()).unwrap();
    let into = dir.path().join("into");
    assert_eq!(fs::read(into.join("Cargo.toml")).unwrap(), MANIFEST);
    assert!(into.join("src").is_dir());
    let mode = |name: &str| fs::metadata(into.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("run.sh"), mode("Cargo.toml")), (0o755, 0o644), "no setuid bit survives");
    let modified = fs::metadata(into.join("Cargo.toml")).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), SOURCE_DATE_EPOCH);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no staging folder is left");
}

#[test]
fn paths_that_lead_out_are_refused() {
    for path in [
        "x-1.0.0/../../evil",
        "../evil",
        "/etc/evil",
        "x-1.0.0//evil",
        "x-1.0.0/./evil",
        "y-1.0.0/evil",
        "evil",
        "x-1.0.0/a\\b",
        "x-1.0.0/a\nb",
        "./x-1.0.0/evil",
        "x-1.0.00/evil",
    ] {
        assert!(refusal(file(path, b"evil")).starts_with("the archive was refused"), "{path:?}");
    }
}

#[test]
fn a_path_that_is_not_utf8_is_refused() {
    let entry = Raw { path: b"x-1.0.0/\xff", kind: b'0', link: b"", mode: 0o644, content: b"" };
    assert!(refusal(entry).contains("is not UTF-8"));
}

#[test]
fn links_devices_and_odd_kinds_are_refused() {
    // Hard link, symbolic link, character and block device, fifo, contiguous, pax global header, sparse file.
    for kind in [b'1', b'2', b'3', b'4', b'6', b'7', b'g', b'S', b'Z'] {
        let reason = refusal(other("x-1.0.0/odd", kind, "/etc/passwd"));
        assert!(reason.contains("neither a file nor a folder") || reason.contains("cannot be read"), "{reason}");
    }
}

#[test]
fn a_file_through_a_link_of_the_same_archive_never_reaches_its_target() {
    let outside = tempfile::tempdir().unwrap();
    let link = outside.path().to_str().unwrap();
    let entries =
        [file("x-1.0.0/Cargo.toml", MANIFEST), other("x-1.0.0/out", b'2', link), file("x-1.0.0/out/evil", b"evil")];
    unpack_entries(&entries, Bounds::default()).unwrap_err();
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_path_that_is_there_twice_is_refused() {
    assert!(refusal(file("x-1.0.0/Cargo.toml", b"other")).contains("is there twice"));
}

#[test]
fn a_path_that_no_disk_takes_is_the_archives_fault_and_not_the_disks() {
    let (plain, below) = (file("x-1.0.0/a", b""), file("x-1.0.0/a/b", b""));
    let folder = other("x-1.0.0/a/b/", b'5', "");
    let orders = [[&plain, &below], [&below, &plain], [&plain, &folder], [&folder, &plain], [&below, &folder]];
    for order in orders {
        let [first, second] = order.map(|raw| Raw { ..*raw });
        let entries = [file("x-1.0.0/Cargo.toml", MANIFEST), first, second];
        let error = unpack_entries(&entries, Bounds::default()).unwrap_err();
        assert!(matches!(error, UnpackError::Path { .. }), "{error}");
        assert_eq!(SourceError::Unpack(error).failure(), Some(Failure::Unsupported));
    }
    let name = "n".repeat(256);
    let long = format!("x-1.0.0/{name}").into_bytes();
    let head = Raw { path: b"././@LongLink", kind: b'L', link: b"", mode: 0o644, content: &long };
    let entries = [file("x-1.0.0/Cargo.toml", MANIFEST), head, file("x-1.0.0/n", b"")];
    let error = unpack_entries(&entries, Bounds::default()).unwrap_err();
    assert!(matches!(&error, UnpackError::Path { problem, .. } if problem.contains("too long")), "{error}");
}

#[test]
fn a_bomb_is_stopped_at_the_bound_and_leaves_nothing() {
    let zeros = vec![0; 4 << 20];
    let bounds = Bounds { entries: 10, bytes: 1 << 20 };
    let entries = [file("x-1.0.0/Cargo.toml", MANIFEST), file("x-1.0.0/bomb", &zeros)];
    assert!(matches!(unpack_entries(&entries, bounds), Err(UnpackError::TooMuch(_))));
}

#[test]
fn a_bomb_in_a_long_name_is_stopped_too() {
    let name = vec![b'a'; 4 << 20];
    let long = Raw { path: b"././@LongLink", kind: b'L', link: b"", mode: 0o644, content: &name };
    let entries = [file("x-1.0.0/Cargo.toml", MANIFEST), long, file("x-1.0.0/a", b"")];
    let bounds = Bounds { entries: 10, bytes: 1 << 20 };
    assert!(matches!(unpack_entries(&entries, bounds), Err(UnpackError::TooMuch(_))));
}

#[test]
fn too_many_files_are_refused() {
    let names: Vec<_> = (0..20).map(|n| format!("x-1.0.0/{n}")).collect();
    let entries: Vec<_> = names.iter().map(|name| file(name, b"")).collect();
    let bounds = Bounds { entries: 10, ..Bounds::default() };
    assert!(matches!(unpack_entries(&entries, bounds), Err(UnpackError::TooMuch(_))));
}

#[test]
fn an_archive_cut_off_anywhere_leaves_nothing() {
    let whole = gz(&tar_of(&[file("x-1.0.0/Cargo.toml", MANIFEST), file("x-1.0.0/a", &[7; 3000])]));
    for length in 0..whole.len() - 8 {
        let dir = tempfile::tempdir().unwrap();
        let answer = crate_archive(&whole[..length], "x-1.0.0", &dir.path().join("into"), Bounds::default());
        if answer.is_err() {
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "cut at {length}");
        } else {
            // The end of a tar file is padding: what was lost there was no file.
            assert_eq!(fs::read(dir.path().join("into/a")).unwrap(), [7; 3000], "cut at {length}");
        }
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_an_archive_is_survived_within_the_folder() {
    let whole = tar_of(&[file("x-1.0.0/Cargo.toml", MANIFEST), file("x-1.0.0/a", b"content")]);
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("into");
    for at in 0..whole.len() - 1024 {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        if tar_archive(&flipped, "x-1.0.0", &into, Bounds::default()).is_ok() {
            fs::remove_dir_all(&into).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "byte {at}");
    }
}

#[test]
fn an_existing_folder_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("into"), "mine").unwrap();
    let archive = gz(&tar_of(&[file("x-1.0.0/Cargo.toml", MANIFEST)]));
    crate_archive(&archive, "x-1.0.0", &dir.path().join("into"), Bounds::default()).unwrap_err();
    assert_eq!(fs::read_to_string(dir.path().join("into")).unwrap(), "mine");
}

#[test]
fn an_archive_without_a_manifest_is_refused() {
    assert!(matches!(unpack_entries(&[file("x-1.0.0/README", b"")], Bounds::default()), Err(UnpackError::Path { .. })));
}
