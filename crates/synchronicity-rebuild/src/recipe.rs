//! From what a person asks for to a request in which nothing is left open.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use synchronicity_verify::digest::Digest;
use synchronicity_verify::recipe;
use synchronicity_verify::request::{
    BuildRequest, Environment, Features, Limits, Lock, LockGrade, NameError, Products, REQUEST_SCHEMA, RequestError,
    Source, Toolchain,
};
use synchronicity_verify::result::ArtifactName;

use crate::fixture::{Fixture, FixtureError};
use crate::local::PackError;
use crate::lock::ResolveLockError;
use crate::manifest::{ManifestError, Nature, ProductsError};
use crate::registry::ArchiveError;
use crate::release::{ResolveError, supports};
use crate::source::Depot;
use crate::spec::Spec;
use crate::unpack::{self, Bounds, UnpackError};

/// What a person may choose; the rest of a recipe is fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Features of the root package.
    pub features: Features,
    /// What to build; `None` takes executables if the crate has any, as `cargo install` builds them where that is
    /// possible, and its library otherwise.
    pub products: Option<Products>,
    /// What the build may use.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            features: Features { default: true, all: false, named: Vec::new() },
            products: None,
            limits: Limits {
                memory_bytes: 3 << 30,
                time_seconds: 20 * 60,
                disk_bytes: 8 << 30,
                processes: 512,
                transcript_bytes: 16 << 20,
                jobs: 2,
            },
        }
    }
}

/// A request and what travels beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The request.
    pub request: BuildRequest,
    /// The bytes of the `Cargo.lock` whose digest the request states.
    pub lock: Vec<u8>,
    /// File names of the artifacts that will come of it, sorted.
    pub products: Vec<ArtifactName>,
    /// What sort of crate it is.
    pub nature: Nature,
}

