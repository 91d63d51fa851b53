//! What this machine can give: Docker, namespaces, compilers, disk. Each with a sentence of advice where it cannot.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use synchronicity_verify::request::Limits;

use crate::choice::SandboxChoice;
use crate::containment::{Wall, Walls};
use crate::embedded::EmbeddedSandbox;
use crate::fingerprint;
use crate::folder;
use crate::image::{Docker, ImageError};
use crate::sandbox::{Finished, Identity, Job, SandboxError};
use crate::seed;

/// Less free space than this is reported: a toolchain, dependencies and one large build.
const DISK_FREE_BYTES_MIN: u64 = 10 << 30;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, as in `docker daemon`.
    pub what: &'static str,
    /// What was found, or what a person can do about it.
    pub state: State,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is there; the text says which.
    Good(String),
    /// It is not there, and something else serves in its place.
    Optional(String),
    /// It is not there, and builds need it.
    Bad(String),
}

/// Looks at this machine. `dir` is where builds would be. Programs that call this must call
/// [`worker::main`](crate::worker::main) first in their `main`.
pub fn probe(dir: &Path) -> Vec<Finding> {
    let program = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let room = try_room(&program);
    let docker = Docker::find();
    let standing = Standing {
        docker: docker.as_ref().ok().and_then(|docker| docker.walls(false).ok()),
        gvisor: docker.as_ref().ok().and_then(|docker| docker.walls(true).ok()),
        embedded: room.as_ref().ok().cloned(),
    };
    let image = docker.as_ref().map_err(ToString::to_string).and_then(|docker| docker.layer().map_err(say));
    // One sandbox is enough.
    let lacking = |serves: bool, text: String| if serves { State::Optional(text) } else { State::Bad(text) };
    let finding = |what, state| Finding { what, state };
    let mut findings = vec![
        finding("rust", toolchain()),
        finding("c compiler", compiler()),
        finding(
            "docker daemon",
            match &docker {
                Ok(docker) => State::Good(format!("answers {}", docker.program().display())),
                Err(error) => lacking(room.is_ok(), error.to_string()),
            },
        ),
        finding(
            "docker image",
            match &image {
                Ok(layer) => State::Good(format!("layer sha256:{layer}")),
                Err(error) => lacking(room.is_ok(), error.clone()),
            },
        ),
        finding(
            "embedded sandbox",
            match &room {
                Ok(_) => State::Good("user namespaces work".into()),
                Err(error) => lacking(image.is_ok(), room_advice(error)),
            },
        ),
        finding("disk", disk(dir)),
    ];
    findings.extend(Wall::ALL.map(|wall| finding(wall.name(), standing.state(wall))));
    findings
}

/// The sandboxes that `choice` allows and that work on this machine, the preferred one first, each with its walls.
pub fn offered(choice: SandboxChoice) -> Vec<(&'static str, Walls)> {
    let docker = |gvisor| Docker::find().and_then(|docker| docker.walls(gvisor)).ok();
    let program = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let embedded = || try_room(&program).ok();
    let all = match choice {
        SandboxChoice::Auto => vec![("docker", docker(false)), ("embedded", embedded())],
        SandboxChoice::Docker => vec![("docker", docker(false))],
        SandboxChoice::Gvisor => vec![("gvisor", docker(true))],
        SandboxChoice::Embedded => vec![("embedded", embedded())],
    };
    all.into_iter().filter_map(|(name, walls)| Some((name, walls?))).collect()
}

/// The walls that each sandbox of this machine has; none of a sandbox that does not work.
struct Standing {
    docker: Option<Walls>,
    gvisor: Option<Walls>,
    embedded: Option<Walls>,
}

impl Standing {
    /// No wall is needed for builds to work: a group that asks for one says so itself.
    fn state(&self, wall: Wall) -> State {
        let sandboxes = [("docker", &self.docker), ("gvisor", &self.gvisor), ("embedded", &self.embedded)];
        let has = |walls: &Option<Walls>| walls.as_ref().is_some_and(|walls| walls.contains(&wall));
        let with: Vec<_> = sandboxes.iter().filter(|(_, walls)| has(walls)).map(|(name, _)| *name).collect();
        let without: Vec<_> =
            sandboxes.iter().filter(|(_, walls)| walls.is_some() && !has(walls)).map(|(name, _)| *name).collect();
        match (with.is_empty(), without.is_empty()) {
            (false, true) => State::Good(format!("in {}", with.join(", "))),
            (false, false) => State::Good(format!("in {}; not in {}", with.join(", "), without.join(", "))),
            (true, _) => State::Optional(advice(wall).into()),
        }
    }
}

