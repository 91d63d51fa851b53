//! Builds on one bench at the same time: none has an effect on what another leaves.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::thread;
use std::time::Instant;

use libtest_mimic::Failed;
use synchronicity_rebuild::bench::SandboxChoice;
use synchronicity_rebuild::recipe::Pinned;
use synchronicity_rebuild::running::{BuildEvent, Outcome, Running};

use crate::builds::{Workshop, fixture, names};

pub(crate) fn same(choice: SandboxChoice) -> Result<(), Failed> {
    let workshop = Workshop::open(choice)?;
    // One crate twice: two requests by their limits, and so two builds that share all of their dependencies.
    let all = [
        workshop.pin("diffr@0.1.5", |_| {})?,
        workshop.pin("diffr@0.1.5", |options| options.limits.memory_bytes -= 1 << 20)?,
        workshop.pin(&fixture("plain-binary"), |_| {})?,
        workshop.pin(&fixture("library-without-lock"), |_| {})?,
    ];
    let running: Vec<_> =
        all.iter().map(|pinned| workshop.bench.start(&pinned.request, &pinned.lock)).collect::<Result<_, _>>()?;
    let at_once: Vec<_> = thread::scope(|scope| {
        let following: Vec<_> = running.iter().map(|running| scope.spawn(|| follow(running))).collect();
        following.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (first, second) = (at_once[0].as_ref()?, at_once[1].as_ref()?);
    assert!(first.begun < second.ended && second.begun < first.ended, "they did not run at the same time");
    assert_eq!(first.outcome.result, second.outcome.result);
    // Another bench, and one after the other.
    let alone = Workshop::open(choice)?;
    for (Pinned { request, lock, .. }, together) in all.iter().zip(&at_once) {
        let outcome = follow(&alone.bench.start(request, lock)?)?.outcome;
        assert!(outcome.result.artifacts().is_some(), "{}", request.source.purl());
        assert_eq!(
            outcome.result,
            together.as_ref()?.outcome.result,
            "{}: {:?}",
            request.source.purl(),
            names(&outcome)
        );
    }
    Ok(())
}

/// A build, and when its sandbox began and ended.
struct Built {
    outcome: Outcome,
    begun: Instant,
    ended: Instant,
}

fn follow(running: &Running) -> Result<Built, String> {
    let mut begun = None;
    while let Some(event) = running.recv() {
        match event {
            BuildEvent::Building { .. } => {
                begun.get_or_insert_with(Instant::now);
            }
            BuildEvent::Finished(outcome) => {
                let begun = begun.ok_or("it ended before it began")?;
                return Ok(Built { outcome, begun, ended: Instant::now() });
            }
            BuildEvent::Broken(reason) => return Err(reason),
            BuildEvent::Fetching | BuildEvent::Arriving { .. } | BuildEvent::Retrying { .. } => {}
        }
    }
    Err("no result".to_owned())
}