/// Why nothing can be asked of builders.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The name or version leads to no release.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The release's archive is not to be had.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The archive was refused.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The folder cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The folder is no fixture.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Nothing to build with these features and products.
    #[error(transparent)]
    Products(#[from] ProductsError),
    /// There is no published lock that can be used, and none could be resolved.
    #[error(transparent)]
    ResolveLock(#[from] ResolveLockError),
    /// The manifest asks for a newer compiler. (Usually the index says so before: [`ResolveError::RustVersion`].)
    #[error("{package} needs rustc {needed} or newer, and the pinned one is {pinned}")]
    RustVersion {
        /// Name and version.
        package: String,
        /// The release that the manifest asks for.
        needed: String,
        /// The release at hand.
        pinned: String,
    },
    /// A choice that no request can carry.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The scratch folder could not be used.
    #[error("{}: {error}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
}

/// Pins everything that a build of `spec` with `options` can depend on. Uses the network; builds nothing.
pub fn pin(
    depot: &Depot,
    spec: &Spec,
    toolchain: &Toolchain,
    environment: &Environment,
    options: &Options,
) -> Result<Pinned, PinError> {
    pin_by(depot, spec, toolchain, environment, &|_| options.clone())
}

/// The same with options that depend on what `spec` turns out to name.
pub fn pin_by(
    depot: &Depot,
    spec: &Spec,
    toolchain: &Toolchain,
    environment: &Environment,
    options: &dyn Fn(&Source) -> Options,
) -> Result<Pinned, PinError> {
    let scratch = depot.scratch().map_err(|error| PinError::Disk { path: depot.dir().to_owned(), error })?;
    let unpacked = scratch.path().join("source");
    let source = fetch(depot, spec, toolchain, &unpacked)?;
    let options = options(&source);
    of_unpacked(depot, &unpacked, source, toolchain, environment, &options)
}

/// The same for a folder of this machine whatever is in it, packed as it would be published: the request, and the
/// archive that [`Trial::archive`](crate::bench::Trial::archive) needs. No evidence comes of it: the request names as a
/// fixture what nobody else has.
pub fn pin_local(
    depot: &Depot,
    folder: &Path,
    toolchain: &Toolchain,
    environment: &Environment,
    options: &Options,
) -> Result<(Pinned, Vec<u8>), PinError> {
    let scratch = depot.scratch().map_err(|error| PinError::Disk { path: depot.dir().to_owned(), error })?;
    let (root, archive) = depot.pack(folder, &scratch.path().join("packed"))?;
    let unpacked = scratch.path().join("source");
    unpack::crate_archive(&archive, &root, &unpacked, Bounds::default())?;
    let manifest = depot.manifest(&unpacked)?;
    let odd = |error: NameError| ManifestError::Answer(error.to_string());
    let (name, version) = (manifest.name.parse().map_err(odd)?, manifest.version.parse().map_err(odd)?);
    let source = Source::Fixture { name, version, checksum: Digest::of(&archive) };
    Ok((of_unpacked(depot, &unpacked, source, toolchain, environment, options)?, archive))
}

fn of_unpacked(
    depot: &Depot,
    unpacked: &Path,
    source: Source,
    toolchain: &Toolchain,
    environment: &Environment,
    options: &Options,
) -> Result<Pinned, PinError> {
    let manifest = depot.manifest(unpacked)?;
    if let Some(needed) = manifest.rust_version.as_ref().filter(|needed| !supports(&toolchain.release, needed)) {
        return Err(PinError::RustVersion {
            package: format!("{} {}", manifest.name, manifest.version),
            needed: needed.clone(),
            pinned: toolchain.release.clone(),
        });
    }
    let (grade, lock) = lock_of(depot, unpacked, &source)?;
    let products = options.products.unwrap_or_else(|| match manifest.default_products(&options.features) {
        Products::Binaries if Products::installable(&source, grade) => Products::Installed,
        products => products,
    });
    let names = manifest.expected(&options.features, products)?;
    let request = BuildRequest {
        schema: REQUEST_SCHEMA,
        source,
        lock: Lock { grade, sha256: Digest::of(&lock) },
        toolchain: toolchain.clone(),
        environment: *environment,
        target: toolchain.host.clone(),
        profile: recipe::PROFILE.into(),
        features: options.features.clone(),
        products,
        env: recipe::env(),
        rustflags: recipe::rustflags(products),
        limits: options.limits,
    };
    request.check()?;
    Ok(Pinned { request, lock, products: names, nature: manifest.nature() })
}

fn fetch(depot: &Depot, spec: &Spec, toolchain: &Toolchain, into: &Path) -> Result<Source, PinError> {
    match spec {
        Spec::Crate { name, version } => {
            let release = depot.registry().resolve(name, version.as_ref(), &toolchain.release)?;
            let archive = depot.registry().archive(&release)?;
            let root = format!("{}-{}", release.name, release.version);
            unpack::crate_archive(&archive, &root, into, Bounds::default())?;
            Ok(Source::Registry { name: release.name, version: release.version, checksum: release.checksum })
        }
        Spec::Folder(path) => {
            let fixture = Fixture::in_folder(path)?;
            let source = fixture.source();
            let root = format!("{}-{}", source.name(), source.version());
            unpack::tar_archive(&fixture.archive(), &root, into, Bounds::default())?;
            Ok(source)
        }
    }
}

fn lock_of(depot: &Depot, unpacked: &Path, source: &Source) -> Result<(LockGrade, Vec<u8>), PinError> {
    let path = unpacked.join("Cargo.lock");
    match fs::read(&path) {
        Ok(bytes) if depot.lock_fits(unpacked, source, &bytes)? => Ok((LockGrade::Published, bytes)),
        Ok(_) => Ok((LockGrade::Replaced, depot.resolve_lock(unpacked, source)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok((LockGrade::Resolved, depot.resolve_lock(unpacked, source)?))
        }
        Err(error) => Err(PinError::Disk { path, error }),
    }
}
