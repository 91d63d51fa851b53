//! What a registry may serve in place of a crate, and the name by which each of it is refused before a line of it runs.

use super::*;
use crate::skeleton::Skeleton;
use crate::unpack::tests::{Raw, file, gz, other, tar_of};
use crate::unpack::{self, Bounds};

const MANIFEST: &[u8] = b"[package]\nname = \"demo\"\nversion = \"1.0.0\"\n";
/// Enough for a manifest of 10 MB, which is refused for its size and not for the archive's.
const BOUNDS: Bounds = Bounds { entries: 100, bytes: 16 << 20 };

/// A registry whose index has the digest of `listed`, and which answers with `served`.
fn serving(listed: &[u8], served: Answer) -> (Registry, tempfile::TempDir) {
    let line = line("demo", "1.0.0", "").replace(&Digest::of(ARCHIVE).to_string(), &Digest::of(listed).to_string());
    registry(vec![("/de/mo/demo", index(&[line])), ("/dl/demo/1.0.0", served)])
}

/// All that a builder does with an archive before it asks Cargo anything; the refusal, and what is left of the archive.
fn refusal(listed: &[u8], served: Answer) -> (String, usize) {
    let (registry, cache) = serving(listed, served);
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("source");
    let taken = || -> Result<(), Box<dyn std::error::Error>> {
        let release = resolve(&registry, "demo", None)?;
        let archive = registry.archive(&release)?;
        unpack::crate_archive(&archive, "demo-1.0.0", &source, BOUNDS)?;
        Skeleton::of(&source)?;
        Ok(())
    };
    let error = taken().expect_err("a good crate cannot be told from this one").to_string();
    let kept = std::fs::read_dir(cache.path()).unwrap().count();
    let unpacked = std::fs::read_dir(place.path()).unwrap().count();
    (error, kept + unpacked)
}

fn crafted(entry: Raw<'_>) -> Vec<u8> {
    gz(&tar_of(&[file("demo-1.0.0/Cargo.toml", MANIFEST), entry]))
}

#[test]
fn a_good_archive_of_the_same_make_is_taken() {
    let good = crafted(file("demo-1.0.0/src/main.rs", b"fn main() {}"));
    let (registry, _cache) = serving(&good, Answer::Whole(good.clone()));
    let archive = registry.archive(&resolve(&registry, "demo", None).unwrap()).unwrap();
    let place = tempfile::tempdir().unwrap();
    unpack::crate_archive(&archive, "demo-1.0.0", &place.path().join("source"), BOUNDS).unwrap();
    Skeleton::of(&place.path().join("source")).unwrap();
}

#[test]
fn what_does_not_arrive_as_it_is_listed_is_refused_and_not_kept() {
    let good = crafted(file("demo-1.0.0/src/main.rs", b"fn main() {}"));
    let cases = [
        ("a wrong checksum", Answer::Whole(b"tampered".into()), "it was changed or damaged on its way"),
        ("a shorter file", Answer::Whole(good[..good.len() / 2].into()), "it was changed or damaged on its way"),
        ("an answer that breaks off", Answer::CutOff(good.len()), "the answer broke off"),
    ];
    for (what, served, refused) in cases {
        let (error, left) = refusal(&good, served);
        assert!(error.contains(refused), "{what}: {error}");
        assert_eq!(left, 0, "{what} left something behind");
    }
}

#[test]
fn what_is_listed_and_yet_no_crate_is_refused_by_its_own_name() {
    let zeros = vec![0; 32 << 20];
    let large = [MANIFEST, b"# ", &vec![b'x'; 10_000_000][..]].concat();
    let good = crafted(file("demo-1.0.0/src/main.rs", b"fn main() {}"));
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("a truncated file", good[..good.len() / 2].into(), "the archive cannot be read"),
        ("no archive", b"not gzip".into(), "the archive cannot be read"),
        ("a bomb", crafted(file("demo-1.0.0/bomb", &zeros)), "unpacks to more than the permitted number of bytes"),
        ("a way up", crafted(file("demo-1.0.0/../../up", b"")), "is not a plain relative path"),
        ("an absolute name", crafted(file("/etc/cron.d/demo", b"")), "is not a plain relative path"),
        ("another crate's folder", crafted(file("serde-1.0.0/x", b"")), "lies outside the crate's own folder"),
        ("a link", crafted(other("demo-1.0.0/link", b'2', "/etc/passwd")), "is neither a file nor a folder"),
        ("a hard link", crafted(other("demo-1.0.0/link", b'1', "/etc/passwd")), "is neither a file nor a folder"),
        ("a device", crafted(other("demo-1.0.0/device", b'4', "")), "is neither a file nor a folder"),
        (
            "a manifest of 10 MB",
            gz(&tar_of(&[file("demo-1.0.0/Cargo.toml", &large)])),
            "the crate's Cargo.toml cannot be read: it is larger than 1048576 bytes",
        ),
    ];
    for (what, archive, refused) in cases {
        let (error, left) = refusal(&archive, Answer::Whole(archive.clone()));
        assert!(error.contains(refused), "{what}: {error}");
        // The archive itself is what the index lists, and is kept for the next who asks; of an unpacked one the manifest.
        assert_eq!(left, if what.starts_with("a manifest") { 2 } else { 1 }, "{what}");
    }
}
