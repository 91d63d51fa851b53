//! Runs seeds of the simulation and says which of them broke an invariant.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fmt, fs};

use clap::{Parser, Subcommand};
use synchronicity_core::group::MEMBERS_MAX;
use synchronicity_sim::engine::{self, Script};
use synchronicity_sim::panics::{self, caught};
use synchronicity_sim::plant::Plant;
use synchronicity_sim::run::{self, Broken, Options};
use synchronicity_sim::script::Course;
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
        #[command(flatten)]
        common: Common,
        /// Members of the group; without it 4 to 31, by the seed, and mostly 4 to 7.
        #[arg(long, value_parser = clap::value_parser!(u64).range(2..=MEMBERS_MAX as u64))]
        builders: Option<u64>,
        /// Random events in each run, before the faults stop.
        #[arg(long, default_value_t = Options::default().steps)]
        steps: usize,
        /// Let operators propose and approve of who is absent, so that epochs end.
        #[arg(long)]
        changes: bool,
        /// A bug to plant, to see what a run looks like that fails.
        #[arg(long, hide = true)]
        plant: Option<Plant>,
    },
    /// The same as `run` over the real engine, with links that lose messages and are cut. Each seed takes seconds.
    Engine {
        #[command(flatten)]
        common: Common,
        /// Members of the group; without it 4 to 31, by the seed, and mostly 4 to 7.
        #[arg(long, value_parser = clap::value_parser!(u64).range(4..=MEMBERS_MAX as u64))]
        builders: Option<u64>,
        /// Random changes of the weather in each run, before the faults stop.
        #[arg(long, default_value_t = engine::Options::default().steps)]
        steps: usize,
    },
    /// Run again what one of the others wrote for one seed, line by line: also when lines were taken out.
    Replay {
        /// The trace.
        file: PathBuf,
    },
}

#[derive(clap::Args)]
struct Common {
    /// First seed and the one after the last, as in 0..1000.
    #[arg(long, value_parser = seeds)]
    seeds: Range<u64>,
    /// Write what happened in the last seed, a line for each event, to this file. Of a seed that fails it is always written:
    /// without this to `COMMAND-seed-N.trace`.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Leave out of a failing run whatever does not matter, before it is told and written.
    #[arg(long)]
    shrink: bool,
}

/// Between two lines about how far the seeds are.
const PROGRESS: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    panics::print_unexpected();
    match Arguments::parse().command {
        Command::Run { common, builders, steps, changes, plant } => {
            let members = builders.map(|builders| builders as usize);
            let course = if changes { Course::Changing } else { Course::Usual };
            let options = Options { members, steps, course, plant, ..Options::default() };
            let shorter = |broken| if common.shrink { run::shortened(broken, &options) } else { broken };
            play("run", &common, |seed| told(run::run(seed, &options).map(of_core).map_err(shorter)))
        }
        Command::Engine { common, builders, steps } => {
            let members = builders.map(|builders| builders as usize);
            let options = engine::Options { members, steps, ..engine::Options::default() };
            let shorter = |broken| if common.shrink { engine::shortened(broken, &options) } else { broken };
            play("engine", &common, |seed| told(engine::run(seed, &options).map(of_engine).map_err(shorter)))
        }
        Command::Replay { file } => match replayed(&file) {
            Ok(Ok((entries, _))) => {
                println!("{entries} verdicts: every invariant held");
                ExitCode::SUCCESS
            }
            Ok(Err((broken, _))) => {
                eprintln!("{broken}");
                ExitCode::FAILURE
            }
            Err(why) => {
                eprintln!("{}: {why}", file.display());
                ExitCode::from(2)
            }
        },
    }
}

fn replayed(file: &Path) -> Result<Outcome, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    if Script::is_one(&text) {
        let Script { seed, members, steps } = Script::parse(&text).map_err(|error| error.to_string())?;
        let options = engine::Options { members: Some(members), ..engine::Options::default() };
        return Ok(told(engine::replay(seed, &options, &steps).map(of_engine)));
    }
    let Trace { seed, members, script } = Trace::parse(&text).map_err(|error| error.to_string())?;
    let options = Options { members: Some(members), ..Options::default() };
    Ok(told(run::replay(seed, &options, &script).map(of_core)))
}

/// Entries in the log and the trace of a seed; or what it broke, in words, and its trace.
type Outcome = Result<(u64, Vec<String>), (String, Vec<String>)>;

fn of_core(finished: run::Finished) -> (u64, Vec<String>) {
    (finished.entries, finished.trace)
}

fn of_engine(finished: engine::Finished) -> (u64, Vec<String>) {
    (finished.entries, finished.trace)
}

fn told<E>(outcome: Result<(u64, Vec<String>), Broken<E>>) -> Outcome
where
    Broken<E>: fmt::Display,
{
    outcome.map_err(|broken| (broken.to_string(), broken.trace))
}

/// Runs seeds until one breaks an invariant.
fn play(command: &str, common: &Common, outcome: impl Fn(u64) -> Outcome) -> ExitCode {
    let (mut runs, mut verdicts) = (0_u64, 0);
    let (mut lines, mut since) = (Vec::new(), Instant::now());
    for seed in common.seeds.clone() {
        // What panics outside of all that is judged has no trace, but a seed.
        let outcome = caught(|| outcome(seed))
            .unwrap_or_else(|panicked| Err((format!("{command} of seed {seed}: {panicked}"), Vec::new())));
        match outcome {
            Ok((entries, trace)) => {
                runs += 1;
                verdicts += entries;
                lines = trace;
                if since.elapsed() > PROGRESS {
                    eprintln!("after seed {seed}: {runs} seeds, {verdicts} verdicts: every invariant held");
                    since = Instant::now();
                }
            }
            Err((broken, trace)) => {
                eprintln!("{broken}");
                let file = common.trace.clone().unwrap_or_else(|| format!("{command}-seed-{seed}.trace").into());
                if write(&file, &trace) {
                    eprintln!("its trace: {0}; line by line: synchronicity-sim replay {0}", file.display());
                }
                return ExitCode::FAILURE;
            }
        }
    }
    if common.trace.as_ref().is_some_and(|file| !write(file, &lines)) {
        return ExitCode::FAILURE;
    }
    println!("{runs} seeds, {verdicts} verdicts: every invariant held");
    ExitCode::SUCCESS
}

/// Writes the trace of one seed and of no other: that is what a replay takes. Says whether it could.
fn write(file: &Path, lines: &[String]) -> bool {
    let written = fs::write(file, lines.join("\n") + "\n");
    if let Err(error) = &written {
        eprintln!("the trace cannot be written to {}: {error}", file.display());
    }
    written.is_ok()
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parse = |number: &str| number.parse::<u64>().map_err(|_| format!("{number:?} is not a seed"));
    let (first, end) = text.split_once("..").ok_or("write two numbers, as in 0..1000")?;
    let seeds = parse(first)?..parse(end)?;
    if seeds.is_empty() { Err("there is no seed in that range".to_owned()) } else { Ok(seeds) }
}
