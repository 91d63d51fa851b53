//! The real registry, with crates small enough to be fetched in every run.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use synchronicity_rebuild::host_cargo::HostCargo;
use synchronicity_rebuild::recipe::{Options, PinError, Pinned, pin};
use synchronicity_rebuild::release::ResolveError;
use synchronicity_rebuild::source::{Depot, SourceError};
use synchronicity_rebuild::vendor::VendorError;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{Environment, LockGrade, Products, Source};
use synchronicity_verify::result::Failure;

type Answer = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("registry::a_published_lock_is_pinned_as_it_is_and_twice_alike", published_lock),
        Trial::test("registry::a_fixture_without_a_lock_builds_offline_from_what_was_vendored", vendored_build),
        Trial::test("registry::a_vendored_file_that_was_altered_is_replaced", altered_dependency),
        Trial::test("registry::what_does_not_exist_is_named", unknown_names),
        Trial::test("registry::a_crate_for_a_newer_compiler_is_refused_with_its_release", newer_compiler),
        Trial::test("registry::a_request_with_a_false_checksum_or_lock_changes_nothing", false_requests),
        Trial::test("registry::a_lock_that_does_not_fit_is_a_named_failure", unfitting_lock),
        Trial::test("registry::a_published_lock_that_is_broken_is_resolved_anew_and_said_to_be", broken_lock),
        Trial::test("registry::a_fixture_that_depends_on_a_path_is_refused", path_dependency),
    ]
}

/// A depot in a folder of its own.
struct Bed {
    dir: tempfile::TempDir,
    cargo: HostCargo,
    depot: Depot,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let cargo = HostCargo::find().expect("these tests run under cargo, so there is a toolchain");
        let depot = Depot::open(&dir.path().join("depot"), cargo.clone()).expect("a depot");
        Self { dir, cargo, depot }
    }

    fn pin(&self, spec: &str) -> Result<Pinned, PinError> {
        let toolchain = self.cargo.toolchain().expect("rustc states its version");
        let environment = Environment::Host { fingerprint: Digest::of(b"of no importance here") };
        pin(&self.depot, &spec.parse().expect("a spec"), &toolchain, &environment, &Options::default())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).display().to_string()
}

fn published_lock() -> Answer {
    let bed = Bed::new();
    let pinned = bed.pin("hexyl@0.17.0")?;
    assert_eq!(pinned.request.lock.grade, LockGrade::Published);
    assert_eq!(pinned.request.lock.sha256, Digest::of(&pinned.lock));
    assert_eq!(pinned.request.products, Products::Installed);
    assert_eq!(pinned.request.source.purl(), "pkg:cargo/hexyl@0.17.0");
    assert_eq!(Bed::new().pin("hexyl@0.17.0")?, pinned, "another depot pins the same request");
    let source = bed.path("source");
    bed.depot.obtain(&pinned.request, &pinned.lock, &source)?;
    let names = bed.depot.manifest(&source)?.expected(&pinned.request.features, pinned.request.products)?;
    assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["hexyl"]);
    Ok(())
}

fn vendored_build() -> Answer {
    let bed = Bed::new();
    let pinned = bed.pin(&fixture("library-without-lock"))?;
    assert_eq!(pinned.request.lock.grade, LockGrade::Resolved);
    let (source, home) = (bed.path("source"), bed.path("home"));
    bed.depot.obtain(&pinned.request, &pinned.lock, &source)?;
    bed.depot.vendor(&pinned.request, &source, &home)?;
    let built = Command::new("cargo")
        .args(["build", "--release", "--locked", "--offline", "--lib", "--target-dir"])
        .arg(bed.path("target"))
        .current_dir(&source)
        .env("CARGO_HOME", &home)
        .env_remove("CARGO_TARGET_DIR")
        .output()?;
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert!(bed.path("target/release/liblibrary_without_lock.rlib").is_file());
    Ok(())
}

fn altered_dependency() -> Answer {
    let bed = Bed::new();
    let pinned = bed.pin(&fixture("library-without-lock"))?;
    let (source, home) = (bed.path("source"), bed.path("home"));
    bed.depot.obtain(&pinned.request, &pinned.lock, &source)?;
    bed.depot.vendor(&pinned.request, &source, &home)?;
    let unpacked = fs::read_dir(home.join("registry/src"))?.next().ok_or("a registry folder")??.path();
    let itoa = fs::read_dir(unpacked)?.next().ok_or("an unpacked dependency")??.path().join("src/lib.rs");
    let original = fs::read(&itoa)?;
    fs::write(&itoa, "// altered")?;
    bed.depot.vendor(&pinned.request, &source, &home)?;
    assert_eq!(fs::read(&itoa)?, original);
    Ok(())
}

