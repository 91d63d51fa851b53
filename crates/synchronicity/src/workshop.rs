//! Builds on this machine: an open bench, a pinned request, and a build that is followed to its end, or stopped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use miette::Diagnostic;
use synchronicity_core::group::Group;
use synchronicity_core::group::overrides::Override;
use synchronicity_rebuild::bench::{Bench, BenchError, BenchOptions, StartError, Terms, Trial};
use synchronicity_rebuild::host_cargo::{CargoError, HostCargo};
use synchronicity_rebuild::recipe::{Options, PinError, Pinned, pin_by, pin_local};
use synchronicity_rebuild::registry::ArchiveError;
use synchronicity_rebuild::release::ResolveError;
use synchronicity_rebuild::running::{BuildEvent, Outcome, Running};
use synchronicity_rebuild::source::Depot;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::request::{Products, Source};
use synchronicity_verify::result::{Artifacts, Failure};

use crate::agreed;
use crate::cli::{Place, Wanted};
use crate::exit::{self, Stop};
use crate::folders;
use crate::progress::{Inflow, Progress};

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum WorkshopError {
    #[error("no folder for builds: neither XDG_CACHE_HOME nor HOME is set")]
    #[diagnostic(help("name one with --dir"))]
    NoFolder,
    #[error(transparent)]
    Bench(BenchError),
    #[error(transparent)]
    Cargo(CargoError),
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("see that the folder may be written and has room, or choose another one with --dir"))]
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
    #[error("{what} does not build: {failure}")]
    #[diagnostic(help("{}. The transcript: {}", failure.advice(), transcript.display()))]
    Failed { what: String, failure: Failure, transcript: PathBuf },
}

impl WorkshopError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Stop {
        let path = path.to_owned();
        move |error| Stop::new(exit::INTERNAL, Self::File { path, error })
    }
}

/// An open bench, to be used from several threads.
pub(crate) struct Workshop {
    pub(crate) bench: Bench,
    pub(crate) dir: PathBuf,
    pub(crate) progress: Progress,
    /// Whose agreements count, if anybody's.
    group: Option<Group>,
    under_way: Mutex<UnderWay>,
}

/// The builds that can be stopped.
#[derive(Default)]
struct UnderWay {
    stopped: bool,
    builds: Vec<Arc<Running>>,
}

impl Workshop {
    /// For one crate, by the agreements of the group that `wanted` names, if it names one.
    pub(crate) fn open_for(wanted: &Wanted) -> Result<Self, Stop> {
        let group = wanted.group.as_deref().map(agreed::read).transpose()?;
        Ok(Self { group, ..Self::open(&wanted.place, Progress::new())? })
    }

    pub(crate) fn open(place: &Place, progress: Progress) -> Result<Self, Stop> {
        let dir = match &place.dir {
            Some(dir) => dir.clone(),
            None => default_dir().ok_or_else(|| Stop::new(exit::USAGE, WorkshopError::NoFolder))?,
        };
        progress.say("preparing the sandbox");
        let options = BenchOptions { choice: place.sandbox, ..BenchOptions::default() };
        let bench = Bench::open(&dir, &options).map_err(bench_trouble)?;
        Ok(Self { bench, dir, progress, group: None, under_way: Mutex::default() })
    }

    /// What was asked for, as a request.
    pub(crate) fn pin(&self, wanted: &Wanted) -> Result<Pinned, Stop> {
        self.pin_spec(&wanted.spec, &options(wanted))
    }

    /// A crate, built with these options, as a request.
    pub(crate) fn pin_spec(&self, spec: &Spec, options: &Options) -> Result<Pinned, Stop> {
        let depot = self.telling(format!("pinning {spec}"))?;
        let (toolchain, environment) = (self.bench.toolchain(), self.bench.environment());
        let options = |source: &Source| match &self.group {
            Some(group) => agreed::agreed(group, source, options.clone()),
            None => options.clone(),
        };
        pin_by(&depot, spec, &toolchain, &environment, &options).map_err(pin_trouble)
    }

    /// What the group agreed on for this crate, if it did and if one was named.
    pub(crate) fn agreed(&self, pinned: &Pinned) -> Option<&Override> {
        self.group.as_ref()?.override_for(&pinned.request.source)
    }

    /// A folder, whatever is in it, as a request, and as an archive.
    pub(crate) fn pin_local(&self, wanted: &Wanted, folder: &Path) -> Result<(Pinned, Vec<u8>), Stop> {
        let depot = self.telling(format!("packing {}", folder.display()))?;
        let (toolchain, environment) = (self.bench.toolchain(), self.bench.environment());
        pin_local(&depot, folder, &toolchain, &environment, &options(wanted)).map_err(pin_trouble)
    }

    /// A depot, what it downloads being shown while `what` goes on.
    fn telling(&self, what: String) -> Result<Depot, Stop> {
        self.progress.say(&what);
        Ok(self.depot()?.telling(self.progress.arrivals(what)))
    }

