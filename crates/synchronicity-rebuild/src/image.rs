//! The image in which Docker builds run, and the Docker program itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use synchronicity_verify::digest::Digest;

use crate::containment::{Wall, Walls};

/// The image that `scripts/sandbox-image.sh` makes. The number is that of the script's recipe.
pub const IMAGE: &str = "synchronicity-sandbox:1";

/// The name of gVisor among the daemon's runtimes.
pub(crate) const RUNSC: &str = "runsc";

/// How long a daemon may take for one answer. The slowest is the removal of a large container on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How long a container may still appear that a killed program had asked for.
const LATECOMERS: Duration = Duration::from_secs(2);

/// Builds the image from Debian packages; needs root and Debian, and says on standard error what it does.
const SCRIPT: &str = include_str!("../../../scripts/sandbox-image.sh");

/// The sandbox image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// No program.
    #[error("there is no docker program on PATH: run scripts/docker-up.sh as root, or use the embedded sandbox")]
    NoProgram,
    /// No daemon.
    #[error("no Docker daemon answers ({0}): run scripts/docker-up.sh as root, or use the embedded sandbox")]
    NoDaemon(String),
    /// A daemon for others.
    #[error(
        "this user may not talk to Docker: root can add it to the group docker; the embedded sandbox needs no Docker"
    )]
    NoAccess,
    /// No image.
    #[error("Docker has no image {IMAGE}: run scripts/sandbox-image.sh, or use the embedded sandbox")]
    NoImage,
    /// No gVisor.
    #[error(
        "this Docker daemon has no runtime {RUNSC}: install gVisor and name it in the daemon's configuration, or choose the sandbox docker"
    )]
    NoGvisor,
    /// An image of another origin under our name.
    #[error("the image {IMAGE} has {0} layers where one is expected: run scripts/sandbox-image.sh --force")]
    Layers(usize),
}

/// A Docker daemon that answers, by way of its program.
#[derive(Debug, Clone)]
pub struct Docker {
    program: PathBuf,
}

impl Docker {
    /// The program on this process's PATH; asks the daemon whether it is there.
    pub fn find() -> Result<Self, ImageError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program =
            std::env::split_paths(&path).map(|folder| folder.join("docker")).find(|program| program.is_file());
        let docker = Self { program: program.ok_or(ImageError::NoProgram)? };
        match docker.run(&["version", "--format", "{{.Server.Version}}"]) {
            Ok(_) => Ok(docker),
            Err(reason) if reason.contains("permission denied") => Err(ImageError::NoAccess),
            Err(reason) => Err(ImageError::NoDaemon(reason)),
        }
    }

    /// For a process that was told where the program is.
    pub(crate) fn at(program: PathBuf) -> Self {
        Self { program }
    }

    /// The real program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The diff id of the sandbox image's single layer: what a request pins. The image's own id also covers the
    /// moment of its import and differs between machines.
    pub fn layer(&self) -> Result<Digest, ImageError> {
        let format = "{{range .RootFS.Layers}}{{println .}}{{end}}";
        let printed = self.run(&["image", "inspect", "--format", format, IMAGE]).map_err(|_| ImageError::NoImage)?;
        let layers: Vec<&str> = printed.split_whitespace().collect();
        match layers[..] {
            [layer] => {
                let digest = layer.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
                digest.ok_or(ImageError::NoImage)
            }
            _ => Err(ImageError::Layers(layers.len())),
        }
    }

    /// The layer of the image, which is built first if it is missing and can be built here. `lock` is a file by which
    /// several programs of one owner build it only once.
    ///
    /// An image that is built has `packages` beside its own; one that is there is taken as it is.
    pub(crate) fn layer_or_build(&self, lock: &Path, packages: &[String]) -> Result<Digest, ImageError> {
        match self.layer() {
            Err(ImageError::NoImage) => {}
            known => return known,
        }
        if let Ok(guard) = File::create(lock)
            && guard.lock().is_ok()
            && self.layer().is_err()
        {
            // If it fails, the image is still missing, which is what the caller is told.
            let mut script = Command::new("sh");
            script.args(["-c", SCRIPT]);
            if !packages.is_empty() {
                script.args(["sandbox-image", "--with", &packages.join(",")]);
            }
            let _ = script.stdin(Stdio::null()).stdout(Stdio::null()).status();
        }
        self.layer()
    }

    /// The number of a running container's first process, as this machine counts; none if it does not run.
    pub(crate) fn first_process(&self, container: &str) -> Option<u32> {
        let printed = self.run(&["inspect", "--format", "{{.State.Pid}}", container]).ok()?;
        printed.trim().parse().ok().filter(|number| *number != 0)
    }

    /// The walls that containers of this daemon have; with `gvisor`, those that run in gVisor.
    pub(crate) fn walls(&self, gvisor: bool) -> Result<Walls, ImageError> {
        let format = "{{.MemoryLimit}} {{.PidsLimit}} {{json .SecurityOptions}} {{json .Runtimes}}";
        let said = self.run(&["info", "--format", format]).map_err(ImageError::NoDaemon)?;
        walls(&said, gvisor)
    }

    /// Removes every container with this label, running or not, and waits until they are gone.
    pub(crate) fn remove_labelled(&self, label: &str) -> Result<(), String> {
        let filter = format!("label={label}");
        for _ in 0..3 {
            let printed = self.run(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter])?;
            let containers: Vec<&str> = printed.split_whitespace().collect();
            if containers.is_empty() {
                return Ok(());
            }
            let mut arguments = vec!["rm", "--force", "--volumes"];
            arguments.extend(&containers);
            // One that somebody else removes at this moment is an error here and gone in the next round.
            let _ = self.run(&arguments);
        }
        Err(format!("containers with the label {label} cannot be removed"))
    }

    /// The same after the program that made containers with this label was killed: what it had asked for may come into
    /// being only now, so this looks until there has been none for a while.
    pub(crate) fn sweep(&self, label: &str) -> Result<(), String> {
        let since = Instant::now();
        while since.elapsed() < LATECOMERS {
            self.remove_labelled(label)?;
            thread::sleep(LATECOMERS / 8);
        }
        self.remove_labelled(label)
    }

    /// What a program of the sandbox image prints, without network and rights.
    pub(crate) fn inside(&self, command: &[&str]) -> Result<String, String> {
        let bare = ["run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", "--user=59999:59999", IMAGE];
        self.run(&[&bare, command].concat())
    }

    /// Removes one container by its name; one that is not there is fine.
    pub(crate) fn remove(&self, container: &str) {
        let _ = self.run(&["rm", "--force", "--volumes", container]);
    }

    /// Standard output of a successful command, else why it failed.
    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        self.run_within(ANSWER_MAX, arguments)
    }

    /// A daemon that hangs must not hang a node: the program is killed after `limit`.
    fn run_within(&self, limit: Duration, arguments: &[&str]) -> Result<String, String> {
        let said = |error: std::io::Error| error.to_string();
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(said)?;
        let (stdout, stderr) = (text(child.stdout.take()), text(child.stderr.take()));
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(said)? {
                break status;
            }
            if Instant::now() >= deadline {
                // Its output is not waited for: a program that it started may hold the pipes open.
                child.kill().and_then(|()| child.wait()).map_err(said)?;
                return Err(format!("no answer within {} s", limit.as_secs()));
            }
            thread::sleep(Duration::from_millis(5));
        };
        let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
        if status.success() {
            return Ok(stdout);
        }
        Err(stderr.lines().last().unwrap_or("no reason given").trim().to_owned())
    }
}

