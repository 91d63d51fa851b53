//! A build that is under way, seen from the program that wants it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use synchronicity_verify::result::BuildResult;

use crate::image::Docker;
use crate::order::{Order, Report};

/// What happens to a build, in order. After `Finished` or `Broken` nothing comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// Source and dependencies are being fetched.
    Fetching,
    /// Some of it has come.
    Arriving {
        /// How much, in all.
        bytes: u64,
    },
    /// The sandbox runs.
    Building {
        /// The last crate that was begun, as in `serde v1.0.228`; empty before the first.
        compiled: String,
    },
    /// The first try failed in a way that may be chance, and another begins.
    Retrying {
        /// The failure's name, and why.
        first: String,
    },
    /// The build came to a result.
    Finished(Outcome),
    /// This machine could not do the build; says nothing about the crate.
    Broken(String),
}

/// A result and where its files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What to commit to.
    pub result: BuildResult,
    /// What the build printed. This file and the artifacts stay until the bench needs their room: when the same
    /// request is built again, when several builds have ended since, and when the bench is opened again.
    pub transcript: PathBuf,
    /// The artifacts under their names, if the build ended well.
    pub artifacts_dir: Option<PathBuf>,
    /// What the first try came to, where there were two. It is this builder's own affair and no part of the result.
    pub retried: Option<String>,
}

/// A build under way. Dropping it kills the build.
#[derive(Debug)]
pub struct Running {
    events: Mutex<Receiver<BuildEvent>>,
    process: Option<Process>,
    follower: Option<JoinHandle<()>>,
}

/// The worker's process, to be killed from any thread.
#[derive(Debug, Clone)]
struct Process {
    group: Pid,
    /// Cleared when the worker has been reaped: its number may then be another's.
    child: Arc<Mutex<Option<Child>>>,
}

/// The container of a build, for the case that its worker could not remove it.
pub(crate) struct Remains {
    pub(crate) docker: Docker,
    pub(crate) label: String,
}

impl Running {
    /// Starts `worker` for `order`.
    pub(crate) fn start(mut worker: Command, order: &Order, remains: Option<Remains>) -> io::Result<Self> {
        let trouble = File::create(trouble(&order.folder))?;
        let mut child = worker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(trouble).process_group(0).spawn()?;
        let (Some(mut orders), Some(reports)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a worker without pipes"));
        };
        let line = serde_json::to_string(order)?;
        let process = Process { group: group_of(&child), child: Arc::new(Mutex::new(Some(child))) };
        let (send, events) = mpsc::channel();
        let (folder, reaped) = (order.folder.clone(), process.clone());
        let follower = thread::spawn(move || {
            // The worker lives as long as this end of its input is open. One that dies at once is reported below.
            let _ = writeln!(orders, "{line}");
            follow(reports, &folder, &send, |ended_itself| {
                drop(orders);
                reaped.reap();
                if let Some(remains) = remains {
                    let (docker, label) = (remains.docker, remains.label);
                    // A leftover that stays is removed when the bench is opened again.
                    let _ = if ended_itself { docker.remove_labelled(&label) } else { docker.sweep(&label) };
                }
            });
        });
        Ok(Self { events: Mutex::new(events), process: Some(process), follower: Some(follower) })
    }

    /// A build on a thread of this process: `make` sends its events.
    pub(crate) fn on_thread(make: impl FnOnce(&Sender<BuildEvent>) + Send + 'static) -> Self {
        let (send, events) = mpsc::channel();
        thread::spawn(move || make(&send));
        Self { events: Mutex::new(events), process: None, follower: None }
    }

    /// Waits for the next event; none after the last.
    pub fn recv(&self) -> Option<BuildEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    /// Stops the build at once, from any thread. Its last event is then `Broken`, unless it had ended before. A scripted
    /// build goes on to its end.
    pub fn kill(&self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if let Some(follower) = self.follower.take() {
            let _ = follower.join();
        }
    }
}

impl Process {
    fn kill(&self) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if child.is_some() {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
    }

    fn reap(&self) {
        // Helpers that outlived their worker go with it; the worker itself is still a zombie, so the number is ours.
        self.kill();
        if let Some(mut child) = self.child.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = child.wait();
        }
    }
}

