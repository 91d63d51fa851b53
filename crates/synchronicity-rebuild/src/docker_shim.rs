//! A stand-in for the `docker` program, first on the PATH of a build's worker, that hardens what rustwide asks for.
//!
//! rustwide runs `docker` by name and has no place for further flags. So the worker's PATH begins with a folder in
//! which `docker` is a link to this very executable. Called by that name it edits two commands and hands everything
//! on to the real program:
//!
//! - `create` gets the flags that take rights and resources away, and shows of the cargo home only its registry;
//! - `exec` runs as the user of builds instead of root, and what it prints becomes text in lines of bounded length,
//!   because rustwide reads lines of any length and gives up on bytes that are no UTF-8.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};
use synchronicity_verify::request::Limits;

use crate::lines::each_line;
use crate::sandbox::{INNER_CARGO_HOME, REGISTRY, files_max};

/// The name under which the executable becomes the stand-in.
const NAME: &str = "docker";
/// Carries the [`Shim`] as JSON from the worker's parent through rustwide to the stand-in.
const VARIABLE: &str = "SYNCHRONICITY_DOCKER_SHIM";
/// Share of the processor under contention, where 1024 is an ordinary container's: the engine goes first.
const CPU_SHARES: u32 = 256;
/// Period of the processor limit, in microseconds.
const CPU_PERIOD_US: u64 = 100_000;
/// Who the container's own two processes are: nobody either, and another nobody than the build, which must not be able
/// to end them. That the container still runs is then a sign of how a build ended.
const KEEPER: u32 = crate::sandbox::BUILD_USER - 1;

/// What the stand-in changes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shim {
    /// The real `docker`.
    docker: PathBuf,
    /// Flags for `create`.
    create: Vec<String>,
    /// `uid:gid` of the build.
    user: String,
}

/// The names under which a container can be found again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Labels {
    /// The bench that owns the container.
    pub(crate) owner: String,
    /// The build; also part of the container's name.
    pub(crate) build: String,
}

impl Labels {
    /// The label of all containers of a bench.
    pub(crate) fn owner_label(owner: &str) -> String {
        format!("synchronicity.owner={owner}")
    }

    /// The label of the one container of this build.
    pub(crate) fn build_label(&self) -> String {
        format!("synchronicity.build={}-{}", self.owner, self.build)
    }

    /// The container's name.
    pub(crate) fn container(&self) -> String {
        format!("synchronicity-{}-{}", self.owner, self.build)
    }
}

impl Shim {
    /// The flags for one build. `user` is the `uid:gid` it runs as.
    pub(crate) fn new(docker: &Path, labels: &Labels, user: &str, limits: &Limits) -> Self {
        let temporary_bytes = (limits.memory_bytes / 2).min(limits.disk_bytes);
        let create = vec![
            format!("--name={}", labels.container()),
            format!("--label={}", Labels::owner_label(&labels.owner)),
            format!("--label={}", labels.build_label()),
            format!("--user={KEEPER}:{KEEPER}"),
            format!("--hostname={}", crate::sandbox::INNER_HOSTNAME),
            "--cap-drop=ALL".into(),
            "--security-opt=no-new-privileges".into(),
            "--read-only".into(),
            format!(
                "--tmpfs=/tmp:rw,exec,nosuid,nodev,size={temporary_bytes},nr_inodes={}",
                files_max(temporary_bytes)
            ),
            "--ipc=none".into(),
            // Reaps what builds leave behind: a process table full of dead ones would count against the limit.
            "--init".into(),
            format!("--pids-limit={}", limits.processes),
            format!("--memory-swap={}", limits.memory_bytes),
            format!("--cpu-shares={CPU_SHARES}"),
            format!("--cpu-period={CPU_PERIOD_US}"),
            // Unlike `--cpus` this may be more than the machine has.
            format!("--cpu-quota={}", CPU_PERIOD_US.saturating_mul(u64::from(limits.jobs))),
            "--ulimit=core=0:0".into(),
            "--ulimit=nofile=4096:4096".into(),
            format!("--ulimit=fsize={0}:{0}", limits.disk_bytes),
            "--log-driver=none".into(),
        ];
        Self { docker: docker.to_owned(), create, user: user.into() }
    }