    pub(crate) fn depot(&self) -> Result<Depot, Stop> {
        let cargo = HostCargo::in_sysroot(&self.bench.sysroot())
            .map_err(|error| Stop::new(exit::INTERNAL, WorkshopError::Cargo(error)))?;
        let path = self.bench.depot_dir();
        Depot::open(&path, cargo).map_err(WorkshopError::file(&path))
    }

    /// Builds once, and follows the build to its end. `note` says which build it is, where there are several.
    pub(crate) fn build(&self, pinned: &Pinned, trial: Option<Trial>, note: &str) -> Result<Outcome, Stop> {
        let running = self.start(pinned, trial)?;
        let ended = self.follow(pinned, &running, note);
        self.under_way().builds.retain(|build| !Arc::ptr_eq(build, &running));
        ended
    }

    /// Kills the builds under way, and lets no other begin.
    pub(crate) fn stop(&self) {
        let mut under_way = self.under_way();
        under_way.stopped = true;
        under_way.builds.iter().for_each(|build| build.kill());
    }

    fn start(&self, pinned: &Pinned, trial: Option<Trial>) -> Result<Arc<Running>, Stop> {
        // One at a time: each makes room on the bench.
        let mut under_way = self.under_way();
        if under_way.stopped {
            return Err(broken("it was stopped".into()));
        }
        let started = match trial {
            Some(trial) => self.bench.start_trial(&pinned.request, &pinned.lock, trial),
            None => {
                let packages = self.agreed(pinned).map(|agreed| agreed.packages.clone()).unwrap_or_default();
                self.bench.start_on(&pinned.request, &pinned.lock, Terms { packages, ..Terms::default() })
            }
        };
        let running = started.map_err(|error| Stop::new(exit::INTERNAL, WorkshopError::Start(error)))?;
        let running = Arc::new(running);
        under_way.builds.push(Arc::clone(&running));
        Ok(running)
    }

    fn follow(&self, pinned: &Pinned, running: &Running, note: &str) -> Result<Outcome, Stop> {
        let name = format!("{} {}{note}", pinned.request.source.name(), pinned.request.source.version());
        let sandbox = self.bench.name();
        let mut inflow = Inflow::new();
        while let Some(event) = running.recv() {
            match event {
                BuildEvent::Fetching => {
                    inflow = Inflow::new();
                    self.progress.say(&format!("fetching {name} and its dependencies"));
                }
                BuildEvent::Arriving { bytes } => {
                    inflow.reach(bytes);
                    self.progress.detail(&format!("fetching {name}: {inflow}"));
                }
                BuildEvent::Building { compiled } if compiled.is_empty() => {
                    self.progress.say(&format!("building {name} in the {sandbox} sandbox, without network"));
                }
                BuildEvent::Building { compiled } => self.progress.detail(&format!("building {name}: {compiled}")),
                BuildEvent::Retrying { first } => self.progress.say(&format!("trying {name} once more after {first}")),
                BuildEvent::Finished(outcome) => return Ok(outcome),
                BuildEvent::Broken(reason) => return Err(broken(reason)),
            }
        }
        Err(broken("the build ended without a word".into()))
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn options(wanted: &Wanted) -> Options {
    let products = match (wanted.lib, wanted.bins) {
        (true, _) => Some(Products::Library),
        (_, true) => Some(Products::Binaries),
        _ => None,
    };
    Options { features: wanted.chosen.features(), products, ..Options::default() }
}

fn broken(reason: String) -> Stop {
    Stop::new(exit::TRY_LATER, WorkshopError::Broken(reason))
}

/// Copies the artifacts in the folder `from` to the folder `to`, which is created if it is not there.
pub(crate) fn copy(artifacts: &Artifacts, from: &Path, to: &Path) -> Result<(), Stop> {
    fs::create_dir_all(to).map_err(WorkshopError::file(to))?;
    for artifact in artifacts {
        let target = to.join(artifact.name.as_str());
        fs::copy(from.join(artifact.name.as_str()), &target).map_err(WorkshopError::file(&target))?;
    }
    Ok(())
}

fn pin_trouble(error: PinError) -> Stop {
    let code = match &error {
        PinError::Resolve(ResolveError::Download(_)) | PinError::Archive(ArchiveError::Download(_)) => exit::TRY_LATER,
        PinError::Archive(_) | PinError::Disk { .. } | PinError::ResolveLock(_) => exit::INTERNAL,
        _ => exit::USAGE,
    };
    Stop::new(code, WorkshopError::Pin(error))
}

fn bench_trouble(error: BenchError) -> Stop {
    let code = match &error {
        BenchError::InUse(_) => exit::TRY_LATER,
        _ => exit::INTERNAL,
    };
    Stop::new(code, WorkshopError::Bench(error))
}

/// The user's cache folder by the XDG rules, and in it our own.
pub(crate) fn default_dir() -> Option<PathBuf> {
    let cache = folders::user("XDG_CACHE_HOME", ".cache")?;
    Some(cache.join("synchronicity"))
}
