//! `survey`: each crate of a list is built twice as `check` does it, and a report says how many came out the same, by
//! kind and by cause, with counts and intervals. One machine's answer, about this list.
//!
//! `list` reads the list, `crew` has several crates measured at once (`measure`), `store` keeps a `record` of each and
//! the circumstances of all (`run`). The report is a function of those files alone: `tally` counts, `page`, `details` and `plot`
//! draw, `tables` are for programs. What a report says beside the single crates is [`synchronicity_explain::survey`]: others show it.

mod crew;
mod details;
mod list;
mod measure;
mod page;
mod plot;
mod record;
mod run;
mod store;
mod tables;
mod tally;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use clap::Args;
use miette::Diagnostic;
use serde_json::json;
use synchronicity_explain::survey::Run;
use synchronicity_rebuild::recipe::Options;

use crate::age;
use crate::cli::Place;
use crate::exit::{self, Stop};
use crate::progress::Progress;
use crate::workshop::{Workshop, WorkshopError};
use list::{Line, List, ListError};
use run::OtherSetting;
use store::{Store, StoreError};
use tally::Tally;

/// `survey FILE --out DIR`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct SurveyArgs {
    /// The list: a crate a line, as NAME@VERSION or NAME; what follows # is a comment
    list: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Folder for records and report; what it has a record of is not built again
    #[arg(long, short, value_name = "DIR", default_value = "survey")]
    out: PathBuf,
    /// Crates to build at once, 1 to 6 [default: what processors and free memory allow]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=run::JOBS_MAX as i64))]
    jobs: Option<u8>,
    /// Build nothing: write the report again, from the records that are there
    #[arg(long)]
    report_only: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
enum SurveyError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    List(ListError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(StoreError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Setting(OtherSetting),
    #[error("signals cannot be caught: {0}")]
    Signals(std::io::Error),
}

/// The name and version of the document, which change together with `docs/schemas/survey.schema.json`.
const SCHEMA: &str = "synchronicity/survey@v1";

/// Measures what has no record yet, and writes the report.
pub(crate) fn survey(args: &SurveyArgs) -> Result<u8, Stop> {
    let list = List::read(&args.list).map_err(|error| Stop::new(exit::USAGE, SurveyError::List(error)))?;
    let store = Store::open(&args.out).map_err(stored)?;
    let (run, shift, stopped) = if args.report_only {
        let run = store.run().map_err(stored)?.ok_or_else(|| stored(StoreError::NoRun(args.out.clone())))?;
        (run, crew::Shift::default(), false)
    } else {
        build(args, &list, &store)?
    };
    let tally = Tally::of(&list, &run, |line: &Line| store.record(&line.key));
    write(&store, &tally).map_err(stored)?;
    let left = tally.summary.totals.listed - tally.summary.totals.recorded;
    let code = if left > 0 && !args.report_only { exit::TRY_LATER } else { exit::OK };
    if args.json {
        let told = json!({
            "schema": SCHEMA,
            "exit": code,
            "folder": store.dir().display().to_string(),
            "totals": tally.summary.totals,
            "not_measured": shift.failed.iter().map(|(key, why)| json!({ "crate": key, "why": why })).collect::<Vec<_>>(),
        });
        verbatim!("{told}");
    } else {
        out!("{}", tally.in_words());
        outln!("the report: {}", store.dir().join("index.html").display());
    }
    if stopped {
        note!("stopped: the same command goes on with the {left} crates that are left");
    } else if code == exit::TRY_LATER {
        errln!("{left} crates could not be measured here and now: the same command tries them again");
    }
    Ok(code)
}

fn build(args: &SurveyArgs, list: &List, store: &Store) -> Result<(Run, crew::Shift, bool), Stop> {
    let stop = crew::signals().map_err(|error| Stop::new(exit::INTERNAL, SurveyError::Signals(error)))?;
    Progress::new().say("preparing the sandbox");
    let workshop = Workshop::open(&args.place, Progress::silent())?;
    let setting = run::setting(&workshop);
    let mut run = match store.run().map_err(stored)? {
        None => run::new(setting),
        Some(run) => {
            let agreed = run::agree(&run.setting, &setting);
            agreed.map_err(|error| Stop::new(exit::USAGE, SurveyError::Setting(error)))?;
            run
        }
    };
    let (done, waiting): (Vec<Line>, Vec<Line>) =
        list.lines.iter().cloned().partition(|line| store.record(&line.key).is_some());
    if waiting.is_empty() {
        return Ok((run, crew::Shift::default(), false));
    }
    let limit = Options::default().limits.memory_bytes;
    let jobs = args.jobs.map_or_else(|| run::default_jobs(limit), usize::from);
    run.sessions.push(run::session(&list.sha256, jobs));
    // Before the first record: it must not be without a word about how it came about.
    store.keep_run(&run).map_err(stored)?;
    let scratch = Scratch::new(workshop.dir.join("synchronicity-survey"))?;
    let shift = crew::work(&workshop, waiting, done.len(), jobs, store, &scratch.0, &stop).map_err(stored)?;
    // Of interest is what is recorded, and what a build that was killed leaves is large.
    workshop.bench.clear().map_err(WorkshopError::file(&workshop.dir))?;
    if let Some(session) = run.sessions.last_mut() {
        (session.ended, session.recorded) = (Some(age::now_s()), shift.recorded);
    }
    store.keep_run(&run).map_err(stored)?;
    Ok((run, shift, stop.load(Ordering::Relaxed)))
}

fn write(store: &Store, tally: &Tally) -> Result<(), StoreError> {
    store.keep_text("crates.csv", &tables::crates(tally))?;
    store.keep_text("rates.csv", &tables::rates(tally))?;
    store.keep_text("survey.json", &tables::json(tally))?;
    // Last: whoever sees it new has the rest.
    store.keep_text("index.html", &page::page(tally))
}

fn stored(error: StoreError) -> Stop {
    let code = match &error {
        StoreError::File { .. } => exit::INTERNAL,
        StoreError::InUse(_) => exit::TRY_LATER,
        StoreError::NoRun(_) | StoreError::Odd { .. } => exit::USAGE,
    };
    Stop::new(code, SurveyError::Store(error))
}

/// A folder that is empty at first, and gone in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(path: PathBuf) -> Result<Self, Stop> {
        // What a survey that was killed has left: the bench is ours alone.
        remove(&path).and_then(|()| fs::create_dir_all(&path)).map_err(WorkshopError::file(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next survey would remove it too.
        let _ = remove(&self.0);
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
