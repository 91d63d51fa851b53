//! The nodes as processes of this machine: started, killed on purpose, and all gone at the end.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::args::Conduct;
use super::sandbox::Ready;

/// How long nodes get to stop a build, remove its container and close their files.
const GRACE: Duration = Duration::from_secs(20);
const TRACE: &str = "trace.txt";
const TRACE_LINES_SHOWN: usize = 12;

/// One builder's node. The process comes and goes, the folder stays.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    /// Where its read-only HTTP answers.
    pub(super) http: SocketAddr,
    pub(super) conduct: Conduct,
    process: Option<Child>,
}

/// All nodes of the group, in the order of their names. Dropping it stops them.
pub(super) struct Children {
    program: PathBuf,
    sandbox: Ready,
    pub(super) nodes: Vec<Node>,
}

/// Why a node does not run.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum ChildError {
    #[error("cannot start the node of {name}")]
    #[diagnostic(help("check free memory and the limit of processes (`ulimit -u`)"))]
    Start { name: String, source: io::Error },
    #[error("cannot kill the node of {name}")]
    Kill { name: String, source: io::Error },
    #[error("the node of {name} ended by itself ({status}); the end of its trace:\n{tail}")]
    #[diagnostic(help("its whole trace is in {}", trace.display()))]
    Ended { name: String, status: ExitStatus, tail: String, trace: PathBuf },
}

impl Node {
    pub(super) fn new(name: String, folder: PathBuf, http: SocketAddr, conduct: Conduct) -> Self {
        Self { name, folder, http, conduct, process: None }
    }

    /// The process, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    pub(super) fn trace(&self) -> PathBuf {
        self.folder.join(TRACE)
    }
}

impl Children {
    pub(super) fn new(program: PathBuf, sandbox: Ready, nodes: Vec<Node>) -> Self {
        Self { program, sandbox, nodes }
    }

    pub(super) fn start_all(&mut self) -> Result<(), ChildError> {
        (0..self.nodes.len()).try_for_each(|index| self.start(index))
    }

    /// Starts node `index`. Must be called on the main thread: the kernel ends a node when the *thread* that started
    /// it ends, and that is what keeps nodes from outliving a devnet that was itself killed.
    pub(super) fn start(&mut self, index: usize) -> Result<(), ChildError> {
        let node = &mut self.nodes[index];
        let failed = |source| ChildError::Start { name: node.name.clone(), source };
        let trace = OpenOptions::new().create(true).append(true).open(node.trace()).map_err(failed)?;
        let mut command = Command::new(&self.program);
        command.args(["run", "--die-with-parent", "--dir"]).arg(&node.folder);
        command.arg("--sandbox").arg(&self.sandbox.name).arg("--shared").arg(&self.sandbox.shared);
        match node.conduct {
            Conduct::Honest => &mut command,
            Conduct::Liar => command.args(["--misbehave", "liar"]),
            Conduct::Silent => command.args(["--misbehave", "silent"]),
        };
        command.stdin(Stdio::null()).stdout(trace.try_clone().map_err(failed)?).stderr(trace);
        // Its own process group: Ctrl-C in a terminal then reaches devnet alone, which stops the nodes in order, and
        // a signal to the group also reaches what a node started.
        node.process = Some(command.process_group(0).spawn().map_err(failed)?);
        Ok(())
    }

    /// SIGKILL, to the node alone: what it started must notice by itself, as after any crash.
    pub(super) fn kill(&mut self, index: usize) -> Result<(), ChildError> {
        let node = &mut self.nodes[index];
        let Some(mut process) = node.process.take() else { return Ok(()) };
        let killed = process.kill().and_then(|()| process.wait());
        killed.map(drop).map_err(|source| ChildError::Kill { name: node.name.clone(), source })
    }

    /// An error if a node ended that nobody killed.
    pub(super) fn check(&mut self) -> Result<(), ChildError> {
        for node in &mut self.nodes {
            let Some(process) = &mut node.process else { continue };
            let status = process.try_wait().map_err(|source| ChildError::Start { name: node.name.clone(), source })?;
            if let Some(status) = status {
                node.process = None;
                let trace = node.trace();
                return Err(ChildError::Ended { name: node.name.clone(), status, tail: tail(&trace), trace });
            }
        }
        Ok(())
    }

    /// Ends all nodes and all they started: SIGTERM, then SIGKILL to what is left after the grace period.
    pub(super) fn stop(&mut self) {
        let mut ending: Vec<(Pid, Child)> = Vec::new();
        for node in &mut self.nodes {
            if let Some(process) = node.process.take() {
                let group = Pid::from_child(&process);
                // A node that is already gone is what was wanted.
                let _ = kill_process_group(group, Signal::TERM);
                ending.push((group, process));
            }
        }
        let deadline = Instant::now() + GRACE;
        loop {
            // Reap first: a zombie would keep its group alive.
            ending.retain_mut(|(group, process)| {
                let _ = process.try_wait();
                test_kill_process_group(*group).is_ok()
            });
            if ending.is_empty() || Instant::now() > deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for (group, mut process) in ending {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = process.wait();
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.stop();
    }
}

fn tail(trace: &Path) -> String {
    let text = fs::read(trace).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TRACE_LINES_SHOWN)..].join("\n")
}
