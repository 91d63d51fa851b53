//! Runs seeds of the simulation and says which of them broke an invariant.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use synchronicity_core::group::MEMBERS_MAX;
use synchronicity_sim::run::{Options, run};

/// Many builders under faults, from a seed.
#[derive(Parser)]
#[command(name = "synchronicity-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run seeds one after the other until one breaks an invariant.
    Run {
        /// First seed and the one after the last, as in 0..1000.
        #[arg(long, value_parser = seeds)]
        seeds: Range<u64>,
        /// Members of the group; without it 4 to 7, by the seed.
        #[arg(long, value_parser = clap::value_parser!(u64).range(2..=MEMBERS_MAX as u64))]
        builders: Option<u64>,
        /// Random events in each run, before the faults stop.
        #[arg(long, default_value_t = Options::default().steps)]
        steps: usize,
        /// Write what happened, a line for each event, to this file.
        #[arg(long, value_name = "FILE")]
        trace: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Command::Run { seeds, builders, steps, trace } = Arguments::parse().command;
    let options = Options { members: builders.map(|builders| builders as usize), steps, ..Options::default() };
    let mut lines = Vec::new();
    let (mut runs, mut entries, mut broken) = (0_u64, 0, None);
    for seed in seeds {
        match run(seed, &options) {
            Ok(finished) => {
                runs += 1;
                entries += finished.entries;
                lines.extend(trace.is_some().then_some(finished.trace).into_iter().flatten());
            }
            Err(failed) => {
                lines.extend(failed.trace.clone());
                broken = Some(failed);
                break;
            }
        }
    }
    if let Some(path) = &trace
        && let Err(error) = fs::write(path, lines.join("\n") + "\n")
    {
        eprintln!("the trace cannot be written to {}: {error}", path.display());
        return ExitCode::from(1);
    }
    match broken {
        None => {
            println!("{runs} seeds, {entries} verdicts: every invariant held");
            ExitCode::SUCCESS
        }
        Some(broken) => {
            eprintln!("{broken}");
            ExitCode::FAILURE
        }
    }
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parse = |number: &str| number.parse::<u64>().map_err(|_| format!("{number:?} is not a seed"));
    let (first, end) = text.split_once("..").ok_or("write two numbers, as in 0..1000")?;
    let seeds = parse(first)?..parse(end)?;
    if seeds.is_empty() { Err("there is no seed in that range".to_owned()) } else { Ok(seeds) }
}
