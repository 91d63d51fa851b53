//! The bench: one folder in which one node (or one client) builds, and all that it needs to know to do so.
//!
//! ```text
//! bench-id               names this bench to Docker
//! lock                   held while the bench is open
//! homes/rustup-home      the frozen toolchain        or in the shared folder
//! homes/cargo-home       fetched dependencies        or in the shared folder
//! homes/depot            downloaded archives         or in the shared folder
//! shim/docker            link to the running program
//! builds/<request id>    one folder for each build: transcript and artifacts after it, more during it
//! ```

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::geteuid;
use synchronicity_verify::request::{BuildRequest, Environment, Toolchain};

pub use crate::choice::{SandboxChoice, UnknownSandbox};
use crate::containment::{UnknownWall, Walls};
use crate::docker_shim::Labels;
use crate::fingerprint::NoCompiler;
use crate::folder;
use crate::image::{Docker, ImageError};
use crate::make::{FREE_BYTES_MIN, free_bytes};
pub use crate::order::Trial;
use crate::order::{Order, Room};
use crate::packages;
use crate::running::{Remains, Running};
use crate::sandbox::SandboxError;
use crate::scripted::{self, Script};
use crate::seed::{self, SeedError};
use crate::worker;
use choose::Chosen;
pub use options::{BenchOptions, StartError, Terms};

/// How many ended builds keep their transcripts and artifacts on the bench.
const ENDED_KEPT: usize = 8;

/// How much the fetched dependencies of a bench may occupy when it is opened. (Shared folders are their owner's care:
/// another bench may be building from them.)
const DEPENDENCIES_BYTES_MAX: u64 = 20 << 30;

/// A bench cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file of the bench.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Two programs on one folder.
    #[error("another program builds in {}: stop it, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// No usable toolchain.
    #[error(transparent)]
    Toolchain(#[from] SeedError),
    /// No usable image, and Docker was asked for.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// No C compiler on the host, and the embedded sandbox is to be used.
    #[error(transparent)]
    Compiler(#[from] NoCompiler),
    /// The kernel does not let the embedded sandbox work.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The group asks for more than this machine can give.
    #[error(
        "the sandbox {sandbox} on this machine has no {lacking}, which the group asks of its builders: choose another \
         sandbox or machine; the program's doctor says what each can give"
    )]
    Walls {
        /// The sandbox's name.
        sandbox: &'static str,
        /// The missing walls, by name.
        lacking: String,
    },
    /// The group asks for what this program does not know.
    #[error("the group asks of its builders what this program does not know: {0}; a newer one may")]
    UnknownWall(#[from] UnknownWall),
    /// A folder that root's builds, who are not root, cannot reach.
    #[error("builds in the embedded sandbox cannot pass {}, which another user has closed: choose another folder", .0.display())]
    Closed(PathBuf),
    /// Docker keeps what an earlier run left.
    #[error("containers of an earlier run cannot be removed ({0}): `docker ps --all` shows them")]
    Leftovers(String),
}

/// An open bench.
#[derive(Debug)]
pub struct Bench {
    dir: PathBuf,
    homes: PathBuf,
    id: String,
    program: PathBuf,
    toolchain: Toolchain,
    environment: Environment,
    kind: Kind,
    walls: Walls,
    _lock: File,
}

#[derive(Debug)]
enum Kind {
    Docker { docker: Docker, gvisor: bool },
    Embedded { required: Walls },
    Scripted(Arc<Script>),
}

