use super::*;

const ROOT: &str = "version = 4\n[[package]]\nname = \"x\"\nversion = \"1.0.0\"\n";

fn screened(more: &str) -> Result<Vec<Locked>, LockError> {
    let text = format!("{ROOT}{more}").replace("CRATES_IO", &format!("registry+{CRATES_IO_INDEX}"));
    screen(text.as_bytes(), &"x".parse().unwrap(), &"1.0.0".parse().unwrap())
}

fn package(name: &str, rest: &str) -> String {
    format!("[[package]]\nname = \"{name}\"\nversion = \"2.0.0\"\n{rest}\n")
}

#[test]
fn a_lock_of_crates_io_packages_with_checksums_passes_and_lists_them_sorted() {
    let digest = Digest::of(b"archive");
    let good = |name| package(name, &format!("source = \"CRATES_IO\"\nchecksum = \"{digest}\""));
    let locked = screened(&(good("zebra") + &good("ant"))).unwrap();
    assert_eq!(locked.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["ant", "zebra"]);
    assert_eq!(locked[0].checksum, digest);
}

#[test]
fn a_lock_of_the_first_version_keeps_its_checksums_in_metadata() {
    let digest = Digest::of(b"archive");
    let text = package("ant", "source = \"CRATES_IO\"")
        + &format!("[metadata]\n\"checksum ant 2.0.0 (CRATES_IO)\" = \"{digest}\"\n");
    assert_eq!(screened(&text).unwrap()[0].checksum, digest);
}

#[test]
fn git_paths_and_other_registries_are_refused() {
    for source in [
        "source = \"git+https://example.com/a#0123\"\nchecksum = \"00\"",
        "source = \"registry+https://example.com/index\"",
        "source = \"sparse+https://example.com/index/\"",
        "source = \"CRATES_IO.evil\"",
        "",
    ] {
        assert!(matches!(screened(&package("ant", source)), Err(LockError::Foreign { .. })), "{source:?}");
    }
}

#[test]
fn a_dependency_without_a_valid_checksum_is_refused() {
    for checksum in ["", "checksum = \"\"", "checksum = \"abcd\"", &format!("checksum = \"{}\"", "G".repeat(64))] {
        let text = package("ant", &format!("source = \"CRATES_IO\"\n{checksum}"));
        assert!(matches!(screened(&text), Err(LockError::NoChecksum { .. })), "{checksum:?}");
    }
}

#[test]
fn a_lock_for_another_crate_is_refused() {
    let (name, version) = ("x".parse().unwrap(), "1.0.0".parse().unwrap());
    let no_root = screen(b"version = 4\n", &name, &version).unwrap_err();
    assert!(matches!(no_root, LockError::NoRoot { .. }));
    let other = ROOT.replace("1.0.0", "1.0.1");
    assert!(matches!(screen(other.as_bytes(), &name, &version), Err(LockError::Foreign { .. })));
}

#[test]
fn what_is_no_lock_is_malformed_and_what_is_too_large_is_not_read() {
    let (name, version) = ("x".parse().unwrap(), "1.0.0".parse().unwrap());
    for bytes in [&b"\xff"[..], b"not = = toml", b"package = 1", b"[[package]]\nname = 1"] {
        assert!(matches!(screen(bytes, &name, &version), Err(LockError::Malformed(_))));
    }
    assert_eq!(screen(&vec![b'#'; LOCK_BYTES_MAX + 1], &name, &version), Err(LockError::TooLarge(LOCK_BYTES_MAX + 1)));
}

#[test]
fn a_lock_changed_on_disk_is_no_longer_the_pinned_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Cargo.lock");
    std::fs::write(&path, ROOT).unwrap();
    assert!(is_pinned(&path, &Digest::of(ROOT.as_bytes())).unwrap());
    std::fs::write(&path, format!("{ROOT}\n")).unwrap();
    assert!(!is_pinned(&path, &Digest::of(ROOT.as_bytes())).unwrap());
    assert!(is_pinned(&dir.path().join("absent"), &Digest::of(b"")).is_err());
}
