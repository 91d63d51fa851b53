//! `run`: the process around a node.

use std::env;
use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process;
use std::thread;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::Run;
use crate::exit::{self, Stop, StopWith};
use crate::node::{self, BenchChoice, Choices, Ended, RunError};

/// Threads for HTTP, the operator and duties; the engine has its own.
const WORKERS: usize = 2;

pub(super) fn run(args: &Run) -> Result<u8, Stop> {
    if args.die_with_parent {
        die_with_parent().map_err(RunError::Signals).or_internal()?;
    }
    trace();
    fail_as_a_whole();
    let runtime = runtime::Builder::new_multi_thread().worker_threads(WORKERS).thread_name("node").enable_all().build();
    let runtime = runtime.map_err(RunError::Signals).or_internal()?;
    let bench = BenchChoice::Own { sandbox: args.sandbox, shared: args.shared.clone() };
    // Now: once an upgrade has put another file in its place, the system no longer tells the path.
    let program = env::current_exe().map_err(RunError::Program).or_internal()?;
    let (dir, misbehaviour, vouched) = (args.dir.path.clone(), args.misbehave, args.recovered);
    let choices = Choices { dir, misbehaviour, bench, program: program.clone(), vouched };
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals).or_internal()?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals).or_internal()?;
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        node::run(choices, stop).await
    })?;
    // What still runs (a read from a slow disk, say) is not waited for.
    runtime.shutdown_background();
    match ended {
        Ended::Stopped => Ok(exit::OK),
        Ended::Left(epoch) => {
            eprintln!(
                "Epoch {epoch} has begun without this node's member: the node has left the group, and its copy of the log \
                 stays as it is. Destroy its keys: what they could still sign is of the past."
            );
            Ok(exit::OK)
        }
        Ended::RoomAgain | Ended::NextEpoch(_) => {
            Err(Stop::new(exit::INTERNAL, RunError::Afresh(start_afresh(&program))))
        }
    }
}

/// Replaces this process by a new one with the same arguments, of what lies at the path of `program` by now: locks and ports
/// go with the old one, and what a failed write left in memory too. Returns only if that fails.
fn start_afresh(program: &Path) -> io::Error {
    process::Command::new(program).args(env::args_os().skip(1)).exec()
}

fn trace() {
    let filter = EnvFilter::try_from_env("SYNCHRONICITY_TRACE");
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info,commonware=warn"));
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(io::stderr).init();
}

/// Threads of ours: a panic in one of them would leave a process that looks alive and does half of its work. The engine
/// watches over its own threads and reports their end.
const OURS: [&str; 5] = ["main", "node", "fold", "build", "workbench"];

fn fail_as_a_whole() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        if thread::current().name().is_some_and(|name| OURS.contains(&name)) {
            process::exit(i32::from(exit::INTERNAL));
        }
    }));
}

fn die_with_parent() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have ended before the kernel was told.
    match getppid() {
        Some(parent) if !parent.is_init() => Ok(()),
        _ => process::exit(i32::from(exit::TRY_LATER)),
    }
}
