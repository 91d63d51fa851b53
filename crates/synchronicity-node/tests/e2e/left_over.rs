//! What a devnet may have left behind: processes, containers, mounts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Every container that Docker knows, running or not. Empty where no daemon answers.
pub(crate) fn containers() -> BTreeSet<String> {
    let listed = Command::new("docker").args(["ps", "--all", "--quiet"]).stderr(Stdio::null()).output();
    listed.map_or_else(
        |_| BTreeSet::new(),
        |list| String::from_utf8(list.stdout).unwrap().lines().map(String::from).collect(),
    )
}

/// Command lines of processes that belong to the folder `data`: by their arguments, their working folder, or, as those of a
/// sandbox do whose paths are all its own, by what is mounted where they live.
fn processes(data: &Path) -> Vec<String> {
    let data = data.canonicalize().unwrap_or(data.to_owned());
    let named = |path: &Path| {
        let text =
            |file: &str| fs::read(path.join(file)).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
        let command = text("cmdline").unwrap_or_default();
        let working = fs::read_link(path.join("cwd")).unwrap_or_default();
        let data_text = data.to_string_lossy();
        let of_data = command.contains(&*data_text)
            || working.starts_with(&data)
            || text("mountinfo").unwrap_or_default().contains(&*data_text);
        of_data.then(|| format!("{} {command}", path.display()))
    };
    let running = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let other = |path: &std::path::PathBuf| !path.ends_with(std::process::id().to_string());
    running.filter(other).filter_map(|path| named(&path)).collect()
}

/// Fails if, after a moment, a process or a mount of `data` is left.
pub(crate) fn nothing_is_left(data: &Path) {
    soon(|| {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mounts = mounts.lines().filter(|line| line.contains(&*data.to_string_lossy())).map(str::to_owned);
        processes(data).into_iter().chain(mounts).collect()
    });
}

/// Fails if, after a moment, there is a container that was not there `before`.
pub(crate) fn no_container_is_left(before: &BTreeSet<String>) {
    soon(|| containers().difference(before).cloned().collect());
}

fn soon(left: impl Fn() -> Vec<String>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while let left = left()
        && !left.is_empty()
    {
        assert!(Instant::now() < deadline, "left behind: {left:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