/// What a person can do to have a wall that no sandbox of this machine has.
fn advice(wall: Wall) -> &'static str {
    match wall {
        Wall::Cgroups => {
            "limits on memory and processes are sampled, not kept by the kernel: run the node as root, or as a systemd \
             service with Delegate=yes and DelegateSubgroup=node"
        }
        Wall::Gvisor => "Docker has no runtime runsc: install gVisor and name it in the daemon's configuration",
        Wall::Landlock => "this kernel does not offer Landlock: it needs Linux 5.19 and `landlock` among its `lsm=`",
        Wall::Seccomp => "this kernel does not filter system calls: it needs CONFIG_SECCOMP_FILTER",
        Wall::SessionKeyring => "this kernel has no keys, or lets nobody make a keyring",
    }
}

fn say(error: ImageError) -> String {
    error.to_string()
}

fn toolchain() -> State {
    match seed::installed() {
        Ok(installed) => State::Good(format!("rustc {} ({})", installed.toolchain.release, installed.toolchain.commit)),
        Err(error) => State::Bad(error.to_string()),
    }
}

fn compiler() -> State {
    match seed::installed().map(|installed| fingerprint::of_this_host(&installed.toolchain)) {
        Ok(Ok(fingerprint)) => State::Good(format!("this host's fingerprint is {fingerprint}")),
        Ok(Err(error)) => State::Optional(format!("{error}; Docker builds have their own")),
        Err(error) => State::Bad(error.to_string()),
    }
}

fn room_advice(error: &SandboxError) -> String {
    format!(
        "{error}. If user namespaces are off, root can allow them: sysctl -w kernel.unprivileged_userns_clone=1 \
         kernel.apparmor_restrict_unprivileged_userns=0; in a container, start it with more rights"
    )
}

fn disk(dir: &Path) -> State {
    // The folder need not exist yet: its nearest ancestor that does is on the same file system.
    let Some(stat) = dir.ancestors().chain([Path::new(".")]).find_map(|path| statvfs(path).ok()) else {
        return State::Bad(format!("the free space for {} cannot be read", dir.display()));
    };
    let free = stat.blocks_available() * stat.fragment_size();
    let text = format!("{:.1} GB free for {}", free as f64 / 1e9, dir.display());
    if free >= DISK_FREE_BYTES_MIN {
        State::Good(text)
    } else {
        State::Optional(format!("{text}: large crates may not fit; choose another folder or make room"))
    }
}

/// Runs a command that does nothing in the embedded sandbox; the walls that stood around it.
pub(crate) fn try_room(program: &Path) -> Result<Walls, SandboxError> {
    let dir = tempfile::tempdir().map_err(SandboxError::file("create", std::env::temp_dir()))?;
    let part = |name: &str| -> Result<_, SandboxError> {
        let path = dir.path().join(name);
        folder::fresh(&path).map_err(SandboxError::file("create", &path))?;
        Ok(path)
    };
    let job = Job {
        source: part("source")?,
        cargo_home: part("cargo-home")?,
        rustup_home: part("rustup-home")?,
        scratch: part("scratch")?,
        target: part("target")?,
        command: vec!["/usr/bin/env".into(), "true".into()],
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        limits: Limits {
            memory_bytes: 1 << 30,
            time_seconds: 20,
            disk_bytes: 1 << 20,
            processes: 64,
            transcript_bytes: 1 << 16,
            jobs: 1,
        },
        identity: Identity::default(),
    };
    let mut said = String::new();
    let (finished, walls) = EmbeddedSandbox::new(program.to_owned()).run(&job, &mut |line| {
        said.push_str(line);
        ControlFlow::Continue(())
    })?;
    match finished {
        Finished::Succeeded => Ok(walls),
        other => Err(SandboxError::Embedded { step: "run `true`".into(), reason: format!("{other:?} {said}") }),
    }
}
