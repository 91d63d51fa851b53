//! Builds in Docker containers, through rustwide, as docs.rs and Crater do them.
//!
//! rustwide makes the container, mounts the folders, runs the command, notices memory kills, and removes the container.
//! It is not trusted with the source: its own preparation rewrites manifests, may resolve a lock anew and runs cargo
//! on the host over what a stranger wrote. So it prepares a stand-in, and the verified source takes the stand-in's
//! place before the build. [`crate::docker_shim`] adds the hardening that rustwide leaves out.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustwide::cmd::{CommandError, DockerRuntime, SandboxBuilder, SandboxImage};
use rustwide::{Crate, Toolchain, Workspace, WorkspaceBuilder};
use synchronicity_verify::result::Failure;

use crate::cgroup::Counters;
use crate::docker_shim::Labels;
use crate::ended::Reckoning;
use crate::folder;
use crate::guard::Guard;
use crate::image::{Docker, IMAGE};
use crate::sandbox::{BUILD_USER, Finished, Job, REGISTRY, Sandbox, SandboxError, Watch};
use crate::seed;

/// Sent along by rustwide's downloads, of which there are none.
const USER_AGENT: &str = "synchronicity";
/// A workspace of its own, lest Cargo look for one above: the bench may lie inside of somebody's project.
const STAND_IN_MANIFEST: &str =
    "[package]\nname = \"stand-in\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
const STAND_IN_LOCK: &str = "version = 4\n\n[[package]]\nname = \"stand-in\"\nversion = \"0.0.0\"\n";

/// Runs builds in containers of the sandbox image. Works only in a worker process, whose PATH has the stand-in.
pub(crate) struct DockerSandbox {
    pub(crate) docker: Docker,
    pub(crate) labels: Labels,
    /// Whether the container runs in gVisor.
    pub(crate) gvisor: bool,
}

/// `uid:gid` of builds: a number of nobody where this process is root, else its own.
pub(crate) fn build_user() -> String {
    match (nix::unistd::geteuid(), nix::unistd::getegid()) {
        (uid, _) if uid.is_root() => format!("{BUILD_USER}:{BUILD_USER}"),
        (uid, gid) => format!("{uid}:{gid}"),
    }
}

impl Sandbox for DockerSandbox {
    fn build(&self, job: &Job, watch: &mut Watch<'_>) -> Result<Finished, SandboxError> {
        if crate::docker_shim::Shim::from_environment().is_none() {
            return Err(SandboxError::Pin("a Docker build was started outside of a worker process".into()));
        }
        if nix::unistd::geteuid().is_root() {
            chown(&job.target, Some(BUILD_USER), Some(BUILD_USER))
                .map_err(SandboxError::file("change the owner of", &job.target))?;
        }
        let workspace = workspace(job)?;
        let meter = Meter::of(self);
        let (docker, name, sampled) = (self.docker.clone(), self.labels.container(), meter.clone());
        // Memory and processes are limited by the container; what is sampled is whether the build met those limits.
        let sample = move || sampled.counters()?.exceeded();
        let guard = Guard::start(&job.limits, &job.target, move || docker.remove(&name), sample);
        let ended = self.run(&workspace, job, &meter, &mut |line| {
            if let ControlFlow::Break(failure) = watch(line) {
                guard.trip(failure);
            }
        });
        let stopped = guard.finish();
        // Nothing of the build may run when its products are hashed, whatever became of the calls before.
        self.docker.remove_labelled(&self.labels.build_label()).map_err(SandboxError::Docker)?;
        match stopped {
            Some(failure) => Ok(Finished::Stopped(failure)),
            None => ended,
        }
    }
}

/// Finds what the kernel counts of a container, once it runs.
#[derive(Clone)]
struct Meter {
    docker: Docker,
    container: String,
    /// Nothing in it: the container has no counts that this machine can read.
    found: Arc<OnceLock<Option<Counters>>>,
}

impl Meter {
    fn of(sandbox: &DockerSandbox) -> Self {
        let found = Arc::new(OnceLock::new());
        if sandbox.gvisor {
            // All processes inside are one to this machine's kernel.
            let _ = found.set(None);
        }
        Self { docker: sandbox.docker.clone(), container: sandbox.labels.container(), found }
    }

    fn counters(&self) -> Option<&Counters> {
        if self.found.get().is_none() {
            let first = self.docker.first_process(&self.container)?;
            let _ = self.found.set(Counters::of(first).ok());
        }
        self.found.get()?.as_ref()
    }

    fn runs(&self) -> bool {
        self.docker.first_process(&self.container).is_some()
    }
}

