//! Every test of the workspace in one run that ends in a count.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::cargo::cargo;
use crate::setup;

/// Sums of the summary lines that the test harnesses print.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Sets up, runs `cargo test` over the workspace with `extra` arguments, and prints the count last.
///
/// A run that executed no test fails: a check that cannot fail is no check.
pub(crate) fn run(root: &Path, extra: &[String]) -> ExitCode {
    let started = Instant::now();
    let testing = || {
        let mut command = cargo(root);
        command.args(["test", "--workspace", "--locked", "--no-fail-fast"]).stdin(Stdio::null());
        command
    };
    // The set-up waits for the network, the compiler for the processors. What does not compile is told again below.
    let compiling = testing().args(own_arguments(extra)).arg("--no-run").spawn();
    let readiness = setup::run(root);
    eprintln!("set-up took {} s: {readiness:?}", started.elapsed().as_secs());
    if let Ok(mut compiling) = compiling {
        let _ = compiling.wait();
    }

    let mut command = testing();
    command.args(extra).env("SYNCHRONICITY_REQUIRE", required(root, readiness).join(",")).stdout(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("cargo could not be started: {error}; install Rust first");
            return ExitCode::FAILURE;
        }
    };
    let count = child.stdout.take().map_or_else(Count::default, |stdout| echo_and_count(stdout, std::io::stdout()));
    let succeeded = child.wait().is_ok_and(|status| status.success());

    println!("all tests took {} s, set-up included", started.elapsed().as_secs());
    if !succeeded && count.failed == 0 {
        println!("cargo test failed before or outside a test: see above");
    }
    println!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    if succeeded && count.failed == 0 && count.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Those that cargo reads itself: the rest, behind `--`, is for the tests.
fn own_arguments(extra: &[String]) -> impl Iterator<Item = &String> {
    extra.iter().take_while(|word| *word != "--")
}

/// What this machine was seen to give without our own code: a test that then misses it fails instead of being skipped.
fn required(root: &Path, readiness: setup::Readiness) -> Vec<String> {
    let docker = (readiness == setup::Readiness::Docker).then_some("docker");
    let namespaces = Command::new("unshare").args(["--user", "--map-root-user", "true"]).stderr(Stdio::null()).status();
    let embedded = namespaces.is_ok_and(|status| status.success()).then_some("embedded");
    let own = docker.into_iter().chain(embedded).map(str::to_owned);
    own.chain(setup::tools_of_others(root)).collect()
}

/// Copies the harnesses' output on and adds up their summary lines.
fn echo_and_count(from: impl Read, mut to: impl Write) -> Count {
    let mut count = Count::default();
    for line in BufReader::new(from).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        // A closed terminal must not stop the tests.
        let _ = writeln!(to, "{line}");
        count.add(&line);
    }
    count
}

impl Count {
    /// Adds one `test result: ok. 3 passed; 0 failed; 1 ignored; …` line; leaves every other line out.
    fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let Some((_, fields)) = rest.split_once(". ") else { return };
        for field in fields.split(';') {
            let mut words = field.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_several_harnesses_add_up_and_everything_is_echoed() {
        let output = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.00s\n";
        let mut echoed = Vec::new();
        let count = echo_and_count(output.as_bytes(), &mut echoed);
        assert_eq!(count, Count { passed: 5, failed: 2, skipped: 1 });
        assert_eq!(String::from_utf8(echoed).unwrap(), output);
    }

    #[test]
    fn a_line_that_only_looks_like_a_summary_counts_for_nothing() {
        let mut count = Count::default();
        for line in ["test result: ", "test result: ok", "result: ok. 9 passed", "test result: ok. many passed;"] {
            count.add(line);
        }
        assert_eq!(count, Count::default());
    }
}
