//! The bench on which this node builds, opened in the background: preparing a sandbox can take minutes, and a node
//! orders and serves meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use synchronicity::agreed::agreed;
use synchronicity_core::group::Group;
use synchronicity_rebuild::bench::{Bench, BenchError, BenchOptions};
use synchronicity_rebuild::containment::{UnknownWall, Wall, Walls};
use synchronicity_rebuild::host_cargo::{CargoError, HostCargo};
use synchronicity_rebuild::packages::advice;
use synchronicity_rebuild::recipe::{self, Options, PinError, Pinned};
use synchronicity_rebuild::source::Depot;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::request::Source;
use thiserror::Error;
use tokio::sync::watch;

use crate::config::Sandbox;
use crate::health::{Health, Topic};

/// How long to wait before a sandbox that could not be prepared is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// Whether this node can build.
#[derive(Clone)]
pub enum Readiness {
    /// The sandbox is being prepared.
    Preparing,
    /// Builds may start.
    Ready(Arc<Bench>),
    /// The sandbox could not be prepared, for this reason; it is tried again.
    Failed(String),
}

/// Tells whether this node can build, and when that changes.
pub type Workbench = watch::Receiver<Readiness>;

/// Opens the bench, or says why not.
pub type Opener = Box<dyn FnMut() -> Result<Bench, BenchError> + Send>;

/// Why nothing could be pinned.
#[derive(Debug, Error)]
pub enum BenchPinError {
    /// The crate, or the way to it.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The toolchain of the bench.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// What the group agreed must be there is not.
    #[error("{0}")]
    Packages(String),
    /// The folder of downloads.
    #[error("the folder of downloads cannot be used: {0}")]
    Depot(io::Error),
}

/// Opens the bench in `folder`; `shared` holds toolchain and downloads of several nodes of one owner, and builds are processes
/// of `program`, which is this executable. Without one of the walls that `group` asks for, or where the name of one is strange
/// to this program, nothing is built.
pub fn opener(folder: &Path, choice: Sandbox, shared: Option<&Path>, program: &Path, group: &Group) -> Opener {
    let required: Result<Walls, UnknownWall> = group.containment().iter().map(|name| name.parse::<Wall>()).collect();
    let packages = packages(group);
    let (folder, shared, program) = (folder.to_owned(), shared.map(Path::to_owned), program.to_owned());
    Box::new(move || {
        let required = required.clone()?;
        let (shared, packages) = (shared.clone(), packages.clone());
        let program = Some(program.clone());
        Bench::open(&folder, &BenchOptions { choice: choice.into(), shared, program, required, packages })
    })
}

/// All packages that overrides of the group name, sorted, each once.
pub fn packages(group: &Group) -> Vec<String> {
    let all: BTreeSet<&String> = group.overrides().iter().flat_map(|agreed| &agreed.packages).collect();
    all.into_iter().cloned().collect()
}

/// Starts to prepare the sandbox.
pub fn prepare(mut open: Opener, health: Health) -> Workbench {
    let (tell, workbench) = watch::channel(Readiness::Preparing);
    let prepare = move || {
        // Until it is there, or nobody is left who waits for it.
        while !tell.is_closed() {
            match open() {
                Ok(bench) => {
                    tracing::info!(sandbox = bench.name(), "ready to build");
                    health.recover(Topic::Sandbox);
                    tell.send_replace(Readiness::Ready(Arc::new(bench)));
                    return;
                }
                Err(error) => {
                    health.complain(Topic::Sandbox, format!("no sandbox: {error}"));
                    tell.send_replace(Readiness::Failed(error.to_string()));
                    thread::sleep(RETRY);
                }
            }
        }
    };
    let thread = thread::Builder::new().name("workbench".to_owned()).spawn(prepare);
    thread.expect("the operating system starts a thread at the start of the process");
    workbench
}

/// Pins what `spec` names to the toolchain and environment of the bench, as `group` agreed on it. Uses the network; builds
/// nothing.
///
/// # Errors
/// [`BenchPinError`].
pub fn pin(bench: &Bench, spec: &Spec, group: &Group) -> Result<Pinned, BenchPinError> {
    // The frozen toolchain is the one that the request names; a bench without one is on the host's own.
    let cargo = if bench.sysroot().is_dir() { HostCargo::in_sysroot(&bench.sysroot()) } else { HostCargo::find() };
    let depot = Depot::open(&bench.depot_dir(), cargo?).map_err(BenchPinError::Depot)?;
    let agreed = |source: &Source| agreed(group, source, Options::default());
    let pinned = recipe::pin_by(&depot, spec, &bench.toolchain(), &bench.environment(), &agreed)?;
    let packages = group.override_for(&pinned.request.source).map_or(&[][..], |agreed| &agreed.packages);
    let lacking = bench.lacks(packages).map_err(BenchPinError::Packages)?;
    if lacking.is_empty() {
        return Ok(pinned);
    }
    Err(BenchPinError::Packages(advice(bench.name() != "embedded", &lacking)))
}
