//! Runs seeds of the simulation and says which of them broke an invariant.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use synchronicity_core::group::MEMBERS_MAX;
use synchronicity_sim::engine;
use synchronicity_sim::run::{Broken, Finished, Options, replay, run};
use synchronicity_sim::script::Course;
use synchronicity_sim::shrink::shrink as shortened;
use synchronicity_sim::trace::Trace;

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
        /// Let operators propose and approve of who is absent, so that epochs end.
        #[arg(long)]
        changes: bool,
        /// Write what happened, a line for each event, to this file.
        #[arg(long, value_name = "FILE")]
        trace: Option<PathBuf>,
        /// Leave out of a failing run whatever does not matter, before it is told and written.
        #[arg(long)]
        shrink: bool,
    },
    /// Run again what `run --trace` wrote for one seed, line by line: also when lines were taken out.
    Replay {
        /// The trace.
        file: PathBuf,
    },
    /// The same as `run` over the real engine, with links that lose messages and are cut. Each seed takes seconds.
    Engine {
        /// First seed and the one after the last, as in 0..50.
        #[arg(long, value_parser = seeds)]
        seeds: Range<u64>,
        /// Members of the group; without it 4 to 7, by the seed.
        #[arg(long, value_parser = clap::value_parser!(u64).range(4..=MEMBERS_MAX as u64))]
        builders: Option<u64>,
        /// Random events in each run, before the faults stop.
        #[arg(long, default_value_t = engine::Options::default().steps)]
        steps: usize,
        /// Write what happened, a line for each event, to this file.
        #[arg(long, value_name = "FILE")]
        trace: Option<PathBuf>,
    },
}

/// What all seeds together came to.
struct Tally {
    runs: u64,
    entries: u64,
    lines: Vec<String>,
    broken: Option<String>,
}

fn main() -> ExitCode {
    let (tally, trace) = match Arguments::parse().command {
        Command::Run { seeds, builders, steps, changes, trace, shrink } => {
            let members = builders.map(|builders| builders as usize);
            let course = if changes { Course::Changing } else { Course::Usual };
            let options = Options { members, steps, course, ..Options::default() };
            let outcome = |seed| {
                let shorter = |broken| if shrink { shortened(broken, &options) } else { broken };
                told(run(seed, &options).map(of_core).map_err(shorter))
            };
            (play(seeds, trace.is_some(), outcome), trace)
        }
        Command::Replay { file } => match read(&file) {
            Ok(Trace { seed, members, script }) => {
                let options = Options { members: Some(members), ..Options::default() };
                (play(seed..seed + 1, false, |seed| told(replay(seed, &options, &script).map(of_core))), None)
            }
            Err(why) => {
                eprintln!("{}: {why}", file.display());
                return ExitCode::from(2);
            }
        },
        Command::Engine { seeds, builders, steps, trace } => {
            let options = engine::Options { members: builders.map(|builders| builders as usize), steps };
            let outcome = |seed| told(engine::run(seed, &options).map(|finished| (finished.entries, finished.trace)));
            (play(seeds, trace.is_some(), outcome), trace)
        }
    };
    if let Some(path) = &trace
        && let Err(error) = fs::write(path, tally.lines.join("\n") + "\n")
    {
        eprintln!("the trace cannot be written to {}: {error}", path.display());
        return ExitCode::from(1);
    }
    match tally.broken {
        None => {
            println!("{} seeds, {} verdicts: every invariant held", tally.runs, tally.entries);
            ExitCode::SUCCESS
        }
        Some(broken) => {
            eprintln!("{broken}");
            ExitCode::FAILURE
        }
    }
}

fn read(file: &Path) -> Result<Trace, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    Trace::parse(&text).map_err(|error| error.to_string())
}

fn of_core(finished: Finished) -> (u64, Vec<String>) {
    (finished.entries, finished.trace)
}

fn told(outcome: Result<(u64, Vec<String>), Broken>) -> Outcome {
    outcome.map_err(|broken| (broken.to_string(), broken.trace))
}

/// Entries in the log and the trace of a seed; or what it broke, in words, and its trace.
type Outcome = Result<(u64, Vec<String>), (String, Vec<String>)>;

/// Runs seeds until one breaks an invariant.
fn play(seeds: Range<u64>, keep_lines: bool, outcome: impl Fn(u64) -> Outcome) -> Tally {
    let mut tally = Tally { runs: 0, entries: 0, lines: Vec::new(), broken: None };
    for seed in seeds {
        match outcome(seed) {
            Ok((entries, trace)) => {
                tally.runs += 1;
                tally.entries += entries;
                tally.lines.extend(keep_lines.then_some(trace).into_iter().flatten());
            }
            Err((broken, trace)) => {
                tally.lines.extend(trace);
                tally.broken = Some(broken);
                break;
            }
        }
    }
    tally
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parse = |number: &str| number.parse::<u64>().map_err(|_| format!("{number:?} is not a seed"));
    let (first, end) = text.split_once("..").ok_or("write two numbers, as in 0..1000")?;
    let seeds = parse(first)?..parse(end)?;
    if seeds.is_empty() { Err("there is no seed in that range".to_owned()) } else { Ok(seeds) }
}
