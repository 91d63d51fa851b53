//! A sandbox whose builds are written down beforehand, for tests of what is around builds.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::{BuildRequest, Environment, Toolchain};
use synchronicity_verify::result::BuildResult;

use crate::folder;
use crate::make::{Expected, Halt, broken, make};
use crate::order::Report;
use crate::retry::{self, Tried};
use crate::running::{self, BuildEvent, Running};
use crate::sandbox::{Finished, Identity, Job, Sandbox, SandboxError, Watch};

/// What a bench with scripted builds says about itself, and what each build comes to.
#[derive(Debug, Clone)]
pub struct Script {
    /// The toolchain that requests must pin.
    pub toolchain: Toolchain,
    /// The environment that requests must pin.
    pub environment: Environment,
    /// Builds by package URL; one that is not listed is broken.
    pub builds: BTreeMap<String, ScriptedBuild>,
}

/// One build.
#[derive(Debug, Clone)]
pub struct ScriptedBuild {
    /// How long it takes.
    pub takes: Duration,
    /// What it prints.
    pub prints: Vec<String>,
    /// The files that it leaves: names and contents. These names are also the expected ones.
    pub leaves: BTreeMap<String, Vec<u8>>,
    /// How it ends.
    pub ends: Finished,
    /// How its first try ends, if otherwise.
    pub first_ends: Option<Finished>,
}

impl Script {
    /// A script without builds, with a toolchain and an environment that no machine has.
    pub fn new() -> Self {
        let toolchain =
            Toolchain { release: "1.95.0".into(), commit: "0".repeat(40), host: "x86_64-unknown-linux-gnu".into() };
        let environment = Environment::Host { fingerprint: Digest::of(b"a scripted host") };
        Self { toolchain, environment, builds: BTreeMap::new() }
    }

    /// Adds a build that succeeds and leaves one file with this content.
    pub fn with(mut self, purl: &str, name: &str, content: &[u8]) -> Self {
        let leaves = BTreeMap::from([(name.to_owned(), content.to_vec())]);
        let prints = vec![format!("   Compiling {name} v1.0.0")];
        let build =
            ScriptedBuild { takes: Duration::ZERO, prints, leaves, ends: Finished::Succeeded, first_ends: None };
        self.builds.insert(purl.to_owned(), build);
        self
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox for ScriptedBuild {
    fn build(&self, job: &Job, watch: &mut Watch<'_>) -> Result<Finished, SandboxError> {
        for line in &self.prints {
            if let ControlFlow::Break(failure) = watch(line) {
                return Ok(Finished::Stopped(failure));
            }
        }
        thread::sleep(self.takes);
        let folder = job.target.join("release");
        fs::create_dir_all(&folder).map_err(SandboxError::file("create", &folder))?;
        for (name, content) in &self.leaves {
            let path = folder.join(name);
            fs::write(&path, content).map_err(SandboxError::file("write", &path))?;
        }
        Ok(self.ends)
    }
}

/// Plays the build of `request` on a thread, in the build folder `folder`.
pub(crate) fn play(script: Arc<Script>, request: &BuildRequest, folder: PathBuf) -> Running {
    let (purl, limits) = (request.source.purl(), request.limits);
    Running::on_thread(move |send| {
        let mut tell = |report: Report| {
            let event = running::event(report, &folder).unwrap_or_else(BuildEvent::Broken);
            // The one who asked may have lost interest.
            let _ = send.send(event);
        };
        let Some(build) = script.builds.get(&purl) else {
            return tell(Report::Broken { reason: format!("the script has no build of {purl}") });
        };
        tell(Report::Fetching);
        let none = PathBuf::new;
        let job = Job {
            source: none(),
            cargo_home: none(),
            rustup_home: none(),
            scratch: none(),
            target: folder.join("target"),
            command: Vec::new(),
            env: Default::default(),
            limits,
            identity: Identity::default(),
        };
        let expected = Expected { folder: &["release"], names: build.leaves.keys().cloned().collect() };
        let mut ends = [build.first_ends.unwrap_or(build.ends), build.ends].into_iter();
        let attempt = || {
            let ends = ends.next().unwrap_or(build.ends);
            make(&ScriptedBuild { ends, ..build.clone() }, &job, &expected, &folder, &mut tell)
        };
        // Not told while it goes on: the scripts of tests end in a moment.
        let Tried { result, first } = retry::at_most_twice(attempt, || true, |_| {});
        let result = folder::wipe(&job.target).map_err(broken).and(result);
        tell(match result {
            Ok(result) => Report::Finished { result: result.to_bytes(), first },
            Err(Halt::Failed(failure, _) | Halt::Chance(failure, _)) => {
                Report::Finished { result: BuildResult::Failed(failure).to_bytes(), first }
            }
            Err(Halt::Broken(reason)) => Report::Broken { reason },
        });
    })
}
