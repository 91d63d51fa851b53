//! With what a survey was made, on what machine, when, and how long it took.

use std::fs;

use miette::Diagnostic;
use serde::{Deserialize, Serialize};

use super::record::FORMAT;
use crate::age;
use crate::report;
use crate::workshop::Workshop;

/// All that the report says of the records together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub(super) format: u32,
    pub(super) setting: Setting,
    pub(super) machine: Machine,
    /// From each start of the program to its end.
    pub(super) sessions: Vec<Session>,
}

/// What all builds of a survey have in common. Records of different settings are not put together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    /// Name and version of this program.
    pub(super) program: String,
    /// Release and commit of rustc.
    pub(super) rustc: String,
    pub(super) target: String,
    pub(super) sandbox: String,
    /// The image, or a fingerprint of the host.
    pub(super) environment: String,
}

/// The machine, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Machine {
    pub(super) processors: usize,
    pub(super) processor: String,
    pub(super) memory_mib: u64,
    pub(super) system: String,
}

/// One run of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    /// As it was typed.
    pub(super) command: String,
    /// SHA-256 of the list.
    pub(super) list_sha256: String,
    pub(super) jobs: usize,
    /// In seconds since 1970.
    pub(super) began: u64,
    /// In seconds since 1970; none if the program was killed.
    pub(super) ended: Option<u64>,
    /// How many crates were recorded in it; of a session that was killed, 0.
    pub(super) recorded: usize,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the records that are there were made with another {what}: {there}, and here it is {here}")]
#[diagnostic(help("name another folder with --out"))]
pub(super) struct OtherSetting {
    what: &'static str,
    there: String,
    here: String,
}

impl Run {
    /// A run that has no session yet.
    pub(super) fn new(setting: Setting) -> Self {
        Self { format: FORMAT, setting, machine: Machine::this(), sessions: Vec::new() }
    }
}

impl Setting {
    pub(super) fn of(workshop: &Workshop) -> Self {
        let toolchain = workshop.bench.toolchain();
        Self {
            program: concat!("synchronicity ", env!("CARGO_PKG_VERSION")).into(),
            rustc: format!("{} ({})", toolchain.release, toolchain.commit),
            target: toolchain.host,
            sandbox: workshop.bench.name().into(),
            environment: report::environment(&workshop.bench.environment()),
        }
    }

    /// Refuses where `here` is not the same.
    pub(super) fn agrees(&self, here: &Self) -> Result<(), OtherSetting> {
        let pairs = [
            ("program", &self.program, &here.program),
            ("rustc", &self.rustc, &here.rustc),
            ("target", &self.target, &here.target),
            ("sandbox", &self.sandbox, &here.sandbox),
            ("environment", &self.environment, &here.environment),
        ];
        match pairs.into_iter().find(|(_, there, here)| there != here) {
            None => Ok(()),
            Some((what, there, here)) => Err(OtherSetting { what, there: there.clone(), here: here.clone() }),
        }
    }
}

impl Machine {
    fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, name: &str, mark: char| {
            let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(mark));
            line.map_or("unknown".to_owned(), |(_, value)| value.trim().trim_matches('"').to_owned())
        };
        Self {
            processors: processors(),
            processor: value(&read("/proc/cpuinfo"), "model name", ':'),
            memory_mib: memory_mib(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0),
            system: value(&read("/etc/os-release"), "PRETTY_NAME", '='),
        }
    }
}

impl Session {
    pub(super) fn begin(list_sha256: &str, jobs: usize) -> Self {
        Self {
            command: command(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned())),
            list_sha256: list_sha256.to_owned(),
            jobs,
            began: age::now_s(),
            ended: None,
            recorded: 0,
        }
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
