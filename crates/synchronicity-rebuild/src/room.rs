//! The inner half of the embedded sandbox: a process that takes itself out of the host, and the build's first process.
//!
//! Two processes, because a PID namespace begins with a child: the *outer* one leaves the host's namespaces, waits
//! until its users are mapped (which only the worker outside can do) and starts the *first* one, number 1 inside. That
//! builds the file system, gives up every right (the module `room_rights`), starts the build's command, and reaps what
//! the build leaves behind. Being number 1, it cannot be killed from inside. Both are this very executable under
//! a hidden argument, and have one thread, which the kernel asks of a process that leaves its user namespace.
//!
//! Reports go to standard output, one per line (`unshared`, `started PID`, `ready WALLS`, `failed STEP: REASON`,
//! `ended status N`, `ended signal N`). The build itself never has that pipe: what it prints goes to standard error, both
//! streams.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::{Pid, close, dup2_stdout, sethostname, setsid};
use serde::{Deserialize, Serialize};

use crate::containment::Walls;
use crate::sandbox::{INNER_CARGO_HOME, INNER_RUSTUP_HOME, INNER_SOURCE, INNER_TARGET, Identity, Job, REGISTRY};
use crate::{room_files, room_rights};

/// The argument under which the executable becomes the outer process.
pub(crate) const OUTER_ARGUMENT: &str = "__synchronicity-room";
/// The argument under which it becomes the first process inside; the plan follows as JSON.
const FIRST_ARGUMENT: &str = "__synchronicity-first";

/// What the room looks like and what happens in it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// An empty folder outside, over which the new root is mounted.
    pub(crate) root: PathBuf,
    /// Folders of the host, in the order of mounting.
    pub(crate) mounts: Vec<Mount>,
    /// Size of `/tmp`, in bytes.
    pub(crate) temporary_bytes: u64,
    /// Whether users besides our own are mapped, because the worker is root.
    pub(crate) as_root: bool,
    /// Walls without which the command may not run.
    pub(crate) required: Walls,
    pub(crate) identity: Identity,
    command: Vec<String>,
    env: BTreeMap<String, String>,
    pub(crate) memory_bytes: u64,
    pub(crate) file_bytes: u64,
    pub(crate) processes: u64,
}

/// A folder of the host that is shown inside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Mount {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    pub(crate) writable: bool,
}

/// A step that the kernel refused.
#[derive(Debug)]
pub(crate) struct Refused {
    step: String,
    reason: String,
}

/// For `map_err`: names the step.
pub(crate) fn at<E: Display>(step: impl Into<String>) -> impl FnOnce(E) -> Refused {
    let step = step.into();
    move |reason| Refused { step, reason: reason.to_string() }
}

impl Plan {
    pub(crate) fn new(job: &Job, root: PathBuf, as_root: bool, required: &Walls) -> Self {
        let mount = |from: &Path, to: &str, writable| Mount { from: from.to_owned(), to: to.into(), writable };
        Self {
            root,
            mounts: vec![
                mount(&job.source, INNER_SOURCE, false),
                mount(&job.cargo_home.join(REGISTRY), &format!("{INNER_CARGO_HOME}/{REGISTRY}"), false),
                mount(&job.rustup_home, INNER_RUSTUP_HOME, false),
                mount(&job.target, INNER_TARGET, true),
            ],
            temporary_bytes: (job.limits.memory_bytes / 2).min(job.limits.disk_bytes),
            as_root,
            required: required.clone(),
            identity: job.identity.clone(),
            command: job.command.clone(),
            env: job.env.clone(),
            memory_bytes: job.limits.memory_bytes,
            file_bytes: job.limits.disk_bytes,
            processes: job.limits.processes.into(),
        }
    }
}

/// Acts as one of the two processes if this one was started as such; does not return then.
pub(crate) fn main() {
    let mut words = std::env::args().skip(1);
    let done = match words.next().as_deref() {
        Some(OUTER_ARGUMENT) => outer(),
        Some(FIRST_ARGUMENT) => first(&words.next().unwrap_or_default()),
        _ => return,
    };
    let code = done.unwrap_or_else(|Refused { step, reason }| {
        println!("failed {step}: {}", reason.replace('\n', " "));
        125
    });
    std::process::exit(code);
}

