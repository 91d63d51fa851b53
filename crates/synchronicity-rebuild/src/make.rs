//! From a job to a result: run it in a sandbox, keep its transcript, diagnose its end, collect its products.

use std::ops::ControlFlow;
use std::path::Path;

use synchronicity_verify::result::{BuildResult, Failure};

use crate::artifacts::{self, CollectError};
use crate::diagnose::{Diagnosis, diagnose};
use crate::folder;
use crate::order::{Order, Report};
use crate::sandbox::{Finished, Job, Sandbox, SandboxError};
use crate::transcript::{Transcript, compiled_crate};

/// Cargo's folder for the products of the release profile.
const PROFILE_FOLDER: &str = "release";

/// Why a build has no artifacts.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A result that other builders can confirm, and what is said about it in the transcript.
    Failed(Failure, String),
    /// Trouble of this machine.
    Broken(String),
}

/// For `map_err` on whatever is trouble of this machine.
pub(crate) fn broken(error: impl std::fmt::Display) -> Halt {
    Halt::Broken(error.to_string())
}

/// Builds `job` and collects the products named `expected` into the artifacts folder of the build folder `folder`.
pub(crate) fn make(
    sandbox: &dyn Sandbox,
    job: &Job,
    expected: &[String],
    folder: &Path,
    report: &mut dyn FnMut(Report),
) -> Result<BuildResult, Halt> {
    report(Report::Building { compiled: String::new() });
    let path = Order::transcript(folder);
    let mut transcript = Transcript::create(&path, job.limits.transcript_bytes).map_err(broken)?;
    let mut watch = |line: &str| -> ControlFlow<Failure> {
        if let Some(compiled) = compiled_crate(line) {
            report(Report::Building { compiled: compiled.to_owned() });
        }
        transcript.line(line)
    };
    let finished = sandbox.build(job, &mut watch);
    let tail = transcript.finish().map_err(broken)?.tail;
    conclude(finished, &tail)?;
    let into = Order::artifacts(folder);
    folder::fresh(&into).map_err(broken)?;
    match artifacts::collect(&job.target, PROFILE_FOLDER, expected, &into, job.limits.disk_bytes) {
        Ok(artifacts) => Ok(BuildResult::Built(artifacts)),
        Err(error @ (CollectError::Missing(_) | CollectError::Unnameable(_))) => {
            Err(Halt::Failed(Failure::Products, error.to_string()))
        }
        Err(error @ CollectError::TooLarge(_)) => Err(Halt::Failed(Failure::Disk, error.to_string())),
        Err(error @ CollectError::Io(_)) => Err(broken(error)),
    }
}

fn conclude(finished: Result<Finished, SandboxError>, tail: &[String]) -> Result<(), Halt> {
    match finished.map_err(broken)? {
        Finished::Succeeded => Ok(()),
        Finished::Stopped(failure) => Err(Halt::Failed(failure, "the build was stopped at its limit".into())),
        Finished::Failed => match diagnose(tail) {
            Diagnosis::Crate(failure) => Err(Halt::Failed(failure, "the build command failed".into())),
            Diagnosis::Ours(line) => Err(Halt::Broken(format!("a dependency was not fetched: {line}"))),
        },
    }
}