/// From what `docker info` says about limits on memory and processes, security options and runtimes, in this order.
fn walls(said: &str, gvisor: bool) -> Result<Walls, ImageError> {
    let options = said.split_whitespace().nth(2).unwrap_or_default();
    if gvisor && !said.contains(&format!("\"{RUNSC}\"")) {
        return Err(ImageError::NoGvisor);
    }
    // The daemon gives each container a session keyring of its own.
    let mut walls = Walls::from([Wall::SessionKeyring]);
    // gVisor answers the calls itself, and the limit on its processes is not the kernel's.
    let filters = options.contains("seccomp") && !options.contains("unconfined");
    walls.extend((!gvisor && filters).then_some(Wall::Seccomp));
    walls.extend((!gvisor && said.starts_with("true true ")).then_some(Wall::Cgroups));
    walls.extend(gvisor.then_some(Wall::Gvisor));
    Ok(walls)
}

/// Reads a pipe on a thread of its own, so that a full one never stops the program.
fn text(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // A pipe that breaks ends the output; the exit status tells the rest.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_makes_the_image_that_builds_look_for() {
        let line = |start: &str| SCRIPT.lines().find_map(|line| line.strip_prefix(start)).unwrap();
        let (name, recipe) = (line("image="), line("recipe="));
        assert_eq!(name.replace("$recipe", recipe), format!("${{SYNCHRONICITY_IMAGE:-{IMAGE}}}"));
    }

    #[test]
    fn the_walls_of_containers_are_read_from_what_the_daemon_says() {
        let usual = r#"true true ["name=seccomp,profile=default"] {"runc":{"path":"runc"}}"#;
        let all = Walls::from([Wall::Cgroups, Wall::Seccomp, Wall::SessionKeyring]);
        assert_eq!(walls(usual, false).unwrap(), all);
        assert!(matches!(walls(usual, true), Err(ImageError::NoGvisor)));
        let open = r#"true false ["name=seccomp,profile=unconfined"] {"runc":{},"runsc":{"path":"/usr/bin/runsc"}}"#;
        assert_eq!(walls(open, false).unwrap(), Walls::from([Wall::SessionKeyring]));
        assert_eq!(walls(open, true).unwrap(), Walls::from([Wall::Gvisor, Wall::SessionKeyring]));
        let both = usual.replace("runc\":{", "runsc\":{");
        assert_eq!(walls(&both, true).unwrap(), Walls::from([Wall::Gvisor, Wall::SessionKeyring]));
        assert_eq!(walls("", false).unwrap(), Walls::from([Wall::SessionKeyring]), "what is not said is not there");
    }

    #[test]
    fn a_daemon_that_does_not_answer_is_given_up() {
        let sleep = Docker::at("/bin/sleep".into());
        let started = Instant::now();
        assert_eq!(sleep.run_within(Duration::from_millis(50), &["30"]), Err("no answer within 0 s".to_owned()));
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_is_no_docker_is_reported_with_its_own_words() {
        let none = Docker::at("/bin/false".into());
        assert!(matches!(none.layer(), Err(ImageError::NoImage)));
        assert_eq!(none.run(&["version"]), Err("no reason given".to_owned()));
        let missing = Docker::at("/no/such/program".into()).run(&["version"]).unwrap_err();
        assert!(missing.contains("No such file"), "{missing}");
    }
}