fn outer() -> Result<i32, Refused> {
    close_inherited().map_err(at("close inherited files"))?;
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("tie itself to its parent"))?;
    let mut orders = io::stdin().lock();
    let plan = order(&mut orders)?;
    setsid().map_err(at("leave the session"))?;
    let spaces = [
        CloneFlags::CLONE_NEWUSER,
        CloneFlags::CLONE_NEWNS,
        CloneFlags::CLONE_NEWPID,
        CloneFlags::CLONE_NEWNET,
        CloneFlags::CLONE_NEWIPC,
        CloneFlags::CLONE_NEWUTS,
        CloneFlags::CLONE_NEWCGROUP,
    ];
    unshare(spaces.into_iter().collect()).map_err(at("leave the host's namespaces"))?;
    println!("unshared");
    // A closed line means that the parent is gone.
    if order(&mut orders)? != "mapped" {
        return Ok(125);
    }
    let output = || io::stderr().as_fd().try_clone_to_owned().map(Stdio::from);
    let mut first = Command::new("/proc/self/exe")
        .args([FIRST_ARGUMENT, &plan])
        .stdin(Stdio::null())
        .stderr(output().map_err(at("hand on its output"))?)
        .spawn()
        .map_err(at("start the first process"))?;
    println!("started {}", first.id());
    let status = first.wait().map_err(at("wait for the first process"))?;
    match (status.code(), status.signal()) {
        (Some(code), _) => println!("ended status {code}"),
        (None, signal) => println!("ended signal {}", signal.unwrap_or(0)),
    }
    Ok(0)
}

/// Closes all but the three standard streams: what a careless parent of the node left open is not for builds. Called
/// before this process has opened anything of its own.
fn close_inherited() -> io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for number in open.into_iter().filter(|number| *number > 2) {
        // The one by which the list was read is closed by now.
        let _ = close(number);
    }
    Ok(())
}

fn order(orders: &mut impl BufRead) -> Result<String, Refused> {
    let mut line = String::new();
    orders.read_line(&mut line).map_err(at("read its orders"))?;
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn first(plan: &str) -> Result<i32, Refused> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(at("tie itself to its parent"))?;
    let plan: Plan = serde_json::from_str(plan).map_err(at("read its plan"))?;
    umask(Mode::from_bits_truncate(0o022));
    room_files::arrange(&plan)?;
    sethostname(&plan.identity.host).map_err(at("set the host name"))?;
    let walls = room_rights::give_up(&plan)?;
    std::env::set_current_dir(INNER_SOURCE).map_err(at("enter the source"))?;
    let Some((program, arguments)) = plan.command.split_first() else {
        return Err(at("run its command")("there is none"));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&plan.env);
    // A parent that died before this process was tied to it is found out by the pipe that nobody reads any more.
    let names: Vec<&str> = walls.iter().map(|wall| wall.name()).collect();
    writeln!(io::stdout(), "ready {}", names.join(" ")).map_err(at("report its walls"))?;
    // From here on nothing can be reported: the pipe for reports is not for the build.
    dup2_stdout(io::stderr()).map_err(at("close its reports"))?;
    match command.spawn() {
        Ok(child) => Ok(reap(Pid::from_raw(child.id().cast_signed()))),
        Err(error) => {
            eprintln!("{program} cannot be run: {error}");
            Ok(127)
        }
    }
}

/// Waits for the build's command, and for all that becomes this process's child meanwhile. When it then ends, the kernel
/// kills what is left.
fn reap(command: Pid) -> i32 {
    loop {
        match wait() {
            Ok(WaitStatus::Exited(ended, code)) if ended == command => return code,
            Ok(WaitStatus::Signaled(ended, signal, _)) if ended == command => return 128 + signal as i32,
            Err(error) if error != Errno::EINTR => return 125,
            _ => {}
        }
    }
}
