//! Builds in Linux namespaces: no daemon, no set-up, as root or as an ordinary user.
//!
//! This half runs outside, in the worker. It starts a process that takes itself out of the host's namespaces
//! (the module `room`), maps that process's users, watches what the build uses, and sees to it that nothing is left.
//!
//! Who the build is, outside: where the worker is root, a user that owns nothing ([`BUILD_USER`]), never root, because
//! the kernel lets root write to much below `/proc/sys` whatever namespaces and rights it has; else the worker's own
//! user, who sees only what the sandbox mounts.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getegid, geteuid};
use synchronicity_verify::result::Failure;

use crate::census::Census;
use crate::cgroup::{Cgroup, Counters};
use crate::containment::{Wall, Walls};
use crate::ended::Reckoning;
use crate::guard::Guard;
use crate::lines::each_line;
use crate::room::{self, Plan};
use crate::sandbox::{BUILD_USER, Finished, Job, REGISTRY, Sandbox, SandboxError, Watch};

/// Runs builds in namespaces of their own.
#[derive(Debug, Clone)]
pub struct EmbeddedSandbox {
    /// The executable that becomes the build's first process: it must call [`worker::main`](crate::worker::main) first.
    pub program: PathBuf,
    /// Walls without which no build may run. The others are put up where the machine can.
    pub required: Walls,
    /// Whether a control group is made where that is possible.
    pub grouped: bool,
}

impl Sandbox for EmbeddedSandbox {
    fn build(&self, job: &Job, watch: &mut Watch<'_>) -> Result<Finished, SandboxError> {
        self.run(job, watch).map(|(finished, _)| finished)
    }
}

impl EmbeddedSandbox {
    /// A sandbox with every wall that the machine can give.
    pub fn new(program: PathBuf) -> Self {
        Self { program, required: Walls::new(), grouped: true }
    }

    /// Runs a job like [`Sandbox::build`], and tells which walls stood around it.
    pub fn run(&self, job: &Job, watch: &mut Watch<'_>) -> Result<(Finished, Walls), SandboxError> {
        if geteuid().is_root() {
            chown(&job.target, Some(BUILD_USER), Some(BUILD_USER))
                .map_err(SandboxError::file("change the owner of", &job.target))?;
        }
        let registry = job.cargo_home.join(REGISTRY);
        fs::create_dir_all(&registry).map_err(SandboxError::file("create", &registry))?;
        let root = job.scratch.join("root");
        fs::create_dir_all(&root).map_err(SandboxError::file("create", &root))?;
        // The kernel's list of mounts knows no links.
        let root = root.canonicalize().map_err(SandboxError::file("find", &root))?;
        let group = self.group(job)?;
        let counters = group.as_ref().map(Cgroup::counters);
        let reckoning = Reckoning::begin();
        let mut room = self.enter(&Plan::new(job, root, geteuid().is_root(), &self.required), group.as_ref())?;
        let output = room.child.stderr.take();
        let first = room.started()?;
        let sample = sample(first, counters.clone(), job);
        let guard = Guard::start(&job.limits, &job.target, move || stop(first), sample);
        let control = thread::spawn(move || room.ended());
        if let Some(output) = output {
            let read = each_line(output, |line| {
                if let ControlFlow::Break(failure) = watch(line) {
                    guard.trip(failure);
                }
            });
            // Without its reader the build would wait for ever.
            if read.is_err() {
                stop(first);
            }
        }
        let ended = control.join().unwrap_or_else(|_| Err(refused("follow the build", "its thread ended early")));
        // The kernel may end a group that met its limit as a whole, and the outer process with it: then nobody is left to
        // report how the build ended, and the group's own counts say it.
        let stopped = guard.finish().or_else(|| counters.as_ref().and_then(Counters::exceeded));
        let grouped = group.is_some().then_some(Wall::Cgroups);
        if let Some(failure) = stopped {
            let walls = ended.map(|(_, walls)| walls).unwrap_or_default();
            return Ok((Finished::Stopped(failure), walls.into_iter().chain(grouped).collect()));
        }
        let (status, mut walls) = ended?;
        walls.extend(grouped);
        let mut note = |line: &str| {
            let _ = watch(line);
        };
        let finished = reckoning.finish(status, counters.as_ref(), &mut note);
        finished.map(|finished| (finished, walls)).map_err(|reason| refused("run cargo to its end", &reason))
    }

    /// The build's control group; none where none can be made, unless one is required.
    fn group(&self, job: &Job) -> Result<Option<Cgroup>, SandboxError> {
        let made = if self.grouped { Cgroup::make(&job.limits) } else { Err(io::ErrorKind::Unsupported.into()) };
        match made {
            Ok(group) => Ok(Some(group)),
            Err(error) if self.required.contains(&Wall::Cgroups) => {
                Err(refused("make a control group", &error.to_string()))
            }
            Err(_) => Ok(None),
        }
    }
}

