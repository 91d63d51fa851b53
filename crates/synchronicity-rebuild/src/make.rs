//! From a job to a result: run it in a sandbox, keep its transcript, diagnose its end, collect its products.

use std::ops::ControlFlow;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use synchronicity_verify::result::{BuildResult, Failure};

use crate::artifacts::{self, CollectError};
use crate::diagnose::{Diagnosis, crashed, diagnose};
use crate::folder;
use crate::order::{Order, Report};
use crate::retry;
use crate::sandbox::{Finished, Job, Sandbox, SandboxError};
use crate::transcript::{Transcript, Written, compiled_crate};

/// With less free space than this, a build does not begin, and one that finds no space proves nothing.
pub(crate) const FREE_BYTES_MIN: u64 = 1 << 30;

/// Free space of the file system that `folder` is on, in bytes; all, if it cannot be read.
pub(crate) fn free_bytes(folder: &Path) -> u64 {
    statvfs(folder).map_or(u64::MAX, |stat| stat.blocks_available() * stat.fragment_size())
}

/// Why a build has no artifacts.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A result that other builders can confirm, and what is said about it in the transcript.
    Failed(Failure, String),
    /// The same, of a kind that chance can bring about: see [`crate::retry`].
    Chance(Failure, String),
    /// Trouble of this machine.
    Broken(String),
}

/// For `map_err` on whatever is trouble of this machine.
pub(crate) fn broken(error: impl std::fmt::Display) -> Halt {
    Halt::Broken(error.to_string())
}

/// What a build must leave behind, known before it starts.
pub(crate) struct Expected {
    /// The names that lead from the target folder to the one with the products.
    pub(crate) folder: &'static [&'static str],
    /// File names of the products.
    pub(crate) names: Vec<String>,
}

/// Builds `job` and collects the `expected` products into the artifacts folder of the build folder `folder`.
pub(crate) fn make(
    sandbox: &dyn Sandbox,
    job: &Job,
    expected: &Expected,
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
    let written = transcript.finish().map_err(broken)?;
    conclude(finished, &written, folder)?;
    let into = Order::artifacts(folder);
    folder::fresh(&into).map_err(broken)?;
    match artifacts::collect(&job.target, expected.folder, &expected.names, &into, job.limits.disk_bytes) {
        Ok(artifacts) => Ok(BuildResult::Built(artifacts)),
        Err(error @ (CollectError::Missing(_) | CollectError::Unnameable(_))) => {
            Err(Halt::Failed(Failure::Products, error.to_string()))
        }
        Err(error @ CollectError::TooLarge(_)) => Err(Halt::Failed(Failure::Disk, error.to_string())),
        Err(error @ CollectError::Io(_)) => Err(broken(error)),
    }
}

fn conclude(finished: Result<Finished, SandboxError>, written: &Written, folder: &Path) -> Result<(), Halt> {
    let halt = |failure, crashed, reason: &str| {
        let halt = if crashed || retry::may_be_chance(failure) { Halt::Chance } else { Halt::Failed };
        Err(halt(failure, reason.to_owned()))
    };
    match finished.map_err(broken)? {
        Finished::Succeeded => Ok(()),
        Finished::Stopped(failure) => halt(failure, false, "the build was stopped at its limit"),
        Finished::Failed => match diagnose(&written.tail, written.began) {
            // The build's own limit is watched from outside; what it ran into may be the end of this machine's disk.
            Diagnosis::Crate(Failure::Disk) if free_bytes(folder) < FREE_BYTES_MIN => {
                Err(Halt::Broken(format!("the disk with {} is full: make room", folder.display())))
            }
            Diagnosis::Crate(Failure::Compile) if crashed(&written.tail) => {
                halt(Failure::Compile, true, "a process of the build was ended by a signal")
            }
            Diagnosis::Crate(failure) => halt(failure, false, "the build command failed"),
            Diagnosis::Ours(line) => Err(Halt::Broken(format!("a dependency was not fetched: {line}"))),
        },
    }
}
