//! A cargo home as Cargo leaves it, then altered as an intruder would.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// A cargo home with one dependency, `ant` 2.0.0, fetched and unpacked.
fn home() -> (tempfile::TempDir, Vec<Locked>) {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in [("Cargo.toml", &b"[package]"[..]), ("src/lib.rs", b"// ant")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("ant-2.0.0/{path}"), content).unwrap();
    }
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let home = tempfile::tempdir().unwrap();
    let (cache, source) = (home.path().join("registry/cache/index-1"), home.path().join("registry/src/index-1"));
    fs::create_dir_all(&cache).unwrap();
    fs::create_dir_all(&source).unwrap();
    fs::write(cache.join("ant-2.0.0.crate"), &archive).unwrap();
    tar::Archive::new(GzDecoder::new(&archive[..])).unpack(&source).unwrap();
    fs::write(source.join("ant-2.0.0").join(UNPACKED_MARK), "{\"v\":1}").unwrap();
    let locked = vec![Locked {
        name: "ant".parse().unwrap(),
        version: "2.0.0".parse().unwrap(),
        checksum: Digest::of(&archive),
    }];
    (home, locked)
}

#[test]
fn an_untouched_home_passes_and_so_does_an_empty_one() {
    let (home, locked) = home();
    assert_eq!(remove_altered(&locked, home.path()).unwrap(), None);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(remove_altered(&locked, empty.path()).unwrap(), None);
}

#[test]
fn an_altered_archive_is_removed_with_what_was_unpacked_from_it() {
    let (home, locked) = home();
    let archive = home.path().join("registry/cache/index-1/ant-2.0.0.crate");
    fs::OpenOptions::new().append(true).open(&archive).unwrap().write_all(b"x").unwrap();
    assert_eq!(remove_altered(&locked, home.path()).unwrap().as_deref(), Some("ant-2.0.0"));
    assert!(!archive.exists());
    assert!(!home.path().join("registry/src/index-1/ant-2.0.0").exists());
}

#[test]
fn a_changed_an_added_and_a_missing_file_are_all_found() {
    let file = "registry/src/index-1/ant-2.0.0/src/lib.rs";
    type Alteration = fn(&Path);
    let alterations: [(&str, Alteration); 4] = [
        ("changed", |file| fs::write(file, "// evil").unwrap()),
        ("added", |file| fs::write(file.with_file_name("build.rs"), "").unwrap()),
        ("missing", |file| fs::remove_file(file).unwrap()),
        ("a link", |file| {
            fs::rename(file, file.with_file_name("aside")).unwrap();
            std::os::unix::fs::symlink("aside", file).unwrap();
        }),
    ];
    for (what, alter) in alterations {
        let (home, locked) = home();
        alter(&home.path().join(file));
        assert_eq!(remove_altered(&locked, home.path()).unwrap().as_deref(), Some("ant-2.0.0"), "{what}");
        assert!(!home.path().join("registry/src/index-1/ant-2.0.0").exists(), "{what}");
    }
}

#[test]
fn an_unpacked_folder_without_its_archive_is_not_trusted() {
    let (home, locked) = home();
    fs::remove_file(home.path().join("registry/cache/index-1/ant-2.0.0.crate")).unwrap();
    assert!(remove_altered(&locked, home.path()).unwrap().is_some());
}