/// What is looked at while the build runs: the kernel's counts, or else one's own.
fn sample(first: Pid, counters: Option<Counters>, job: &Job) -> impl FnMut() -> Option<Failure> + Send + 'static {
    let (census, limits) = (Census::of(first), job.limits);
    move || match &counters {
        Some(counters) => counters.exceeded(),
        None => census.exceeded(&limits),
    }
}

/// Kills the first process of a PID namespace, and the kernel everything else in it.
fn stop(first: Pid) {
    // It may have ended by itself at this moment.
    let _ = kill(first, Signal::SIGKILL);
}

/// A process that is on its way into its own namespaces, and the line to it.
struct Room {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
    /// What the first process said about its walls.
    walls: Walls,
}

impl EmbeddedSandbox {
    fn enter(&self, plan: &Plan, group: Option<&Cgroup>) -> Result<Room, SandboxError> {
        let mut child = Command::new(&self.program)
            .arg(room::OUTER_ARGUMENT)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(SandboxError::file("start", &self.program))?;
        let (Some(orders), Some(reports)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(refused("talk to its first process", "no pipes"));
        };
        let mut room = Room { child, orders, reports: BufReader::new(reports), walls: Walls::new() };
        // It waits for its orders: nothing of it is outside of the group.
        let admitted = group.map_or(Ok(()), |group| group.admit(room.child.id()));
        admitted.map_err(|error| refused("enter its control group", &error.to_string()))?;
        let order = serde_json::to_string(plan).map_err(|error| refused("write its plan", &error.to_string()))?;
        room.order(&order)?;
        room.expect("unshared")?;
        room.map_users(plan.identity.user)?;
        room.order("mapped")?;
        Ok(room)
    }
}

impl Room {
    fn order(&mut self, line: &str) -> Result<(), SandboxError> {
        writeln!(self.orders, "{line}").map_err(|error| refused("talk to its first process", &error.to_string()))
    }

    /// The next report, which must begin with `word`; what follows the word.
    fn expect(&mut self, word: &str) -> Result<String, SandboxError> {
        let mut line = String::new();
        self.reports.read_line(&mut line).map_err(|error| refused("hear its first process", &error.to_string()))?;
        let (got, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        match got {
            // Comes before or after `started`.
            "ready" => {
                self.walls = rest.split(' ').filter_map(|wall| wall.parse().ok()).collect();
                self.expect(word)
            }
            _ if got == word => Ok(rest.to_owned()),
            "failed" => {
                let (step, reason) = rest.split_once(": ").unwrap_or((rest, "no reason given"));
                Err(refused(step, reason))
            }
            _ => Err(refused(&format!("reach the step {word:?}"), "its first process ended")),
        }
    }

    /// Only from outside can more than one user be mapped.
    fn map_users(&self, inner: u32) -> Result<(), SandboxError> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let write = |name: &str, text: String| {
            fs::write(process.join(name), text).map_err(|error| refused("map users", &format!("{name}: {error}")))
        };
        if geteuid().is_root() {
            let map = format!("0 0 1\n{inner} {BUILD_USER} 1\n");
            write("uid_map", map.clone())?;
            write("gid_map", map)
        } else {
            write("setgroups", "deny".into())?;
            write("uid_map", format!("0 {} 1\n", geteuid()))?;
            write("gid_map", format!("0 {} 1\n", getegid()))
        }
    }

    /// Waits until the build's first process exists; its number outside.
    fn started(&mut self) -> Result<Pid, SandboxError> {
        let number = self.expect("started")?;
        number.parse().map(Pid::from_raw).map_err(|_| refused("learn the number of its first process", &number))
    }

    /// Waits until no process of the build is left; the status of its command and the walls around it.
    fn ended(mut self) -> Result<(i32, Walls), SandboxError> {
        let ended = self.expect("ended");
        // Its first process is its last to be reaped, and the outer one reports only after that.
        let reaped = self.child.wait().map_err(|error| refused("end", &error.to_string()));
        let ended = ended?;
        reaped?;
        let number = |text: &str| text.parse().map_err(|_| refused("learn how the build ended", text));
        match ended.split_once(' ') {
            Some(("status", code)) => Ok((number(code)?, std::mem::take(&mut self.walls))),
            // Inside nobody can send the first process a signal.
            Some(("signal", signal)) => Ok((128 + number(signal)?, std::mem::take(&mut self.walls))),
            _ => Err(refused("learn how the build ended", &ended)),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // On the way out after an error; the kernel kills what is inside together with the outer process.
        let _: io::Result<()> = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refused(step: &str, reason: &str) -> SandboxError {
    SandboxError::Embedded { step: step.into(), reason: reason.into() }
}