/// What a worker prints when it crashes.
fn trouble(folder: &Path) -> PathBuf {
    folder.join("trouble.txt")
}

/// A worker leads its own group.
fn group_of(child: &Child) -> Pid {
    // Process numbers are at most 2^22.
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// Hands reports on as events; calls `cleared` when the worker is done, before the last event, and says whether it
/// came to an end of its own.
fn follow(reports: impl Read, folder: &Path, send: &Sender<BuildEvent>, cleared: impl FnOnce(bool)) {
    let mut last = None;
    // The worker is ours, and nothing of the build writes to this pipe: its lines need no bound.
    let read: io::Result<()> = BufReader::new(reports).lines().try_for_each(|line| {
        let report = serde_json::from_str::<Report>(&line?).map_err(|error| error.to_string());
        match report.and_then(|report| event(report, folder)) {
            Ok(event @ (BuildEvent::Finished(_) | BuildEvent::Broken(_))) => last = Some(event),
            Ok(event) => {
                let _ = send.send(event);
            }
            Err(reason) => last = Some(BuildEvent::Broken(format!("the build's worker said something odd: {reason}"))),
        }
        Ok(())
    });
    cleared(last.is_some());
    let said = fs::read_to_string(trouble(folder)).unwrap_or_default();
    let ended = match (read, said.trim()) {
        (Err(error), _) => format!("the build's worker cannot be heard: {error}"),
        (Ok(()), "") => "the build's worker was killed".to_owned(),
        (Ok(()), said) => format!("the build's worker was killed or crashed: {said}"),
    };
    // Empty, or in the event.
    let _ = fs::remove_file(trouble(folder));
    let _ = send.send(last.unwrap_or(BuildEvent::Broken(ended)));
}

/// What a report means to the program outside.
pub(crate) fn event(report: Report, folder: &Path) -> Result<BuildEvent, String> {
    Ok(match report {
        Report::Fetching => BuildEvent::Fetching,
        Report::Arriving { bytes } => BuildEvent::Arriving { bytes },
        Report::Building { compiled } => BuildEvent::Building { compiled },
        Report::Broken { reason } => BuildEvent::Broken(reason),
        Report::Retrying { first } => BuildEvent::Retrying { first },
        Report::Finished { result, first } => {
            let result = BuildResult::from_bytes(&result).map_err(|error| error.to_string())?;
            let artifacts_dir = result.artifacts().map(|_| Order::artifacts(folder));
            BuildEvent::Finished(Outcome {
                result,
                transcript: Order::transcript(folder),
                artifacts_dir,
                retried: first,
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use synchronicity_verify::digest::Digest;
    use synchronicity_verify::result::{Artifact, ArtifactName, Artifacts};

    fn followed(reports: &str) -> Vec<BuildEvent> {
        let folder = tempfile::tempdir().unwrap();
        let (send, events) = mpsc::channel();
        follow(reports.as_bytes(), folder.path(), &send, |_| {});
        drop(send);
        events.iter().collect()
    }

    #[test]
    fn the_largest_result_passes_as_one_line() {
        let artifact = |number: u64| Artifact {
            name: ArtifactName::try_from(format!("{number:0>128}")).unwrap(),
            size: u64::MAX,
            sha256: Digest([0xff; 32]),
        };
        let result = BuildResult::Built(Artifacts::new((0..128).map(artifact).collect()).unwrap());
        let report = serde_json::to_string(&Report::Finished { result: result.to_bytes(), first: None }).unwrap();
        let events = followed(&format!("\"Fetching\"\n{report}\n"));
        assert_eq!(events[0], BuildEvent::Fetching);
        assert!(matches!(&events[1], BuildEvent::Finished(outcome) if outcome.result == result));
    }

    #[test]
    fn a_worker_that_ends_without_a_report_or_with_an_odd_one_is_broken() {
        let ended = followed("\"Fetching\"\n");
        assert_eq!(ended.last(), Some(&BuildEvent::Broken("the build's worker was killed".into())));
        for odd in ["nonsense\n", "{\"Finished\":{\"result\":[1,2,3]}}\n"] {
            let events = followed(odd);
            assert!(matches!(&events[..], [BuildEvent::Broken(reason)] if reason.contains("odd")), "{events:?}");
        }
    }
}
