//! Crates that cannot be built, each for a reason of its own: both sandboxes give it the same name. What uses up a limit is
//! among the hostile crates.

use std::fs;

use libtest_mimic::Failed;
use synchronicity_rebuild::bench::SandboxChoice;
use synchronicity_rebuild::fixture::Fixture;
use synchronicity_rebuild::recipe::Pinned;
use synchronicity_rebuild::running::{BuildEvent, Outcome};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{Lock, LockGrade, Products};
use synchronicity_verify::result::{BuildResult, Failure};

use crate::builds::{Workshop, fixture};

const UNBUILDABLE: [(&str, Failure); 8] = [
    ("does-not-compile", Failure::Compile),
    ("needs-a-header", Failure::SystemPackage),
    ("needs-a-linked-library", Failure::SystemPackage),
    ("needs-a-program", Failure::SystemPackage),
    ("needs-a-system-library", Failure::SystemPackage),
    ("needs-git", Failure::Git),
    ("needs-network", Failure::Network),
    ("needs-newer-rust", Failure::RustVersion),
];

pub(crate) fn named(choice: SandboxChoice) -> Result<(), Failed> {
    let workshop = Workshop::open(choice)?;
    let any = workshop.pin(&fixture("plain-binary"), |_| {})?;
    for (name, failure) in UNBUILDABLE {
        let outcome = built(&workshop, &submitted(&any, name)?)?;
        let said = fs::read_to_string(&outcome.transcript)?;
        assert_eq!(outcome.result, BuildResult::Failed(failure), "{name}: {said}");
        assert!(said.contains(&format!("[{failure}: ")), "{name}: {said}");
        assert_eq!(outcome.retried, None, "{name} is not tried again: it is no chance");
    }
    let mut library = workshop.pin(&fixture("library-without-lock"), |_| {})?;
    assert_eq!(library.request.products, Products::Library);
    library.request.products = Products::Binaries;
    let outcome = built(&workshop, &library)?;
    assert_eq!(outcome.result, BuildResult::Failed(Failure::NoTargets));
    Ok(())
}

/// A request that nobody looked at before it was submitted: pinning refuses some of these crates.
fn submitted(any: &Pinned, name: &str) -> Result<Pinned, Failed> {
    let folder = fixture(name);
    let lock = fs::read(format!("{folder}/Cargo.lock"))?;
    let mut request = any.request.clone();
    request.source = Fixture::in_folder(folder.as_ref())?.source();
    request.lock = Lock { grade: LockGrade::Published, sha256: Digest::of(&lock) };
    Ok(Pinned { request, lock, ..any.clone() })
}

/// Some of them end before anything is compiled.
fn built(workshop: &Workshop, pinned: &Pinned) -> Result<Outcome, Failed> {
    let running = workshop.bench.start(&pinned.request, &pinned.lock)?;
    match std::iter::from_fn(|| running.recv()).last() {
        Some(BuildEvent::Finished(outcome)) => Ok(outcome),
        other => Err(format!("no result: {other:?}").into()),
    }
}
