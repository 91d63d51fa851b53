//! What the machine can do, and what the process took of it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// One thing that was measured.
pub(crate) fn row(what: &str, found: &str) {
    println!("{what:30} {found}");
}

pub(crate) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Of many times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) most: Duration,
}

impl Summary {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
        let at = |share| at(share).copied().unwrap_or_default();
        Self { p50: at(50), p99: at(99), most: at(100) }
    }
}

/// Appending 4 KiB to a file and syncing it, two hundred times.
pub(crate) fn fsync(folder: &Path) -> Summary {
    let path = folder.join("fsync");
    let (mut file, page) = (File::create(&path).unwrap(), [7; 4096]);
    let mut once = || {
        let begin = Instant::now();
        file.write_all(&page).unwrap();
        file.sync_data().unwrap();
        begin.elapsed()
    };
    let times = (0..200).map(|_| once()).collect();
    fs::remove_file(path).unwrap();
    Summary::of(times)
}

/// User and system time of this process so far: fields 14 and 15 of proc_pid_stat(5), counted after the name in brackets.
pub(crate) fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ, which is 100 on every Linux of this architecture.
    Duration::from_millis(10 * ticks)
}

pub(crate) fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Bytes on disk of all files in `folder` and below.
pub(crate) fn disk_bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(items) = fs::read_dir(folder) else { return 0 };
    let bytes = |path: &Path| match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => disk_bytes(path),
        // Files may be removed at any moment.
        about => about.map_or(0, |about| 512 * about.blocks()),
    };
    items.filter_map(Result::ok).map(|item| bytes(&item.path())).sum()
}