/// A rustwide workspace of this build alone, whose homes are links to the job's folders: rustwide resolves links
/// before it mounts.
fn workspace(job: &Job) -> Result<Workspace, SandboxError> {
    let path = job.scratch.join("workspace");
    let place = || -> io::Result<()> {
        let build = path.join("builds").join(BUILD_FOLDER);
        fs::create_dir_all(&build)?;
        symlink(&job.target, build.join("target"))?;
        symlink(&job.cargo_home, path.join("cargo-home"))?;
        fs::create_dir_all(job.cargo_home.join(REGISTRY))?;
        symlink(&job.rustup_home, path.join("rustup-home"))?;
        fs::create_dir_all(stand_in(job).join("src"))?;
        fs::write(stand_in(job).join("Cargo.toml"), STAND_IN_MANIFEST)?;
        fs::write(stand_in(job).join("Cargo.lock"), STAND_IN_LOCK)?;
        fs::write(stand_in(job).join("src/lib.rs"), "")?;
        seed::place_stubs(&job.cargo_home, &the_toolchain(&job.rustup_home)?)
    };
    place().map_err(SandboxError::file("prepare", &path))?;
    let image = SandboxImage::local(IMAGE).map_err(|error| SandboxError::Docker(error.to_string()))?;
    WorkspaceBuilder::new(&path, USER_AGENT)
        .sandbox_image(image)
        .command_timeout(None)
        .fast_init(true)
        .init()
        .map_err(|error| SandboxError::Docker(format!("{error:#}")))
}

const BUILD_FOLDER: &str = "build";

fn stand_in(job: &Job) -> PathBuf {
    job.scratch.join("stand-in")
}

/// Any frozen toolchain serves for the stand-in, which is never compiled.
fn the_toolchain(rustup_home: &Path) -> io::Result<PathBuf> {
    let mut toolchains = fs::read_dir(rustup_home.join("toolchains"))?.flatten().map(|entry| entry.path());
    toolchains.find(|path| path.join("bin/cargo").exists()).ok_or(io::ErrorKind::NotFound.into())
}

impl DockerSandbox {
    fn run(
        &self,
        workspace: &Workspace,
        job: &Job,
        meter: &Meter,
        each: &mut dyn FnMut(&str),
    ) -> Result<Finished, SandboxError> {
        // More than the address space is no limit.
        let memory = usize::try_from(job.limits.memory_bytes).ok();
        let runtime = if self.gvisor { DockerRuntime::Runsc } else { DockerRuntime::Default };
        let sandbox = SandboxBuilder::new().enable_networking(false).memory_limit(memory).docker_runtime(runtime);
        let mut folder = workspace.build_dir(BUILD_FOLDER);
        let built = folder.build(&Toolchain::dist("stable"), &Crate::local(&stand_in(job)), sandbox).run(|build| {
            put_source(&job.source, &build.host_source_dir())?;
            let variables = job.env.iter().map(|(name, value)| format!("{name}={value}"));
            let reckoning = Reckoning::begin();
            let ended = build
                .cmd("/usr/bin/env")
                // After `--` no name of a variable can be an option.
                .args(["-i", "--"].map(str::to_owned).into_iter().chain(variables).chain(job.command.iter().cloned()))
                .process_lines(&mut |line, _| each(line))
                .log_output(false)
                .run();
            // While the container is there: what it counted, and whether it is.
            Ok(finish(ended.map(|_| ()), &reckoning, meter, each))
        });
        built.map_err(|error| SandboxError::Docker(format!("{error:#}")))?.into_inner()
    }
}

fn finish(
    ended: Result<(), CommandError>,
    reckoning: &Reckoning,
    meter: &Meter,
    each: &mut dyn FnMut(&str),
) -> Result<Finished, SandboxError> {
    let status = match ended {
        Ok(()) => 0,
        Err(CommandError::SandboxOOM) => return Ok(Finished::Stopped(Failure::Memory)),
        Err(CommandError::ExecutionFailed { status, .. }) => {
            status.code().ok_or_else(|| SandboxError::Docker("the docker program was killed".into()))?
        }
        Err(error) => return Err(SandboxError::Docker(error.to_string())),
    };
    // The build cannot end its container: somebody outside did, and what the command died of says nothing.
    if status != 0 && !meter.runs() {
        return Err(SandboxError::Docker("the container was ended from outside".into()));
    }
    reckoning.finish(status, meter.counters(), each).map_err(SandboxError::Docker)
}

/// Replaces what is in the mounted folder, but not the folder itself, which the container holds.
fn put_source(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { folder::wipe(&entry.path())? } else { fs::remove_file(entry.path())? }
    }
    folder::copy_source(from, to)
}
