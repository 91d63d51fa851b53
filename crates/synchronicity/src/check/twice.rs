//! Two builds of one crate, the second under other circumstances, and what came of them: the heart of `check` and of
//! `survey`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use miette::Diagnostic;
use synchronicity_explain::explanation::Explanation;
use synchronicity_explain::{ExplainError, Limits, explain};
use synchronicity_rebuild::bench::Trial;
use synchronicity_rebuild::conditions::{Conditions, Measured, clock_library};
use synchronicity_rebuild::recipe::Pinned;
use synchronicity_verify::request::Products;
use synchronicity_verify::result::{Artifacts, BuildResult, Failure};

use super::facts;
use super::varied::{self, Circumstance};
use crate::exit::{self, Stop};
use crate::workshop::{Workshop, WorkshopError, copy};

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error(transparent)]
struct Unexplained(ExplainError);

/// How two builds ended.
pub(crate) enum Ended {
    /// Both have artifacts.
    Built(Box<Pair>),
    /// The first has artifacts; under the other circumstances the crate does not build.
    OnlyOnce { failure: Failure, transcript: PathBuf },
    /// It does not build, or the second build met a limit.
    Fails { failure: Failure, transcript: PathBuf },
}

/// Two builds with artifacts.
pub(crate) struct Pair {
    pub(crate) first: Build,
    pub(crate) second: Build,
    /// Why they differ; none where they have the same bytes.
    pub(crate) explanation: Option<Explanation>,
    /// What really was different around them.
    pub(crate) varied: Vec<Circumstance>,
}

/// One of the two builds.
pub(crate) struct Build {
    pub(super) conditions: Conditions,
    pub(super) measured: Measured,
    pub(crate) took: Duration,
    pub(crate) artifacts: Artifacts,
    /// Where its artifacts are.
    pub(crate) folder: PathBuf,
    pub(crate) transcript: PathBuf,
}

/// Clocks are read in seconds by many crates, so the builds must not begin in the same one.
const APART: Duration = Duration::from_millis(1100);

pub(crate) fn name(pinned: &Pinned) -> String {
    format!("{} {}", pinned.request.source.name(), pinned.request.source.version())
}

/// The same request in the form that can be built in another folder.
pub(crate) fn for_a_trial(mut pinned: Pinned) -> Pinned {
    // The crate's own folder can be put elsewhere for a build; Cargo's home, from which it installs, cannot.
    if pinned.request.products == Products::Installed {
        pinned.request.products = Products::Binaries;
    }
    pinned
}

/// Builds twice, compares, explains. Artifacts and transcripts are put in `folder`. `archive` is where a folder of one's
/// own is packed.
pub(crate) fn build(
    workshop: &Workshop,
    pinned: &Pinned,
    archive: &Option<PathBuf>,
    folder: &Path,
) -> Result<Ended, Stop> {
    let package = format!("{}-{}", pinned.request.source.name(), pinned.request.source.version());
    // Only the host's own libraries are shown in the embedded sandbox.
    let clock = (workshop.bench.name() == "embedded").then(clock_library).flatten();
    let since = Instant::now();
    let first = match one(workshop, pinned, archive, Conditions::of_the_recipe(), folder, "first")? {
        Ok(build) => build,
        Err((failure, transcript)) => return Ok(Ended::Fails { failure, transcript }),
    };
    std::thread::sleep(APART.saturating_sub(since.elapsed()));
    let mut varied = Conditions::varied(&package, &dice(), clock);
    let mut second = one(workshop, pinned, archive, varied.clone(), folder, "second")?;
    // Not every program of a build bears the library that sets the clock ahead.
    if matches!(second, Err((failure, _)) if !is_limit(failure)) && varied.clock.take().is_some() {
        second = one(workshop, pinned, archive, varied, folder, "second")?;
    }
    let second = match second {
        Ok(build) => build,
        // One job on one processor takes longer, and the copy of the source takes memory: that is no difference.
        Err((failure, transcript)) if is_limit(failure) => return Ok(Ended::Fails { failure, transcript }),
        Err((failure, transcript)) => return Ok(Ended::OnlyOnce { failure, transcript }),
    };
    let explanation = if first.artifacts == second.artifacts {
        None
    } else {
        let facts = facts::of(workshop, pinned, archive.as_deref(), &first, &second)?;
        let explanation = explain(&first.folder, &second.folder, &facts, &Limits::default());
        Some(explanation.map_err(|error| Stop::new(exit::INTERNAL, Unexplained(error)))?)
    };
    let varied = varied::list(&first.measured, &second.measured);
    Ok(Ended::Built(Box::new(Pair { first, second, explanation, varied })))
}

/// One build, or the crate's failure and where its transcript is.
fn one(
    workshop: &Workshop,
    pinned: &Pinned,
    archive: &Option<PathBuf>,
    conditions: Conditions,
    folder: &Path,
    which: &str,
) -> Result<Result<Build, (Failure, PathBuf)>, Stop> {
    let since = Instant::now();
    let trial = Trial { conditions: conditions.clone(), archive: archive.clone() };
    let outcome = workshop.build(pinned, Some(trial), &format!(", the {which} of two,"))?;
    let took = since.elapsed();
    // The next build takes the same place on the bench.
    let transcript = folder.join(format!("{which}-transcript.txt"));
    fs::copy(&outcome.transcript, &transcript).map_err(WorkshopError::file(&transcript))?;
    let printed = fs::read(&transcript).map_err(WorkshopError::file(&transcript))?;
    let measured = Measured::from_transcript(&String::from_utf8_lossy(&printed));
    match outcome.result {
        BuildResult::Built(artifacts) => {
            let folder = folder.join(which);
            copy(&artifacts, outcome.artifacts_dir.as_deref().unwrap_or(Path::new(".")), &folder)?;
            Ok(Ok(Build { conditions, measured, took, artifacts, folder, transcript }))
        }
        BuildResult::Failed(failure) => Ok(Err((failure, transcript))),
    }
}

fn is_limit(failure: Failure) -> bool {
    use Failure::{Disk, Memory, Processes, Time, Transcript};
    matches!(failure, Time | Memory | Disk | Processes | Transcript)
}

/// Eight hexadecimal digits that no other run has.
fn dice() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:08x}", RandomState::new().hash_one("check") as u32)
}
