//! Counts the processes of a PID namespace and their memory, from outside and without cgroups, which an ordinary
//! user usually may not make.

use std::fs;
use std::path::PathBuf;

use nix::unistd::Pid;
use synchronicity_verify::request::Limits;
use synchronicity_verify::result::Failure;

/// A PID namespace that can be counted.
pub(crate) struct Census {
    first: Pid,
}

/// What all processes of a namespace use together at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Usage {
    threads: u64,
    memory_bytes: u64,
}

impl Census {
    /// Of the namespace whose first process is `first`.
    pub(crate) fn of(first: Pid) -> Self {
        Self { first }
    }

    /// The limit that is exceeded at this moment, if one is.
    pub(crate) fn exceeded(&self, limits: &Limits) -> Option<Failure> {
        let usage = self.usage();
        if usage.memory_bytes > limits.memory_bytes {
            return Some(Failure::Memory);
        }
        // The first process is not the build's but the sandbox's.
        (usage.threads > u64::from(limits.processes) + 1).then_some(Failure::Processes)
    }

    /// Processes come and go meanwhile; one that is gone counts nothing.
    fn usage(&self) -> Usage {
        let Some(namespace) = namespace_of(&self.first.to_string()) else { return Usage::default() };
        let Ok(processes) = fs::read_dir("/proc") else { return Usage::default() };
        let mut total = Usage::default();
        for process in processes.flatten() {
            let number = process.file_name();
            let Some(number) = number.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else {
                continue;
            };
            if namespace_of(number).as_ref() == Some(&namespace)
                && let Ok(status) = fs::read_to_string(process.path().join("status"))
            {
                let usage = parse(&status);
                total.threads += usage.threads;
                total.memory_bytes += usage.memory_bytes;
            }
        }
        total
    }
}

/// Identity of a process's PID namespace; none if the process is gone or somebody else's.
fn namespace_of(process: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/pid")).ok()
}

/// From the text of `/proc/PID/status`. Memory is what the process has for itself (anonymous pages and shared memory):
/// the program files that all compilers have mapped would count once for each.
fn parse(status: &str) -> Usage {
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Usage { threads: field("Threads"), memory_bytes: (field("RssAnon") + field("RssShmem")) * 1024 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_census_counts_this_process_with_its_threads_and_memory() {
        let ballast = vec![1_u8; 64 << 20];
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || held.recv());
        let usage = Census::of(Pid::this()).usage();
        assert!(usage.threads >= 2, "{usage:?}");
        assert!(usage.memory_bytes >= 64 << 20, "{usage:?}");
        drop((hold, ballast));
        let _ = thread.join();
    }

    #[test]
    fn a_status_without_memory_is_a_dead_process() {
        let status = "Name:\tcc1\nState:\tZ (zombie)\nThreads:\t1\n";
        assert_eq!(parse(status), Usage { threads: 1, memory_bytes: 0 });
        let alive = "Name:\trustc\nRssAnon:\t  1000 kB\nRssFile:\t  9999 kB\nRssShmem:\t  24 kB\nThreads:\t7\n";
        assert_eq!(parse(alive), Usage { threads: 7, memory_bytes: 1024 * 1024 });
    }
}
