//! Packages of the system that a group agreed on: a build without them is not begun.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use libtest_mimic::Failed;
use synchronicity_rebuild::bench::{SandboxChoice, Terms};
use synchronicity_rebuild::running::BuildEvent;

use crate::builds::{Workshop, fixture};

pub(crate) fn needed(choice: SandboxChoice) -> Result<(), Failed> {
    let workshop = Workshop::open(choice)?;
    let pinned = workshop.pin(&fixture("plain-binary"), |_| {})?;
    let packages = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let last = |names: &[&str]| {
        let terms = Terms { packages: packages(names), ..Terms::default() };
        let running = workshop.bench.start_on(&pinned.request, &pinned.lock, terms)?;
        std::iter::from_fn(|| running.recv()).last().ok_or_else(|| Failed::from("no event"))
    };
    match last(&["libc6-dev", "synchronicity-no-such-package"])? {
        // Trouble of this machine: a failure would be a result, and one of the crate.
        BuildEvent::Broken(reason) => {
            assert!(reason.contains("lacks what the group agreed on"), "{reason}");
            assert!(reason.contains("synchronicity-no-such-package") && !reason.contains("libc6-dev"), "{reason}");
        }
        other => return Err(format!("begun without its packages: {other:?}").into()),
    }
    assert!(matches!(last(&["libc6-dev"])?, BuildEvent::Finished(outcome) if outcome.result.artifacts().is_some()));
    assert_eq!(workshop.bench.lacks(&packages(&["libc6-dev", "no-such-one"])).unwrap(), ["no-such-one"]);
    Ok(())
}