impl Bench {
    /// Opens the bench in `dir`, which is created if needed: chooses the sandbox, freezes the toolchain, and removes
    /// what an earlier run left, on disk and in Docker.
    pub fn open(dir: &Path, options: &BenchOptions) -> Result<Self, BenchError> {
        let (dir, lock) = enter(dir)?;
        let program = match &options.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().map_err(at("/proc/self/exe"))?,
        };
        let installed = seed::installed()?;
        let homes = options.shared.clone().unwrap_or_else(|| dir.join("homes"));
        fs::create_dir_all(&homes).map_err(at(&homes))?;
        let homes = homes.canonicalize().map_err(at(&homes))?;
        if options.shared.is_none() {
            bound(&homes.join("cargo-home"))?;
        }
        let Chosen { kind, environment, walls } = choose::choose(options, &installed.toolchain, &homes, &program)?;
        seed::freeze(&installed, &homes.join("rustup-home"))?;
        let id = identity(&dir.join("bench-id"))?;
        if let (Kind::Embedded { .. }, Some(closed)) =
            (&kind, closed_to_builds(&dir).or_else(|| closed_to_builds(&homes)))
        {
            return Err(BenchError::Closed(closed));
        }
        if let Kind::Docker { docker, .. } = &kind {
            docker.remove_labelled(&Labels::owner_label(&id)).map_err(BenchError::Leftovers)?;
        }
        Ok(Self { dir, homes, id, program, toolchain: installed.toolchain, environment, kind, walls, _lock: lock })
    }

    /// A bench whose builds are written down beforehand: for tests of what is around builds.
    pub fn scripted(dir: &Path, script: Script) -> Result<Self, BenchError> {
        let (dir, lock) = enter(dir)?;
        let (toolchain, environment) = (script.toolchain.clone(), script.environment);
        let kind = Kind::Scripted(Arc::new(script));
        let (id, homes) = ("scripted".into(), dir.join("homes"));
        Ok(Self {
            dir,
            homes,
            id,
            program: PathBuf::new(),
            toolchain,
            environment,
            kind,
            walls: Walls::new(),
            _lock: lock,
        })
    }

    /// The environment that requests for this bench pin.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// The toolchain that requests for this bench pin.
    pub fn toolchain(&self) -> Toolchain {
        self.toolchain.clone()
    }

    /// The sandbox's name: `docker`, `gvisor`, `embedded` or `scripted`.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The walls that its builds have around them.
    pub fn walls(&self) -> &Walls {
        &self.walls
    }

    /// The folder of verified downloads, for a [`Depot`](crate::source::Depot) of the same owner.
    pub fn depot_dir(&self) -> PathBuf {
        self.homes.join("depot")
    }

    /// Folder of the frozen toolchain, with `bin` and `lib`.
    pub fn sysroot(&self) -> PathBuf {
        self.rustup_home().join("toolchains").join(seed::toolchain_name(&self.toolchain))
    }

    /// Starts to build `request` with the pinned `lock`. One request must not be built twice at the same time.
    pub fn start(&self, request: &BuildRequest, lock: &[u8]) -> Result<Running, StartError> {
        self.start_as(request, lock, None, Terms::default())
    }

    /// The same on terms of its own.
    pub fn start_on(&self, request: &BuildRequest, lock: &[u8], terms: Terms) -> Result<Running, StartError> {
        self.start_as(request, lock, None, terms)
    }

    /// Those of these packages that are not there where builds run; an error says why that cannot be told. Nothing
    /// can be said against a scripted bench.
    pub fn lacks(&self, wanted: &[String]) -> Result<Vec<String>, String> {
        match &self.kind {
            Kind::Docker { docker, .. } => packages::lacking_in(Some(docker), wanted),
            Kind::Embedded { .. } => packages::lacking_in(None, wanted),
            Kind::Scripted(_) => Ok(Vec::new()),
        }
    }

    /// The same as a trial, whose result is evidence of nothing but itself.
    pub fn start_trial(&self, request: &BuildRequest, lock: &[u8], trial: Trial) -> Result<Running, StartError> {
        self.start_as(request, lock, Some(trial), Terms::default())
    }

    fn start_as(
        &self,
        request: &BuildRequest,
        lock: &[u8],
        trial: Option<Trial>,
        terms: Terms,
    ) -> Result<Running, StartError> {
        self.fits(request)?;
        let name = request.id().0.to_string()[..32].to_owned();
        let folder = self.dir.join("builds").join(&name);
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::File { path, source }
        };
        self.make_room().map_err(file(&self.dir))?;
        if free_bytes(&self.dir) < FREE_BYTES_MIN {
            return Err(StartError::DiskFull(self.dir.clone()));
        }
        // The target folder marks a build under way.
        folder::fresh(&folder).and_then(|()| folder::fresh(&folder.join("target"))).map_err(file(&folder))?;
        let (room, remains) = match &self.kind {
            Kind::Scripted(script) => return Ok(scripted::play(Arc::clone(script), request, folder)),
            Kind::Embedded { required } => {
                (Room::Embedded { program: self.program.clone(), required: required.clone() }, None)
            }
            Kind::Docker { docker, gvisor } => {
                let labels = Labels { owner: self.id.clone(), build: name };
                let remains = Remains { docker: docker.clone(), label: labels.build_label() };
                (Room::Docker { program: docker.program().to_owned(), labels, gvisor: *gvisor }, Some(remains))
            }
        };
        let order = Order {
            request: request.to_bytes(),
            lock: lock.to_vec(),
            folder,
            depot: self.depot_dir(),
            cargo_home: self.homes.join("cargo-home"),
            rustup_home: self.rustup_home(),
            room,
            trial,
            patience: terms.patience,
            packages: terms.packages,
        };
        worker::command(&self.program, &order, request, &self.dir.join("shim"))
            .and_then(|worker| Running::start(worker, &order, remains))
            .map_err(file(&self.program))
    }

    fn rustup_home(&self) -> PathBuf {
        self.homes.join("rustup-home")
    }

    fn fits(&self, request: &BuildRequest) -> Result<(), StartError> {
        if request.toolchain != self.toolchain {
            let name = |toolchain: &Toolchain| format!("rustc {} ({})", toolchain.release, toolchain.commit);
            let (pinned, here) = (name(&request.toolchain), name(&self.toolchain));
            return Err(StartError::Pin {
                pinned,
                here,
                advice: "install that release and start this program with it",
            });
        }
        if request.environment != self.environment {
            let name = |environment: &Environment| match environment {
                Environment::Image { layer } => format!("the image with layer sha256:{layer}"),
                Environment::Host { fingerprint } => format!("a host with fingerprint {fingerprint}"),
            };
            let (pinned, here) = (name(&request.environment), name(&self.environment));
            let advice = "all builders of a group need one sandbox image, or equal hosts";
            return Err(StartError::Pin { pinned, here, advice });
        }
        Ok(())
    }

    /// Removes what is left of all builds, none of which may be under way.
    pub fn clear(&self) -> io::Result<()> {
        fs::read_dir(self.dir.join("builds"))?.try_for_each(|entry| folder::wipe(&entry?.path()))
    }

    /// Removes the oldest ended builds beyond those that are kept.
    fn make_room(&self) -> io::Result<()> {
        let mut ended = Vec::new();
        for entry in fs::read_dir(self.dir.join("builds"))? {
            let entry = entry?;
            // A build under way still has its target folder.
            if !entry.path().join("target").exists() {
                ended.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        ended.sort();
        let surplus = ended.len().saturating_sub(ENDED_KEPT);
        ended.iter().take(surplus).try_for_each(|(_, path)| folder::wipe(path))
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Docker { gvisor: false, .. } => "docker",
            Self::Docker { gvisor: true, .. } => "gvisor",
            Self::Embedded { .. } => "embedded",
            Self::Scripted(_) => "scripted",
        }
    }
}

