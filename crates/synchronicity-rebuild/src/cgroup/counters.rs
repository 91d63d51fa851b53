//! What the kernel counts of a group: how often it killed for memory, and how often it refused a process.

use std::fs;
use std::io;
use std::path::PathBuf;

use synchronicity_verify::result::Failure;

use super::place;

/// Files of a group that anybody may read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    memory: Option<PathBuf>,
    /// Of version 1 only: the most that was used, and the limit. (Its counts of failures stay at zero on new kernels.)
    peak_and_limit: Option<[PathBuf; 2]>,
    pids: Option<PathBuf>,
}

impl Counters {
    /// Of the group of another process, a container's first for example.
    pub(crate) fn of(process: u32) -> io::Result<Self> {
        let places = place::own_folders(&process.to_string())?;
        Ok(Self::among(places.into_iter().map(|place| place.folder)))
    }

    /// Of the group with these folders.
    pub(super) fn among(folders: impl Iterator<Item = PathBuf>) -> Self {
        let mut found = Self::default();
        for folder in folders {
            let file = |name: &str| Some(folder.join(name)).filter(|path| path.exists());
            found.memory = found.memory.or_else(|| file("memory.events")).or_else(|| file("memory.oom_control"));
            let both = || Some([file("memory.max_usage_in_bytes")?, file("memory.limit_in_bytes")?]);
            found.peak_and_limit = found.peak_and_limit.or_else(both);
            found.pids = found.pids.or_else(|| file("pids.events"));
        }
        found
    }

    /// The limit that was met: by the first process that was killed for memory, or that was not started. None otherwise.
    pub(crate) fn exceeded(&self) -> Option<Failure> {
        if self.memory_kills() > 0 && self.met_its_limit() {
            return Some(Failure::Memory);
        }
        (count(&self.pids, "max") > 0).then_some(Failure::Processes)
    }

    /// Whether a process was killed for memory although the group had not met its limit: the machine had none left.
    pub(crate) fn starved(&self) -> bool {
        self.memory_kills() > 0 && !self.met_its_limit()
    }

    /// Of processes of the group, whoever's lack of memory it was for.
    fn memory_kills(&self) -> u64 {
        count(&self.memory, "oom_kill")
    }

    fn met_its_limit(&self) -> bool {
        let bytes = |path: &PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let near = |[peak, limit]: &[PathBuf; 2]| Some(bytes(peak)? >= bytes(limit)? / 16 * 15);
        count(&self.memory, "oom") > 0 || self.peak_and_limit.as_ref().and_then(near).unwrap_or(false)
    }
}

/// How often the machine as a whole had to kill a process for memory, in groups or outside of them.
pub(crate) fn machine_memory_kills() -> u64 {
    count(&Some("/proc/vmstat".into()), "oom_kill")
}

/// A file that is gone, with its group, or has no such line counts nothing.
fn count(file: &Option<PathBuf>, name: &str) -> u64 {
    let text = file.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn told(folders: &[&tempfile::TempDir]) -> (Option<Failure>, bool) {
        let counters = Counters::among(folders.iter().map(|folder| folder.path().to_owned()));
        (counters.exceeded(), counters.starved())
    }

    #[test]
    fn version_two_tells_the_groups_own_lack_of_memory_from_the_machines() {
        let own = folder(&[("memory.events", "low 0\nmax 7\noom 2\noom_kill 1\n"), ("pids.events", "max 0\n")]);
        assert_eq!(told(&[&own]), (Some(Failure::Memory), false));
        let machine = folder(&[("memory.events", "low 0\nmax 7\noom 0\noom_kill 1\n"), ("pids.events", "max 0\n")]);
        assert_eq!(told(&[&machine]), (None, true));
        let many = folder(&[("memory.events", "max 7\noom 0\noom_kill 0\n"), ("pids.events", "max 3\n")]);
        assert_eq!(told(&[&many]), (Some(Failure::Processes), false));
    }

    #[test]
    fn version_one_says_the_same_in_other_files() {
        let kills = ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
        let limit = ("memory.limit_in_bytes", "83886080\n");
        let pids = folder(&[("pids.events", "max 0\n")]);
        let at = |peak| told(&[&folder(&[kills, limit, ("memory.max_usage_in_bytes", peak)]), &pids]);
        assert_eq!(at("83886080\n"), (Some(Failure::Memory), false));
        assert_eq!(at("83000000\n"), (Some(Failure::Memory), false), "the kernel charges in batches");
        assert_eq!(at("40000000\n"), (None, true));
        let none = ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
        let full = folder(&[none, limit, ("memory.max_usage_in_bytes", "83886080\n")]);
        assert_eq!(told(&[&full, &pids]), (None, false), "it gave back what it had only kept of files");
    }

    #[test]
    fn a_group_without_counts_counts_nothing() {
        let counters = Counters::among(std::iter::once("/no/such/group".into()));
        assert_eq!((counters.exceeded(), counters.starved()), (None, false));
    }
}
