//! With what a survey was made, on what machine, when, and how long it took.

use std::fs;

use miette::Diagnostic;
use synchronicity_explain::survey::{FORMAT, Machine, Run, Session, Setting};

use crate::age;
use crate::report;
use crate::workshop::Workshop;

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the records that are there were made with another {what}: {there}, and here it is {here}")]
#[diagnostic(help("name another folder with --out"))]
pub(super) struct OtherSetting {
    what: &'static str,
    there: String,
    here: String,
}

/// A run that has no session yet.
pub(super) fn new(setting: Setting) -> Run {
    Run { format: FORMAT, setting, machine: machine(), sessions: Vec::new() }
}

/// What builds of this workshop have in common.
pub(super) fn setting(workshop: &Workshop) -> Setting {
    let toolchain = workshop.bench.toolchain();
    Setting {
        program: concat!("synchronicity ", env!("CARGO_PKG_VERSION")).into(),
        rustc: format!("{} ({})", toolchain.release, toolchain.commit),
        target: toolchain.host,
        sandbox: workshop.bench.name().into(),
        environment: report::environment(&workshop.bench.environment()),
    }
}

/// Refuses where the two are not the same.
pub(super) fn agree(there: &Setting, here: &Setting) -> Result<(), OtherSetting> {
    let pairs = [
        ("program", &there.program, &here.program),
        ("rustc", &there.rustc, &here.rustc),
        ("target", &there.target, &here.target),
        ("sandbox", &there.sandbox, &here.sandbox),
        ("environment", &there.environment, &here.environment),
    ];
    match pairs.into_iter().find(|(_, there, here)| there != here) {
        None => Ok(()),
        Some((what, there, here)) => Err(OtherSetting { what, there: there.clone(), here: here.clone() }),
    }
}

fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, name: &str, mark: char| {
        let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(mark));
        line.map_or("unknown".to_owned(), |(_, value)| value.trim().trim_matches('"').to_owned())
    };
    Machine {
        processors: processors(),
        processor: value(&read("/proc/cpuinfo"), "model name", ':'),
        memory_mib: memory_mib(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0),
        system: value(&read("/etc/os-release"), "PRETTY_NAME", '='),
    }
}

/// A session that begins now.
pub(super) fn session(list_sha256: &str, jobs: usize) -> Session {
    Session {
        command: command(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned())),
        list_sha256: list_sha256.to_owned(),
        jobs,
        began: age::now_s(),
        ended: None,
        recorded: 0,
    }
}

/// How many crates are built at once where nobody says: each has its limit of memory, and a processor at least.
pub(super) fn default_jobs(memory_limit_bytes: u64) -> usize {
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_mib(&text, "MemAvailable:"));
    jobs_for(processors(), available.unwrap_or(0), memory_limit_bytes >> 20)
}

/// The bench keeps eight ended builds: with more at once, one could lose its artifacts before they are copied.
pub(super) const JOBS_MAX: usize = 6;

fn jobs_for(processors: usize, available_mib: u64, limit_mib: u64) -> usize {
    let by_memory = usize::try_from(available_mib / limit_mib.max(1)).unwrap_or(JOBS_MAX);
    processors.min(by_memory).clamp(1, JOBS_MAX)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn memory_mib(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib >> 10)
}

/// What a shell would take for these arguments.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./=@:,+".contains(&b));
    let quoted = arguments.map(|text| if plain(&text) { text } else { format!("'{}'", text.replace('\'', r"'\''")) });
    ["synchronicity".to_owned()].into_iter().chain(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_jobs_is_bounded_by_processors_and_by_memory() {
        assert_eq!(jobs_for(2, 22_000, 3072), 2);
        assert_eq!(jobs_for(64, 10_000, 3072), 3);
        assert_eq!(jobs_for(64, 1_000_000, 3072), JOBS_MAX);
        assert_eq!(jobs_for(2, 0, 3072), 1);
        assert_eq!(memory_mib("MemTotal: 1 kB\nMemAvailable:   2097152 kB\n", "MemAvailable:"), Some(2048));
    }

    #[test]
    fn the_command_is_one_that_a_shell_understands() {
        let words = ["survey", "a list.txt", "--out=x", "it's"].map(str::to_owned);
        assert_eq!(command(words.into_iter()), r"synchronicity survey 'a list.txt' --out=x 'it'\''s'");
    }
}