fn unknown_names() -> Answer {
    let bed = Bed::new();
    let unknown = bed.pin("synchronicity-no-such-crate-anywhere").unwrap_err();
    assert!(matches!(unknown, PinError::Resolve(ResolveError::UnknownCrate { .. })), "{unknown}");
    let version = bed.pin("hexyl@0.17.99").unwrap_err();
    assert!(version.to_string().starts_with("hexyl has no version 0.17.99; near it: 0.17.0"), "{version}");
    let spelling = bed.pin("serde-derive").unwrap_err();
    assert!(spelling.to_string().ends_with("did you mean serde_derive?"), "{spelling}");
    Ok(())
}

fn newer_compiler() -> Answer {
    let bed = Bed::new();
    let error = bed.pin(&fixture("needs-newer-rust")).unwrap_err();
    assert!(error.to_string().starts_with("needs-newer-rust 0.1.0 needs rustc 1.999 or newer"), "{error}");
    Ok(())
}

fn false_requests() -> Answer {
    let bed = Bed::new();
    let good = bed.pin("hexyl@0.17.0")?;
    let source = bed.path("source");

    let mut request = good.request.clone();
    if let Source::Registry { checksum, .. } = &mut request.source {
        *checksum = Digest::of(b"something else");
    }
    let error = bed.depot.obtain(&request, &good.lock, &source).unwrap_err();
    assert_eq!(error.failure(), Some(Failure::Unsupported), "{error}");

    let other_lock = [&good.lock[..], b"# one comment more\n"].concat();
    let error = bed.depot.obtain(&good.request, &other_lock, &source).unwrap_err();
    assert!(matches!(error, SourceError::LockMismatch(_)), "{error}");

    let mut request = good.request.clone();
    request.lock.sha256 = Digest::of(&other_lock);
    for grade in [LockGrade::Published, LockGrade::Resolved] {
        request.lock.grade = grade;
        let error = bed.depot.obtain(&request, &other_lock, &source).unwrap_err();
        assert_eq!(error.failure(), Some(Failure::Lock), "{error}");
    }

    let left: Vec<_> =
        fs::read_dir(bed.dir.path())?.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>()?;
    assert_eq!(left, ["depot"], "a refused request leaves nothing behind");
    Ok(())
}

fn unfitting_lock() -> Answer {
    let bed = Bed::new();
    let mut pinned = bed.pin(&fixture("library-without-lock"))?;
    pinned.lock = b"version = 4\n\n[[package]]\nname = \"library-without-lock\"\nversion = \"0.1.0\"\n".to_vec();
    pinned.request.lock.sha256 = Digest::of(&pinned.lock);
    let (source, home) = (bed.path("source"), bed.path("home"));
    bed.depot.obtain(&pinned.request, &pinned.lock, &source)?;
    let error = bed.depot.vendor(&pinned.request, &source, &home).unwrap_err();
    assert!(matches!(error, SourceError::Vendor(VendorError::LockDoesNotFit { .. })), "{error}");
    assert_eq!(error.failure(), Some(Failure::Lock));
    Ok(())
}

fn broken_lock() -> Answer {
    let bed = Bed::new();
    let pinned = bed.pin(&fixture("has-a-broken-lock"))?;
    assert_eq!((pinned.request.lock.grade, pinned.request.products), (LockGrade::Replaced, Products::Binaries));
    assert!(String::from_utf8_lossy(&pinned.lock).contains("cfg-if"));
    let (source, home) = (bed.path("source"), bed.path("home"));
    bed.depot.obtain(&pinned.request, &pinned.lock, &source)?;
    bed.depot.vendor(&pinned.request, &source, &home)?;
    // Nobody may choose dependencies under a false grade.
    let good = bed.pin(&fixture("plain-binary"))?;
    for (honest, grade) in
        [(&pinned, LockGrade::Resolved), (&pinned, LockGrade::Published), (&good, LockGrade::Replaced)]
    {
        let mut claim = honest.clone();
        claim.request.lock.grade = grade;
        let error = bed.depot.obtain(&claim.request, &claim.lock, &bed.path("claimed")).unwrap_err();
        assert!(matches!(error, SourceError::LockMismatch(_)), "{grade:?}: {error}");
        assert_eq!(error.failure(), Some(Failure::Lock));
        assert!(!bed.path("claimed").exists());
    }
    Ok(())
}

fn path_dependency() -> Answer {
    let error = Bed::new().pin(&fixture("depends-on-path")).unwrap_err();
    assert!(error.to_string().starts_with("the dependency somewhere-else comes from a path"), "{error}");
    Ok(())
}