    /// Puts the stand-in into `folder` and tells `worker` to find and use it.
    pub(crate) fn install(&self, folder: &Path, program: &Path, worker: &mut Command) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let link = folder.join(NAME);
        match std::fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::os::unix::fs::symlink(program, &link)?,
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(folders).map_err(io::Error::other)?;
        worker.env("PATH", path).env(VARIABLE, serde_json::to_string(self)?);
        Ok(())
    }

    /// The stand-in's settings, if this process or its parent was told to use one.
    pub(crate) fn from_environment() -> Option<Self> {
        serde_json::from_str(&std::env::var(VARIABLE).ok()?).ok()
    }

    /// The command line for the real program.
    fn edit(&self, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = arguments.into_iter().collect();
        match arguments.first().and_then(|first| first.to_str()) {
            Some("create") => {
                arguments.iter_mut().for_each(show_registry_only);
                arguments.splice(1..1, self.create.iter().map(OsString::from));
            }
            Some("exec") => {
                // Options end at the first word that is none; the command after it is not ours to edit.
                let mut at = 1;
                while arguments.get(at).is_some_and(|word| word.to_string_lossy().starts_with('-')) {
                    if arguments[at] == "--user" && at + 1 < arguments.len() {
                        arguments[at + 1] = OsString::from(&self.user);
                    }
                    at += 2;
                }
            }
            _ => {}
        }
        arguments
    }
}

/// Changes the argument that mounts the cargo home, and no other.
fn show_registry_only(argument: &mut OsString) {
    let mount = format!(":{INNER_CARGO_HOME}:");
    if let Some((outside, options)) = argument.to_str().and_then(|text| text.split_once(&mount)) {
        *argument = format!("{outside}/{REGISTRY}:{INNER_CARGO_HOME}/{REGISTRY}:{options}").into();
    }
}

/// Acts as the stand-in if this process was started under its name; does not return then.
pub(crate) fn main() {
    let mut words = std::env::args_os();
    let called = words.next().is_some_and(|name| Path::new(&name).file_name() == Some(NAME.as_ref()));
    if !called {
        return;
    }
    let Some(shim) = Shim::from_environment() else { return };
    let arguments = shim.edit(words);
    let mut docker = Command::new(&shim.docker);
    let is_exec = arguments.first().is_some_and(|first| first == "exec");
    docker.args(arguments);
    if !is_exec {
        let error = docker.exec();
        eprintln!("{} cannot be run: {error}", shim.docker.display());
        std::process::exit(125);
    }
    // 125 is Docker's own status for trouble that is not the command's.
    let code = docker.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().and_then(relay);
    std::process::exit(code.unwrap_or(125));
}

/// Prints what `child` prints, as lines of text; its exit status when it ends.
fn relay(mut child: Child) -> io::Result<i32> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(|| stdout.map(|output| copy_lines(output, io::stdout())));
        scope.spawn(|| stderr.map(|output| copy_lines(output, io::stderr())));
    });
    Ok(child.wait()?.code().unwrap_or(125))
}

fn copy_lines(from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut result = Ok(());
    each_line(from, |line| {
        if result.is_ok() {
            result = writeln!(to, "{line}");
        }
    })?;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shim() -> Shim {
        let labels = Labels { owner: "abc".into(), build: "def".into() };
        let limits = Limits {
            memory_bytes: 1 << 30,
            time_seconds: 60,
            disk_bytes: 1 << 30,
            processes: 64,
            transcript_bytes: 1000,
            jobs: 1,
        };
        Shim::new(Path::new("/usr/bin/docker"), &labels, "59999:59999", &limits)
    }

    fn edited(line: &str) -> String {
        let words = shim().edit(line.split(' ').map(OsString::from));
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn create_gets_the_hardening_flags_before_its_own() {
        let line = edited("create -v /a:/b:ro,Z --network none image sleep infinity");
        assert!(line.starts_with("create --name=synchronicity-abc-def --label=synchronicity.owner=abc"), "{line}");
        for flag in ["--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only", "--pids-limit=64"] {
            assert!(line.contains(flag), "{flag} in {line}");
        }
        assert!(line.ends_with("-v /a:/b:ro,Z --network none image sleep infinity"));
    }

    #[test]
    fn of_the_cargo_home_only_the_registry_is_shown() {
        let line = edited("create -v /a/home:/opt/rustwide/cargo-home:ro,Z -v /b:/opt/rustwide/rustup-home:ro,Z image");
        let mounts =
            "-v /a/home/registry:/opt/rustwide/cargo-home/registry:ro,Z -v /b:/opt/rustwide/rustup-home:ro,Z image";
        assert!(line.ends_with(mounts), "{line}");
    }

    #[test]
    fn exec_runs_as_the_user_of_builds_and_its_command_is_left_alone() {
        assert_eq!(
            edited("exec -e A=--user -w /opt --user 0:0 id cmd --user 0:0"),
            "exec -e A=--user -w /opt --user 59999:59999 id cmd --user 0:0"
        );
    }

    #[test]
    fn every_other_command_is_left_alone() {
        assert_eq!(edited("rm -f --user 0:0"), "rm -f --user 0:0");
        assert_eq!(edited("inspect create"), "inspect create");
    }
}
