//! `rebuild`: one build, here and now. It convinces nobody else, and says so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde_json::json;
use synchronicity_rebuild::bench::{Bench, BenchError, BenchOptions, StartError};
use synchronicity_rebuild::host_cargo::{CargoError, HostCargo};
use synchronicity_rebuild::recipe::{Options, PinError, Pinned, pin};
use synchronicity_rebuild::registry::ArchiveError;
use synchronicity_rebuild::release::ResolveError;
use synchronicity_rebuild::running::{BuildEvent, Outcome};
use synchronicity_rebuild::source::Depot;
use synchronicity_verify::request::{Features, Products};
use synchronicity_verify::result::{Artifacts, BuildResult, Failure};

use crate::cli::Rebuild;
use crate::exit::{self, Stop};
use crate::progress::Progress;
use crate::report;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum RebuildError {
    #[error("no folder for builds: neither XDG_CACHE_HOME nor HOME is set")]
    #[diagnostic(help("name one with --dir"))]
    NoFolder,
    #[error(transparent)]
    Bench(BenchError),
    #[error(transparent)]
    Cargo(CargoError),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Pin(PinError),
    #[error(transparent)]
    Start(StartError),
    #[error("this machine could not do the build: {0}")]
    #[diagnostic(help(
        "nothing is known about the crate by that; `synchronicity-node doctor` says what this machine lacks"
    ))]
    Broken(String),
    #[error("{purl} does not build: {failure}")]
    #[diagnostic(help("{}. The transcript: {}", failure.advice(), transcript.display()))]
    Failed { purl: String, failure: Failure, transcript: PathBuf },
}

/// Pins, builds, prints.
pub(crate) fn rebuild(args: &Rebuild) -> Result<u8, Stop> {
    let progress = Progress::new();
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => default_dir().ok_or_else(|| Stop::new(exit::USAGE, RebuildError::NoFolder))?,
    };
    progress.say("preparing the sandbox");
    let options = BenchOptions { choice: args.sandbox, ..BenchOptions::default() };
    let bench = Bench::open(&dir, &options).map_err(bench_trouble)?;
    progress.say(&format!("pinning {}", args.spec));
    let pinned = pinned(args, &bench)?;
    let purl = pinned.request.source.purl();
    let outcome = build(&bench, &pinned, &progress)?;
    progress.end();
    match &outcome.result {
        BuildResult::Built(artifacts) => {
            let built = outcome.artifacts_dir.as_deref().unwrap_or(Path::new("."));
            let folder = match &args.out {
                Some(out) => {
                    copy(artifacts, built, out)?;
                    out
                }
                None => built,
            };
            tell(args, &bench, &pinned, artifacts, folder, &outcome);
            Ok(exit::OK)
        }
        BuildResult::Failed(failure) => {
            let error = RebuildError::Failed { purl, failure: *failure, transcript: outcome.transcript.clone() };
            Err(Stop::new(exit::INTERNAL, error))
        }
    }
}

fn pinned(args: &Rebuild, bench: &Bench) -> Result<Pinned, Stop> {
    let cargo = HostCargo::in_sysroot(&bench.sysroot())
        .map_err(|error| Stop::new(exit::INTERNAL, RebuildError::Cargo(error)))?;
    let path = bench.depot_dir();
    let depot =
        Depot::open(&path, cargo).map_err(|error| Stop::new(exit::INTERNAL, RebuildError::File { path, error }))?;
    let products = match (args.lib, args.bins) {
        (true, _) => Some(Products::Library),
        (_, true) => Some(Products::Binaries),
        _ => None,
    };
    let mut named = args.features.clone();
    named.sort();
    named.dedup();
    let features = Features { default: !args.no_default_features, all: args.all_features, named };
    let options = Options { features, products, ..Options::default() };
    pin(&depot, &args.spec, &bench.toolchain(), &bench.environment(), &options).map_err(|error| {
        let code = match &error {
            PinError::Resolve(ResolveError::Download(_)) | PinError::Archive(ArchiveError::Download(_)) => {
                exit::TRY_LATER
            }
            PinError::Archive(_) | PinError::Disk { .. } | PinError::ResolveLock(_) => exit::INTERNAL,
            _ => exit::USAGE,
        };
        Stop::new(code, RebuildError::Pin(error))
    })
}

fn build(bench: &Bench, pinned: &Pinned, progress: &Progress) -> Result<Outcome, Stop> {
    let running = bench
        .start(&pinned.request, &pinned.lock)
        .map_err(|error| Stop::new(exit::INTERNAL, RebuildError::Start(error)))?;
    let name = format!("{} {}", pinned.request.source.name(), pinned.request.source.version());
    while let Some(event) = running.recv() {
        match event {
            BuildEvent::Fetching => progress.say(&format!("fetching {name} and its dependencies")),
            BuildEvent::Building { compiled } if compiled.is_empty() => {
                progress.say(&format!("building {name} in the {} sandbox, without network", bench.name()));
            }
            BuildEvent::Building { compiled } => progress.detail(&format!("building {name}: {compiled}")),
            BuildEvent::Finished(outcome) => return Ok(outcome),
            BuildEvent::Broken(reason) => return Err(Stop::new(exit::TRY_LATER, RebuildError::Broken(reason))),
        }
    }
    Err(Stop::new(exit::TRY_LATER, RebuildError::Broken("the build ended without a word".into())))
}

fn copy(artifacts: &Artifacts, from: &Path, to: &Path) -> Result<(), Stop> {
    let failed = |path: &Path, error| Stop::new(exit::INTERNAL, RebuildError::File { path: path.to_owned(), error });
    fs::create_dir_all(to).map_err(|error| failed(to, error))?;
    for artifact in artifacts {
        let target = to.join(artifact.name.as_str());
        fs::copy(from.join(artifact.name.as_str()), &target).map_err(|error| failed(&target, error))?;
    }
    Ok(())
}

fn tell(args: &Rebuild, bench: &Bench, pinned: &Pinned, artifacts: &Artifacts, folder: &Path, outcome: &Outcome) {
    let request = &pinned.request;
    if args.json {
        let artifacts = artifacts.iter().map(|artifact| {
            let mut told = report::artifact_json(artifact);
            told["path"] = folder.join(artifact.name.as_str()).display().to_string().into();
            told
        });
        let told = json!({
            "exit": exit::OK,
            "purl": request.source.purl(),
            "request": request.id().to_string(),
            "result": outcome.result.digest().to_string(),
            "sandbox": bench.name(),
            "artifacts": artifacts.collect::<Vec<_>>(),
            "transcript": outcome.transcript.display().to_string(),
        });
        println!("{told}");
        return;
    }
    println!("built here: {} {}", request.source.name(), request.source.version());
    for artifact in artifacts {
        println!("  {:<25}{}, {} bytes", "artifact", artifact.name, artifact.size);
        println!("  {:<25}sha256 {}", "", artifact.sha256);
        println!("  {:<25}{}", "", folder.join(artifact.name.as_str()).display());
    }
    println!("  {:<25}{}", "transcript", outcome.transcript.display());
    println!("  {:<25}one build on one machine: a comparison for you, no evidence for others", "your own rebuild");
}

fn bench_trouble(error: BenchError) -> Stop {
    let code = match &error {
        BenchError::InUse(_) => exit::TRY_LATER,
        _ => exit::INTERNAL,
    };
    Stop::new(code, RebuildError::Bench(error))
}

/// The user's cache folder by the XDG rules, and in it our own.
fn default_dir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("synchronicity"))
}
