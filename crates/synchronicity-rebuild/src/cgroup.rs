//! Control groups: limits on memory, processes and processor time that the kernel keeps, and what it counts.
//!
//! Version 2 is used where the node's group was delegated to it (with systemd: `Delegate=yes` and `DelegateSubgroup=`),
//! version 1 where this process may make groups, which is to say for root. Elsewhere there is no group, and the module
//! `census` samples instead. A group is named after the worker that made it, so that another can remove what a killed
//! worker left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use synchronicity_verify::request::Limits;

pub(crate) use counters::{Counters, machine_memory_kills};
use place::{Place, Version};

#[path = "cgroup/counters.rs"]
mod counters;
#[path = "cgroup/place.rs"]
mod place;

/// Begins the name of every group made here.
const PREFIX: &str = "synchronicity-build-";
/// Period of the processor limit, in microseconds: the kernel's own default.
const PERIOD_US: u64 = 100_000;
/// How long the kernel may take to let go of a group whose processes have ended.
const REMOVAL_MAX: Duration = Duration::from_secs(2);
/// Processes of the sandbox itself, which count too: the outer one and the first one inside.
pub(crate) const OWN_PROCESSES: u64 = 2;

/// The group of one build; removed when dropped.
#[derive(Debug)]
pub(crate) struct Cgroup {
    /// One folder in version 2, one for each controller in version 1.
    folders: Vec<(Place, PathBuf)>,
}

impl Cgroup {
    /// Makes a group with these limits.
    ///
    /// # Errors
    /// Why this process may not: then nothing is left of it.
    pub(crate) fn make(limits: &Limits) -> io::Result<Self> {
        let places = place::writable()?;
        static MADE: AtomicU64 = AtomicU64::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let mut group = Self { folders: Vec::new() };
        for place in places {
            remove_abandoned(&place.folder);
            let folder = place.folder.join(&name);
            fs::create_dir(&folder).map_err(|error| said(&folder, error))?;
            group.folders.push((place, folder.clone()));
            let (place, _) = &group.folders[group.folders.len() - 1];
            place.settings(limits).iter().try_for_each(|setting| setting.write(&folder))?;
        }
        Ok(group)
    }

    /// Moves a process in, with all that it will start.
    pub(crate) fn admit(&self, process: u32) -> io::Result<()> {
        self.folders.iter().try_for_each(|(_, folder)| {
            let path = folder.join("cgroup.procs");
            fs::write(&path, process.to_string()).map_err(|error| said(&path, error))
        })
    }

    /// What the kernel counts of this group.
    pub(crate) fn counters(&self) -> Counters {
        Counters::among(self.folders.iter().map(|(_, folder)| folder.clone()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let since = Instant::now();
        for (_, folder) in &self.folders {
            // One that stays is removed by a later worker.
            while fs::remove_dir(folder).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
                && since.elapsed() < REMOVAL_MAX
            {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// One file of a group and what to write into it.
struct Setting {
    file: &'static str,
    value: String,
    /// Not every kernel has it, or lets a nested group set it.
    optional: bool,
}

impl Setting {
    fn write(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(self.file);
        match fs::write(&path, &self.value) {
            Err(error) if !self.optional => Err(said(&path, error)),
            _ => Ok(()),
        }
    }
}

impl Place {
    /// In the order of writing.
    fn settings(&self, limits: &Limits) -> Vec<Setting> {
        let needed = |file, value: String| Setting { file, value, optional: false };
        let wished = |file, value: String| Setting { file, value, optional: true };
        let memory = limits.memory_bytes.to_string();
        let processes = needed("pids.max", (u64::from(limits.processes) + OWN_PROCESSES).to_string());
        let quota_us = PERIOD_US.saturating_mul(u64::from(limits.jobs));
        match &self.version {
            Version::Two => vec![
                needed("memory.max", memory),
                wished("memory.swap.max", "0".into()),
                // The whole build ends, not the process that happened to ask last.
                wished("memory.oom.group", "1".into()),
                processes,
                wished("cpu.max", format!("{quota_us} {PERIOD_US}")),
            ],
            Version::One { controller } => match controller.as_str() {
                "memory" => {
                    vec![needed("memory.limit_in_bytes", memory.clone()), wished("memory.memsw.limit_in_bytes", memory)]
                }
                "pids" => vec![processes],
                _ => vec![
                    wished("cpu.cfs_period_us", PERIOD_US.to_string()),
                    wished("cpu.cfs_quota_us", quota_us.to_string()),
                ],
            },
        }
    }
}

/// Removes empty groups whose makers are gone.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            // One that is not empty is somebody's.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn said(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
#[path = "cgroup/tests.rs"]
mod tests;