fn at(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> BenchError {
    let path = path.as_ref().to_owned();
    move |source| BenchError::File { path, source }
}

/// The folder, empty of builds, and the lock on it.
fn enter(dir: &Path) -> Result<(PathBuf, File), BenchError> {
    fs::create_dir_all(dir).map_err(at(dir))?;
    let dir = dir.canonicalize().map_err(at(dir))?;
    let path = dir.join("lock");
    let lock = File::create(&path).map_err(at(&path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(BenchError::InUse(dir)),
        Err(fs::TryLockError::Error(source)) => return Err(BenchError::File { path, source }),
    }
    let builds = dir.join("builds");
    folder::fresh(&builds).map_err(at(&builds))?;
    // A build can leave set-user-id programs, for its own user: nobody else on this machine shall come by them.
    fs::set_permissions(&builds, Permissions::from_mode(0o700)).map_err(at(&builds))?;
    Ok((dir, lock))
}

/// Empties a folder of dependencies that has grown beyond its bound; they are fetched again when they are needed.
fn bound(cargo_home: &Path) -> Result<(), BenchError> {
    if folder::size_bytes(cargo_home) <= DEPENDENCIES_BYTES_MAX {
        return Ok(());
    }
    folder::wipe(cargo_home).map_err(at(cargo_home))
}

/// The folder on the way to `path` that root cannot enter any more once it has left for a user namespace: there, only
/// its own folders and those that are open to all remain open to it.
fn closed_to_builds(path: &Path) -> Option<PathBuf> {
    let closed =
        |folder: &&Path| fs::metadata(folder).is_ok_and(|metadata| metadata.uid() != 0 && metadata.mode() & 0o001 == 0);
    geteuid().is_root().then(|| path.ancestors().find(closed)).flatten().map(Path::to_owned)
}

/// A random name that stays with the bench.
fn identity(path: &Path) -> Result<String, BenchError> {
    if let Ok(id) = fs::read_to_string(path)
        && id.len() == 16
        && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Ok(id);
    }
    let mut bytes = [0; 8];
    File::open("/dev/urandom").and_then(|mut dice| dice.read_exact(&mut bytes)).map_err(at("/dev/urandom"))?;
    let id = format!("{:016x}", u64::from_be_bytes(bytes));
    fs::write(path, &id).map_err(at(path))?;
    Ok(id)
}

#[path = "bench/choose.rs"]
mod choose;
#[path = "bench/options.rs"]
mod options;
#[cfg(test)]
#[path = "bench/tests.rs"]
mod tests;
