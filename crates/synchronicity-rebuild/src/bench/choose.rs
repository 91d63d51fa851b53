//! Which sandbox a bench works with.

use std::path::Path;

use synchronicity_verify::request::{Environment, Toolchain};

use super::{BenchError, BenchOptions, Kind, SandboxChoice};
use crate::containment::{self, Walls};
use crate::image::Docker;
use crate::{fingerprint, probe};

/// The sandbox of a bench, what it pins, and the walls that it has.
pub(super) struct Chosen {
    pub(super) kind: Kind,
    pub(super) environment: Environment,
    pub(super) walls: Walls,
}

impl Chosen {
    fn with_walls(self, required: &Walls) -> Result<Self, BenchError> {
        let lacking: Walls = required.difference(&self.walls).copied().collect();
        if lacking.is_empty() {
            return Ok(self);
        }
        Err(BenchError::Walls { sandbox: self.kind.name(), lacking: containment::list(&lacking) })
    }
}

/// Takes the sandbox that was asked for, if it works here and has the walls that are required. `homes` is where what
/// several benches share is, `program` what builds start.
pub(super) fn choose(
    options: &BenchOptions,
    toolchain: &Toolchain,
    homes: &Path,
    program: &Path,
) -> Result<Chosen, BenchError> {
    if options.choice != SandboxChoice::Embedded {
        match containers(options, homes) {
            Err(_) if options.choice == SandboxChoice::Auto => {}
            done => return done,
        }
    }
    let fingerprint = fingerprint::of_this_host(toolchain)?;
    let walls = probe::try_room(program)?;
    let kind = Kind::Embedded { required: options.required.clone() };
    Chosen { kind, environment: Environment::Host { fingerprint }, walls }.with_walls(&options.required)
}

fn containers(options: &BenchOptions, homes: &Path) -> Result<Chosen, BenchError> {
    let gvisor = options.choice == SandboxChoice::Gvisor;
    let docker = Docker::find()?;
    let walls = docker.walls(gvisor)?;
    let layer = docker.layer_or_build(&homes.join("image.lock"), &options.packages)?;
    let kind = Kind::Docker { docker, gvisor };
    Chosen { kind, environment: Environment::Image { layer }, walls }.with_walls(&options.required)
}
